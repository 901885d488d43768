/* SPDX-License-Identifier: MIT */
/*
 * A domain's console by hypercall: hvc0 of dom0's Linux. It is another way to the domain's one
 * console_domain, beside its UART. What the user types goes where the domain wrote last, to here
 * only if it has read here before.
 */
#ifndef HOSPES_CONSOLE_IO_H
#define HOSPES_CONSOLE_IO_H

#include <hospes/types.h>

struct domain;
struct vcpu;

#define CONSOLE_IO_BYTES 1024u /* typed, not read yet: a user pastes text into a busy guest */

/* The domain wrote by its UART. */
void console_io_passed_over(struct domain *d);

/* The user typed a byte: true if it is for here. It is lost if there is no room. No lock held. */
bool console_io_receive(struct domain *d, uint8_t byte);

/* There is room for output again. No lock held. */
void console_io_room(struct domain *d);

/*
 * Writes a byte for the vCPU that runs here. False: there is no room, and it sleeps until there is,
 * to try again.
 */
bool console_io_write_byte(struct vcpu *v, uint8_t byte);

void console_io_destroy(struct domain *d);

#endif
