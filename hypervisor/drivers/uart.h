/* SPDX-License-Identifier: MIT */
/* The UARTs' drivers, one line for each. */
#ifndef DRIVERS_UART_H
#define DRIVERS_UART_H

#include <hospes/console.h>

extern const struct uart_driver uart_pl011;
extern const struct uart_driver uart_sbsa;
extern const struct uart_driver uart_cadence;
extern const struct uart_driver uart_dw;
extern const struct uart_driver uart_bcm2835_aux;

#endif
