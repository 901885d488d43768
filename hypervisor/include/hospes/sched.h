/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: which unit runs on which pCPU, and for how long. doc/scheduler.md tells the idea.
 *
 * A unit is a vCPU or the worker that runs deferred work. `sched=fair` (default): weighted fair
 * sharing by virtual time, a unit that wakes is placed at most one credit behind the least of its
 * queue so that it runs soon, hard affinity, stealing by idle pCPUs. `sched=null`: every vCPU has a
 * pCPU for itself.
 *
 * States:            wake                  picked
 *          BLOCKED --------> QUEUED ----------------> RUNNING
 *             ^                ^  preempted, yielded     |         MOVING: on its way to another
 * queue, |                +-------------------------+                 from any but BLOCKED
 *             +------------------------------------------+
 *                    blocked or paused
 *
 * Locks: each run queue's lock (LOCK_SCHED) guards it and all units whose `pcpu` it is. Two are
 * never held at a time; a unit's `pcpu` changes under the old one's lock while it is MOVING.
 */
#ifndef HOSPES_SCHED_H
#define HOSPES_SCHED_H

#include <hospes/spinlock.h>
#include <hospes/timer.h>
#include <hospes/types.h>
#include <lib/bitmap.h>
#include <lib/list.h>
#include <lib/tree.h>

#define SCHED_MAX_PCPUS      128
#define SCHED_WEIGHT_DEFAULT 256
#define SCHED_WEIGHT_MIN     1
#define SCHED_WEIGHT_MAX     65535

struct pcpu;
struct sched_cap;

/* The odd ones count in the load of a pCPU. */
enum sched_state {
    SCHED_BLOCKED = 0,
    SCHED_QUEUED = 1,
    SCHED_MOVING = 2,
    SCHED_RUNNING = 3,
};

/* What a unit's time is counted as: RUNSTATE_* of <xen/vcpu.h>. */
enum sched_time {
    SCHED_TIME_RUNNING = 0,
    SCHED_TIME_QUEUED = 1,
    SCHED_TIME_BLOCKED = 2,
    SCHED_TIME_OFF = 3, /* paused though it has something to do; or `off` */
    SCHED_TIMES
};

/* Since the unit was made until now, all in all. */
struct sched_times {
    enum sched_time now;
    uint64_t since_ns; /* as `now` */
    uint64_t ns[SCHED_TIMES];
};

struct sched_unit {
    struct tree_node node;         /* in the run queue, by vtime */
    uint64_t vtime;                /* virtual time consumed: ns * WEIGHT_DEFAULT / weight; wraps */
    uint64_t inv_weight;           /* 2^32 * WEIGHT_DEFAULT / weight */
    uint64_t started_ns;           /* until when its running is accounted */
    uint64_t runtime_ns;           /* real time consumed in all */
    uint64_t state_since_ns;       /* when `state` last changed */
    uint64_t since_ns;             /* since when its time is counted as `counted_as` */
    uint64_t time_ns[SCHED_TIMES]; /* until then */
    struct pcpu *pcpu;             /* whose queue it belongs to */
    struct pcpu *home;             /* sched=null: the pCPU that is its own; else NULL */
    uint32_t weight;
    uint32_t pause_count; /* >0: not to be run; sched_pause()/sched_unpause() */
    uint8_t state;        /* enum sched_state */
    uint8_t counted_as;   /* enum sched_time */
    bool off;             /* the owner's: while it is blocked, that does not count as waiting */
    bool wanted;          /* has something to do: runnable but for pauses */
    bool is_vcpu;         /* container is a struct vcpu, else the worker */
    bool movable;         /* may run on more than one pCPU */
    bool held;      /* runs, is not saved yet, or moves; read by sched_is_running() without lock */
    bool parked;    /* its cap has no time left: one of the pauses */
    bool has_piece; /* of its cap's time: */
    uint64_t piece_end_ns;      /* the runtime_ns at which that is used up, */
    uint64_t piece_window_ns;   /* the window that it is, or the last was, of, */
    uint64_t window_runtime_ns; /* and runtime_ns when that began for it */
    struct sched_cap *cap;      /* the bound on its time, or NULL; once set, stays */
    struct list_node cap_node;  /* the cap's: among the parked */
    DECLARE_BITMAP(affinity, SCHED_MAX_PCPUS);
    DECLARE_BITMAP(soft_affinity, SCHED_MAX_PCPUS); /* where it had rather run, */
    DECLARE_BITMAP(preferred, SCHED_MAX_PCPUS); /* and of these where it may; if none, the latter */
};

