/* SPDX-License-Identifier: MIT */
/*
 * The scheduler with sched=fair, on simulated pCPUs with a simulated clock.
 */
// sources: core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c core/sched_null.c core/sched_dump.c core/spinlock.c
#include "test_sched_sim.h"

#include <hospes/domain.h>
#include <hospes/vcpu.h>

/* `got` of `want`, both in 1/10000 of something: at most `tolerance` apart. */
static void assert_near(uint64_t got, uint64_t want, uint64_t tolerance)
{
    if (got + tolerance < want || got > want + tolerance)
        fail_msg("%llu is not within %llu of %llu", (unsigned long long)got,
                 (unsigned long long)tolerance, (unsigned long long)want);
}

/* A user whose two busy guests share a CPU would find one of them slower. */
static void two_spinners(void **state)
{
    sim_init(1, SCHED_FAIR);
    struct sim_unit *a = sim_spinner(256), *b = sim_spinner(256);

    sim_run(10 * S);
    assert_near(sim_share(a, 0, 10 * S), 5000, 5);
    assert_near(sim_share(b, 0, 10 * S), 5000, 5);
}

/* A user's weights would not be what the guests get. */
static void weights(void **state)
{
    sim_init(1, SCHED_FAIR);
    struct sim_unit *a = sim_spinner(256), *b = sim_spinner(512), *c = sim_spinner(1024);

    sim_run(10 * S);
    assert_near(sim_share(a, 0, 10 * S), 10000 / 7, 10);
    assert_near(sim_share(b, 0, 10 * S), 20000 / 7, 10);
    assert_near(sim_share(c, 0, 10 * S), 40000 / 7, 10);
}

/* A guest with a small weight would never run at all beside one with a great weight. */
static void extreme_weights(void **state)
{
    sim_init(1, SCHED_FAIR);
    struct sim_unit *light = sim_spinner(SCHED_WEIGHT_MIN), *heavy = sim_spinner(SCHED_WEIGHT_MAX);
    uint64_t ran;

    /* One slice of the light one is worth 328 s of the heavy one. */
    sim_run(2000 * S);
    ran = sched_runtime_ns(&light->u);
    assert_in_range(ran, 25 * MS, 40 * MS);
    assert_int_equal(sched_runtime_ns(&heavy->u) + ran, 2000 * S);
}

/* With many guests on a CPU one would hang for seconds. */
static void crowd(void **state)
{
    struct sim_unit *v[100];

    sim_init(1, SCHED_FAIR);
    for (int i = 0; i < 100; i++)
        v[i] = sim_spinner(256);
    for (int i = 0; i < 50; i++) {
        sim_run(200 * MS);
        for (int j = 0; j < 100; j++)
            assert_true(sched_runtime_ns(&v[j]->u) >= (uint64_t)i * 2 * MS);
    }
    for (int i = 0; i < 100; i++)
        assert_near(sim_share(v[i], 0, 10 * S), 100, 2);
}

/* A guest that has a CPU for itself would be disturbed by interrupts that are none of its business.
 */
static void alone_undisturbed(void **state)
{
    sim_init(2, SCHED_FAIR);
    struct sim_unit *a = sim_spinner(256), *b = sim_add(256, 0, 100 * US, S);
    uint32_t interrupts, picks;
    uint32_t on;

    sim_run(100 * MS); /* b has slept for long */
    on = a->u.pcpu->id;
    interrupts = sim_pcpus[on].interrupts;
    picks = sim_pcpus[on].picks;
    sim_run(800 * MS);
    assert_int_equal(sim_pcpus[on].interrupts, interrupts);
    assert_int_equal(sim_pcpus[on].picks, picks);
    assert_int_equal(sched_runtime_ns(&a->u), 900 * MS);
    assert_int_equal(b->nr_wakes, 1);

    /* With a rival that goes soon, at most one timer interrupt is left over each time. */
    sim_init(1, SCHED_FAIR);
    sim_spinner(256);
    sim_add(256, 0, 100 * US, 50 * MS);
    sim_run(10 * S);
    assert_in_range(sim_pcpus[0].interrupts, 0, 10 * S / (50 * MS) + 1);
}

