/* SPDX-License-Identifier: MIT */
/*
 * A machine for the scheduler's tests: pCPUs that run nothing but time. Each unit behaves as told
 * (it spins, or runs and sleeps by turns); the clock jumps from event to event; after each event
 * every pCPU serves what is pending for it, and then sim_check() looks whether everything that must
 * always be true still is.
 *
 * Included by one test program each: it defines the timers that core/sched.c calls.
 */
#ifndef TEST_SCHED_SIM_H
#define TEST_SCHED_SIM_H

#include <asm/host.h>
#include <hospes/cmdline.h>
#include <hospes/errno.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/timer.h>

#include "unit.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

#define SIM_UNITS  256
#define SIM_TIMERS 64

/* What the tests take from doc/scheduler.md. */
#define SLICE  (5 * MS)
#define CREDIT (2500 * US)

struct sim_unit {
    struct sched_unit u;
    bool used;
    uint64_t burst_ns, sleep_ns; /* runs, sleeps, by turns; burst_ns 0: spins */
    uint64_t left_ns;            /* of this burst */
    uint64_t wake_ns;            /* when it wakes, TIMER_NEVER: not by itself */
    uint64_t woken_ns;           /* when it was woken and did not run since, else TIMER_NEVER */
    uint64_t max_latency_ns, nr_wakes;
    uint64_t picked_ns; /* since when it runs */
};

struct sim_pcpu {
    struct sim_unit *on;       /* what sched_pick() returned */
    struct sched_unit *loaded; /* whose state is in its registers */
    uint32_t interrupts;       /* timer interrupts */
    uint32_t picks, switches;
};

static struct sim_unit sim_units[SIM_UNITS];
static struct sim_pcpu sim_pcpus[MAX_PCPUS];
static struct timer *sim_timers[SIM_TIMERS]; /* all there are */
static uint64_t sim_late_ns;                 /* by which each timer fires too late */
static bool sim_lazy; /* pCPUs that idle keep the last state loaded as long as they may */

/* --- the timers ----------------------------------------------------------------------------------
 */

static struct timer **sim_timer(const struct timer *t)
{
    for (uint32_t i = 0; i < SIM_TIMERS; i++)
        if (sim_timers[i] == t)
            return &sim_timers[i];
    return NULL;
}

int timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    struct timer **room = sim_timer(t) != NULL ? sim_timer(t) : sim_timer(NULL);

    assert_non_null(room);
    *room = t;
    *t = (struct timer){ .fn = fn, .arg = arg, .slot = -1, .expires_ns = TIMER_NEVER };
    return 0;
}

void timer_destroy(struct timer *t)
{
    *sim_timer(t) = NULL;
}

void timer_set(struct timer *t, struct pcpu *p, uint64_t expires_ns)
{
    assert_ptr_equal(p, this_pcpu()); /* the scheduler never arms another's */
    assert_non_null(sim_timer(t));
    t->expires_ns = expires_ns;
    t->pcpu = p;
}

/* The next of p's timers to fire; NULL: none is armed. */
static struct timer *sim_next_timer(const struct pcpu *p)
{
    struct timer *next = NULL;

    for (uint32_t i = 0; i < SIM_TIMERS; i++) {
        struct timer *t = sim_timers[i];

        if (t != NULL && t->pcpu == p && t->expires_ns != TIMER_NEVER &&
            (next == NULL || t->expires_ns < next->expires_ns))
            next = t;
    }
    return next;
}

static void sim_settle(void);

/* --- set-up --------------------------------------------------------------------------------------
 */

static void sim_init(uint32_t nr, enum sched_policy policy)
{
    host_pcpus_init(nr);
    memset(sim_units, 0, sizeof(sim_units));
    memset(sim_pcpus, 0, sizeof(sim_pcpus));
    memset(sim_timers, 0, sizeof(sim_timers));
    sim_lazy = false;
    sim_late_ns = 0;
    options.sched = policy;
    sched_init();
    for (uint32_t i = 0; i < nr; i++) {
        assert_int_equal(sched_pcpu_init(pcpus[i]), 0);
        pcpus[i]->pending = PENDING_SCHED; /* as vcpu_run_loop() does */
    }
    sim_settle();
    host_set_pcpu(0);
}

