/* SPDX-License-Identifier: MIT */
/*
 * Arm PrimeCell UART PL011 (Arm DDI 0183G), and the part of it that the Server Base System
 * Architecture names a generic UART (Arm DEN 0029, appendix B), which firmware has set up and which
 * lacks line control.
 */
#include "uart.h"
#include <hospes/io.h>
#include <lib/bits.h>

#define UARTDR   0x00u
#define UARTFR   0x18u
#define UARTIBRD 0x24u
#define UARTFBRD 0x28u
#define UARTLCRH 0x2cu
#define UARTCR   0x30u
#define UARTIFLS 0x34u
#define UARTIMSC 0x38u
#define UARTICR  0x44u

#define FR_BUSY BIT(3)
#define FR_RXFE BIT(4)
#define FR_TXFF BIT(5)
#define FR_TXFE BIT(7)

#define LCRH_FEN  BIT(4)
#define LCRH_WLEN MASK(6, 5)

#define CR_UARTEN BIT(0)
#define CR_TXE    BIT(8)
#define CR_RXE    BIT(9)

/* UARTIMSC, UARTICR */
#define INT_RX  BIT(4)
#define INT_TX  BIT(5)
#define INT_RT  BIT(6)
#define INT_ALL MASK(10, 0)

#define FIFO_BYTES 16u /* from r1p5 on 32 */
#define BAUD       115200u
#define BUSY_LOOKS 1000000u

static uint32_t get(struct uart *u, uint32_t reg)
{
    return mmio_read32(u->regs + reg);
}

static void set(struct uart *u, uint32_t reg, uint64_t value)
{
    mmio_write32(u->regs + reg, (uint32_t)value);
}

/* Switches on what firmware left off. The line's settings must not change while the device sends
 * (3.3.7). */
static int pl011_init(struct uart *u)
{
    uint32_t cr = get(u, UARTCR), lcrh = get(u, UARTLCRH);
    const uint64_t on = CR_UARTEN | CR_TXE | CR_RXE;

    set(u, UARTIMSC, 0);
    if ((cr & on) == on && (lcrh & LCRH_FEN) != 0)
        return 0;
    for (uint32_t i = 0; i < BUSY_LOOKS && (get(u, UARTFR) & FR_BUSY) != 0; i++)
        ;
    set(u, UARTCR, 0);
    if ((cr & CR_UARTEN) == 0 && get(u, UARTIBRD) == 0 && u->clock_hz >= 16 * BAUD) {
        uint64_t divisor = div_round_up(4ull * u->clock_hz, BAUD); /* in 64ths */
        set(u, UARTIBRD, divisor / 64);
        set(u, UARTFBRD, divisor % 64);
    }
    if ((cr & CR_UARTEN) == 0)
        lcrh |= (uint32_t)LCRH_WLEN;
    set(u, UARTLCRH, lcrh | LCRH_FEN);
    set(u, UARTCR, cr | on);
    return 0;
}

static int sbsa_init(struct uart *u)
{
    set(u, UARTIMSC, 0);
    return 0;
}

/* A look at an empty FIFO is good for as many bytes as it has. */
static bool pl011_tx_ready(struct uart *u)
{
    if (u->credit == 0) {
        uint32_t fr = get(u, UARTFR);
        u->credit = (fr & FR_TXFE) != 0 ? FIFO_BYTES : (fr & FR_TXFF) == 0;
    }
    return u->credit > 0;
}

static void pl011_tx(struct uart *u, uint8_t byte)
{
    u->credit--;
    set(u, UARTDR, byte);
}

static bool pl011_tx_done(struct uart *u)
{
    return (get(u, UARTFR) & FR_BUSY) == 0;
}

static bool pl011_rx(struct uart *u, uint8_t *byte)
{
    if ((get(u, UARTFR) & FR_RXFE) != 0)
        return false;
    *byte = (uint8_t)get(u, UARTDR);
    return true;
}

/* The receive timeout brings single bytes, whatever the FIFO's trigger level is. */
static void pl011_irq_enable(struct uart *u)
{
    set(u, UARTICR, INT_ALL & ~(INT_RX | INT_RT));
    set(u, UARTIMSC, INT_RX | INT_RT);
}

/* INT_RX and INT_RT go with the bytes that are read: cleared here, bytes left in the FIFO would
 * wait for more. */
static void pl011_irq_ack(struct uart *u)
{
    set(u, UARTICR, INT_ALL & ~(INT_RX | INT_RT));
}

static void pl011_tx_irq(struct uart *u, bool on)
{
    set(u, UARTIMSC, on ? INT_RX | INT_RT | INT_TX : INT_RX | INT_RT);
}

static const char *const pl011_compatible[] = { "arm,pl011", NULL };
static const char *const sbsa_compatible[] = { "arm,sbsa-uart", NULL };

const struct uart_driver uart_pl011 = {
    .compatible = pl011_compatible,
    .init = pl011_init,
    .tx_ready = pl011_tx_ready,
    .tx = pl011_tx,
    .tx_done = pl011_tx_done,
    .rx = pl011_rx,
    .irq_enable = pl011_irq_enable,
    .irq_ack = pl011_irq_ack,
    .tx_irq = pl011_tx_irq,
};

const struct uart_driver uart_sbsa = {
    .compatible = sbsa_compatible,
    .init = sbsa_init,
    .tx_ready = pl011_tx_ready,
    .tx = pl011_tx,
    .tx_done = pl011_tx_done,
    .rx = pl011_rx,
    .irq_enable = pl011_irq_enable,
    .irq_ack = pl011_irq_ack,
    .tx_irq = pl011_tx_irq,
};
