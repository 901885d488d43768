/* SPDX-License-Identifier: MIT */
/*
 * Caps: an upper bound on the CPU time that a group of units, a domain's vCPUs, gets all in all,
 * also where CPUs idle. doc/scheduler.md tells the idea.
 *
 * Time is cut into windows of SCHED_CAP_WINDOW_NS, and each has a budget. A unit takes a piece of
 * it before it runs and gives back what it did not use; one for which there is none is *parked*:
 * paused by the scheduler itself, until somebody gives some back or the next window begins. What a
 * unit ran beyond its piece, because it could not be stopped at once, is a debt that later windows
 * pay.
 *
 * Lock: `lock` (LOCK_SCHED_CAP) guards all but what is said to be a unit's, which its queue's lock
 * guards. It ranks after LOCK_SCHED: units are let go when it is dropped.
 */
#ifndef HOSPES_SCHED_CAP_H
#define HOSPES_SCHED_CAP_H

#include <hospes/spinlock.h>
#include <hospes/timer.h>
#include <hospes/types.h>
#include <lib/list.h>

#define SCHED_CAP_WINDOW_NS UINT64_C(10000000)

/* Of its share of the budget, and then beyond, a unit gets so much at a time: no less, no more. */
#define SCHED_CAP_PIECE_MIN_NS UINT64_C(250000)
#define SCHED_CAP_PIECE_MAX_NS UINT64_C(5000000)

struct sched_unit;

struct sched_cap {
    struct spinlock lock;
    uint32_t percent;   /* of one pCPU; 0: no bound */
    uint32_t nr_units;  /* among which a budget is shared out */
    uint64_t budget_ns; /* of each window */
    uint64_t share_ns;  /* of it for each unit; what some do not use others get in small pieces */
    uint64_t window_ns; /* when this window began */
    int64_t pool_ns;    /* left of this window's budget; below 0: debt */
    struct list parked; /* units, the one that waits longest first */
    struct timer timer; /* lets parked units go */
};

/* How many caps are bounds: where it is 0, nobody need look at units' caps. Atomic. */
extern uint32_t sched_caps_set;

/* A cap without bound for `nr_units` units. 0 or -ENOMEM. */
int sched_cap_init(struct sched_cap *c, uint32_t nr_units);

/* No unit of it will run any more. Waits for the timer's function: hold no lock from LOCK_SCHED on.
 */
void sched_cap_destroy(struct sched_cap *c);

/*
 * From now on its units, each told before by sched_unit_set_cap(), get `percent` of one pCPU all in
 * all; 0: no bound. Callers serialise, and see to it by sched_unit_look() that units which run
 * already notice.
 */
void sched_cap_set(struct sched_cap *c, uint32_t percent);

/* --- for core/sched.c: this pCPU's, with the lock of u's queue held, and u->cap is not NULL -----
 */

/*
 * `u` is to run from now on, or to go on. True if it has time for that, until sched_cap_end_ns();
 * TIMER_NEVER: without end. False: it is among the parked, and sched_unpark() will be called.
 */
bool sched_cap_take(struct sched_unit *u, uint64_t now_ns);
uint64_t sched_cap_end_ns(const struct sched_unit *u, uint64_t now_ns);

/* `u` does not go on, and its time is accounted. */
void sched_cap_give_back(struct sched_unit *u, uint64_t now_ns);

#endif
