/* SPDX-License-Identifier: MIT */
/*
 * The generic timer as a guest has it: the virtual timer (PPI 27) and the physical one (PPI 30),
 * both used without a trap while the vCPU runs. A vCPU that does not run has its comparators saved
 * here; one that is blocked has a hypervisor timer set for the earlier one, which pends the
 * interrupt and wakes it.
 *
 * The numbers a guest sees are <xen/arch-arm.h>'s; the hardware domain sees the machine's.
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
    uint64_t cntv_ctl, cntv_cval, cntp_ctl, cntp_cval; /* while not loaded */
    bool loaded;                                       /* they are in the hardware */
    bool tied;                                         /* the vGIC knows the PPIs */
    bool wake_set;                                     /* `wake` was set since it was loaded last */
    uint8_t ppi_virt, ppi_phys;                        /* as the guest has them */
    struct timer wake;
};

int vtimer_vcpu_init(struct vcpu *v);
void vtimer_vcpu_destroy(struct vcpu *v);

/* The vCPU is switched on anew: its timers are off. It is not loaded. */
void vtimer_vcpu_reset(struct vcpu *v);

/* On the pCPU that (no longer) runs it: save before vgic_save(), load after vgic_load(). Each at
 * most once. */
void vtimer_save(struct vcpu *v);
void vtimer_load(struct vcpu *v);

/* True if the condition of the timer with that PPI holds, whether or not the vGIC has it enabled.
 * `v` runs here or not at all. */
bool vtimer_pending(struct vcpu *v, uint32_t ppi);

/*
 * True if a timer's condition holds and its interrupt has not come to the vGIC yet: it is about to.
 * Once it has, the vGIC knows whether the guest would take it, and this is false.
 */
bool vtimer_fires(struct vcpu *v);

/* True if `ppi` is one of the vCPU's timers'. */
static inline bool vtimer_is_ppi(const struct vtimer_vcpu *t, uint32_t ppi)
{
    return ppi == t->ppi_virt || ppi == t->ppi_phys;
}

/* Lets guests use both timers, and takes their physical interrupts on this pCPU. After
 * gic_pcpu_init(). */
void vtimer_pcpu_init(void);

/* A guest timer's physical interrupt was acknowledged and dropped. */
void vtimer_interrupt(bool virt);

#endif
