/* SPDX-License-Identifier: MIT */
/* Serial ports of a PC. */
#ifndef ASM_COM_H
#define ASM_COM_H

#include <stdint.h>

struct uart;

struct com_settings {
    uint16_t port;
    uint8_t irq;   /* ISA's; 0: polled */
    uint32_t baud; /* 0: as firmware left it */
};

/* Fills in *u for the port. 0, -ENODEV. */
int com_find(struct uart *u, const struct com_settings *s);

#endif