static struct sim_unit *sim_unit_new(bool is_vcpu)
{
    for (uint32_t i = 0; i < SIM_UNITS; i++) {
        struct sim_unit *v = &sim_units[i];

        if (v->used)
            continue;
        *v = (struct sim_unit){ .wake_ns = TIMER_NEVER, .woken_ns = TIMER_NEVER };
        if (sched_unit_init(&v->u, is_vcpu) != 0)
            return NULL;
        v->used = true;
        return v;
    }
    fail_msg("too many units");
    return NULL;
}

static void sim_wake(struct sim_unit *v)
{
    if (v->u.state == SCHED_BLOCKED && !v->u.wanted)
        v->woken_ns = clock_ns();
    v->wake_ns = TIMER_NEVER;
    sched_wake(&v->u);
}

/* A unit of `weight` on pCPU `only` (-1: any) that runs and sleeps as told; awake. */
static struct sim_unit *sim_add(uint32_t weight, int only, uint64_t burst_ns, uint64_t sleep_ns)
{
    struct sim_unit *v = sim_unit_new(true);

    assert_non_null(v);
    assert_int_equal(sched_set_weight(&v->u, weight), 0);
    if (only >= 0) {
        DECLARE_BITMAP(mask, SCHED_MAX_PCPUS) = { 0 };
        bitmap_set(mask, (unsigned int)only);
        assert_int_equal(sched_set_affinity(&v->u, mask), 0);
    }
    v->burst_ns = burst_ns;
    v->sleep_ns = sleep_ns;
    v->left_ns = burst_ns;
    sim_wake(v);
    return v;
}

static __unused struct sim_unit *sim_spinner(uint32_t weight)
{
    return sim_add(weight, -1, 0, 0);
}

/* --- what must always be true --------------------------------------------------------------------
 */

static int sim_times_queued(const struct sched_unit *u)
{
    int times = 0;
    uint32_t i;

    pcpu_for_each_online (i)
        for (struct tree_node *n = tree_first(&pcpus[i]->sched.queue); n; n = tree_next(n))
            times += n == &u->node;
    return times;
}

static bool sim_may_run(const struct sched_unit *u)
{
    return u->wanted && u->pause_count == 0;
}

static void sim_check_unit(const struct sched_unit *u)
{
    const struct sched_pcpu *s = &u->pcpu->sched;

    assert_int_equal(sim_times_queued(u), u->state == SCHED_QUEUED);
    assert_int_equal(s->running == u, u->state == SCHED_RUNNING);
    assert_int_equal(u->state != SCHED_BLOCKED, sim_may_run(u));
    assert_true(u->state != SCHED_MOVING);
    assert_int_equal(sched_is_running(u), s->running == u || s->prev == u);
    if (sim_may_run(u))
        assert_true(bitmap_test(u->affinity, u->pcpu->id));
    if (u->state == SCHED_QUEUED && options.sched == SCHED_FAIR)
        assert_true((int64_t)(u->vtime - (s->min_vtime - CREDIT)) >= 0);
}

static void sim_check_pcpu(struct pcpu *p)
{
    struct sched_pcpu *s = &p->sched;
    uint32_t nr = 0, movable = 0, i;
    uint64_t load = s->running != NULL ? s->running->weight : 0;

    for (struct tree_node *n = tree_first(&s->queue); n != NULL; n = tree_next(n)) {
        struct sched_unit *u = tree_entry(n, struct sched_unit, node);

        assert_ptr_equal(u->pcpu, p);
        nr++;
        movable += u->movable;
        load += u->weight;
        if (!u->movable)
            continue;
        pcpu_for_each_online (i)
            if (bitmap_test(u->affinity, i))
                assert_non_null(pcpus[i]->sched.running); /* else it idles beside waiting work */
    }
    assert_int_equal(s->nr_queued, nr);
    assert_int_equal(s->nr_movable, movable);
    assert_int_equal(s->load, load);
    assert_int_equal(s->loaded, movable != 0);
    assert_int_equal(s->idle, s->running == NULL);
    assert_true(s->running != NULL || nr == 0);
    assert_null(s->next);
    if (nr != 0) {
        assert_true(s->slice_end_ns > clock_ns() && s->armed_ns <= s->slice_end_ns);
        assert_true(s->slice_end_ns <= clock_ns() + 9 * MS);
    }
}

static void sim_check(void)
{
    uint32_t i;

    for (i = 0; i < SIM_UNITS; i++)
        if (sim_units[i].used)
            sim_check_unit(&sim_units[i].u);
    pcpu_for_each_online (i)
        sim_check_pcpu(pcpus[i]);
}

/* --- time passes ---------------------------------------------------------------------------------
 */

