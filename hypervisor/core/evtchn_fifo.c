/* SPDX-License-Identifier: MIT */
/*
 * Events in the FIFO format: a word for each port, in pages that the guest gave, chained into
 * queues: 16 for each vCPU, one a priority, whose heads are in the vCPU's control block.
 *
 *   head[p] -> word(port a): LINKED, LINK = b -> word(port b): LINKED, LINK = 0    tail[p] = b
 *
 * Hospes adds at the tail, which it alone knows, the guest takes from the head. A word that the
 * guest has taken is not LINKED any more: where the tail is such a one, the queue is empty, and
 * head is set anew. All that is read from a word are flags; LINK is only written. So whatever a
 * guest writes to its pages, it spoils its own queues, nothing else.
 *
 * A word is in at most one queue. Which one it was last (chn->queue) is under that vCPU's lock, and
 * LINKED is set under it too: the word may still be that queue's tail, and must not be when it is
 * put into another.
 */
#include "evtchn_internal.h"

#include <hospes/errno.h>
#include <hospes/guest_atomic.h>
#include <hospes/heap.h>
#include <lib/bits.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

#define PAGE_WORDS ((uint32_t)(FRAME_SIZE / sizeof(event_word_t)))

_Static_assert(EVTCHN_PAGES *PAGE_WORDS == EVTCHN_FIFO_NR_CHANNELS, "of the interface");
_Static_assert(EVTCHN_QUEUES == EVTCHN_FIFO_MAX_QUEUES, "of the interface");

#define PENDING   ((event_word_t)1 << EVTCHN_FIFO_PENDING)
#define MASKED    ((event_word_t)1 << EVTCHN_FIFO_MASKED)
#define LINKED    ((event_word_t)1 << EVTCHN_FIFO_LINKED)
#define BUSY      ((event_word_t)1 << EVTCHN_FIFO_BUSY)
#define LINK_MASK ((event_word_t)EVTCHN_FIFO_LINK_MASK)

/* The word of `port`; NULL: the guest has not given the page for it (yet). */
static inline event_word_t *word_of(struct domain *d, uint32_t port)
{
    if (unlikely(port >= load_acquire(d->evtchn.nr_words)))
        return NULL;
    return (event_word_t *)d->evtchn.pages[port / PAGE_WORDS].p + port % PAGE_WORDS;
}

/* --- queues ---------------------------------------------------------------------------------- */

/* Tries to change the tail's link before, and after, BUSY keeps the guest from unmasking it. */
#define FREE_TRIES 4u
#define BUSY_TRIES 64u

/*
 * Makes the tail's word point to `port`, if it is still linked. A guest that keeps to the interface
 * can change a word that is LINKED and BUSY a few times only (EVTCHN_FIFO_BUSY); one that does not
 * is told that its queue was empty.
 */
static bool link_tail(event_word_t *word, uint32_t port)
{
    event_word_t old = __atomic_load_n(word, __ATOMIC_RELAXED);
    unsigned int tries = 0;
    bool linked = false;

    while (!linked && old & LINKED && tries < FREE_TRIES + BUSY_TRIES) {
        if (tries++ == FREE_TRIES)
            (void)guest_or_u32(word, BUSY, &old);
        else
            linked = guest_try(word, &old, (old & ~(BUSY | LINK_MASK)) | port);
    }
    if (unlikely(!linked && tries > FREE_TRIES))
        (void)guest_clear_u32(word, BUSY, &old);
    return linked;
}

/* Puts `port`, whose word is LINKED, at the end. True: the queue was empty. Under queue_lock. */
static inline bool append(struct vcpu *v, uint32_t priority, uint32_t port)
{
    struct evtchn_fifo_control_block *control = v->evtchn.control.p;
    uint32_t tail = v->evtchn.tail[priority];

    v->evtchn.tail[priority] = port;
    if (tail && link_tail(word_of(v->domain, tail), port))
        return false;
    write_once(control->head[priority], port);
    return true;
}

/* The queue has its first event: the vCPU is told, unless it knows. */
static inline void tell(struct vcpu *v, uint32_t priority)
{
    struct evtchn_fifo_control_block *control = v->evtchn.control.p;
    uint32_t old;

    if (!guest_or_u32(&control->ready, 1u << priority, &old) || !(old & (1u << priority)))
        evtchn_raise(v);
}