/* A guest that answers interrupts (a disk, a keystroke) would be sluggish beside busy ones. */
static void wakes_at_once(void **state)
{
    for (int spinners = 1; spinners <= 8; spinners++) {
        sim_init(1, SCHED_FAIR);
        for (int i = 0; i < spinners; i++)
            sim_spinner(256);
        struct sim_unit *v = sim_add(256, -1, 50 * US, 950 * US);

        sim_run(100 * MS);
        v->max_latency_ns = 0;
        sim_run(S);
        assert_true(v->nr_wakes > 1000);
        assert_int_equal(v->max_latency_ns, 0);
    }
}

/* Many such guests would wait for each other, but for no spinner. */
static void wakes_beside_others(void **state)
{
    struct sim_unit *v[8];

    sim_init(1, SCHED_FAIR);
    sim_spinner(256);
    sim_spinner(256);
    for (int i = 0; i < 8; i++)
        v[i] = sim_add(256, -1, (20 + (uint64_t)i) * US, (970 + 3 * (uint64_t)i) * US);
    sim_run(100 * MS);
    for (int i = 0; i < 8; i++)
        v[i]->max_latency_ns = 0;
    sim_run(2 * S);
    for (int i = 0; i < 8; i++)
        assert_true(v[i]->max_latency_ns <= 8 * 30 * US);
}

/* A guest's console would be slow, and take much of the machine, if dom0 came in for each byte. */
static void rests(void **state)
{
    sim_init(1, SCHED_FAIR);
    struct sim_unit *spinner = sim_spinner(256);
    struct sim_unit *v = sim_add(256, -1, 10 * US, 20 * US);

    sim_run(100 * MS);
    v->max_latency_ns = 0;
    sim_pcpus[0].switches = 0;
    sim_run(S);
    assert_in_range(sim_pcpus[0].switches, 2 * S / MS, 2 * S / (250 * US));
    assert_in_range(v->max_latency_ns, 1, 250 * US);
    assert_true(spinner->u.runtime_ns > S / 10 * 9);

    /* Beside one that did not wake it just now, nobody rests. */
    v->sleep_ns = 260 * US;
    sim_run(MS);
    v->max_latency_ns = 0;
    sim_run(S);
    assert_int_equal(v->max_latency_ns, 0);
}

/* A guest would get more than its share at its neighbours' cost by sleeping at the right moments.
 */
static void sleeping_gains_nothing(void **state)
{
    static const uint64_t bursts[] = { 1 * US,    100 * US,  499 * US, 501 * US,  2499 * US,
                                       2501 * US, 4999 * US, SLICE,    5001 * US, 17 * MS };
    static const uint64_t sleeps[] = { 1, 1 * US, 499 * US, 501 * US, 2501 * US, SLICE, 30 * MS };
    static const uint32_t weight[] = { 64, 256, 2048 };

    for (size_t i = 0; i < array_size(bursts); i++) {
        for (size_t j = 0; j < array_size(sleeps); j++) {
            for (size_t k = 0; k < array_size(weight); k++) {
                sim_init(1, SCHED_FAIR);
                struct sim_unit *honest = sim_spinner(256);
                struct sim_unit *sleeper = sim_add(weight[k], -1, bursts[i], sleeps[j]);
                uint64_t fair, got;

                sim_run(S);
                fair = S * weight[k] / (256 + weight[k]);
                got = sched_runtime_ns(&sleeper->u);
                assert_int_equal(got + sched_runtime_ns(&honest->u), S);
                /* A credit once, and the slice that it may be in. */
                assert_true(got <= fair + CREDIT * weight[k] / 256 + SLICE);
            }
        }
    }
}

/* As above with sleeps drawn at random, and several that do it together. */
static void sleepers_gain_nothing(void **state)
{
    unit_random_seed(7);
    for (int round = 0; round < 50; round++) {
        struct sim_unit *v[3];
        uint64_t total = 0;

        sim_init(1, SCHED_FAIR);
        struct sim_unit *honest = sim_spinner(256);
        for (int i = 0; i < 3; i++)
            v[i] = sim_add(256, -1, 1 + unit_random(6 * MS), 1 + unit_random(6 * MS));
        for (int i = 0; i < 200; i++) {
            sim_run(5 * MS);
            for (int j = 0; j < 3; j++) {
                v[j]->burst_ns = 1 + unit_random(6 * MS);
                v[j]->sleep_ns = 1 + unit_random(i % 2 == 0 ? 6 * MS : 10 * US);
            }
        }
        for (int i = 0; i < 3; i++)
            total += sched_runtime_ns(&v[i]->u);
        assert_true(sched_runtime_ns(&honest->u) + 3 * CREDIT + 2 * SLICE >= S / 4);
        assert_int_equal(total + sched_runtime_ns(&honest->u), S);
    }
}

