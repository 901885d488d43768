/* SPDX-License-Identifier: MIT */
/*
 * A vCPU: registers, scheduling state, and what the architecture adds.
 *
 * `regs` is first: entry code finds it at the vCPU's own address. A vCPU's registers and `arch`
 * belong to the pCPU that runs it; anyone else pauses it first (domain_pause()) and waits until it
 * has stopped.
 */
#ifndef HOSPES_VCPU_H
#define HOSPES_VCPU_H

#include <asm/vcpu.h>
#include <hospes/compiler.h>
#include <hospes/evtchn.h>
#include <hospes/guest_area.h>
#include <hospes/mmio.h>
#include <hospes/pcpu.h>
#include <hospes/runstate.h>
#include <hospes/sched.h>
#include <hospes/types.h>

struct domain;
struct vcpu_info;
struct vcpu_timers;

struct vcpu {
    struct cpu_regs regs;
    struct domain *domain;
    uint32_t id;
    bool initialised; /* has had a state to begin with; under domain->lock */
    bool online;      /* switched on, as the guest sees it (PSCI, INIT); under domain->lock */
    bool blocked;     /* waits for an interrupt (WFI); set by itself, cleared by waker */
    struct mmio_access access;             /* to an emulated device; the last one, or under way */
    const struct mmio_region *last_region; /* that it was in, or NULL */
    struct vcpu_info *info;                /* what it shares with the guest: <hospes/vcpu_info.h> */
    struct vcpu_info *unseen_info;         /* its first, which the guest does not see, or NULL */
    struct guest_area info_area;           /* under domain->lock; never changes once it is there */
    struct runstate runstate;
    struct timer *poll_timer;   /* SCHEDOP_poll's; NULL: was not needed yet */
    struct vcpu_timers *timers; /* <hospes/vcpu_timer.h>; NULL: not used yet; atomic, stays */
    bool pinned;                /* SCHEDOP_pin_override; its own, as is: */
    DECLARE_BITMAP(unpinned, SCHED_MAX_PCPUS);
    struct evtchn_vcpu evtchn;
    struct sched_unit sched;
    struct arch_vcpu arch;
};

/* The vCPU whose exit this pCPU is handling. Only where there is one. */
static inline struct vcpu *current_vcpu(void)
{
    return this_pcpu()->current;
}

/* Creates vCPU `id` of `d`, switched off. NULL without memory. */
struct vcpu *vcpu_create(struct domain *d, uint32_t id);
void vcpu_destroy(struct vcpu *v);

/* Waits for an interrupt, unless one can be taken already (arch_vcpu_has_interrupt()). */
void vcpu_block(struct vcpu *v);

/*
 * Something was pended for `v`: it looks again before it runs on. Wakes it if it is blocked,
 * interrupts it if it runs on another pCPU. Callers made the event visible first; any lock below
 * LOCK_SCHED may be held.
 */
void vcpu_kick(struct vcpu *v);

/* Switches it on: runnable with the registers that were set; off: never runs until on again. */
void vcpu_up(struct vcpu *v);
void vcpu_down(struct vcpu *v);

/*
 * What the pCPU does between an exit and the next entry: pending work, scheduling, delivery.
 * Returns the vCPU to enter; idles until there is one.
 */
struct vcpu *vcpu_next(struct pcpu *p);

/* Begins to run vCPUs on this pCPU, for ever. */
__noreturn void vcpu_run_loop(void);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

int arch_vcpu_init(struct vcpu *v); /* 0 or -ENOMEM */
void arch_vcpu_destroy(struct vcpu *v);
/* Registers as after a reset; not running. */
void arch_vcpu_reset(struct vcpu *v);
/* Enters `v` with an empty stack. */
__noreturn void arch_vcpu_enter_first(struct vcpu *v);
/* Moves what exits leave in the hardware into `v`, and back. On the pCPU concerned. `more`: another
 * one is loaded at once, to be entered. */
void arch_vcpu_save(struct vcpu *v, bool more);
void arch_vcpu_load(struct vcpu *v);
/* Makes deliverable events visible to the guest; just before entry, PENDING_DELIVER was set. */
void arch_vcpu_deliver(struct vcpu *v);
/* True if, were it entered, it would take an interrupt or have one to wake it from WFI. */
bool arch_vcpu_has_interrupt(struct vcpu *v);
/* Prints registers through log_guest(), at most 40 lines. */
void arch_vcpu_dump(const struct vcpu *v);

#endif
