/* SPDX-License-Identifier: MIT */
/* The UARTs' drivers, on models of their registers. */
// sources: drivers/uart.c drivers/uart_pl011.c drivers/uart_cadence.c drivers/uart_ns16550.c
#include "unit.h"

#include <asm/host.h>
#include <hospes/console.h>
#include <hospes/errno.h>

/* A device: registers as memory, with what the UARTs do beyond that. */
static struct {
    uint8_t bytes[0x1000] __attribute__((aligned(8)));
    enum { PL011, SBSA, CADENCE, NS16550 } kind;
    unsigned int shift, width; /* 16550 */
    char sent[300];
    size_t sent_len;
    uint32_t fifo, fifo_most; /* bytes in the transmit FIFO */
    const char *received;
    uint32_t busy;               /* looks until the transmitter has stopped */
    uint32_t changed_while_busy; /* writes to line control in that time */
    uint32_t cleared;            /* written to the interrupt clear register */
    uint32_t usr_reads;
} dev;

static uint32_t *word(unsigned int offset)
{
    return (uint32_t *)(void *)&dev.bytes[offset];
}

static void send(uint64_t value)
{
    assert_true(dev.fifo < dev.fifo_most); /* a byte would be lost */
    dev.fifo++;
    dev.sent[dev.sent_len++] = (char)value;
}

static uint64_t take(void)
{
    assert_true(*dev.received != '\0');
    return (uint8_t)*dev.received++;
}

static bool is_empty(void)
{
    return *dev.received == '\0';
}

static bool is_full(void)
{
    return dev.fifo == dev.fifo_most;
}

static uint64_t dev_read(void *arg, const volatile void *p, unsigned int bytes)
{
    unsigned int offset = (unsigned int)((const volatile uint8_t *)p - dev.bytes);

    if (dev.kind != NS16550) {
        assert_int_equal(bytes, 4);
        switch (offset + (dev.kind == CADENCE ? 0x10000 : 0)) {
        case 0x00: /* DR */
        case 0x10030:
            return take();
        case 0x18: /* FR */
            if (dev.busy > 0 && dev.busy-- > 0)
                return 0x08;
            return (is_empty() ? 0x10 : 0) | (is_full() ? 0x20 : 0) | (dev.fifo == 0 ? 0x80 : 0x08);
        case 0x1002c:                           /* CHANNEL_STS */
            if (dev.busy > 0 && dev.busy-- > 0) /* the last byte is still on its way */
                return 0x808;
            return (is_empty() ? 0x2 : 0) | (is_full() ? 0x10 : 0) | (dev.fifo == 0 ? 0x8 : 0);
        default:
            return *word(offset);
        }
    }
    assert_int_equal(bytes, dev.width);
    assert_int_equal(offset & ((1u << dev.shift) - 1), 0);
    switch (offset >> dev.shift) {
    case 0:
        return take();
    case 5: /* LSR */
        if (dev.busy > 0 && dev.busy-- > 0)
            return 0x20;
        return (is_empty() ? 0 : 1) | (dev.fifo == 0 ? 0x60 : 0);
    case 31:
        dev.usr_reads++;
        return 0;
    default:
        return dev.bytes[offset];
    }
}

static void dev_write(void *arg, volatile void *p, unsigned int bytes, uint64_t value)
{
    unsigned int offset = (unsigned int)((volatile uint8_t *)p - dev.bytes);

    if (dev.kind != NS16550) {
        assert_int_equal(bytes, 4);
        switch (offset + (dev.kind == CADENCE ? 0x10000 : 0)) {
        case 0x00: /* DR */
        case 0x10030:
            send(value);
            return;
        case 0x24: /* IBRD, FBRD, LCRH, CR: a generic UART has none of them */
        case 0x28:
        case 0x2c:
        case 0x30:
            assert_true(dev.kind != SBSA);
            dev.changed_while_busy += dev.busy > 0;
            break;
        case 0x44:    /* ICR */
        case 0x10014: /* CHNL_INT_STS */
            dev.cleared = (uint32_t)value;
            return;
        case 0x10008: /* INTRPT_EN, INTRPT_DIS: at 0x10 what is enabled */
            *word(0x10) |= (uint32_t)value;
            return;
        case 0x1000c:
            *word(0x10) &= ~(uint32_t)value;
            return;
        }
        *word(offset) = (uint32_t)value;
        return;
    }
    assert_int_equal(bytes, dev.width);
    assert_int_equal(offset & ((1u << dev.shift) - 1), 0);
    if (offset == 0)
        send(value);
    else
        dev.bytes[offset] = (uint8_t)value;
}

static const struct host_mmio model = { dev_read, dev_write, NULL };

static const struct uart_driver *driver_for(const char *compatible)
{
    for (const struct uart_driver *const *d = uart_drivers; *d; d++)
        for (const char *const *c = (*d)->compatible; *c; c++)
            if (strcmp(*c, compatible) == 0)
                return *d;
    fail_msg("no driver for %s", compatible);
    return NULL;
}