/* A pinned vCPU would run on a CPU it must not use, or not at all. */
static void affinity(void **state)
{
    DECLARE_BITMAP(mask, SCHED_MAX_PCPUS) = { 0 };

    sim_init(4, SCHED_FAIR);
    for (int i = 0; i < 3; i++)
        sim_add(256, 0, 0, 0);
    struct sim_unit *v = sim_add(256, 0, 0, 0), *w = sim_add(256, 0, 300 * US, 700 * US);
    sim_run(S); /* others idle: sim_serve() checks where they run */
    assert_near(sim_share(v, 0, S), 2500, 1000);
    assert_ptr_equal(v->u.pcpu, pcpus[0]);

    /* Queued, running or sleeping: it goes where it is told. */
    for (int i = 0; i < 2000; i++) {
        bitmap_zero(mask, SCHED_MAX_PCPUS);
        bitmap_set(mask, unit_random(4));
        bitmap_set(mask, unit_random(4));
        assert_int_equal(sched_set_affinity(i % 2 != 0 ? &v->u : &w->u, mask), 0);
        sim_run(unit_random(2 * MS));
    }

    bitmap_zero(mask, SCHED_MAX_PCPUS);
    bitmap_set(mask, 4);
    assert_int_equal(sched_set_affinity(&v->u, mask), -EINVAL);
    bitmap_clear(mask, 4);
    assert_int_equal(sched_set_affinity(&v->u, mask), -EINVAL);
}

/* `xl vcpu-pin` with a soft affinity: that CPU where it can be had, else any; never one that the
 * hard one forbids. */
static void soft_affinity(void **state)
{
    DECLARE_BITMAP(two, SCHED_MAX_PCPUS) = { 4 };
    DECLARE_BITMAP(low, SCHED_MAX_PCPUS) = { 3 };
    DECLARE_BITMAP(hard, SCHED_MAX_PCPUS);
    DECLARE_BITMAP(soft, SCHED_MAX_PCPUS);
    struct sim_unit *v, *busy;

    sim_init(3, SCHED_FAIR);
    v = sim_add(256, -1, 300 * US, 700 * US);
    sched_set_soft_affinity(&v->u, two);
    sched_get_affinity(&v->u, hard, soft);
    assert_true(bitmap_equal(soft, two, SCHED_MAX_PCPUS));
    assert_true(bitmap_test(hard, 0) && bitmap_test(hard, 1) && bitmap_test(hard, 2));
    for (int i = 0; i < 20; i++) {
        sim_run(2 * MS);
        assert_ptr_equal(v->u.pcpu, pcpus[2]);
    }
    busy = sim_spinner(256);
    assert_int_equal(sched_set_affinity(&busy->u, two), 0);
    uint64_t before = v->u.runtime_ns;
    sim_run(S);
    assert_near(v->u.runtime_ns - before, 300 * MS,
                30 * MS); /* it does not wait for its favourite */
    assert_int_equal(sched_set_affinity(&v->u, low), 0);
    sched_get_affinity(&v->u, hard, soft);
    assert_true(bitmap_equal(hard, low, SCHED_MAX_PCPUS));
    assert_true(bitmap_equal(soft, two, SCHED_MAX_PCPUS));
    for (int i = 0; i < 20; i++) {
        sim_run(2 * MS);
        assert_ptr_not_equal(v->u.pcpu, pcpus[2]);
    }
}

/* The same where a CPU is just about to pass it on to one that it may not use any more, or to pause
 * it. */
