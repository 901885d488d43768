/* SPDX-License-Identifier: MIT */
/*
 * Checks of the order in which a pCPU takes locks, for builds with HOSPES_DEBUG: see
 * <hospes/spinlock.h>.
 *
 * Each pCPU keeps the locks that it holds. Until it knows itself (this_pcpu() is NULL early in
 * boot) nothing is checked, and no lock may be held across that moment.
 */
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/spinlock.h>

#if HOSPES_DEBUG

static const char *const rank_names[LOCK_RANKS] = {
    [LOCK_DOMAIN_LIST] = "domain list",
    [LOCK_DOMAIN] = "domain",
    [LOCK_CONFIG] = "config",
    [LOCK_EVTCHN] = "event channels",
    [LOCK_EVTCHN_PEER] = "event channels of a peer",
    [LOCK_EVTCHN_FIFO] = "event queues",
    [LOCK_P2M] = "p2m",
    [LOCK_VUART] = "virtual UART",
    [LOCK_VGIC] = "vgic",
    [LOCK_VGIC_VCPU] = "vgic of a vCPU",
    [LOCK_IRQ] = "irq",
    [LOCK_VECTOR] = "vectors",
    [LOCK_IOAPIC] = "IO-APICs",
    [LOCK_WORK] = "work",
    [LOCK_SCHED] = "sched",
    [LOCK_TIMER] = "timer",
    [LOCK_HEAP] = "heap",
    [LOCK_HYPMAP] = "hypervisor map",
    [LOCK_FRAME] = "frame",
    [LOCK_CONSOLE] = "console",
    [LOCK_UART] = "UART",
};

static const char *name_of(const struct spinlock *l)
{
    const char *name = l->rank < LOCK_RANKS ? rank_names[l->rank] : NULL;

    return name != NULL ? name : "of unknown rank";
}

void lock_debug_acquire(const struct spinlock *l)
{
    lock_debug_acquire_as(l, (enum lock_rank)l->rank);
}

void lock_debug_acquire_as(const struct spinlock *l, enum lock_rank rank)
{
    struct pcpu *p = this_pcpu();

    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->nr_locks_held; i++) {
        const struct spinlock *held = p->locks_held[i];
        if (held->rank >= rank)
            panic("locks out of order: %s lock %p taken with %s lock %p held", name_of(l),
                  (const void *)l, name_of(held), (const void *)held);
    }
    lock_debug_acquired(l);
}

void lock_debug_acquired(const struct spinlock *l)
{
    struct pcpu *p = this_pcpu();

    if (p == NULL)
        return;
    if (p->nr_locks_held == array_size(p->locks_held))
        panic("too many locks held: %s lock %p is one more", name_of(l), (const void *)l);
    p->locks_held[p->nr_locks_held++] = l;
}

void lock_debug_release(const struct spinlock *l)
{
    struct pcpu *p = this_pcpu();
    uint32_t i;

    if (p == NULL)
        return;
    for (i = p->nr_locks_held; i > 0 && p->locks_held[i - 1] != l; i--)
        ;
    if (i == 0)
        panic("%s lock %p released but not held", name_of(l), (const void *)l);
    for (; i < p->nr_locks_held; i++)
        p->locks_held[i - 1] = p->locks_held[i];
    p->nr_locks_held--;
}

#endif
