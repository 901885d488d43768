/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's common part: states of units, queues and their locks, going idle and stealing,
 * switches in two halves. Who goes next, and where a unit waits, is a policy's: sched_fair.c,
 * sched_null.c; making and changing units: sched_unit.c. See doc/scheduler.md.
 *
 * Naming: `p` is a pCPU and `s` its p->sched; functions here expect s->lock held unless they say
 * otherwise.
 */
#include "sched_internal.h"

#include <hospes/cmdline.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/sched_cap.h>
#include <hospes/sched_policy.h>
#include <hospes/timer.h>
#include <lib/bits.h>

const struct sched_ops *sched_policy = &sched_ops_fair;

/*
 * Two maps let a pCPU that goes idle and one that queues a unit meet, without a common lock: the
 * former sets its bit in sched_idle_map, then reads loaded_map; the latter the other way round.
 * Both in one total order.
 */
DECLARE_BITMAP(sched_idle_map, MAX_PCPUS);
static DECLARE_BITMAP(loaded_map,
                      MAX_PCPUS); /* has movable units queued beyond the one it runs next */

static void map_set(unsigned long *map, uint32_t n)
{
    __atomic_fetch_or(&map[n / BITMAP_WORD_BITS], bitmap_bit(n), __ATOMIC_SEQ_CST);
}

static void map_clear(unsigned long *map, uint32_t n)
{
    __atomic_fetch_and(&map[n / BITMAP_WORD_BITS], ~bitmap_bit(n), __ATOMIC_SEQ_CST);
}

static unsigned long map_word(const unsigned long *map, uint32_t word)
{
    return __atomic_load_n(&map[word], __ATOMIC_SEQ_CST);
}

static uint32_t map_words(void)
{
    return BITMAP_WORDS(nr_pcpus);
}

struct pcpu *sched_search_idle(const unsigned long *mask)
{
    struct pcpu *self = this_pcpu();
    struct pcpu *found = NULL;

    for (uint32_t i = 0; i < map_words(); i++) {
        unsigned long m = map_word(sched_idle_map, i) & mask[i];

        if (m == 0)
            continue;
        if (self->id / BITMAP_WORD_BITS == i && (m & bitmap_bit(self->id)) != 0)
            return self;
        if (found == NULL)
            found = pcpus[i * BITMAP_WORD_BITS + (uint32_t)__builtin_ctzl(m)];
    }
    return found;
}

static void set_idle(struct pcpu *p, bool idle)
{
    if (p->sched.idle == idle)
        return;
    p->sched.idle = idle;
    if (idle)
        map_set(sched_idle_map, p->id);
    else
        map_clear(sched_idle_map, p->id);
}

/* --- units -------------------------------------------------------------------------------------
 */

static bool runnable(const struct sched_unit *u)
{
    return u->wanted && u->pause_count == 0;
}

static enum sched_time counts_as(const struct sched_unit *u, enum sched_state state)
{
    if (state == SCHED_RUNNING)
        return SCHED_TIME_RUNNING;
    if (state != SCHED_BLOCKED)
        return SCHED_TIME_QUEUED;
    return u->wanted || read_once(u->off) ? SCHED_TIME_OFF : SCHED_TIME_BLOCKED;
}

static void set_state(struct sched_unit *u, enum sched_state state, uint64_t now_ns)
{
    enum sched_time as = counts_as(u, state);
    uint64_t more = (uint64_t)(state & 1) - (u->state & 1);

    sched_add_load(&u->pcpu->sched, more * u->weight);
    u->state = (uint8_t)state;
    u->state_since_ns = now_ns;
    if (u->counted_as != as) {
        u->time_ns[u->counted_as] += now_ns - u->since_ns;
        u->counted_as = (uint8_t)as;
        u->since_ns = now_ns;
    }
}

static void set_held(struct sched_unit *u, bool held)
{
    store_release(u->held, held);
}

void sched_account(struct pcpu *p, uint64_t now_ns)
{
    struct sched_unit *u = p->sched.running;

    if (u == NULL || now_ns <= u->started_ns)
        return;
    uint64_t ns = now_ns - u->started_ns;
    u->started_ns = now_ns;
    u->runtime_ns += ns;
    sched_policy->account(p, u, ns);
}

/* --- queues ------------------------------------------------------------------------------------
 */

static void queue_add(struct pcpu *p, struct sched_unit *u)
{
    struct sched_pcpu *s = &p->sched;

    s->nr_movable += u->movable;
    if (s->nr_queued++ == 0 && s->running == NULL) {
        s->next = u;
        return;
    }
    if (s->next != NULL) {
        tree_insert(&s->queue, &s->next->node, sched_policy->less);
        s->next = NULL;
    }
    tree_insert(&s->queue, &u->node, sched_policy->less);
}

