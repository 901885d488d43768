/* SPDX-License-Identifier: MIT */
/*
 * sched=fair: each pCPU runs the unit with the least virtual time. See doc/scheduler.md.
 *
 * Virtual times wrap: they are compared by the sign of their difference, and all that one queue
 * knows lie close together. A unit that is on its way to another queue has in `vtime` its distance
 * from min_vtime.
 */
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/sched_policy.h>
#include <hospes/timer.h>
#include <lib/bits.h>

#define SLICE_NS UINT64_C(5000000)
#define CREDIT_NS \
    UINT64_C(2500000) /* virtual: how far behind the queue's least a unit may come in */
#define OVERTAKE_NS \
    UINT64_C(500000) /* virtual: how far behind the running unit it must be to go first */
#define REST_NS UINT64_C(250000) /* how long after it last ran it may do so */

static bool before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

static bool fair_less(const struct tree_node *a, const struct tree_node *b)
{
    return before(sched_unit_of(a)->vtime, sched_unit_of(b)->vtime);
}

static struct sched_unit *first(const struct pcpu *p)
{
    struct tree_node *n = tree_first(&p->sched.queue);

    return n == NULL ? NULL : tree_entry(n, struct sched_unit, node);
}

/* Moves p's clock on to the least of the queue and `u`, which runs. */
static void advance_min(struct pcpu *p, const struct sched_unit *u)
{
    const struct sched_unit *f = first(p);
    uint64_t least = f != NULL && before(f->vtime, u->vtime) ? f->vtime : u->vtime;

    if (before(p->sched.min_vtime, least))
        p->sched.min_vtime = least;
}

static void fair_account(struct pcpu *p, struct sched_unit *u, uint64_t ns)
{
    u->vtime += (uint64_t)(((unsigned __int128)ns * u->inv_weight) >> 32);
    advance_min(p, u);
}

/* What a unit may have saved by not running is one credit. */
static void limit_credit(const struct pcpu *p, struct sched_unit *u)
{
    uint64_t least = p->sched.min_vtime - CREDIT_NS;

    if (before(u->vtime, least))
        u->vtime = least;
}

/*
 * Who sleeps for moments only lets the one that wakes it run on: else every piece of what that one
 * has for it would cost two switches, and be served alone.
 */
static uint64_t fair_arrive(struct pcpu *p, struct sched_unit *u, uint64_t now_ns)
{
    const struct sched_unit *running = p->sched.running;

    sched_account(p, now_ns);
    limit_credit(p, u);
    if (running == NULL || !before(u->vtime + OVERTAKE_NS, running->vtime))
        return TIMER_NEVER;
    return max(now_ns, u->started_ns + REST_NS);
}

static void fair_leave(struct pcpu *p, struct sched_unit *u, uint64_t now_ns)
{
    sched_account(p, now_ns);
    limit_credit(p, u);
    u->vtime -= p->sched.min_vtime;
}

static void fair_join(struct pcpu *p, struct sched_unit *u, uint64_t now_ns)
{
    sched_account(p, now_ns);
    u->vtime += p->sched.min_vtime;
}

static struct sched_unit *fair_choose(struct pcpu *p, struct sched_unit *cur, bool over)
{
    struct sched_unit *f = first(p);

    if (f == NULL || (cur != NULL && !over))
        return cur;
    if (cur != NULL) {
        /* Who yields gives up what it is behind of the next: else it could save that up without
         * bound. */
        if (p->sched.yield && before(cur->vtime, f->vtime))
            cur->vtime = f->vtime;
        if (before(cur->vtime, f->vtime))
            return cur;
    }
    advance_min(p, f);
    return f;
}

static uint64_t fair_slice_ns(const struct pcpu *p, const struct sched_unit *u)
{
    uint32_t n = p->sched.nr_queued + 1;

    (void)u;
    return SLICE_NS >> ((n > 4) + (n > 8));
}

/* Of the pCPUs in `among`, but for its own, the one with the least load up to `limit`. */
static struct pcpu *least_loaded(const unsigned long *among, const struct pcpu *own, uint64_t limit)
{
    struct pcpu *best = NULL;
    uint64_t best_load = 0;

    for (uint32_t n = 1, id = own->id + 1; n < nr_pcpus; n++, id++) {
        if (id >= nr_pcpus)
            id = 0;
        if (!bitmap_test(pcpus_online, id) || !bitmap_test(among, id))
            continue;
        uint64_t load = read_once(pcpus[id]->sched.load);
        if (load <= limit && (best == NULL || load < best_load)) {
            best = pcpus[id];
            best_load = load;
        }
    }
    return best;
}

/* A linear congruential generator; its highest bit. */
static bool toss(uint32_t *coin)
{
    *coin = *coin * 1664525u + 1013904223u;
    return (*coin >> 31) != 0;
}

/*
 * Passing on where it only changes who has more (three equal units on two pCPUs) is wanted, so that
 * nobody has less for ever. But not every time: units that take turns in step could shut one out.
 */
static struct pcpu *fair_push(struct pcpu *p, const struct sched_unit *u)
{
    uint64_t here = p->sched.load - u->weight;
    struct pcpu *to = least_loaded(u->affinity, p, here);

    if (to != NULL && read_once(to->sched.load) == here && toss(&p->sched.coin))
        return NULL;
    return to;
}

/* An idle pCPU comes before one that it prefers, since none is idle for long; then that one. */
static struct pcpu *fair_place(const struct sched_unit *u)
{
    struct pcpu *p = u->pcpu, *idle;
    bool good = sched_preferred(u, p);

    if (good && sched_is_idle(p))
        return p;
    idle = sched_find_idle(u->preferred);
    if (idle == NULL)
        idle = sched_find_idle(u->affinity);
    if (idle != NULL)
        return idle;
    return good ? p : least_loaded(u->preferred, p, UINT64_MAX);
}

/* New units begin on one pCPU after another. */
static int fair_attach(struct sched_unit *u)
{
    static uint32_t next;
    uint32_t i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % nr_pcpus;
    struct pcpu *p = bitmap_test(pcpus_online, i) ? pcpus[i] : this_pcpu();

    spin_lock(&p->sched.lock);
    u->vtime = p->sched.min_vtime;
    spin_unlock(&p->sched.lock);
    u->pcpu = p;
    return 0;
}

static void fair_detach(struct sched_unit *u)
{
    (void)u;
}

static int fair_set_affinity(struct sched_unit *u, const unsigned long *affinity)
{
    (void)u;
    (void)affinity;
    return 0;
}

const struct sched_ops sched_ops_fair = {
    .name = "fair",
    .attach = fair_attach,
    .detach = fair_detach,
    .set_affinity = fair_set_affinity,
    .place = fair_place,
    .less = fair_less,
    .arrive = fair_arrive,
    .leave = fair_leave,
    .join = fair_join,
    .account = fair_account,
    .choose = fair_choose,
    .slice_ns = fair_slice_ns,
    .push = fair_push,
};
