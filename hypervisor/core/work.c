/* SPDX-License-Identifier: MIT */
/* Deferred work: one queue, and the scheduled unit that serves it in turn. See <hospes/work.h>. */
#include <hospes/compiler.h>
#include <hospes/log.h>
#include <hospes/sched.h>
#include <hospes/spinlock.h>
#include <hospes/work.h>

static struct spinlock lock =
    SPINLOCK_INIT(LOCK_WORK); /* guards `queue`, and the `queued` of each item */
static struct list queue = LIST_INIT(queue);
static struct sched_unit worker;
static bool (*idle_step)(void);

void work_init(void)
{
    if (sched_unit_init(&worker, false) != 0)
        panic("no scheduled unit for deferred work");
}

void work_queue(struct work *w)
{
    spin_lock(&lock);
    if (!w->queued) {
        w->queued = true;
        list_push_back(&queue, &w->node);
    }
    spin_unlock(&lock);
    sched_wake(&worker);
}

/* The first item, no longer queued; NULL when there is none. */
static struct work *take(void)
{
    spin_lock(&lock);
    struct list_node *n = list_pop_front(&queue);
    struct work *w = n != NULL ? list_entry(n, struct work, node) : NULL;
    if (w != NULL)
        w->queued = false;
    spin_unlock(&lock);
    return w;
}

static bool is_empty(void)
{
    spin_lock(&lock);
    bool empty = list_is_empty(&queue);
    spin_unlock(&lock);
    return empty;
}

void work_run(void)
{
    struct work *w = take();

    /* It is not queued while it runs, so that who queues it now is not forgotten. */
    if (w != NULL && w->step(w))
        work_queue(w);
    if (is_empty()) {
        sched_block(&worker);
        if (!is_empty())
            sched_wake(&worker);
    }
}

void work_set_idle(bool (*fn)(void))
{
    write_once(idle_step, fn);
}

bool work_run_idle(void)
{
    bool (*fn)(void) = read_once(idle_step);

    return fn != NULL && fn();
}
