/* SPDX-License-Identifier: MIT */
/*
 * Timers: one binary heap of them for each pCPU, see <hospes/timer.h>.
 *
 * Every heap has room for all timers that exist, so that arming one never needs memory. Only the
 * pCPU itself programs its hardware; whoever puts a new earliest timer into another's queue kicks
 * it.
 */
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>
#include <lib/bits.h>

#include <string.h>

#define MIN_CAPACITY 32u

static uint32_t nr_timers; /* timer_init()s less timer_destroy()s; atomic */

/* --- the heap: all under q->lock --------------------------------------------------------- */

static void place(struct timer_queue *q, uint32_t slot, struct timer *t)
{
    q->heap[slot] = t;
    t->slot = (int32_t)slot;
}

/* Puts `t` at `slot`, which is empty, or where the order has it on the way up or down from there.
 */
static void settle(struct timer_queue *q, uint32_t slot, struct timer *t)
{
    while (slot > 0 && q->heap[(slot - 1) / 2]->expires_ns > t->expires_ns) {
        place(q, slot, q->heap[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * slot + 1;

        if (child + 1 < q->nr && q->heap[child + 1]->expires_ns < q->heap[child]->expires_ns)
            child++;
        if (child >= q->nr || q->heap[child]->expires_ns >= t->expires_ns)
            break;
        place(q, slot, q->heap[child]);
        slot = child;
    }
    place(q, slot, t);
}

static void queue_remove(struct timer_queue *q, struct timer *t)
{
    uint32_t slot = (uint32_t)t->slot;
    struct timer *last = q->heap[--q->nr];

    t->slot = -1;
    if (last != t)
        settle(q, slot, last);
}

static void queue_insert(struct timer_queue *q, struct timer *t)
{
    assert(q->nr < q->capacity);
    q->nr++;
    settle(q, q->nr - 1, t);
}

static uint64_t queue_earliest(const struct timer_queue *q)
{
    return q->nr > 0 ? q->heap[0]->expires_ns : TIMER_NEVER;
}

/* --- room -------------------------------------------------------------------------------- */

/* Makes room for `need` timers in p's queue, if that is in use. 0 or -ENOMEM. */
static int queue_grow(struct timer_queue *q, uint32_t need)
{
    while (read_once(q->capacity) < need) {
        uint32_t capacity = max(need, max(2 * read_once(q->capacity), MIN_CAPACITY));
        struct timer **heap = heap_calloc(capacity, sizeof(*heap)), **unused = heap;

        if (heap == NULL)
            return -ENOMEM;
        spin_lock(&q->lock);
        if (q->capacity < capacity) {
            unused = q->heap;
            if (q->nr > 0)
                memcpy(heap, q->heap, q->nr * sizeof(*heap));
            q->heap = heap;
            write_once(q->capacity, capacity);
        }
        spin_unlock(&q->lock);
        heap_free(unused);
    }
    return 0;
}

int timer_queue_init(struct pcpu *p)
{
    p->timers = (struct timer_queue){
        .lock = SPINLOCK_INIT(LOCK_TIMER),
        .programmed_ns = TIMER_NEVER,
    };
    /* And for those that are made before it is among pcpus[]: its own. */
    return queue_grow(&p->timers, read_once(nr_timers) + MIN_CAPACITY);
}

int timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    uint32_t need = __atomic_add_fetch(&nr_timers, 1, __ATOMIC_RELAXED);

    *t = (struct timer){ .expires_ns = TIMER_NEVER, .fn = fn, .arg = arg, .slot = -1 };
    for (uint32_t i = 0; i < nr_pcpus; i++) {
        /* One that is not up yet makes room for all there are when it comes. */
        if (pcpus[i] == NULL || read_once(pcpus[i]->timers.capacity) == 0)
            continue;
        if (queue_grow(&pcpus[i]->timers, need) != 0) {
            __atomic_fetch_sub(&nr_timers, 1, __ATOMIC_RELAXED);
            return -ENOMEM;
        }
    }
    return 0;
}

void timer_destroy(struct timer *t)
{
    timer_stop(t);
    __atomic_fetch_sub(&nr_timers, 1, __ATOMIC_RELAXED);
}

/* --- arming and disarming ---------------------------------------------------------------- */

/* Sets this pCPU's hardware for its earliest timer. Under q->lock. */
static void program(struct timer_queue *q)
{
    q->programmed_ns = queue_earliest(q);
    arch_timer_program(q->programmed_ns);
}

/* Takes `t` out of the queue that it is in, if any. */
static void dequeue(struct timer *t)
{
    /* Only its pCPU may change this now, from queued to not queued: timer_run(). */
    if (t->pcpu == NULL || read_once(t->slot) < 0)
        return;

    struct timer_queue *q = &t->pcpu->timers;

    spin_lock(&q->lock);
    if (t->slot >= 0) {
        queue_remove(q, t);
        /* Another's hardware fires once for nothing. */
        if (t->pcpu == this_pcpu() && queue_earliest(q) > q->programmed_ns)
            program(q);
    }
    spin_unlock(&q->lock);
}

void timer_set(struct timer *t, struct pcpu *p, uint64_t expires_ns)
{
    struct timer_queue *q = &p->timers;
    bool kick = false;

    if (expires_ns == TIMER_NEVER || t->pcpu != p)
        dequeue(t);
    if (expires_ns == TIMER_NEVER)
        return;

    spin_lock(&q->lock);
    if (t->pcpu == p && t->slot >= 0)
        queue_remove(q, t);
    t->pcpu = p;
    /*
     * What is past already comes after what timer_run() had before it when it last looked at the
     * clock: a function that arms its own timer in the past delays nobody.
     */
    t->expires_ns = max(expires_ns, q->looked_ns + 1);
    queue_insert(q, t);
    if (p != this_pcpu())
        kick = queue_earliest(q) < q->programmed_ns;
    else if (queue_earliest(q) != q->programmed_ns)
        program(q);
    spin_unlock(&q->lock);
    if (kick)
        pcpu_kick(p, PENDING_TIMER);
}

void timer_stop(struct timer *t)
{
    dequeue(t);
    /* It may have been armed elsewhere while its function runs: look everywhere. */
    for (uint32_t i = 0; i < nr_pcpus; i++) {
        if (pcpus[i] == NULL || pcpus[i] == this_pcpu())
            continue;
        while (load_acquire(pcpus[i]->timers.running) == t)
            arch_cpu_relax();
    }
}

void timer_run(void)
{
    struct timer_queue *q = &this_pcpu()->timers;

    spin_lock(&q->lock);
    q->looked_ns = clock_ns();
    while (queue_earliest(q) <= q->looked_ns) {
        struct timer *t = q->heap[0];

        queue_remove(q, t);
        write_once(q->running, t);
        spin_unlock(&q->lock);
        t->fn(t->arg);
        /* From here on `t` may be gone. */
        store_release(q->running, NULL);
        spin_lock(&q->lock);
    }
    program(q);
    spin_unlock(&q->lock);
}
