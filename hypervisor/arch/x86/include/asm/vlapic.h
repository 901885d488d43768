/* SPDX-License-Identifier: MIT */
/*
 * The local APIC as a guest has it: one for each vCPU, with registers in memory (xAPIC) or as MSRs
 * (x2APIC). Intel SDM volume 3, chapter 11; AMD APM volume 2, chapter 16.
 *
 *   vlapic.c        state; how an interrupt is pended, taken and ended
 *   vlapic_regs.c   the registers, for both ways to reach them
 *   vlapic_ipi.c    who an interrupt is for; INIT, start-up and NMI
 *   vlapic_timer.c  one-shot, periodic, and TSC deadline
 *
 * A vCPU's APIC number is twice its own, as Xen and libxl write it into ACPI tables.
 *
 * No locks: `irr` and `tmr` are atomic, set by anyone; all else is the vCPU's own, but for what
 * `init_pending` says.
 */
#ifndef ASM_VLAPIC_H
#define ASM_VLAPIC_H

#include <asm/apic_regs.h>
#include <hospes/compiler.h>
#include <hospes/exit.h>
#include <hospes/timer.h>
#include <stdbool.h>
#include <stdint.h>

struct domain;
struct vcpu;

#define VLAPIC_PAGE    0xfee00000u /* where its registers are; a guest cannot move them */
#define VLAPIC_VECTORS 256u

/* Local vector table, in the order of its registers from 0x320 on. */
enum vlapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, VLAPIC_LVTS };

struct vlapic {
    uint64_t irr[4], isr[4], tmr[4]; /* a bit a vector: pended, being served, is a level */
    uint64_t base;                   /* IA32_APIC_BASE */
    uint64_t icr;
    uint32_t svr, ldr, dfr;
    uint32_t esr, errors; /* as last latched by the guest; since then */
    uint32_t lvt[VLAPIC_LVTS];
    uint32_t divide;     /* TDCR */
    uint32_t count;      /* TMICT */
    uint64_t started_ns; /* when the count began; one-shot and periodic */
    uint64_t deadline;   /* IA32_TSC_DEADLINE, guest's ticks; 0: none */
    struct timer timer;
    bool periodic;     /* the timer's own function sets it again; nobody else does */
    uint8_t tpr;       /* up to date while the vCPU does not run */
    bool tpr_written;  /* by a register, so that the hardware's copy is to be loaded */
    bool init_pending; /* INIT came: the vCPU takes it itself; under domain->lock */
};

/* 0 or -ENOMEM. After a reset: on, registers in memory. */
int vlapic_vcpu_init(struct vcpu *v);
void vlapic_vcpu_destroy(struct vcpu *v);
void vlapic_vcpu_reset(struct vcpu *v);

/* Adds the page of registers to a domain's devices, before it has vCPUs. 0 or -errno. */
int vlapic_domain_init(struct domain *d);

/* A vCPU's number in its APIC, and the vCPU with that number or NULL. */
uint32_t vlapic_id(const struct vcpu *v);
struct vcpu *vlapic_find(struct domain *d, uint32_t id);

/* --- interrupts ------------------------------------------------------------------------------ */

/* Pends `vector` (16..255) in `v`, on or off, and wakes it. From any pCPU; any lock below
 * LOCK_SCHED may be held. */
void vlapic_raise(struct vcpu *v, uint8_t vector, bool level);

/* True if any is pended: most often there is none, and no need to look which. */
static inline bool vlapic_has_any(const struct vlapic *l)
{
    return read_once(l->irr[0]) | read_once(l->irr[1]) | read_once(l->irr[2]) |
           read_once(l->irr[3]);
}

/* The vector that `v` takes next, above its present priority; -1: none. `v` runs here or not. */
int vlapic_pending(const struct vcpu *v);

/* True if one would be taken, were it not for the task priority (CR8). */
bool vlapic_is_held_back(const struct vcpu *v);

/* `v` takes the one that vlapic_pending() told: it is being served until the guest says EOI. */
void vlapic_accept(struct vcpu *v, uint8_t vector);

/*
 * Who a message is for, as IO-APIC entries and MSI have it: calls fn for each vCPU of `d`. `dest`
 * is 8 bits wide, or 32 for x2APIC. True if there was any.
 */
struct vlapic_message {
    uint32_t dest;
    uint8_t vector;
    uint8_t mode; /* enum apic_mode */
    bool logical, level, wide;
};

/* Delivers it: FIXED, LOWEST and NMI; others do nothing. False: for nobody. */
bool vlapic_deliver(struct domain *d, const struct vlapic_message *m);

/* Whatever its local APIC is set to. */
void vlapic_raise_nmi(struct vcpu *v);

/*
 * For arch_vcpu_deliver(), first: takes an INIT that came for `v`, which runs here; then it is
 * switched off, waiting for a start-up message, and true is returned.
 */
bool vlapic_take_init(struct vcpu *v);

/* --- registers ------------------------------------------------------------------------------- */

/* An x2APIC register, MSR 0x800 to 0x8ff. EXIT_HANDLED, EXIT_RETRY, or EXIT_FAULT (#GP). */
enum exit_action vlapic_read_msr(struct vcpu *v, uint32_t msr, uint64_t *value);
enum exit_action vlapic_write_msr(struct vcpu *v, uint32_t msr, uint64_t value);

/* IA32_APIC_BASE: EXIT_FAULT for a place or a change of mode that there is not. */
enum exit_action vlapic_write_base(struct vcpu *v, uint64_t value);

/* IA32_TSC_DEADLINE. */
uint64_t vlapic_read_deadline(struct vcpu *v);
void vlapic_write_deadline(struct vcpu *v, uint64_t value);

/* CR8, where the hardware does not keep it. */
static inline uint8_t vlapic_cr8(const struct vlapic *l)
{
    return l->tpr >> 4;
}

#endif
