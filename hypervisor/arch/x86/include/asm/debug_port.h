/* SPDX-License-Identifier: MIT */
/*
 * A domain's end of the console. By hypercall (<hospes/console_io.h>), and for all to write to,
 * before they have anything else, I/O port 0xe9: as Xen has it for its guests.
 */
#ifndef ASM_DEBUG_PORT_H
#define ASM_DEBUG_PORT_H

struct domain;

#define DEBUG_PORT 0xe9u

/* After pio_domain_init(); `d` has its number. 0 or -errno. */
int debug_port_init(struct domain *d);
void debug_port_destroy(struct domain *d);

#endif