static void affinity_while_moving(void **state)
{
    for (int kind = 0; kind < 3; kind++) {
        DECLARE_BITMAP(mask, SCHED_MAX_PCPUS) = { kind == 0 ? 5 : 2 };

        sim_init(3, SCHED_FAIR);
        for (int i = 0; i < 5; i++)
            sim_spinner(256);
        struct pcpu *p = NULL;
        struct sched_unit *u = NULL;
        /* Until one is being moved from pCPU 0 to pCPU 1. */
        while (u == NULL) {
            p = pcpus[0];
            if (p->sched.slice_end_ns == TIMER_NEVER) {
                sim_run(MS);
                continue;
            }
            sim_run(p->sched.slice_end_ns - clock_ns() - 1);
            host_set_pcpu(0);
            sim_advance(clock_ns() + 1);
            sched_pick(p, clock_ns());
            if (p->sched.prev != NULL && p->sched.prev->state == SCHED_MOVING &&
                p->sched.push_to == pcpus[1])
                u = p->sched.prev;
            else
                sim_serve(p);
            if (u == NULL)
                sim_events();
        }
        if (kind < 2)
            assert_int_equal(sched_set_affinity(u, mask), 0);
        else
            sched_pause(u);
        assert_true(sched_is_running(u));
        sim_serve(p);
        sim_events();
        sim_run(S);
    }
}

/* A CPU would idle while guests wait for another one. */
static void idle_steals(void **state)
{
    struct sim_unit *v[8];
    DECLARE_BITMAP(all, SCHED_MAX_PCPUS);

    bitmap_fill(all, SCHED_MAX_PCPUS);
    sim_init(4, SCHED_FAIR);
    for (int i = 0; i < 8; i++)
        v[i] = sim_add(256, 0, 0, 0);
    sim_run(100 * MS);
    for (int i = 0; i < 8; i++)
        assert_int_equal(sched_set_affinity(&v[i]->u, all), 0);
    sim_settle();
    for (int i = 0; i < 4; i++)
        assert_non_null(pcpus[i]->sched.running);
    sim_run(10 * S);
    for (int i = 0; i < 8; i++)
        assert_near(sim_share(v[i], 0, 10 * S), 5000, 200);
}

static void shares_on(uint32_t nr, const uint32_t *weight, const uint64_t *want, int n,
                      uint64_t tolerance)
{
    struct sim_unit *v[16];
    uint64_t before[16];

    sim_init(nr, SCHED_FAIR);
    for (int i = 0; i < n; i++)
        v[i] = sim_spinner(weight[i]);
    sim_run(S);
    for (int i = 0; i < n; i++)
        before[i] = sched_runtime_ns(&v[i]->u);
    sim_run(20 * S);
    for (int i = 0; i < n; i++)
        assert_near(sim_share(v[i], before[i], 20 * S), want[i], tolerance);
}

/* Of guests that do not fit the number of CPUs some would be slower than others. */
static void fair_across_pcpus(void **state)
{
    static const uint32_t equal[16] = { 256, 256, 256, 256, 256, 256, 256, 256,
                                        256, 256, 256, 256, 256, 256, 256, 256 };
    static const uint32_t nr[][2] = { { 2, 3 }, { 2, 5 }, { 3, 4 },  { 4, 5 }, { 4, 6 }, { 4, 7 },
                                      { 4, 9 }, { 8, 9 }, { 8, 13 }, { 3, 8 }, { 2, 7 } };

    for (size_t i = 0; i < array_size(nr); i++) {
        uint64_t want[16];

        for (int j = 0; j < 16; j++)
            want[j] = 10000 * nr[i][0] / nr[i][1];
        shares_on(nr[i][0], equal, want, (int)nr[i][1], 200);
    }
}

/* Weights would mean nothing as soon as there are two CPUs. */
static void weights_across_pcpus(void **state)
{
    shares_on(2, (const uint32_t[]){ 256, 256, 512 }, (const uint64_t[]){ 5000, 5000, 10000 }, 3,
              300);
    /* No unit can have more than one CPU: 1:2:4 becomes 1/3, 2/3, 1. */
    shares_on(2, (const uint32_t[]){ 256, 512, 1024 }, (const uint64_t[]){ 3333, 6667, 10000 }, 3,
              300);
    shares_on(2, (const uint32_t[]){ 256, 256, 512, 512 },
              (const uint64_t[]){ 3333, 3333, 6667, 6667 }, 4, 300);
    shares_on(2, (const uint32_t[]){ 256, 256, 256, 512 },
              (const uint64_t[]){ 4000, 4000, 4000, 8000 }, 4, 1300);
    shares_on(2, (const uint32_t[]){ 1024, 1024, 256 }, (const uint64_t[]){ 8889, 8889, 2222 }, 3,
              600);
}

