/* SPDX-License-Identifier: MIT */
/* Waiting for locks that somebody has; <hospes/spinlock.h> says how. */
#include <hospes/cpu.h>
#include <hospes/spinlock.h>

/* Polls before a waiter queues: about a millisecond's. */
#define POLLS 65536u

/* Gives the last ticket of the queue back; false: somebody is behind it. */
static bool leave_queue(struct spinlock *l, uint16_t ticket)
{
    uint32_t seen = __atomic_load_n((uint32_t *)(void *)l, __ATOMIC_RELAXED);

    if ((uint16_t)(seen >> 16) != (uint16_t)(ticket + 1) || (uint16_t)seen == ticket)
        return false;
    return __atomic_compare_exchange_n((uint32_t *)(void *)l, &seen, seen - (1u << 16), false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void spin_lock_contended(struct spinlock *l, uint16_t ticket)
{
    if (leave_queue(l, ticket)) {
        for (uint32_t polls = POLLS; polls; polls--) {
            arch_cpu_relax();
            if (spin_trylock_unchecked(l))
                return;
        }
        ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQUIRE);
    }
    while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
        arch_cpu_relax();
}
