/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: which unit runs on which pCPU, and for how long. doc/scheduler.md tells the idea.
 *
 * A unit is a vCPU or the worker that runs deferred work. `sched=fair` (default): weighted fair sharing by
 * virtual time, a unit that wakes is placed at most one boost behind the least of its queue so that it runs
 * soon, hard affinity, stealing by idle pCPUs. `sched=null`: every unit has a pCPU for itself.
 *
 * States:            wake                  picked
 *          BLOCKED --------> QUEUED ----------------> RUNNING
 *             ^                ^  preempted, yielded     |
 *             |                +-------------------------+
 *             +------------------------------------------+  blocked or paused
 *
 * Locks: each run queue's lock (LOCK_SCHED) guards it and all units whose `pcpu` it is. A unit's `pcpu`
 * changes only under both queues' locks.
 */
#ifndef HOSPES_SCHED_H
#define HOSPES_SCHED_H

#include <hospes/spinlock.h>
#include <hospes/types.h>
#include <lib/bitmap.h>
#include <lib/tree.h>

#define SCHED_MAX_PCPUS      128
#define SCHED_WEIGHT_DEFAULT 256
#define SCHED_WEIGHT_MIN     1
#define SCHED_WEIGHT_MAX     65535

struct pcpu;

enum sched_state { SCHED_BLOCKED, SCHED_QUEUED, SCHED_RUNNING };

struct sched_unit {
    struct tree_node node;   /* in the run queue, by vtime */
    uint64_t vtime;          /* virtual time consumed: ns * WEIGHT_DEFAULT / weight */
    uint64_t started_ns;     /* when it last began to run */
    uint64_t runtime_ns;     /* real time consumed in all */
    uint64_t state_since_ns; /* when `state` last changed */
    uint32_t weight;
    uint32_t pause_count;    /* >0: not to be run; sched_pause()/sched_unpause() */
    struct pcpu *pcpu;       /* whose queue it belongs to */
    uint8_t state;           /* enum sched_state */
    bool wanted;             /* has something to do: runnable but for pauses */
    bool is_vcpu;            /* container is a struct vcpu, else the worker */
    DECLARE_BITMAP(affinity, SCHED_MAX_PCPUS);
};

struct sched_pcpu {
    struct spinlock lock;
    struct tree queue;           /* QUEUED units by vtime */
    uint64_t min_vtime;          /* never goes back: where a unit that wakes is placed */
    struct sched_unit *running;  /* NULL: idle */
    uint32_t nr_queued;
    uint64_t slice_end_ns;       /* when `running` is to be preempted; TIMER_NEVER without a rival */
    struct timer *slice_timer;
    uint64_t idle_ns, idle_since_ns;
};

/* Chooses the policy by `sched=`; called once before any unit exists. */
void sched_init(void);

/* Brings a pCPU's queue up; before it is set online. 0 or -ENOMEM. */
int sched_pcpu_init(struct pcpu *p);

/*
 * Prepares a unit: BLOCKED, default weight, affinity to all pCPUs. Under sched=null -EBUSY when no pCPU is
 * left. sched_unit_destroy() needs it BLOCKED or paused and not running.
 */
int sched_unit_init(struct sched_unit *u, bool is_vcpu);
void sched_unit_destroy(struct sched_unit *u);

/* The unit has something to do. Any pCPU; idempotent. Kicks the pCPU that should run it. */
void sched_wake(struct sched_unit *u);

/*
 * The unit running here has nothing to do until sched_wake(). The caller sets what a waker will look at
 * before it, and checks it again after: a wake between is not lost.
 */
void sched_block(struct sched_unit *u);

/* The unit running here lets others of its queue go first. */
void sched_yield(struct sched_unit *u);

/* Keeps it from running; counted. Does not wait: sched_is_running() tells when it has stopped. */
void sched_pause(struct sched_unit *u);
void sched_unpause(struct sched_unit *u);
bool sched_is_running(const struct sched_unit *u);

/* 0, or -EINVAL for a weight out of bounds or an affinity without an online pCPU. */
int sched_set_weight(struct sched_unit *u, uint32_t weight);
int sched_set_affinity(struct sched_unit *u, const unsigned long *affinity);

/* Real time consumed until now, running or not. */
uint64_t sched_runtime_ns(const struct sched_unit *u);

/*
 * Chooses what this pCPU runs from now on; NULL: idle. Accounts the time of the unit that ran, steals from
 * other queues before idling, arms the slice timer. Serves PENDING_SCHED. Called with no lock held.
 */
struct sched_unit *sched_pick(struct pcpu *p, uint64_t now_ns);

/* Prints each queue: for the console's debug keys. */
void sched_dump(void);

#endif