/* A guest that comes to a CPU where another ran alone for long would stop that one, or be stopped.
 */
static void clocks_differ(void **state)
{
    DECLARE_BITMAP(mask, SCHED_MAX_PCPUS) = { 0 };

    sim_init(2, SCHED_FAIR);
    struct sim_unit *alone = sim_add(1024, 1, 0, 0), *a = sim_add(256, 0, 0, 0);
    sim_add(256, 0, 0, 0);
    sim_run(100 * S);
    bitmap_set(mask, 1);
    assert_int_equal(sched_set_affinity(&a->u, mask), 0);
    uint64_t a0 = sched_runtime_ns(&a->u), alone0 = sched_runtime_ns(&alone->u);
    sim_run(S);
    assert_near(sim_share(a, a0, S), 2000, 100);
    assert_near(sim_share(alone, alone0, S), 8000, 100);
    /* And back, to where the clock is behind. */
    bitmap_zero(mask, SCHED_MAX_PCPUS);
    bitmap_set(mask, 0);
    assert_int_equal(sched_set_affinity(&a->u, mask), 0);
    a0 = sched_runtime_ns(&a->u);
    sim_run(S);
    assert_near(sim_share(a, a0, S), 5000, 100);
}

/* `xl pause` would not stop a guest, or not let it go on. */
static void pause_counts(void **state)
{
    sim_init(1, SCHED_FAIR);
    struct sim_unit *a = sim_spinner(256), *b = sim_spinner(256);
    uint64_t ran;

    sim_run(S);
    sched_pause(&a->u);
    sched_pause(&a->u);
    sim_run(10 * MS);
    assert_false(sched_is_running(&a->u));
    ran = sched_runtime_ns(&a->u);
    sched_wake(&a->u);
    sched_unpause(&a->u);
    sim_run(S);
    assert_int_equal(sched_runtime_ns(&a->u), ran);
    sched_unpause(&a->u);
    sim_run(S);
    assert_near(sim_share(a, ran, S), 5000, 60); /* what it missed is gone, but for the credit */

    /* One that sleeps and is woken meanwhile runs afterwards. */
    struct sim_unit *c = sim_add(256, -1, MS, S);
    sim_run(500 * MS);
    assert_int_equal(c->u.state, SCHED_BLOCKED);
    sched_pause(&c->u);
    sim_wake(c);
    sim_settle();
    assert_int_equal(c->u.state, SCHED_BLOCKED);
    sched_unpause(&c->u);
    sim_settle();
    assert_int_equal(c->u.state, SCHED_RUNNING);
    (void)b;
}

/* Destroying a guest would free memory that a CPU still uses. */
static void runs_until_saved(void **state)
{
    sim_init(2, SCHED_FAIR);
    struct sim_unit *a = sim_add(256, 0, 0, 0), *b = sim_add(256, 0, 0, 0);
    struct pcpu *p = pcpus[0];
    struct sched_unit *ran, *other;

    sim_settle();
    ran = p->sched.running;
    other = ran == &a->u ? &b->u : &a->u;
    sched_pause(ran);
    assert_true(sched_is_running(ran));
    assert_int_equal(p->pending & PENDING_SCHED, PENDING_SCHED);
    assert_ptr_equal(sched_pick(p, clock_ns()), other);
    assert_true(sched_is_running(ran) && sched_is_running(other));
    sched_switch_done(p);
    assert_false(sched_is_running(ran));
    sched_switch_done(p);
    assert_true(sched_is_running(other));
    sched_unit_destroy(ran);
}

