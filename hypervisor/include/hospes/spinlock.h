/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks. The hypervisor never takes interrupts, so there is no irqsave form.
 *
 * Who comes to a lock that is taken polls, and takes it once it is free. Only if it never finds it
 * free for long (about a millisecond) does it queue; then it is its turn before all who come later.
 * A queue from the start would be fairer, but where pCPUs are another hypervisor's or an emulator's
 * threads, each turn lasts until that one is run again: more than all work under locks takes.
 *
 * Each lock has a rank. A pCPU may take a lock only if its rank is greater than that of every lock
 * it already holds; doc/locks.md tells the order and why. Builds with HOSPES_DEBUG=1 check this at
 * each acquisition and panic naming both locks: a wrong order is a bug of ours, not something a
 * guest decides.
 */
#ifndef HOSPES_SPINLOCK_H
#define HOSPES_SPINLOCK_H

#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/types.h>

/* Outermost first. Keep in step with doc/locks.md. */
enum lock_rank {
    LOCK_DOMAIN_LIST, /* the list of domains */
    LOCK_DOMAIN,      /* struct domain: life-cycle */
    LOCK_CONFIG,      /* interrupt routing tables */
    LOCK_IOMEM,       /* which domain has which of the machine's registers */
    LOCK_EVTCHN,      /* struct evtchn_domain: ports; of two domains, the lower address first */
    LOCK_EVTCHN_PEER, /* the one at the higher address: spin_lock_second() */
    LOCK_EVTCHN_FIFO, /* one vCPU's queues of events */
    LOCK_GNTTAB,      /* struct gnttab: grants in use */
    LOCK_RUNSTATE,    /* struct runstate: where it is shown */
    LOCK_MAPTRACK,    /* struct gnttab: handles of grants that the domain has mapped */
    LOCK_P2M,         /* struct p2m: guest-to-machine mappings */
    LOCK_VUART,       /* struct vpl011 */
    LOCK_VGIC,        /* struct vgic: distributor state */
    LOCK_VGIC_VCPU,   /* struct vgic_vcpu: one vCPU's private interrupts and list registers */
    LOCK_IRQ,         /* struct irq_desc */
    LOCK_VECTOR,      /* x86: interrupts' vectors, and how lines are set up */
    LOCK_IOAPIC,      /* x86: registers of the machine's IO-APICs */
    LOCK_WORK,        /* queue of deferred work */
    LOCK_SCHED,       /* one pCPU's run queue; never two at a time */
    LOCK_SCHED_CAP,   /* struct sched_cap: one domain's budget */
    LOCK_TIMER,       /* one pCPU's timer queue */
    LOCK_PIN,         /* which pages are pinned */
    LOCK_HEAP,        /* hypervisor heap */
    LOCK_HYPMAP,      /* hypervisor page tables */
    LOCK_FRAME,       /* frame allocator */
    LOCK_PCI,         /* ports of PCI configuration space */
    LOCK_CONSOLE,     /* console rings and focus */
    LOCK_UART,        /* the physical UART */
    LOCK_RANKS
};

struct spinlock {
    uint16_t owner __aligned(4); /* ticket being served */
    uint16_t next;               /* next ticket to hand out */
    uint8_t rank;                /* enum lock_rank */
};

#define SPINLOCK_INIT(r) ((struct spinlock){ .rank = (uint8_t)(r) })

/* Checks the order and notes that this pCPU holds it; notes only; forgets. */
#if HOSPES_DEBUG
void lock_debug_acquire(const struct spinlock *l);
void lock_debug_acquire_as(const struct spinlock *l, enum lock_rank rank);
void lock_debug_acquired(const struct spinlock *l);
void lock_debug_release(const struct spinlock *l);
#else
static inline void lock_debug_acquire(const struct spinlock *l)
{
    (void)l;
}
static inline void lock_debug_acquire_as(const struct spinlock *l, enum lock_rank rank)
{
    (void)l, (void)rank;
}
static inline void lock_debug_acquired(const struct spinlock *l)
{
    (void)l;
}
static inline void lock_debug_release(const struct spinlock *l)
{
    (void)l;
}
#endif

/* Waits for a lock that somebody has, with the ticket just taken. */
void spin_lock_contended(struct spinlock *l, uint16_t ticket);

/* spin_lock() without the checks. */
static inline void spin_lock_unchecked(struct spinlock *l)
{
    /* Both halves at once: a lock that nobody has takes one access. */
    uint32_t seen = __atomic_fetch_add((uint32_t *)(void *)l, 1u << 16, __ATOMIC_ACQUIRE);
    uint16_t ticket = (uint16_t)(seen >> 16);
    if (unlikely((uint16_t)seen != ticket))
        spin_lock_contended(l, ticket);
}

/* Spins until `*l` is taken. Memory accesses after it see everything done under the lock before. */
static inline void spin_lock(struct spinlock *l)
{
    lock_debug_acquire(l);
    spin_lock_unchecked(l);
}

/* The same while a lock of the same rank is held: now `*l` ranks as `rank`, which is greater. */
static inline void spin_lock_second(struct spinlock *l, enum lock_rank rank)
{
    lock_debug_acquire_as(l, rank);
    spin_lock_unchecked(l);
}

/* spin_trylock() without the checks. */
static inline bool spin_trylock_unchecked(struct spinlock *l)
{
    uint32_t seen = __atomic_load_n((uint32_t *)(void *)l, __ATOMIC_RELAXED);
    uint16_t owner = (uint16_t)seen, next = (uint16_t)(seen >> 16);
    if (owner != next)
        return false;
    uint32_t want = (uint32_t)owner | (uint32_t)(uint16_t)(next + 1) << 16;
    return __atomic_compare_exchange_n((uint32_t *)(void *)l, &seen, want, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* Takes `*l` if nobody has it; true if it did. Not checked for order: it cannot deadlock. */
static inline bool spin_trylock(struct spinlock *l)
{
    if (!spin_trylock_unchecked(l))
        return false;
    lock_debug_acquired(l);
    return true;
}

static inline void spin_unlock(struct spinlock *l)
{
    lock_debug_release(l);
    __atomic_store_n(&l->owner, (uint16_t)(l->owner + 1), __ATOMIC_RELEASE);
}

#endif