static void queue_remove(struct pcpu *p, struct sched_unit *u)
{
    struct sched_pcpu *s = &p->sched;

    s->nr_queued--;
    s->nr_movable -= u->movable;
    if (s->next == u)
        s->next = NULL;
    else
        tree_erase(&s->queue, &u->node);
}

/* After the queue changed: what an idle pCPU runs next is not for others. */
static void update_loaded(struct pcpu *p)
{
    struct sched_pcpu *s = &p->sched;
    bool loaded = s->nr_movable != 0 && s->next == NULL;

    if (s->loaded == loaded)
        return;
    s->loaded = loaded;
    if (loaded)
        map_set(loaded_map, p->id);
    else
        map_clear(loaded_map, p->id);
}

/* A unit waits in a queue where it is not run next: an idle pCPU may come and steal it. */
static void offer(const struct sched_unit *u)
{
    struct pcpu *idle = u->movable ? sched_find_idle(u->affinity) : NULL;

    if (idle != NULL)
        pcpu_kick(idle, PENDING_SCHED);
}

/* A timer that fires too early sets itself anew: that is rarer than a slice that ends early. */
static void arm(struct pcpu *p)
{
    struct sched_pcpu *s = &p->sched;

    if (s->slice_end_ns < s->armed_ns) {
        s->armed_ns = s->slice_end_ns;
        timer_set(&s->slice_timer, p, s->armed_ns);
    }
}

/* On p itself: the slice of what runs ends then, if not before. */
static void end_slice_by(struct pcpu *p, uint64_t end_ns)
{
    p->sched.slice_end_ns = min(p->sched.slice_end_ns, end_ns);
    arm(p);
}

/* What runs on `p` has a rival now: it goes on to the end of its slice, or until it is overtaken;
 * mostly it sleeps before that. */
static __noinline void meet_rival(struct pcpu *p, uint64_t overtake_ns, uint64_t now_ns)
{
    struct sched_pcpu *s = &p->sched;

    s->overtake_ns = min(s->overtake_ns, overtake_ns);
    if (now_ns >= s->overtake_ns || p != this_pcpu()) {
        write_once(s->resched, true);
        pcpu_kick(p, PENDING_SCHED);
    } else if (s->overtake_ns != TIMER_NEVER) {
        end_slice_by(p, s->overtake_ns);
    } else {
        end_slice_by(p, now_ns + sched_policy->slice_ns(p, s->running));
    }
}

/* Queues `u`, which is in no queue and may run, on `p`. */
static void put(struct pcpu *p, struct sched_unit *u, uint64_t now_ns)
{
    struct sched_pcpu *s = &p->sched;
    const struct sched_unit *next = s->next;
    uint64_t overtake_ns = sched_policy->arrive(p, u, now_ns);

    set_state(u, SCHED_QUEUED, now_ns);
    queue_add(p, u);
    update_loaded(p);
    if (s->running == NULL) {
        set_idle(p, false);
        pcpu_kick(p, PENDING_SCHED);
        if (s->next == u)
            return;
        if (next != NULL)
            offer(next); /* one of the two has to wait now */
    } else if (overtake_ns != TIMER_NEVER || s->slice_end_ns == TIMER_NEVER) {
        meet_rival(p, overtake_ns, now_ns);
    }
    offer(u);
}

/*
 * Brings `u`, which is in no queue, from one pCPU to another and queues it there. While it is
 * between the two locks it is MOVING and held: others change what it wants or may, and leave the
 * rest to us. Releases from's lock.
 */
static __noinline void move(struct sched_unit *u, struct pcpu *from, struct pcpu *to,
                            uint64_t now_ns)
{
    for (;;) {
        sched_policy->leave(from, u, now_ns);
        set_state(u, SCHED_MOVING, now_ns);
        set_held(u, true);
        store_release(u->pcpu, to);
        spin_unlock(&from->sched.lock);

        spin_lock(&to->sched.lock);
        sched_policy->join(to, u, now_ns);
        if (likely(!runnable(u) || sched_allowed(u, to)))
            break;
        from = to;
        to = sched_policy->place(u);
    }
    set_held(u, false);
    if (runnable(u))
        put(to, u, now_ns);
    else
        set_state(u, SCHED_BLOCKED, now_ns);
    spin_unlock(&to->sched.lock);
}