/* Two CPUs would run the same vCPU, one of them with half of its registers. */
static void not_stolen_before_saved(void **state)
{
    sim_init(2, SCHED_FAIR);
    struct sim_unit *a = sim_spinner(256), *b = sim_add(256, 0, 0, 0);
    struct pcpu *p = pcpus[0], *q = pcpus[1];
    DECLARE_BITMAP(mask, SCHED_MAX_PCPUS) = { 1 };

    assert_int_equal(sched_set_affinity(&a->u, mask), 0);
    sim_settle();
    bitmap_set(mask, 1);
    sched_pause(&b->u);
    assert_ptr_equal(sched_pick(p, clock_ns()), &a->u);
    sched_switch_done(p);
    assert_int_equal(sched_set_affinity(&a->u, mask), 0);
    /* b overtakes a on pCPU 0; pCPU 1 would like to have a. */
    host_clock_advance(20 * MS);
    sched_unpause(&b->u);
    assert_ptr_equal(sched_pick(p, clock_ns()), &b->u);
    host_set_pcpu(1);
    assert_null(sched_pick(q, clock_ns()));
    assert_int_equal(a->u.state, SCHED_QUEUED);
    q->pending = 0;
    host_set_pcpu(0);
    sched_switch_done(p);
    assert_int_equal(q->pending, PENDING_SCHED);
    host_set_pcpu(1);
    assert_ptr_equal(sched_pick(q, clock_ns()), &a->u);
}

/* An idle CPU that still has a guest's registers would keep it from being destroyed or from running
 * elsewhere. */
static void idle_lets_go(void **state)
{
    DECLARE_BITMAP(mask, SCHED_MAX_PCPUS) = { 0 };

    sim_init(2, SCHED_FAIR);
    sim_lazy = true;
    struct sim_unit *a = sim_add(256, 0, MS, S);
    struct pcpu *p = pcpus[0];

    sim_run(10 * MS);
    assert_int_equal(a->u.state, SCHED_BLOCKED);
    assert_true(sched_is_running(&a->u));
    assert_false(sched_must_save(p));

    /* It wakes and goes on without a switch. */
    uint32_t wakes = (uint32_t)a->nr_wakes;
    sim_wake(a);
    sim_settle();
    assert_int_equal(a->nr_wakes, wakes + 1);
    assert_null(p->sched.prev);
    sim_run(10 * MS);

    sched_pause(&a->u);
    sim_settle();
    assert_false(sched_is_running(&a->u));
    sched_unpause(&a->u);
    sim_wake(a);
    sim_run(10 * MS);

    /* Loaded on pCPU 0, may run on pCPU 1 only. */
    assert_true(sched_is_running(&a->u));
    bitmap_set(mask, 1);
    assert_int_equal(sched_set_affinity(&a->u, mask), 0);
    sim_wake(a);
    sim_settle();
    assert_ptr_equal(pcpus[1]->sched.running, &a->u);
}

/* A guest would sleep for ever through an interrupt that comes in the moment it goes to sleep. */
static void wake_is_not_lost(void **state)
{
    sim_init(1, SCHED_FAIR);
    struct sim_unit *a = sim_spinner(256);
    struct pcpu *p = pcpus[0];

    sim_settle();
    sched_block(&a->u);
    sched_wake(&a->u);
    assert_ptr_equal(sched_pick(p, clock_ns()), &a->u);
    sched_block(&a->u);
    assert_null(sched_pick(p, clock_ns()));
    sched_wake(&a->u);
    assert_ptr_equal(sched_pick(p, clock_ns()), &a->u);
    sched_wake(&a->u);
    assert_ptr_equal(sched_pick(p, clock_ns()), &a->u);
    sched_block(&a->u);
    assert_null(sched_pick(p, clock_ns()));
    sched_switch_done(p);
    sched_wake(&a->u);
    assert_ptr_equal(sched_pick(p, clock_ns()), &a->u);
}

/* A vCPU that waits for a lock's holder would keep that from running; or yielding would upset the
 * shares. */
static void yields(void **state)
{
    sim_init(1, SCHED_FAIR);
    struct sim_unit *a = sim_spinner(256), *b = sim_spinner(256);
    struct pcpu *p = pcpus[0];

    sim_run(S + 6 * MS); /* the one that runs is still behind the other */
    assert_true((int64_t)(p->sched.running->vtime - (a->u.vtime + b->u.vtime) / 2) < 0);
    for (int i = 0; i < 1000; i++) {
        struct sched_unit *u = p->sched.running;

        sched_unit_yield(u);
        sim_run(10 * US);
        assert_ptr_not_equal(p->sched.running, u);
    }
    /* One yields all the time: it has less, but owes it nobody. */
    for (int i = 0; i < 10000; i++) {
        if (p->sched.running == &a->u)
            sched_unit_yield(&a->u);
        sim_run(100 * US);
    }
    uint64_t a0 = sched_runtime_ns(&a->u);
    sim_run(S);
    assert_near(sim_share(a, a0, S), 5000, 60);

    /* Alone, it does not matter. */
    sched_pause(&b->u);
    sim_run(10 * MS);
    sched_unit_yield(&a->u);
    assert_int_equal(p->pending, 0);
}

