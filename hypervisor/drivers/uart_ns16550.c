/* SPDX-License-Identifier: MIT */
/*
 * UARTs with the 16550's registers (TI TL16C550C, SLLS177): the plain one, Synopsys DesignWare's
 * (DW_apb_uart databook), and the Raspberry Pi's mini UART (BCM2711 ARM Peripherals, 2.2).
 */
#include "uart.h"
#include <hospes/errno.h>
#include <hospes/io.h>
#include <lib/bits.h>

/* Numbers of registers, reg_shift tells their distance. */
#define RBR_THR 0u
#define IER     1u
#define IIR     2u
#define MCR     4u
#define LSR     5u
#define DW_USR  31u

#define IER_RX     BIT(0)
#define IER_TX     BIT(1)
#define IER_STATUS BIT(2) /* on the mini UART: needed for any interrupt at all */

#define IIR_ID      MASK(3, 0)
#define IIR_ID_BUSY 7u /* DesignWare: line control was written while it was busy */
#define IIR_FIFOS   MASK(7, 6)

#define MCR_OUT2 BIT(3) /* lets interrupts out, on a PC's boards */

#define LSR_DR   BIT(0)
#define LSR_THRE BIT(5)
#define LSR_TEMT BIT(6)

#define FIFO_BYTES 16u

static uint32_t get(struct uart *u, uint32_t reg)
{
    volatile uint8_t *p = u->regs + ((uint64_t)reg << u->reg_shift);

    if (u->get)
        return u->get(u, reg);
    return u->reg_width == 4 ? mmio_read32(p) : mmio_read8(p);
}

static void set(struct uart *u, uint32_t reg, uint64_t value)
{
    volatile uint8_t *p = u->regs + ((uint64_t)reg << u->reg_shift);

    if (u->set)
        u->set(u, reg, (uint8_t)value);
    else if (u->reg_width == 4)
        mmio_write32(p, (uint32_t)value);
    else
        mmio_write8(p, (uint8_t)value);
}

static int ns16550_init(struct uart *u)
{
    uint64_t bytes = u->reg_width;

    if (u->reg_shift > 3 || (bytes != 1 && bytes != 4) ||
        ((uint64_t)LSR << u->reg_shift) + bytes > u->regs_size)
        return -EINVAL;
    set(u, IER, 0);
    u->credit = 0;
    return 0;
}

/* Its binding names neither shift nor width. */
static int bcm2835_aux_init(struct uart *u)
{
    u->reg_shift = 2;
    u->reg_width = 4;
    return ns16550_init(u);
}

/* THRE says that the whole FIFO is empty, so it takes as many bytes as it has before we ask again.
 */
static bool ns16550_tx_ready(struct uart *u)
{
    if (u->credit == 0 && (get(u, LSR) & LSR_THRE) != 0)
        u->credit = (get(u, IIR) & IIR_FIFOS) == IIR_FIFOS ? FIFO_BYTES : 1;
    return u->credit > 0;
}

/* Here the bit says that there is room for a byte. */
static bool bcm2835_aux_tx_ready(struct uart *u)
{
    u->credit = (get(u, LSR) & LSR_THRE) != 0;
    return u->credit > 0;
}

static void ns16550_tx(struct uart *u, uint8_t byte)
{
    u->credit--;
    set(u, RBR_THR, byte);
}

static bool ns16550_tx_done(struct uart *u)
{
    return (get(u, LSR) & LSR_TEMT) != 0;
}

static bool ns16550_rx(struct uart *u, uint8_t *byte)
{
    if ((get(u, LSR) & LSR_DR) == 0)
        return false;
    *byte = (uint8_t)get(u, RBR_THR);
    return true;
}

static void ns16550_irq_enable(struct uart *u)
{
    set(u, MCR, get(u, MCR) | MCR_OUT2);
    set(u, IER, IER_RX | IER_STATUS);
}

static void bcm2835_aux_irq_enable(struct uart *u)
{
    set(u, IER, IER_RX | IER_STATUS);
}

/* Reading LSR and IIR clears what reading or writing bytes does not. */
static void ns16550_irq_ack(struct uart *u)
{
    get(u, IIR);
    get(u, LSR);
}

static void dw_irq_ack(struct uart *u)
{
    if (field_get(IIR_ID, get(u, IIR)) == IIR_ID_BUSY &&
        ((uint64_t)DW_USR << u->reg_shift) + u->reg_width <= u->regs_size)
        get(u, DW_USR);
    get(u, LSR);
}

static void ns16550_tx_irq(struct uart *u, bool on)
{
    set(u, IER, on ? IER_RX | IER_STATUS | IER_TX : IER_RX | IER_STATUS);
}

static const char *const ns16550_compatible[] = { "ns16550a", "ns16550", NULL };
static const char *const dw_compatible[] = { "snps,dw-apb-uart", NULL };
static const char *const bcm2835_aux_compatible[] = { "brcm,bcm2835-aux-uart", NULL };

const struct uart_driver uart_ns16550 = {
    .compatible = ns16550_compatible,
    .init = ns16550_init,
    .tx_ready = ns16550_tx_ready,
    .tx = ns16550_tx,
    .tx_done = ns16550_tx_done,
    .rx = ns16550_rx,
    .irq_enable = ns16550_irq_enable,
    .irq_ack = ns16550_irq_ack,
    .tx_irq = ns16550_tx_irq,
};

const struct uart_driver uart_dw = {
    .compatible = dw_compatible,
    .init = ns16550_init,
    .tx_ready = ns16550_tx_ready,
    .tx = ns16550_tx,
    .tx_done = ns16550_tx_done,
    .rx = ns16550_rx,
    .irq_enable = ns16550_irq_enable,
    .irq_ack = dw_irq_ack,
    .tx_irq = ns16550_tx_irq,
};

const struct uart_driver uart_bcm2835_aux = {
    .compatible = bcm2835_aux_compatible,
    .init = bcm2835_aux_init,
    .tx_ready = bcm2835_aux_tx_ready,
    .tx = ns16550_tx,
    .tx_done = ns16550_tx_done,
    .rx = ns16550_rx,
    .irq_enable = bcm2835_aux_irq_enable,
    .irq_ack = ns16550_irq_ack,
    .tx_irq = ns16550_tx_irq,
};