static struct uart open_uart(const char *compatible, int kind, uint32_t fifo)
{
    memset(&dev, 0, sizeof(dev));
    dev.kind = kind;
    dev.fifo_most = fifo;
    dev.received = "";
    host_set_mmio(&model);
    return (struct uart){
        .driver = driver_for(compatible),
        .regs = dev.bytes,
        .regs_size = sizeof(dev.bytes),
        .irq = 1,
    };
}

/* Sends as many bytes as the UART says it takes, and receives what there is. */
static void talk(struct uart *u, uint32_t at_once)
{
    uint8_t byte;

    for (uint32_t round = 0; round < 3; round++) {
        uint32_t n = 0;
        dev.sent_len = 0;
        for (; u->driver->tx_ready(u); n++)
            u->driver->tx(u, (uint8_t)('A' + n));
        assert_int_equal(n, at_once);
        assert_int_equal(dev.sent_len, at_once);
        assert_int_equal(dev.sent[0], 'A');
        assert_int_equal(dev.sent[n - 1], (char)('A' + n - 1));
        dev.fifo = 0;
    }
    assert_true(u->driver->tx_done(u));
    dev.busy = 2;
    assert_false(u->driver->tx_done(u) || u->driver->tx_done(u));
    assert_true(u->driver->tx_done(u));
    /* A FIFO that is neither empty nor full takes what it has room for, or waits until it is empty.
     */
    assert_true(u->driver->tx_ready(u));
    while (u->driver->tx_ready(u))
        u->driver->tx(u, 'x');
    if (at_once > 3)
        dev.fifo -= 3;
    dev.sent_len = 0;
    while (u->driver->tx_ready(u))
        u->driver->tx(u, 'y');
    assert_true(dev.sent_len <= 3);
    assert_false(u->driver->tx_done(u));
    dev.fifo = 0;
    u->credit = 0;
    dev.received = "ok";
    assert_true(u->driver->rx(u, &byte));
    assert_int_equal(byte, 'o');
    assert_true(u->driver->rx(u, &byte));
    assert_int_equal(byte, 'k');
    assert_false(u->driver->rx(u, &byte));
}

/* The console of QEMU's virt board and of many others: no output, or bytes lost. */
static void pl011_talks(void **state)
{
    struct uart u = open_uart("arm,pl011", PL011, 16);

    *word(0x30) = 0x301;
    *word(0x2c) = 0x70;
    *word(0x38) = 0x7ff;
    assert_int_equal(u.driver->init(&u), 0);
    assert_int_equal(*word(0x38), 0); /* no interrupts that nobody asked for */
    talk(&u, 16);
    u.driver->irq_enable(&u);
    assert_int_equal(*word(0x38), 0x50); /* receive, receive timeout */
    u.driver->tx_irq(&u, true);
    assert_int_equal(*word(0x38), 0x70);
    u.driver->tx_irq(&u, false);
    assert_int_equal(*word(0x38), 0x50);
    u.driver->irq_ack(&u);
    assert_int_equal(dev.cleared & 0x50, 0); /* bytes in the FIFO still ask for attention */
    assert_int_equal(dev.cleared, 0x7af);
}

/* What firmware was still printing would be garbled, or the baud rate lost. */
static void pl011_as_firmware_left_it(void **state)
{
    struct uart u = open_uart("arm,pl011", PL011, 16);

    *word(0x24) = 13;
    *word(0x28) = 1;
    *word(0x2c) = 0x70;
    *word(0x30) = 0xf01; /* with RTS and DTR */
    dev.busy = 100;
    assert_int_equal(u.driver->init(&u), 0);
    assert_int_equal(*word(0x30), 0xf01);
    assert_int_equal(dev.busy, 100); /* nothing to change: nothing to wait for */

    *word(0x2c) = 0x60; /* without FIFOs */
    assert_int_equal(u.driver->init(&u), 0);
    assert_int_equal(dev.changed_while_busy, 0);
    assert_int_equal(*word(0x24), 13);
    assert_int_equal(*word(0x28), 1);
    assert_int_equal(*word(0x2c), 0x70);
    assert_int_equal(*word(0x30), 0xf01);
}

/* A UART that no firmware has touched would stay silent. */
static void pl011_from_reset(void **state)
{
    struct uart u = open_uart("arm,pl011", PL011, 16);

    *word(0x30) = 0x300;
    u.clock_hz = 24000000;
    assert_int_equal(u.driver->init(&u), 0);
    assert_int_equal(*word(0x30), 0x301);
    assert_int_equal(*word(0x2c), 0x70);
    assert_int_equal(*word(0x24), 13); /* 24 MHz / 16 / 115200 = 13 1/48 */
    assert_in_range(*word(0x28), 1, 2);

    u = open_uart("arm,pl011", PL011, 16);
    assert_int_equal(u.driver->init(&u), 0); /* the clock is not known */
    assert_int_equal(*word(0x30), 0x301);
    assert_int_equal(*word(0x24), 0);
}

/* Servers' generic UART: writing registers that it lacks may be a bus error. */
static void sbsa_talks(void **state)
{
    struct uart u = open_uart("arm,sbsa-uart", SBSA, 32);

    assert_int_equal(u.driver->init(&u), 0);
    talk(&u, 32);
    u.driver->irq_enable(&u);
    assert_int_equal(*word(0x38), 0x50);
}

