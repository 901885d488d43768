/* SPDX-License-Identifier: MIT */
/*
 * Timers of the hypervisor: a function to be called on a pCPU at a time.
 *
 * Each pCPU has a queue, a pairing of binary heap and lock, and programs its hardware timer for the
 * earliest. Functions run on that pCPU on the way out of an exit, or from idle, with no lock held;
 * they may set or stop any timer. timer_stop() from another pCPU waits until a running function has
 * returned.
 */
#ifndef HOSPES_TIMER_H
#define HOSPES_TIMER_H

#include <hospes/spinlock.h>
#include <hospes/types.h>

#define TIMER_NEVER UINT64_MAX

struct pcpu;

struct timer {
    uint64_t expires_ns; /* absolute, clock_ns() */
    void (*fn)(void *arg);
    void *arg;
    struct pcpu *pcpu; /* whose queue it is, or was last, in */
    int32_t slot;      /* index in that queue's heap, -1 when not queued */
};

struct timer_queue {
    struct spinlock lock; /* guards all below and the queued timers */
    struct timer **heap;  /* earliest first */
    uint32_t nr, capacity;
    struct timer *running;  /* whose function runs now */
    uint64_t programmed_ns; /* what the hardware timer is set to */
    uint64_t looked_ns;     /* when timer_run() last looked at the clock */
};

/* Nanoseconds since the machine was switched on; the same on every pCPU; never goes back. */
uint64_t clock_ns(void);

/* Makes room for one more timer in every queue: called for each timer_init(), released by
 * timer_destroy(). */
int timer_queue_init(struct pcpu *p);

/* Prepares `t`; allocates the room it needs in any queue, so that timer_set() cannot fail. 0 or
 * -ENOMEM. */
int timer_init(struct timer *t, void (*fn)(void *), void *arg);

/* Stops it and gives its room back. */
void timer_destroy(struct timer *t);

/*
 * (Re)arms `t` on pCPU `p` for `expires_ns`; a time past fires at once, TIMER_NEVER disarms it.
 * Callers serialise per timer.
 */
void timer_set(struct timer *t, struct pcpu *p, uint64_t expires_ns);

/*
 * Disarms it; when this returns its function is not running, unless called on the pCPU that runs
 * it. Waits for that function: hold no lock that it takes.
 */
void timer_stop(struct timer *t);

/* Runs what has expired on this pCPU and reprograms the hardware. Serves PENDING_TIMER. */
void timer_run(void);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

/* Sets this pCPU's hardware timer; TIMER_NEVER switches it off. Its interrupt sets PENDING_TIMER.
 */
void arch_timer_program(uint64_t expires_ns);

#endif