static void start(struct sched_unit *u, struct pcpu *p)
{
    uint64_t now_ns = clock_ns();
    struct pcpu *to = p;

    if (unlikely(u->held && !sched_allowed(u, p))) {
        /* Its registers are in `p` yet: sched_switch_done() sends it on. */
        set_state(u, SCHED_MOVING, now_ns);
        pcpu_kick(p, PENDING_SCHED);
    } else {
        if (!u->held && !(u->is_vcpu && sched_is_idle(p) && sched_preferred(u, p)))
            to = sched_policy->place(u);
        if (to != p) {
            move(u, p, to, now_ns);
            return;
        }
        put(p, u, now_ns);
    }
    spin_unlock(&p->sched.lock);
}

void sched_withdraw(struct sched_unit *u, struct pcpu *p)
{
    queue_remove(p, u);
    update_loaded(p);
}

void sched_place_anew(struct sched_unit *u, struct pcpu *p)
{
    set_state(u, SCHED_BLOCKED, clock_ns());
    start(u, p);
}

void sched_wake(struct sched_unit *u)
{
    struct pcpu *p = sched_lock_unit(u);

    u->wanted = true;
    if (u->state == SCHED_BLOCKED && u->pause_count == 0)
        start(u, p);
    else
        spin_unlock(&p->sched.lock);
}

void sched_block(struct sched_unit *u)
{
    struct pcpu *p = sched_lock_unit(u);

    u->wanted = false;
    write_once(p->sched.resched, true);
    spin_unlock(&p->sched.lock);
    pcpu_kick(p, PENDING_SCHED);
}

void sched_unit_yield(struct sched_unit *u)
{
    struct pcpu *p = sched_lock_unit(u);
    bool rival = p->sched.nr_queued != 0;

    if (rival) {
        p->sched.yield = true;
        write_once(p->sched.resched, true);
    }
    spin_unlock(&p->sched.lock);
    if (rival)
        pcpu_kick(p, PENDING_SCHED);
}

void sched_pause(struct sched_unit *u)
{
    struct pcpu *p = sched_lock_unit(u);
    bool kick = u->held;

    u->pause_count++;
    if (u->state == SCHED_QUEUED) {
        queue_remove(p, u);
        update_loaded(p);
        set_state(u, SCHED_BLOCKED, clock_ns());
    }
    if (kick)
        write_once(p->sched.resched, true);
    spin_unlock(&p->sched.lock);
    if (kick)
        pcpu_kick(p, PENDING_SCHED);
}

void sched_unpause(struct sched_unit *u)
{
    struct pcpu *p = sched_lock_unit(u);

    assert(u->pause_count > 0);
    u->pause_count--;
    if (u->state == SCHED_BLOCKED && runnable(u))
        start(u, p);
    else
        spin_unlock(&p->sched.lock);
}

void sched_times(const struct sched_unit *u, struct sched_times *out)
{
    struct pcpu *p = sched_lock_unit(u);
    uint64_t now_ns = clock_ns();

    out->now = (enum sched_time)u->counted_as;
    out->since_ns = u->since_ns;
    for (uint32_t i = 0; i < SCHED_TIMES; i++)
        out->ns[i] = u->time_ns[i];
    if (now_ns > u->since_ns)
        out->ns[u->counted_as] += now_ns - u->since_ns;
    spin_unlock(&p->sched.lock);
}

uint64_t sched_account_unit(const struct sched_unit *u)
{
    struct pcpu *p = sched_lock_unit(u);
    uint64_t ns;

    sched_account(p, clock_ns());
    ns = u->runtime_ns;
    spin_unlock(&p->sched.lock);
    return ns;
}

uint64_t sched_idle_ns(struct pcpu *p)
{
    struct sched_pcpu *s = &p->sched;
    uint64_t ns, now_ns;

    spin_lock(&s->lock);
    now_ns = clock_ns();
    ns = s->idle_ns;
    if (s->running == NULL && now_ns > s->idle_since_ns)
        ns += now_ns - s->idle_since_ns;
    spin_unlock(&s->lock);
    return ns;
}

/* --- choosing ----------------------------------------------------------------------------------
 */

/* `u` ran on `p`, still may, and another goes first. */
static __noinline void put_back(struct pcpu *p, struct sched_unit *u, bool slice_over,
                                uint64_t now_ns)
{
    p->sched.push_to = slice_over && u->movable ? sched_policy->push(p, u) : NULL;
    if (p->sched.push_to != NULL) {
        set_state(u, SCHED_MOVING, now_ns);
    } else {
        set_state(u, SCHED_QUEUED, now_ns);
        queue_add(p, u);
    }
}