/* A slice of the CPU would take longer the more guests there are, or the timer would be set in
 * vain. */
static void slices(void **state)
{
    static const int nr[] = { 2, 4, 5, 8, 9, 20 };
    static const uint64_t slice[] = { SLICE, SLICE, SLICE / 2, SLICE / 2, SLICE / 4, SLICE / 4 };

    for (size_t i = 0; i < array_size(nr); i++) {
        sim_init(1, SCHED_FAIR);
        for (int j = 0; j < nr[i]; j++)
            sim_spinner(256);
        sim_run(S);
        assert_near(sim_pcpus[0].switches, S / slice[i], 2);
        assert_true(sim_pcpus[0].interrupts <= sim_pcpus[0].switches);
    }
}

/* Bad values would be taken, and a guest starve or the hypervisor divide by zero. */
static void settings(void **state)
{
    sim_init(1, SCHED_FAIR);
    struct sim_unit *a = sim_spinner(256), *b = sim_spinner(256);

    assert_int_equal(sched_set_weight(&a->u, 0), -EINVAL);
    assert_int_equal(sched_set_weight(&a->u, SCHED_WEIGHT_MAX + 1), -EINVAL);
    sim_run(S);
    assert_int_equal(sched_set_weight(&a->u, 768), 0); /* while it runs or waits */
    uint64_t a0 = sched_runtime_ns(&a->u), b0 = sched_runtime_ns(&b->u);
    sim_run(10 * S);
    assert_near(sim_share(a, a0, 10 * S), 7500, 20);
    assert_near(sim_share(b, b0, 10 * S), 2500, 20);
}

/* The debug key that shows the queues would crash the machine, or leave out who waits. */
static void dumps(void **state)
{
    static struct domain d;
    static struct vcpu v[20];

    sim_init(2, SCHED_FAIR);
    memset(&d, 0, sizeof(d));
    memset(v, 0, sizeof(v));
    d.id = 3;
    for (uint32_t i = 0; i < 20; i++) {
        v[i].domain = &d;
        v[i].id = i;
        assert_int_equal(sched_unit_init(&v[i].sched, true), 0);
        assert_int_equal(sched_set_affinity(&v[i].sched, (const unsigned long[2]){ 1, 0 }), 0);
        sched_wake(&v[i].sched);
    }
    assert_ptr_equal(sched_pick(pcpus[0], clock_ns()), &v[0].sched);
    host_log_clear();
    sched_dump();
    assert_contains(host_log, "CPU0: busy, 19 waiting");
    assert_contains(host_log, "runs  d3v0: weight 256");
    assert_contains(host_log, "waits d3v16: weight 256");
    assert_contains(host_log, "and 3 more");
    assert_contains(host_log, "CPU1: idle, 0 waiting");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_spinners),
        cmocka_unit_test(weights),
        cmocka_unit_test(extreme_weights),
        cmocka_unit_test(crowd),
        cmocka_unit_test(alone_undisturbed),
        cmocka_unit_test(wakes_at_once),
        cmocka_unit_test(wakes_beside_others),
        cmocka_unit_test(rests),
        cmocka_unit_test(sleeping_gains_nothing),
        cmocka_unit_test(sleepers_gain_nothing),
        cmocka_unit_test(affinity),
        cmocka_unit_test(soft_affinity),
        cmocka_unit_test(affinity_while_moving),
        cmocka_unit_test(idle_steals),
        cmocka_unit_test(fair_across_pcpus),
        cmocka_unit_test(weights_across_pcpus),
        cmocka_unit_test(clocks_differ),
        cmocka_unit_test(pause_counts),
        cmocka_unit_test(runs_until_saved),
        cmocka_unit_test(not_stolen_before_saved),
        cmocka_unit_test(idle_lets_go),
        cmocka_unit_test(wake_is_not_lost),
        cmocka_unit_test(yields),
        cmocka_unit_test(slices),
        cmocka_unit_test(settings),
        cmocka_unit_test(dumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
