/* SPDX-License-Identifier: MIT */
/*
 * Time as an x86 guest has it: its TSC, which runs at the machine's rate with an offset of the
 * domain's, and the PV clock (struct vcpu_time_info of <xen/xen.h>) by which it makes nanoseconds
 * of it.
 */
#ifndef ASM_VTIME_H
#define ASM_VTIME_H

#include <stdint.h>

struct domain;
struct vcpu;

/* A new domain's TSC begins at 0. */
void vtime_domain_init(struct domain *d);

/*
 * Writes v->info->time. The rate never changes, so that it is done once, and again where vcpu_info
 * has moved. `v` runs here, or not at all.
 */
void vtime_tell(struct vcpu *v);

/*
 * A copy of that stands at address `va` of `caller`, which runs here, from now on; 0: nowhere any
 * more. Within a page. 0, -EINVAL, -ENOMEM.
 */
int vtime_place(struct vcpu *v, struct vcpu *caller, uint64_t va);
void vtime_vcpu_destroy(struct vcpu *v);

/* Between a guest's ticks and clock_ns(); a tick that was before the clock began is 0, one decades
 * from now TIMER_NEVER. */
uint64_t vtime_ns_of_tsc(const struct domain *d, uint64_t guest_tsc);
uint64_t vtime_tsc(const struct domain *d); /* now */

#endif
