/* SPDX-License-Identifier: MIT */
/*
 * The generic timer as a guest has it: the virtual timer (PPI 27) and the physical one (PPI 30), both used without
 * a trap while the vCPU runs. A vCPU that does not run has its comparators saved here, and a hypervisor timer set
 * for the earlier one, which wakes it.
 */
#ifndef ASM_VTIMER_H
#define ASM_VTIMER_H

#include <hospes/timer.h>
#include <stdbool.h>
#include <stdint.h>

#define VTIMER_PPI_VIRT 27u
#define VTIMER_PPI_PHYS 30u

struct vcpu;
struct domain;

struct vtimer_vcpu {
    uint64_t cntv_ctl, cntv_cval, cntp_ctl, cntp_cval;
    struct timer wake;
};

int vtimer_vcpu_init(struct vcpu *v);
void vtimer_vcpu_destroy(struct vcpu *v);

/* On the pCPU that (no longer) runs it. */
void vtimer_save(struct vcpu *v);
void vtimer_load(struct vcpu *v);

/* True if a timer's condition holds, whether or not its interrupt is enabled in the vGIC. Loaded or not. */
bool vtimer_pending(struct vcpu *v, uint32_t ppi);

/* Takes the two PPIs' physical interrupts on this pCPU. */
void vtimer_pcpu_init(void);

#endif
