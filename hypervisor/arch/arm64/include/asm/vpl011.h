/* SPDX-License-Identifier: MIT */
/*
 * A domain's emulated UART: Arm PL011 (DDI 0183), of which Linux's full driver and SBSA's subset
 * see all registers. Bytes go to and come from the console (<hospes/console.h>), or a daemon in
 * another domain (<hospes/xencons.h>). Lock: LOCK_VUART; the console's locks rank after it.
 */
#ifndef ASM_VPL011_H
#define ASM_VPL011_H

#include <hospes/types.h>

struct domain;

/* Adds one at `base` with interrupt `virq` and joins it to the console. 0, -ENOMEM, -EEXIST. */
int vpl011_create(struct domain *d, gaddr_t base, uint32_t virq);

/*
 * The same for a domain that does not run meanwhile, with the rings at `ring` and the event channel
 * *port for domain `by`. Errors of evtchn_serve() and xencons_map() too. Once for a domain.
 */
int vpl011_create_served(struct domain *d, gaddr_t base, uint32_t virq, gfn_t ring, uint16_t by,
                         uint32_t *port);
void vpl011_destroy(struct domain *d);

#endif
