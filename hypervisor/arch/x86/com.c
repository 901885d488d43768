/* SPDX-License-Identifier: MIT */
/* The serial ports of a PC, as the console: where they are, and their settings. Registers as of TI
 * TL16C550C, SLLS177; drivers/uart_ns16550.c does the rest. */
#include <asm/com.h>
#include <asm/io.h>
#include <asm/options.h>
#include <asm/passthrough.h>
#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/init.h>

#include <string.h>

#define BASE_HZ 1843200u

#define DIVISOR_LOW  0u /* with LCR_DLAB */
#define DIVISOR_HIGH 1u
#define FCR          2u
#define LCR          3u
#define MCR          4u
#define SCRATCH      7u

#define FCR_ON_CLEAR 0x07u /* FIFOs on, and empty */
#define LCR_8N1      0x03u
#define LCR_DLAB     0x80u
#define MCR_DTR_RTS  0x03u

static uint8_t port_get(const struct uart *u, uint32_t reg)
{
    return port_read8((uint16_t)(u->phys + reg));
}

static void port_set(const struct uart *u, uint32_t reg, uint8_t value)
{
    port_write8((uint16_t)(u->phys + reg), value);
}

/* Its scratch register keeps what was written; where nothing is, all bits are ones. */
static bool is_there(uint16_t port)
{
    port_write8((uint16_t)(port + SCRATCH), 0x5a);
    if (port_read8((uint16_t)(port + SCRATCH)) != 0x5a)
        return false;
    port_write8((uint16_t)(port + SCRATCH), 0xa5);
    return port_read8((uint16_t)(port + SCRATCH)) == 0xa5;
}

static void set_line(uint16_t port, uint32_t baud)
{
    uint32_t divisor = BASE_HZ / 16 / baud;

    port_write8((uint16_t)(port + LCR), LCR_8N1 | LCR_DLAB);
    port_write8((uint16_t)(port + DIVISOR_LOW), (uint8_t)divisor);
    port_write8((uint16_t)(port + DIVISOR_HIGH), (uint8_t)(divisor >> 8));
    port_write8((uint16_t)(port + LCR), LCR_8N1);
    port_write8((uint16_t)(port + FCR), FCR_ON_CLEAR);
    port_write8((uint16_t)(port + MCR), MCR_DTR_RTS);
}

int com_find(struct uart *u, const struct com_settings *s)
{
    if (!is_there(s->port))
        return -ENODEV;
    if (s->baud)
        set_line(s->port, s->baud);
    memset(u, 0, sizeof(*u));
    u->driver = &uart_ns16550;
    u->phys = s->port;
    u->regs_size = 8;
    u->reg_width = 1;
    u->irq = s->irq;
    u->edge = true;
    u->get = port_get;
    u->set = port_set;
    return 0;
}

int arch_find_uart(struct uart *u)
{
    const struct com_settings *s = &x86_options.com[strstr(options.console, "com2") ? 1 : 0];
    int err;

    if (!strstr(options.console, "com"))
        return -ENODEV;
    err = com_find(u, s);
    if (!err)
        passthrough_keep_ports(s->port, (uint16_t)(s->port + 7));
    return err;
}
