/* SPDX-License-Identifier: MIT */
/*
 * A domain's emulated UART: Arm PL011 (DDI 0183), of which Linux's full driver and SBSA's subset
 * see all registers. Bytes go to and come from the console (<hospes/console.h>). Lock: LOCK_VUART;
 * the console's locks rank after it.
 */
#ifndef ASM_VPL011_H
#define ASM_VPL011_H

#include <hospes/types.h>

struct domain;

/* Adds one at `base` with interrupt `virq` and joins it to the console. 0, -ENOMEM, -EEXIST. */
int vpl011_create(struct domain *d, gaddr_t base, uint32_t virq);
void vpl011_destroy(struct domain *d);

#endif
