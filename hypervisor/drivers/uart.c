/* SPDX-License-Identifier: MIT */
/* Which UARTs Hospes knows. */
#include "uart.h"

const struct uart_driver *const uart_drivers[] = {
    &uart_pl011, &uart_sbsa, &uart_cadence, &uart_ns16550, &uart_dw, &uart_bcm2835_aux, NULL,
};