/*
 * Sets PENDING, and puts the event into the queue that it belongs to now, unless it is masked or in
 * a queue. `last`: the vCPU whose queue it was in last, locked; unlocked here.
 */
static inline void push(struct vcpu *last, struct vcpu *v, struct evtchn *chn, uint32_t port,
                        event_word_t *word)
{
    uint32_t priority = read_once(chn->priority);
    uint32_t *tail = &last->evtchn.tail[chn->queue % EVTCHN_QUEUES];
    event_word_t old = __atomic_load_n(word, __ATOMIC_RELAXED), set;
    unsigned int tries = GUEST_ATOMIC_TRIES;
    bool first = false, done;

    do {
        set = PENDING;
        if (!(old & (MASKED | LINKED)) && likely(load_acquire(v->evtchn.control.p)))
            set |= LINKED;
        done = guest_try(word, &old, old | set);
    } while (unlikely(!done && --tries));
    if (done && set & LINKED) {
        if (*tail == port)
            *tail = 0; /* the guest took it: that queue is empty */
        write_once(chn->queue, (uint16_t)(v->id * EVTCHN_QUEUES + priority));
        if (v != last) {
            spin_unlock(&last->evtchn.queue_lock);
            spin_lock(&v->evtchn.queue_lock);
            last = v;
        }
        first = append(v, priority, port);
    }
    spin_unlock(&last->evtchn.queue_lock);
    if (first)
        tell(v, priority);
    if (!(old & PENDING))
        evtchn_check_pollers(v->domain, port);
}

/*
 * No page for its word: remembered until there is one. The page may just have come, and its maker
 * not have seen what we remember; then we see the page, and one of us pends it.
 */
static bool miss(struct domain *d, struct evtchn *chn, uint32_t port)
{
    __atomic_store_n(&chn->missed, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return !word_of(d, port) || !__atomic_exchange_n(&chn->missed, 0, __ATOMIC_SEQ_CST);
}

void evtchn_fifo_pend(struct domain *d, struct evtchn *chn, uint32_t port)
{
    struct vcpu *v = evtchn_vcpu(d, read_once(chn->notify));
    event_word_t *word = word_of(d, port), old;

    if (unlikely(!word)) {
        if (miss(d, chn, port))
            return;
        word = word_of(d, port);
    }
    for (unsigned int tries = 2; likely(v) && tries; tries--) {
        uint16_t queue = read_once(chn->queue);
        struct vcpu *last = d->vcpus[queue / EVTCHN_QUEUES];

        spin_lock(&last->evtchn.queue_lock);
        if (likely(queue == read_once(chn->queue))) {
            push(last, v, chn, port, word);
            return;
        }
        spin_unlock(&last->evtchn.queue_lock);
        /*
         * Somebody else put it into another queue. Should that happen again, it will be after this:
         * the guest finds the event pending when it takes that.
         */
        if (!guest_or_u32(word, PENDING, &old))
            return;
    }
}

/* --- the rest of the format ------------------------------------------------------------------ */

static bool has_flag(struct domain *d, uint32_t port, event_word_t flag, bool otherwise)
{
    const event_word_t *word = word_of(d, port);

    return word ? (__atomic_load_n(word, __ATOMIC_SEQ_CST) & flag) != 0 : otherwise;
}

bool evtchn_fifo_is_pending(struct domain *d, uint32_t port)
{
    return has_flag(d, port, PENDING, false);
}

bool evtchn_fifo_is_masked(struct domain *d, uint32_t port)
{
    return has_flag(d, port, MASKED, true);
}

bool evtchn_fifo_is_linked(struct domain *d, uint32_t port)
{
    return has_flag(d, port, LINKED, false);
}

void evtchn_fifo_clear(struct domain *d, uint32_t port)
{
    event_word_t *word = word_of(d, port), old;

    if (word)
        (void)guest_clear_u32(word, PENDING, &old); /* the guest takes it out of its queue */
}

void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn, uint32_t port)
{
    event_word_t *word = word_of(d, port), old;

    if (word && guest_clear_u32(word, MASKED, &old) && old & PENDING)
        evtchn_fifo_pend(d, chn, port);
}

/* --- pages of the guest ---------------------------------------------------------------------- */

/* Errors as the interface has them. */
static int map(struct domain *d, uint64_t gfn, uint32_t offset, uint64_t bytes,
               struct guest_area *out)
{
    int err;

