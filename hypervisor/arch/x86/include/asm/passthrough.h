/* SPDX-License-Identifier: MIT */
/*
 * What of the machine the hardware domain gets: all ports and all device memory but what Hospes
 * drives itself, or emulates. Who drives something says so while it starts.
 *
 * Memory that is no RAM is mapped at its machine address when the domain first touches it, which
 * finds the windows of all PCI devices wherever they are, also those that are moved later.
 */
#ifndef ASM_PASSTHROUGH_H
#define ASM_PASSTHROUGH_H

#include <hospes/types.h>
#include <stdbool.h>
#include <stdint.h>

struct domain;

/* Once, when the IO-APICs are known and before the first domain is built. */
void passthrough_init(void);

/* Boot only, before the first domain runs. What there is no room to note stops the boot. */
void passthrough_keep_ports(uint16_t first, uint16_t last);
void passthrough_keep_memory(uint64_t start, uint64_t bytes);

/* Gives the hardware domain the ports that nobody keeps. Its emulated devices are there already.
 * 0, -ENOMEM. */
int passthrough_ports(struct domain *d);

/*
 * The domain touched an address where it has nothing. True: a device of the machine's is mapped
 * there now, the access is to be tried again.
 */
bool passthrough_fault(struct domain *d, gaddr_t at);

#endif
