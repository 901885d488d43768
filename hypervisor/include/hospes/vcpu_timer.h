/* SPDX-License-Identifier: MIT */
/*
 * Timers that a guest sets by vcpu_op: for each vCPU one that fires once and one that fires again
 * and again, both told by VIRQ_TIMER. <xen/vcpu.h>, VCPUOP_set_periodic_timer and those after it.
 *
 * Memory is taken when a vCPU sets its first one. The single-shot timer is set by its own vCPU
 * only. No locks but the domain's, for the first one.
 */
#ifndef HOSPES_VCPU_TIMER_H
#define HOSPES_VCPU_TIMER_H

#include <hospes/timer.h>
#include <hospes/types.h>

struct vcpu;

struct vcpu_timers {
    struct vcpu *vcpu;
    struct timer single, periodic;
    uint64_t period_ns; /* 0: it is off; atomic, as is: */
};

/* Both stopped and freed; before the vCPU is. */
void vcpu_timer_destroy(struct vcpu *v);

/* VCPUOP_{set,stop}_{periodic,singleshot}_timer of `target` by `v`; `at` is the argument's address.
 * 0 or -errno. */
int64_t vcpu_timer_op(struct vcpu *v, struct vcpu *target, uint32_t cmd, uint64_t at);

#endif
