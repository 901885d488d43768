/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts: who each line belongs to. Numbers are the interrupt controller's (arm64:
 * INTIDs).
 *
 * Lock: desc->lock (LOCK_IRQ) for each line's owner and state.
 */
#ifndef HOSPES_IRQ_H
#define HOSPES_IRQ_H

#include <hospes/spinlock.h>
#include <hospes/types.h>

struct domain;

enum irq_owner { IRQ_UNUSED, IRQ_HOSPES, IRQ_GUEST };
enum irq_trigger { IRQ_LEVEL, IRQ_EDGE };

struct irq_desc {
    struct spinlock lock;
    uint8_t owner;   /* enum irq_owner */
    uint8_t trigger; /* enum irq_trigger */
    bool enabled;    /* IRQ_GUEST: the guest has it on */
    uint32_t irq;
    uint32_t pcpu;         /* to which it is routed */
    void (*fn)(void *arg); /* IRQ_HOSPES */
    void *arg;
    struct domain *domain; /* IRQ_GUEST */
    uint32_t virq;         /* its number in the guest */
};

/* Descriptors for all lines that the controller has. 0 or -ENOMEM. */
int irq_init(void);

/* NULL for a number that the controller does not have. */
struct irq_desc *irq_desc(uint32_t irq);

/* The hypervisor takes a line: fn(arg) runs on the pCPU interrupted, no lock held. 0, -EINVAL,
 * -EBUSY. */
int irq_request(uint32_t irq, enum irq_trigger trigger, void (*fn)(void *arg), void *arg);

/* A domain gets a line, as its interrupt `virq`, disabled until the guest enables it. 0, -EINVAL,
 * -EBUSY. */
int irq_give(uint32_t irq, enum irq_trigger trigger, struct domain *d, uint32_t virq);

/* 0 if the line is nobody's, or d's own; -EPERM, -EINVAL. */
int irq_can_give(uint32_t irq, const struct domain *d);

/* Takes one line back from `d`, as below. 0, -EINVAL, -ENOENT: it is not d's. No lock held. */
int irq_take(uint32_t irq, struct domain *d);

/*
 * Takes every line of a dying domain back: masked and deactivated. When it returns no pCPU injects
 * one into it any more. No lock held.
 */
void irq_take_all(struct domain *d);

/*
 * For the interrupt controller's model: the guest that has the line switches it on (then it comes
 * to pCPU `pcpu`) or off, or says what triggers it. Its locks may be held. No effect on lines that
 * are not a guest's.
 */
void irq_guest_enable(uint32_t irq, uint32_t pcpu);
void irq_guest_disable(uint32_t irq);
void irq_guest_trigger(uint32_t irq, enum irq_trigger trigger);

/* Where a line comes from now on. */
void irq_route(uint32_t irq, uint32_t pcpu);

/* A line fired; called by the interrupt controller's driver after it was acknowledged. */
void irq_dispatch(uint32_t irq);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

uint32_t arch_irq_count(void);
void arch_irq_enable(uint32_t irq, enum irq_trigger trigger, uint32_t pcpu);
void arch_irq_disable(uint32_t irq);
void arch_irq_set_affinity(uint32_t irq, uint32_t pcpu);
/* The hypervisor is done with the line (arm64: deactivate). */
void arch_irq_finish(uint32_t irq);
/* A guest's line fired: pend `virq` in its interrupt controller, tied to the physical one. */
void arch_irq_inject(struct domain *d, uint32_t virq, uint32_t irq);
/* The domain's virtual interrupt is, or no longer is, tied to the physical line. */
void arch_irq_tie(struct domain *d, uint32_t virq, uint32_t irq);
void arch_irq_untie(struct domain *d, uint32_t virq);

#endif
