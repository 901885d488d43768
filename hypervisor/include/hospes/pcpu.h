/* SPDX-License-Identifier: MIT */
/*
 * A pCPU: one physical CPU, its pending work and what it runs.
 *
 * Numbers are dense, 0 is the CPU that booted. All of a pCPU's fields are its own, touched without
 * a lock, but for `pending` (atomic, set by anyone) and what says otherwise.
 */
#ifndef HOSPES_PCPU_H
#define HOSPES_PCPU_H

#include <asm/pcpu.h>
#include <hospes/compiler.h>
#include <hospes/sched.h>
#include <hospes/timer.h>
#include <hospes/types.h>
#include <lib/bitmap.h>

#define MAX_PCPUS 128

/* What a pCPU has to do before it enters a guest again: bits of `pending`. */
enum pcpu_pending {
    PENDING_TIMER = 1u << 0,   /* a timer may have expired */
    PENDING_SCHED = 1u << 1,   /* choose again what to run */
    PENDING_CALL = 1u << 2,    /* run the function of pcpu_call() */
    PENDING_STOP = 1u << 3,    /* stop for good: the machine goes down */
    PENDING_DELIVER = 1u << 4, /* the current vCPU may have a new virtual interrupt */
};

struct vcpu;

/* Where it maps frames for a short time: entries of its own tables, written without a walk. */
struct pcpu_slots {
    uint64_t base;          /* address of the first page's, */
    uint64_t *pages;        /* its entry, */
    uint64_t *blocks;       /* and that of the first block, which is 2 MiB further */
    uint32_t free, free_2m; /* bit n: slot n is free */
};

struct pcpu {
    struct vcpu
        *current;     /* whose state is loaded; one that blocked may stay so while the pCPU idles */
    uint32_t pending; /* enum pcpu_pending */
    uint32_t id;      /* dense number */
    struct sched_pcpu sched;
    struct timer_queue timers;
    struct pcpu_slots slots; /* frame_map(): hypmap.c */
    struct arch_pcpu arch;
#if HOSPES_DEBUG
    const struct spinlock *locks_held[16];
    uint32_t nr_locks_held;
#endif
};

extern struct pcpu *pcpus[MAX_PCPUS]; /* NULL where there is none */
extern uint32_t nr_pcpus;             /* present, online or not */
extern DECLARE_BITMAP(pcpus_online, MAX_PCPUS);

/* The pCPU that executes this. */
static inline struct pcpu *this_pcpu(void)
{
    return arch_this_pcpu();
}

#define pcpu_for_each_online(i)          \
    for ((i) = 0; (i) < nr_pcpus; (i)++) \
        if (bitmap_test(pcpus_online, (i)))

/* Allocates pCPU `id` and its stack. Boot only. NULL without memory. */
struct pcpu *pcpu_create(uint32_t id);

/* Sets bits in `p->pending` and makes sure that `p` looks at them soon: sends an IPI unless it is
 * us. */
void pcpu_kick(struct pcpu *p, uint32_t bits);

/*
 * Runs fn(arg) on every other online pCPU, between two guests' instructions, and waits until all
 * are done. Calls are served one at a time; while waiting, the caller serves calls of others. Take
 * no lock around it.
 */
void pcpu_call_others(void (*fn)(void *arg), void *arg);

/* Serves PENDING_CALL on this pCPU. Called on the way out of an exit, and while waiting above. */
void pcpu_serve_call(void);

/*
 * One round of a loop that waits for another pCPU: serves another's call, if this pCPU was asked to
 * take part in one, lest two wait for one another. No lock held.
 */
void pcpu_wait_round(void);

/* Stops all other pCPUs for good. Callable from panic(). */
void pcpu_stop_others(void);

#endif
