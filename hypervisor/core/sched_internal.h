/* SPDX-License-Identifier: MIT */
/* Between sched.c, which runs units, and sched_unit.c, which makes and changes them. */
#ifndef CORE_SCHED_INTERNAL_H
#define CORE_SCHED_INTERNAL_H

#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/sched_policy.h>

extern const struct sched_ops *sched_policy;

/*
 * Takes the lock that guards `u`: that of the pCPU returned. The second look acquires: the unit may
 * have left and come back meanwhile, and what its mover did last was under another lock than this.
 */
static inline struct pcpu *sched_lock_unit(const struct sched_unit *u)
{
    for (;;) {
        struct pcpu *p = read_once(u->pcpu);

        spin_lock(&p->sched.lock);
        if (likely(load_acquire(u->pcpu) == p))
            return p;
        spin_unlock(&p->sched.lock);
    }
}

/* All these with that lock held. */
static inline void sched_add_load(struct sched_pcpu *s, uint64_t weight)
{
    write_once(s->load, s->load + weight);
}

/* Takes `u`, QUEUED, out of p's queue; then it waits where it may now. Releases p's lock. */
void sched_withdraw(struct sched_unit *u, struct pcpu *p);
void sched_place_anew(struct sched_unit *u, struct pcpu *p);

#endif