/* p's running unit changes from `cur` to `next`; NULL: idle. */
static inline void set_running(struct pcpu *p, struct sched_unit *cur, struct sched_unit *next,
                               uint64_t now_ns)
{
    struct sched_pcpu *s = &p->sched;

    if (cur != NULL) {
        assert(s->prev == NULL); /* the caller of sched_pick() owes a sched_switch_done() */
        s->prev = cur;
    } else {
        s->idle_ns += now_ns - s->idle_since_ns;
    }
    s->running = next;
    if (next == NULL) {
        s->idle_since_ns = now_ns;
        return;
    }
    set_state(next, SCHED_RUNNING, now_ns);
    next->started_ns = now_ns;
    set_held(next, true);
    if (s->prev == next)
        s->prev = NULL;
}

static inline struct sched_unit *choose(struct pcpu *p, struct sched_unit *stay, bool over)
{
    return p->sched.next != NULL ? p->sched.next : sched_policy->choose(p, stay, over);
}

/* There is no time left for `u`, which was to run next. */
static void park(struct pcpu *p, struct sched_unit *u, uint64_t now_ns)
{
    if (u->state == SCHED_QUEUED)
        queue_remove(p, u);
    u->parked = true;
    u->pause_count++;
    set_state(u, SCHED_BLOCKED, now_ns);
    /* It still waits for a CPU. */
    u->counted_as = SCHED_TIME_QUEUED;
}

void sched_unpark(struct sched_unit *u)
{
    struct pcpu *p = sched_lock_unit(u);

    u->parked = false;
    u->pause_count--;
    if (runnable(u)) {
        start(u, p);
        return;
    }
    set_state(u, SCHED_BLOCKED, clock_ns());
    spin_unlock(&p->sched.lock);
}

/*
 * Who runs next, as choose() says; of those that are capped, who has time left. The others, also
 * `stay`, are parked.
 */
static struct sched_unit *choose_capped(struct pcpu *p, struct sched_unit *cur,
                                        struct sched_unit *stay, bool over, uint64_t now_ns)
{
    for (;;) {
        struct sched_unit *next = choose(p, stay, over);

        if (cur != NULL && next != cur && cur->cap != NULL)
            sched_cap_give_back(cur, now_ns);
        if (next == NULL || next->cap == NULL || sched_cap_take(next, now_ns))
            return next;
        if (next == stay)
            stay = NULL;
        park(p, next, now_ns);
    }
}

/* `caps`: there are any. */
static __force_inline struct sched_unit *reschedule_with(struct pcpu *p, uint64_t now_ns, bool caps)
{
    struct sched_pcpu *s = &p->sched;
    struct sched_unit *cur = s->running, *stay = cur, *next;
    bool overtaken = now_ns >= s->overtake_ns;
    bool slice_over = now_ns >= s->slice_end_ns && s->slice_end_ns != s->overtake_ns;
    bool over = slice_over || overtaken || s->yield;

    write_once(s->resched, false);
    if (cur != NULL) {
        sched_account(p, now_ns);
        if (!runnable(cur)) {
            set_state(cur, SCHED_BLOCKED, now_ns);
            stay = NULL;
        } else if (unlikely(!sched_allowed(cur, p))) {
            set_state(cur, SCHED_MOVING, now_ns);
            stay = NULL;
        }
    }

    next = caps ? choose_capped(p, cur, stay, over, now_ns) : choose(p, stay, over);
    if (caps && stay != NULL && stay->parked)
        stay = NULL;
    if (next != cur) {
        if (next != NULL)
            queue_remove(p, next);
        if (stay != NULL)
            put_back(p, stay, slice_over, now_ns);
        set_running(p, cur, next, now_ns);
    }
    set_idle(p, next == NULL);
    update_loaded(p);

    s->yield = false;
    if (next != cur || overtaken)
        s->overtake_ns = TIMER_NEVER;
    if (s->nr_queued == 0)
        s->slice_end_ns = TIMER_NEVER;
    else if (next != cur || over || s->slice_end_ns == TIMER_NEVER)
        s->slice_end_ns = now_ns + sched_policy->slice_ns(p, next);
    s->slice_end_ns = min(s->slice_end_ns, s->overtake_ns);
    if (caps && next != NULL && next->cap != NULL)
        s->slice_end_ns = min(s->slice_end_ns, sched_cap_end_ns(next, now_ns));
    s->let_go = s->prev != NULL && (s->prev->state == SCHED_MOVING || s->prev->pause_count != 0);
    return next;
}

static __noinline struct sched_unit *reschedule_capped(struct pcpu *p, uint64_t now_ns)
{
    return reschedule_with(p, now_ns, true);
}