    if (gfn > UINT64_MAX >> FRAME_SHIFT)
        return -EINVAL;
    err = guest_area_map(d, gaddr_add(gfn_to_gaddr(GFN(gfn)), offset), bytes, out);
    return err && err != -ENOMEM ? -EINVAL : err;
}

/* What is pending in the 2-level format is remembered until there are words. */
static void switch_to_fifo(struct domain *d, struct guest_area *pages)
{
    struct evtchn_domain *e = &d->evtchn;

    for (uint32_t port = 1; port < e->nr_ports && port < EVTCHN_2L_NR_CHANNELS; port++) {
        struct evtchn *chn = evtchn_find(d, port);

        chn->missed = evtchn_2l_is_pending(d, port);
        write_once(chn->priority, (uint8_t)EVTCHN_FIFO_PRIORITY_DEFAULT);
    }
    store_release(e->pages, pages);
}

int evtchn_fifo_init_control(struct domain *d, struct evtchn_init_control *c)
{
    struct vcpu *v = evtchn_vcpu(d, c->vcpu);
    struct guest_area *pages = NULL, area;
    int err;

    if (!v)
        return -ENOENT;
    if (c->offset > FRAME_SIZE - sizeof(struct evtchn_fifo_control_block) || c->offset % 8)
        return -EINVAL;
    err = map(d, c->control_gfn, c->offset, sizeof(struct evtchn_fifo_control_block), &area);
    if (err)
        return err;
    pages = heap_calloc(EVTCHN_PAGES, sizeof(*pages));
    spin_lock(&d->evtchn.lock);
    if (v->evtchn.control.p) {
        err = -EINVAL;
    } else if (!evtchn_is_fifo(d) && !pages) {
        err = -ENOMEM;
    } else {
        if (!evtchn_is_fifo(d)) {
            switch_to_fifo(d, pages);
            pages = NULL;
        }
        v->evtchn.control.mfn = area.mfn;
        store_release(v->evtchn.control.p, area.p);
        area.p = NULL;
    }
    spin_unlock(&d->evtchn.lock);
    guest_area_unmap(&area);
    heap_free(pages);
    c->link_bits = EVTCHN_FIFO_LINK_BITS;
    return err;
}

/* Pends what came before there was a page for it. */
static void pend_missed(struct domain *d, uint32_t from, uint32_t end)
{
    for (uint32_t port = from; port < end && port < d->evtchn.nr_ports; port++) {
        struct evtchn *chn = evtchn_find(d, port);

        if (__atomic_exchange_n(&chn->missed, 0, __ATOMIC_SEQ_CST) && evtchn_is_open(chn))
            evtchn_fifo_pend(d, chn, port);
    }
}

int evtchn_fifo_expand_array(struct domain *d, uint64_t gfn)
{
    struct evtchn_domain *e = &d->evtchn;
    struct guest_area area;
    int err;

    if (!evtchn_is_fifo(d))
        return -EOPNOTSUPP;
    if (read_once(e->nr_words) == EVTCHN_FIFO_NR_CHANNELS)
        return -ENOSPC;
    err = map(d, gfn, 0, FRAME_SIZE, &area);
    if (err)
        return err;
    spin_lock(&e->lock);
    if (!evtchn_is_fifo(d)) {
        err = -EOPNOTSUPP;
    } else if (e->nr_words == EVTCHN_FIFO_NR_CHANNELS) {
        err = -ENOSPC;
    } else {
        uint32_t first = e->nr_words;

        e->pages[first / PAGE_WORDS] = area;
        area.p = NULL;
        store_release(e->nr_words, first + PAGE_WORDS);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        pend_missed(d, first, first + PAGE_WORDS);
    }
    spin_unlock(&e->lock);
    guest_area_unmap(&area);
    return err;
}

void evtchn_fifo_destroy(struct domain *d)
{
    struct evtchn_domain *e = &d->evtchn;
    struct guest_area *pages = e->pages;
    struct vcpu *v;
    uint32_t i;

    if (!pages)
        return;
    store_release(e->pages, NULL);
    store_release(e->nr_words, 0);
    for (i = 0; i < EVTCHN_PAGES; i++)
        guest_area_unmap(&pages[i]);
    heap_free(pages);
    domain_for_each_vcpu (d, v, i) {
        guest_area_unmap(&v->evtchn.control);
        for (uint32_t q = 0; q < EVTCHN_QUEUES; q++)
            v->evtchn.tail[q] = 0;
    }
}
