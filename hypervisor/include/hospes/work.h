/* SPDX-License-Identifier: MIT */
/*
 * Deferred work: what takes longer than an exit may, cut into steps of at most about a millisecond.
 *
 * Items are run in turn by one scheduled unit of default weight ("the worker"), so they neither
 * starve guests nor are starved by them. A second, lowest-weight queue runs only when a pCPU would
 * be idle (scrubbing of free memory).
 */
#ifndef HOSPES_WORK_H
#define HOSPES_WORK_H

#include <hospes/types.h>
#include <lib/list.h>

struct work {
    struct list_node node;
    /* One step; true: call me again, false: done, `w` may be freed or queued anew. No lock held. */
    bool (*step)(struct work *w);
    bool queued;
};

#define WORK_INIT(fn) ((struct work){ .step = (fn) })

void work_init(void);

/* Queues `w` unless it is queued already. Any pCPU, any lock below LOCK_WORK held. */
void work_queue(struct work *w);

/* Runs one step of the first item. Called when the worker unit is picked. */
void work_run(void);

/* Sets the function that idle pCPUs call before they sleep: false when there was nothing to do. */
void work_set_idle(bool (*fn)(void));

/* Calls it. */
bool work_run_idle(void);

#endif