static void sim_saved(struct pcpu *p)
{
    sim_pcpus[p->id].loaded = NULL;
    sched_switch_done(p);
}

static struct sim_unit *sim_of(struct sched_unit *u)
{
    return u == NULL ? NULL : container_of(u, struct sim_unit, u);
}

/* What core's vcpu_next() does once. */
static void sim_serve(struct pcpu *p)
{
    struct sim_pcpu *c = &sim_pcpus[p->id];
    struct sched_unit *u;

    host_set_pcpu(p->id);
    p->pending = 0;
    u = sched_pick(p, clock_ns());
    c->picks++;
    if (u != NULL ? c->loaded != u : !sim_lazy || sched_must_save(p))
        sim_saved(p);
    if (u != NULL) {
        assert_true(bitmap_test(u->affinity, p->id));
        assert_int_equal(u->pause_count, 0);
        c->loaded = u;
    }
    if (c->on == sim_of(u))
        return;
    c->switches++;
    c->on = sim_of(u);
    if (u == NULL)
        return;
    c->on->picked_ns = clock_ns();
    if (c->on->woken_ns == TIMER_NEVER)
        return;
    uint64_t latency = clock_ns() - c->on->woken_ns;
    c->on->woken_ns = TIMER_NEVER;
    c->on->nr_wakes++;
    if (latency > c->on->max_latency_ns)
        c->on->max_latency_ns = latency;
}

static void sim_settle(void)
{
    uint32_t i, n = 0;
    bool again = true;

    while (again) {
        again = false;
        assert_true(n++ < 1000);
        pcpu_for_each_online (i) {
            if (pcpus[i]->pending == 0)
                continue;
            sim_serve(pcpus[i]);
            again = true;
        }
    }
    sim_check();
}

static uint64_t sim_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t sim_next_event(void)
{
    uint64_t next = TIMER_NEVER;
    uint32_t i;

    pcpu_for_each_online (i) {
        struct sim_pcpu *c = &sim_pcpus[i];

        if (sim_next_timer(pcpus[i]) != NULL)
            next = sim_min(next, sim_next_timer(pcpus[i])->expires_ns + sim_late_ns);
        if (c->on != NULL && c->on->burst_ns != 0)
            next = sim_min(next, clock_ns() + c->on->left_ns);
    }
    for (i = 0; i < SIM_UNITS; i++)
        if (sim_units[i].used)
            next = sim_min(next, sim_units[i].wake_ns);
    return next;
}

static void sim_advance(uint64_t to_ns)
{
    uint64_t ns = to_ns - clock_ns();
    uint32_t i;

    host_clock_set(to_ns);
    pcpu_for_each_online (i)
        if (sim_pcpus[i].on != NULL && sim_pcpus[i].on->burst_ns != 0)
            sim_pcpus[i].on->left_ns -= ns;
}

/* What is due now, then all pCPUs until nothing is pending. */
static void sim_events(void)
{
    uint32_t i;

    pcpu_for_each_online (i) {
        struct sim_pcpu *c = &sim_pcpus[i];

        host_set_pcpu(i);
        for (struct timer *t;
             (t = sim_next_timer(pcpus[i])) != NULL && t->expires_ns + sim_late_ns <= clock_ns();) {
            t->expires_ns = TIMER_NEVER;
            c->interrupts++;
            t->fn(t->arg);
        }
        if (c->on != NULL && c->on->burst_ns != 0 && c->on->left_ns == 0) {
            sched_block(&c->on->u);
            c->on->left_ns = c->on->burst_ns;
            c->on->wake_ns = clock_ns() + c->on->sleep_ns;
        }
    }
    sim_settle();
    for (i = 0; i < SIM_UNITS; i++) {
        if (!sim_units[i].used || sim_units[i].wake_ns > clock_ns())
            continue;
        host_set_pcpu(unit_random(nr_pcpus));
        sim_wake(&sim_units[i]);
        sim_settle();
    }
}

/* Runs the machine for `ns`. */
static void sim_run(uint64_t ns)
{
    uint64_t end = clock_ns() + ns;

    sim_settle();
    for (;;) {
        uint64_t next = sim_next_event();

        if (next > end)
            break;
        sim_advance(next);
        sim_events();
    }
    sim_advance(end);
}

/* Real time that a unit got, in 1/10000 of `ns`. */
static __unused uint64_t sim_share(const struct sim_unit *v, uint64_t before_ns, uint64_t ns)
{
    return (sched_runtime_ns(&v->u) - before_ns) * 10000 / ns;
}

#endif