static struct sched_unit *reschedule(struct pcpu *p, uint64_t now_ns)
{
    if (unlikely(read_once(sched_caps_set) != 0))
        return reschedule_capped(p, now_ns);
    return reschedule_with(p, now_ns, false);
}

/* Takes a unit that `p` may run out of from's queue; false: there is none. No lock held. */
static bool steal_from(struct pcpu *from, struct pcpu *p)
{
    spin_lock(&from->sched.lock);
    for (struct tree_node *n = tree_first(&from->sched.queue); n != NULL; n = tree_next(n)) {
        struct sched_unit *u = tree_entry(n, struct sched_unit, node);

        if (u->movable && !u->held && sched_allowed(u, p)) {
            queue_remove(from, u);
            update_loaded(from);
            move(u, from, p, clock_ns());
            return true;
        }
    }
    spin_unlock(&from->sched.lock);
    return false;
}

static bool any_loaded(void)
{
    unsigned long any = 0;

    for (uint32_t i = 0; i < map_words(); i++)
        any |= map_word(loaded_map, i);
    return any != 0;
}

/* True if something was found that `p`, idle, may find in its queue now. No lock held. */
static __noinline bool steal(struct pcpu *p)
{
    for (uint32_t n = 1, id = p->id + 1; n < nr_pcpus; n++, id++) {
        if (id >= nr_pcpus)
            id = 0;
        if ((map_word(loaded_map, id / BITMAP_WORD_BITS) & bitmap_bit(id)) != 0 &&
            steal_from(pcpus[id], p))
            return true;
    }
    return false;
}

static __noinline struct sched_unit *pick(struct pcpu *p, uint64_t now_ns)
{
    struct sched_pcpu *s = &p->sched;
    struct sched_unit *next;

    do {
        spin_lock(&s->lock);
        next = reschedule(p, now_ns);
        spin_unlock(&s->lock);
    } while (next == NULL && any_loaded() && steal(p));

    arm(p);
    return next;
}

struct sched_unit *sched_pick(struct pcpu *p, uint64_t now_ns)
{
    struct sched_unit *u = p->sched.running;

    if (u != NULL && !read_once(p->sched.resched) && now_ns < p->sched.slice_end_ns)
        return u;
    return pick(p, now_ns);
}

void sched_switch_done(struct pcpu *p)
{
    struct sched_pcpu *s = &p->sched;
    struct sched_unit *prev = s->prev;

    if (prev == NULL)
        return;
    spin_lock(&s->lock);
    struct pcpu *to = s->push_to;
    s->prev = NULL;
    s->push_to = NULL;
    s->let_go = false;
    if (prev->state == SCHED_MOVING && runnable(prev)) {
        uint64_t now_ns = clock_ns();

        if (to == NULL)
            to = sched_policy->place(prev);
        if (to != p) {
            move(prev, p, to, now_ns);
            return;
        }
        set_held(prev, false);
        put(p, prev, now_ns);
    } else {
        if (prev->state == SCHED_MOVING)
            set_state(prev, SCHED_BLOCKED, clock_ns());
        set_held(prev, false);
        if (prev->state == SCHED_QUEUED)
            offer(prev);
    }
    spin_unlock(&s->lock);
}

bool sched_must_save(const struct pcpu *p)
{
    return p->sched.let_go;
}

static void slice_expired(void *arg)
{
    struct pcpu *p = arg;
    struct sched_pcpu *s = &p->sched;

    s->armed_ns = TIMER_NEVER;
    if (s->slice_end_ns <= clock_ns()) {
        pcpu_kick(p, PENDING_SCHED);
    } else if (s->slice_end_ns != TIMER_NEVER) {
        s->armed_ns = s->slice_end_ns;
        timer_set(&s->slice_timer, p, s->armed_ns);
    }
}

/* --- set-up -----------------------------------------------------------------------
 */

void sched_init(void)
{
    sched_policy = options.sched == SCHED_NULL ? &sched_ops_null : &sched_ops_fair;
}

int sched_pcpu_init(struct pcpu *p)
{
    p->sched = (struct sched_pcpu){
        .lock = SPINLOCK_INIT(LOCK_SCHED),
        .slice_end_ns = TIMER_NEVER,
        .overtake_ns = TIMER_NEVER,
        .armed_ns = TIMER_NEVER,
        .idle_since_ns = clock_ns(),
        .coin = p->id,
    };
    map_clear(sched_idle_map, p->id);
    map_clear(loaded_map, p->id);
    return timer_init(&p->sched.slice_timer, slice_expired, p);
}