/* The console of Xilinx's boards. */
static void cadence_talks(void **state)
{
    struct uart u = open_uart("cdns,uart-r1p12", CADENCE, 64);

    assert_ptr_equal(u.driver, driver_for("xlnx,xuartps"));
    assert_ptr_equal(u.driver, driver_for("cdns,uart-r1p8"));
    *word(0x00) = 0x128; /* as after reset: both directions disabled */
    *word(0x10) = 0x1fff;
    assert_int_equal(u.driver->init(&u), 0);
    assert_int_equal(*word(0x00), 0x114);
    assert_int_equal(*word(0x10), 0);
    talk(&u, 64);
    u.driver->irq_enable(&u);
    assert_int_equal(*word(0x20), 1); /* the first byte interrupts */
    assert_int_equal(*word(0x10), 0x1);
    u.driver->tx_irq(&u, true);
    assert_int_equal(*word(0x10), 0x9);
    u.driver->tx_irq(&u, false);
    assert_int_equal(*word(0x10), 0x1);
    *word(0x14) = 0x9;
    u.driver->irq_ack(&u);
    assert_int_equal(dev.cleared, 0x9);
}

static struct uart open_8250(const char *compatible, uint32_t shift, uint32_t width, bool fifo)
{
    struct uart u = open_uart(compatible, NS16550, fifo ? 16 : 1);

    u.reg_shift = dev.shift = shift;
    u.reg_width = dev.width = width;
    dev.bytes[2u << shift] = fifo ? 0xc1 : 0x01; /* IIR */
    dev.bytes[4u << shift] = 0x03;               /* MCR */
    return u;
}

/* The console of PCs and of many boards, whatever the distance and width of its registers. */
static void ns16550_talks(void **state)
{
    static const uint32_t layouts[][2] = { { 0, 1 }, { 1, 1 }, { 2, 1 }, { 2, 4 } };

    for (size_t i = 0; i < 8; i++) {
        uint32_t shift = layouts[i / 2][0];
        bool fifo = i % 2;
        struct uart u = open_8250("ns16550a", shift, layouts[i / 2][1], fifo);
        assert_int_equal(u.driver->init(&u), 0);
        talk(&u, fifo ? 16 : 1);
        u.driver->irq_enable(&u);
        assert_int_equal(dev.bytes[1u << shift], 0x05);
        assert_int_equal(dev.bytes[4u << shift], 0x0b);
        u.driver->tx_irq(&u, true);
        assert_int_equal(dev.bytes[1u << shift], 0x07);
        u.driver->tx_irq(&u, false);
        assert_int_equal(dev.bytes[1u << shift], 0x05);
        u.driver->irq_ack(&u);
    }
}

/* A wrong property in a device tree must be an error, not an access to another device. */
static void ns16550_bad_layouts(void **state)
{
    struct uart u = open_8250("ns16550a", 2, 4, true);

    u.regs_size = 0x17;
    assert_int_equal(u.driver->init(&u), -EINVAL);
    u.regs_size = 0x18;
    assert_int_equal(u.driver->init(&u), 0);
    u.reg_width = 2;
    assert_int_equal(u.driver->init(&u), -EINVAL);
    u.reg_width = 1;
    u.reg_shift = 40;
    assert_int_equal(u.driver->init(&u), -EINVAL);
}

/* DesignWare's would interrupt without end once its line control was written while it was busy. */
static void dw_is_unstuck(void **state)
{
    struct uart u = open_8250("snps,dw-apb-uart", 2, 4, true);

    assert_int_equal(u.driver->init(&u), 0);
    talk(&u, 16);
    u.driver->irq_ack(&u);
    assert_int_equal(dev.usr_reads, 0);
    dev.bytes[8] = 0xc7;
    u.driver->irq_ack(&u);
    assert_int_equal(dev.usr_reads, 1);
    u.regs_size = 0x20; /* without that register */
    u.driver->irq_ack(&u);
    assert_int_equal(dev.usr_reads, 1);
}

/* The Raspberry Pi's: its binding tells no layout, and a set bit means room for one byte only. */
static void bcm2835_aux_talks(void **state)
{
    struct uart u = open_8250("brcm,bcm2835-aux-uart", 2, 4, true);

    u.reg_shift = 0;
    u.reg_width = 1;
    u.regs_size = 0x40;
    assert_int_equal(u.driver->init(&u), 0);
    dev.fifo_most = 1;
    talk(&u, 1);
    u.driver->irq_enable(&u);
    assert_int_equal(dev.bytes[4], 0x05);
    assert_int_equal(dev.bytes[16], 0x03); /* it has no such bit in MCR */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pl011_talks),         cmocka_unit_test(pl011_as_firmware_left_it),
        cmocka_unit_test(pl011_from_reset),    cmocka_unit_test(sbsa_talks),
        cmocka_unit_test(cadence_talks),       cmocka_unit_test(ns16550_talks),
        cmocka_unit_test(ns16550_bad_layouts), cmocka_unit_test(dw_is_unstuck),
        cmocka_unit_test(bcm2835_aux_talks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
