/* SPDX-License-Identifier: MIT */
/* The Cadence UART of Xilinx's Zynq and Zynq UltraScale+ (UG1085, chapter 21; UG1087, module uart).
 */
#include "uart.h"
#include <hospes/io.h>
#include <lib/bits.h>

#define CONTROL      0x00u
#define INTRPT_EN    0x08u
#define INTRPT_DIS   0x0cu
#define CHNL_INT_STS 0x14u
#define RCVR_TIMEOUT 0x1cu
#define RCVR_FIFO    0x20u /* trigger level */
#define CHANNEL_STS  0x2cu
#define TX_RX_FIFO   0x30u

#define CONTROL_RXEN  BIT(2)
#define CONTROL_RXDIS BIT(3)
#define CONTROL_TXEN  BIT(4)
#define CONTROL_TXDIS BIT(5)

/* CHANNEL_STS */
#define STS_REMPTY  BIT(1)
#define STS_TEMPTY  BIT(3)
#define STS_TFUL    BIT(4)
#define STS_TACTIVE BIT(11)

/* INTRPT_EN, INTRPT_DIS, CHNL_INT_STS */
#define INT_RTRIG   BIT(0)
#define INT_TEMPTY  BIT(3)
#define INT_TIMEOUT BIT(8)
#define INT_ALL     MASK(13, 0)

#define FIFO_BYTES 64u

static uint32_t get(struct uart *u, uint32_t reg)
{
    return mmio_read32(u->regs + reg);
}

static void set(struct uart *u, uint32_t reg, uint64_t value)
{
    mmio_write32(u->regs + reg, (uint32_t)value);
}

static int cadence_init(struct uart *u)
{
    uint32_t control = get(u, CONTROL);

    set(u, INTRPT_DIS, INT_ALL);
    set(u, CONTROL, (control & ~(CONTROL_RXDIS | CONTROL_TXDIS)) | CONTROL_RXEN | CONTROL_TXEN);
    return 0;
}

/* A look at an empty FIFO is good for as many bytes as it has. */
static bool cadence_tx_ready(struct uart *u)
{
    if (u->credit == 0) {
        uint32_t status = get(u, CHANNEL_STS);
        u->credit = (status & STS_TEMPTY) != 0 ? FIFO_BYTES : (status & STS_TFUL) == 0;
    }
    return u->credit > 0;
}

static void cadence_tx(struct uart *u, uint8_t byte)
{
    u->credit--;
    set(u, TX_RX_FIFO, byte);
}

static bool cadence_tx_done(struct uart *u)
{
    return (get(u, CHANNEL_STS) & (STS_TEMPTY | STS_TACTIVE)) == STS_TEMPTY;
}

static bool cadence_rx(struct uart *u, uint8_t *byte)
{
    if ((get(u, CHANNEL_STS) & STS_REMPTY) != 0)
        return false;
    *byte = (uint8_t)get(u, TX_RX_FIFO);
    return true;
}

static void cadence_irq_enable(struct uart *u)
{
    set(u, RCVR_FIFO, 1);
    set(u, RCVR_TIMEOUT, 0);
    set(u, CHNL_INT_STS, INT_ALL);
    set(u, INTRPT_EN, INT_RTRIG);
}

/* Status bits stay until cleared. Whatever holds still sets its bit again. */
static void cadence_irq_ack(struct uart *u)
{
    set(u, CHNL_INT_STS, get(u, CHNL_INT_STS));
}

static void cadence_tx_irq(struct uart *u, bool on)
{
    set(u, on ? INTRPT_EN : INTRPT_DIS, INT_TEMPTY);
}

static const char *const compatible[] = { "cdns,uart-r1p8", "cdns,uart-r1p12", "xlnx,xuartps",
                                          NULL };

const struct uart_driver uart_cadence = {
    .compatible = compatible,
    .init = cadence_init,
    .tx_ready = cadence_tx_ready,
    .tx = cadence_tx,
    .tx_done = cadence_tx_done,
    .rx = cadence_rx,
    .irq_enable = cadence_irq_enable,
    .irq_ack = cadence_irq_ack,
    .tx_irq = cadence_tx_irq,
};
