/* SPDX-License-Identifier: MIT */
/*
 * Between core/sched.c, which knows states, locks and pCPUs, and a policy, which knows who goes
 * next and where.
 *
 * A policy's functions are called with the lock of the queue concerned held, but for attach() and
 * detach(); they take no lock themselves. They may read other pCPUs' `load` and the map of idle
 * pCPUs.
 */
#ifndef HOSPES_SCHED_POLICY_H
#define HOSPES_SCHED_POLICY_H

#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/types.h>

struct sched_ops {
    const char *name;

    /* Sets `pcpu`, and what is the policy's in `u`. 0 or -EBUSY. Without lock: nobody else knows
     * `u`. */
    int (*attach)(struct sched_unit *u);
    void (*detach)(struct sched_unit *u);

    /* Its affinity is about to become `affinity`, which has an online pCPU: 0 or -EBUSY. */
    int (*set_affinity)(struct sched_unit *u, const unsigned long *affinity);

    /* The pCPU on which `u`, which is in no queue, is to wait: an online one that its affinity has.
     * Not asked for a vCPU that wakes where its pCPU idles, if it likes to be there.
     */
    struct pcpu *(*place)(const struct sched_unit *u);

    /* The order of a queue. */
    tree_less_fn *less;

    /* `u` is about to be put into p's queue, and did not run there just now: sets its place. When
     * it should run before p's running unit (NULL: none), now_ns: at once; TIMER_NEVER: it waits
     * for the slice's end. */
    uint64_t (*arrive)(struct pcpu *p, struct sched_unit *u, uint64_t now_ns);

    /* `u`, in no queue, leaves p's clock; and comes under it. */
    void (*leave)(struct pcpu *p, struct sched_unit *u, uint64_t now_ns);
    void (*join)(struct pcpu *p, struct sched_unit *u, uint64_t now_ns);

    /* p's running unit ran for `ns` since it was last accounted. */
    void (*account)(struct pcpu *p, struct sched_unit *u, uint64_t ns);

    /*
     * Who runs next on `p`: `cur`, who ran and still may (NULL: none), or one of the queue, which
     * stays there. `over`: cur's slice is. May read `yield`.
     */
    struct sched_unit *(*choose)(struct pcpu *p, struct sched_unit *cur, bool over);

    /* How long `u` may run while others wait. */
    uint64_t (*slice_ns)(const struct pcpu *p, const struct sched_unit *u);

    /* `u`'s slice is over and another goes first: the pCPU where it is to wait instead of `p`, or
     * NULL. */
    struct pcpu *(*push)(struct pcpu *p, const struct sched_unit *u);
};

extern const struct sched_ops sched_ops_fair, sched_ops_null;

/* The unit around its node in a queue. */
static inline const struct sched_unit *sched_unit_of(const struct tree_node *n)
{
    return (const struct sched_unit *)(const void *)((const char *)n -
                                                     offsetof(struct sched_unit, node));
}

static inline bool sched_allowed(const struct sched_unit *u, const struct pcpu *p)
{
    return bitmap_test(u->affinity, p->id);
}

static inline bool sched_preferred(const struct sched_unit *u, const struct pcpu *p)
{
    return bitmap_test(u->preferred, p->id);
}

static inline bool sched_is_idle(const struct pcpu *p)
{
    return p->sched.running == NULL && p->sched.nr_queued == 0;
}

/* Accounts what p's running unit, if any, ran until now. p's lock held. */
void sched_account(struct pcpu *p, uint64_t now_ns);

/* The pCPUs that are idle, with nothing queued either: sched.c changes it. */
extern DECLARE_BITMAP(sched_idle_map, MAX_PCPUS);
struct pcpu *sched_search_idle(const unsigned long *mask);

/* One of them in `mask`: this one first. NULL: none. May be outdated at once. */
static inline struct pcpu *sched_find_idle(const unsigned long *mask)
{
    /* Where all bits are in one word, none is often seen at once. */
    if (nr_pcpus <= BITMAP_WORD_BITS &&
        !(__atomic_load_n(&sched_idle_map[0], __ATOMIC_SEQ_CST) & mask[0]))
        return NULL;
    return sched_search_idle(mask);
}

#endif