/* All under `lock`; what is marked (o) changes on its own pCPU only, which reads it without. */
struct sched_pcpu {
    struct spinlock lock;
    uint32_t nr_queued, nr_movable; /* QUEUED units, and of these the movable ones */
    struct tree queue;              /* QUEUED units by vtime */
    struct sched_unit *next;        /* idle: the one QUEUED unit, in place of the tree */
    uint64_t min_vtime;             /* the least of queue and running; never goes back */
    struct sched_unit *running;     /* (o) NULL: idle */
    struct sched_unit *prev;        /* (o) ran before, its state is not saved yet */
    struct sched_unit *own;         /* sched=null: the vCPU whose pCPU this is; atomic */
    struct pcpu *push_to;  /* (o) where `prev` is to go, if it is MOVING; NULL: not chosen */
    uint64_t slice_end_ns; /* (o) when `running` is to be preempted; TIMER_NEVER without a rival */
    uint64_t overtake_ns;  /* when one that woke overtakes `running`; TIMER_NEVER: none does */
    uint64_t armed_ns;     /* (o) what slice_timer is set to; may be too early */
    uint64_t idle_ns, idle_since_ns;
    uint32_t coin; /* sched=fair: for choices at random */
    uint64_t load; /* sum of the weights of QUEUED and RUNNING units; read without lock */
    bool resched;  /* sched_pick() has to look; read by the owner without lock */
    bool yield;    /* ends the slice, by `running`'s own wish */
    bool let_go;   /* (o) see sched_must_save() */
    bool idle;     /* its bit in the map of pCPUs that are idle, nothing queued */
    bool loaded;   /* its bit in the map of those that may have units to steal */
    struct timer slice_timer;
};

/* Chooses the policy by `sched=`; called once, before any pCPU or unit is initialised. */
void sched_init(void);

/*
 * Brings a pCPU's queue up; before it is set online. 0 or -ENOMEM. It takes part from its first
 * sched_pick() on.
 */
int sched_pcpu_init(struct pcpu *p);

/*
 * Prepares a unit: BLOCKED, default weight, affinity to all pCPUs. Under sched=null -EBUSY when no
 * pCPU is left. sched_unit_destroy() needs it BLOCKED or paused, and sched_is_running() to be
 * false.
 */
int sched_unit_init(struct sched_unit *u, bool is_vcpu);
void sched_unit_destroy(struct sched_unit *u);

/* The unit has something to do. Any pCPU; idempotent. Kicks the pCPU that should run it. */
void sched_wake(struct sched_unit *u);

/*
 * The unit running here has nothing to do until sched_wake(). The caller sets what a waker will
 * look at before it, and checks it again after: a wake between is not lost.
 */
void sched_block(struct sched_unit *u);

/* The unit running here lets others of its queue go first. (sched_yield() is the C library's.) */
void sched_unit_yield(struct sched_unit *u);

/*
 * Keeps it from running; counted. Does not wait: sched_is_running() tells when it has stopped, so
 * that its registers are in memory and, once it is false, nobody uses the unit but by its owner's
 * calls.
 */
void sched_pause(struct sched_unit *u);
void sched_unpause(struct sched_unit *u);
static inline bool sched_is_running(const struct sched_unit *u)
{
    return load_acquire(u->held);
}

/*
 * 0, or -EINVAL for a weight out of bounds or an affinity without an online pCPU. Under sched=null
 * -EBUSY when the affinity leaves a vCPU no pCPU that is not another's.
 */
int sched_set_weight(struct sched_unit *u, uint32_t weight);
int sched_set_affinity(struct sched_unit *u, const unsigned long *affinity);

/*
 * Puts it under a cap (<hospes/sched_cap.h>), which has no bound yet and is there until the unit's
 * destruction. And: if it runs, it comes by the scheduler, since its cap has changed.
 */
void sched_unit_set_cap(struct sched_unit *u, struct sched_cap *c);
void sched_unit_look(struct sched_unit *u);

/* For the cap: there is time for a parked unit, or none is needed. */
void sched_unpark(struct sched_unit *u);

/*
 * Where a unit is placed rather, of the pCPUs that it may run on; without effect while there is
 * none in both. And what was set last, of each.
 */
void sched_set_soft_affinity(struct sched_unit *u, const unsigned long *affinity);
void sched_get_affinity(const struct sched_unit *u, unsigned long *hard, unsigned long *soft);

/* How long a pCPU has been idle until now. */
uint64_t sched_idle_ns(struct pcpu *p);

/* How it spent its time until now. */
void sched_times(const struct sched_unit *u, struct sched_times *out);

/* What a running one has consumed by now, its account brought up to date. */
uint64_t sched_account_unit(const struct sched_unit *u);

/* Real time consumed until now, running or not. */
static inline uint64_t sched_runtime_ns(const struct sched_unit *u)
{
    if (sched_is_running(u))
        return sched_account_unit(u);
    return read_once(u->runtime_ns); /* all of it is accounted for */
}

/*
 * Chooses what this pCPU runs from now on; NULL: idle. Accounts the time of the unit that ran,
 * steals from other queues before idling, arms the slice timer. Serves PENDING_SCHED. Called with
 * no lock held.
 *
 * When it returns another unit than before, the one before may be QUEUED or BLOCKED already, but no
 * other pCPU runs it until this one has saved its state and says so with sched_switch_done(): at
 * once, before another sched_pick(). Only while NULL is returned may that wait, in the hope that
 * the same unit comes back, for as long as sched_must_save() is false after each sched_pick().
 */
struct sched_unit *sched_pick(struct pcpu *p, uint64_t now_ns);

/* The state of the unit that ran before on `p`, this pCPU, is saved. No effect without one. */
void sched_switch_done(struct pcpu *p);

/* After sched_pick() returned NULL on `p`, this pCPU: save the state of who ran before, now. */
bool sched_must_save(const struct pcpu *p);

/* Prints each queue: for the console's debug keys. */
void sched_dump(void);

#endif
