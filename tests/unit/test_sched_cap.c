/* SPDX-License-Identifier: MIT */
/* Caps on CPU time, on simulated pCPUs with a simulated clock. */
// sources: core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c core/sched_null.c core/spinlock.c
#include "test_sched_sim.h"

#include <hospes/sched_cap.h>

#define WINDOW (10 * MS)
#define MOST   128

/* A domain: units under one cap. */
struct group {
    struct sched_cap cap;
    struct sim_unit *v[MOST];
    int nr;
};

static struct group g, h;

/* As domctl's scheduler_op does it. */
static void set_cap(struct group *group, uint32_t percent)
{
    if (group->cap.percent == 0)
        for (int i = 0; i < group->nr; i++)
            sched_unit_set_cap(&group->v[i]->u, &group->cap);
    sched_cap_set(&group->cap, percent);
    for (int i = 0; i < group->nr; i++)
        sched_unit_look(&group->v[i]->u);
    sim_settle();
}

/* `nr` units that run and sleep as told, under a cap. */
static void make(struct group *group, int nr, uint32_t percent, uint64_t burst_ns,
                 uint64_t sleep_ns)
{
    memset(group, 0, sizeof(*group));
    assert_int_equal(sched_cap_init(&group->cap, (uint32_t)nr), 0);
    group->nr = nr;
    for (int i = 0; i < nr; i++)
        group->v[i] = sim_add(256, -1, burst_ns, sleep_ns);
    set_cap(group, percent);
}

static void unmake(struct group *group)
{
    for (int i = 0; i < group->nr; i++)
        sched_pause(&group->v[i]->u);
    sim_settle();
    sched_cap_destroy(&group->cap);
    for (int i = 0; i < group->nr; i++) {
        sched_unit_destroy(&group->v[i]->u);
        group->v[i]->used = false;
    }
}

static int set_up(void **state)
{
    sched_caps_set = 0; /* whatever a test that failed left */
    return 0;
}

static uint64_t ran(const struct group *group)
{
    uint64_t ns = 0;

    for (int i = 0; i < group->nr; i++)
        ns += sched_runtime_ns(&group->v[i]->u);
    return ns;
}

/* A user who sells half of a CPU would sell more, or his customer get less than he paid for. */
static void exact(void **state)
{
    static const uint32_t percents[] = { 1, 7, 50, 99 };

    for (size_t i = 0; i < array_size(percents); i++) {
        uint64_t before = 0;

        sim_init(1, SCHED_FAIR);
        make(&g, 1, percents[i], 0, 0);
        for (int window = 0; window < 1000; window++) {
            sim_run(WINDOW);
            assert_int_equal(ran(&g) - before, WINDOW * percents[i] / 100);
            before = ran(&g);
        }
        unmake(&g);
    }
}

/* The cap is the domain's: with more vCPUs it would get more, or one of them all of it. */
static void all_vcpus_together(void **state)
{
    static const struct {
        uint32_t nr_pcpus;
        int nr;
        uint32_t percent;
    } cases[] = { { 2, 2, 50 }, { 4, 4, 100 }, { 4, 4, 250 }, { 2, 8, 150 }, { 4, 64, 1 } };

    for (size_t i = 0; i < array_size(cases); i++) {
        uint64_t before = 0, each = 20 * S * cases[i].percent / 100 / (uint64_t)cases[i].nr;

        sim_init(cases[i].nr_pcpus, SCHED_FAIR);
        make(&g, cases[i].nr, cases[i].percent, 0, 0);
        for (int window = 0; window < 2000; window++) {
            sim_run(WINDOW);
            assert_int_equal(ran(&g) - before, WINDOW * cases[i].percent / 100);
            before = ran(&g);
        }
        for (int j = 0; j < cases[i].nr; j++)
            assert_in_range(sched_runtime_ns(&g.v[j]->u), each * 9 / 10, each * 11 / 10);
        unmake(&g);
    }
}

/* A cap that is more than a guest can use would cost it something. */
static void no_bound(void **state)
{
    sim_init(2, SCHED_FAIR);
    make(&g, 2, 200, 0, 0);
    sim_run(10 * S);
    assert_int_equal(ran(&g), 20 * S);
    set_cap(&g, 65535);
    sim_run(10 * S);
    assert_int_equal(ran(&g), 40 * S);
    unmake(&g);
}

/* What a capped guest may not have would be lost for the others; or a cap upset their shares. */
static void beside_others(void **state)
{
    sim_init(1, SCHED_FAIR);
    make(&g, 2, 20, 0, 0);
    make(&h, 1, 30, 0, 0);
    struct sim_unit *free = sim_spinner(256);

    sim_run(10 * S);
    assert_int_equal(ran(&g), 2 * S);
    assert_int_equal(ran(&h), 3 * S);
    assert_int_equal(sched_runtime_ns(&free->u), 5 * S);
    /* Of what they may have, they get no more than their weights' share. */
    set_cap(&g, 80);
    set_cap(&h, 90);
    uint64_t before = sched_runtime_ns(&free->u);
    sim_run(10 * S);
    assert_in_range(sched_runtime_ns(&free->u) - before, 2400 * MS, 2600 * MS);
    unmake(&g);
    unmake(&h);
}

/* A guest that answers interrupts would be slow though it has time left; or the time that one vCPU
 * leaves would be lost to the others. */
static void sleepers(void **state)
{
    sim_init(2, SCHED_FAIR);
    make(&g, 1, 50, 50 * US, 950 * US);
    sim_run(S);
    assert_in_range(g.v[0]->nr_wakes, 990, 1001);
    assert_int_equal(g.v[0]->max_latency_ns, 0);
    unmake(&g);

    /* One takes a piece and sleeps at once, over and over. */
    sim_init(2, SCHED_FAIR);
    make(&g, 2, 60, 0, 0);
    g.v[0]->burst_ns = g.v[0]->left_ns = 30 * US;
    g.v[0]->sleep_ns = 200 * US;
    set_cap(&g, 60);
    sim_run(S);
    uint64_t before = ran(&g);
    sim_run(10 * S);
    assert_in_range(ran(&g) - before, 6 * S - 6 * MS, 6 * S + 6 * MS);
    unmake(&g);
}

/* A guest that cannot be stopped in time would get more for that, each time. */
static void debts(void **state)
{
    static const uint32_t late_us[] = { 1, 130, 1700, 25000 };

    for (size_t i = 0; i < array_size(late_us); i++) {
        sim_init(1, SCHED_FAIR);
        make(&g, 1, 30, 0, 0);
        sim_late_ns = late_us[i] * US;
        sim_run(20 * S);
        /* Windows that begin late may be shorter, but what was used comes off. */
        assert_true(ran(&g) <= 6 * S + 3 * MS + sim_late_ns);
        assert_true(ran(&g) > 20 * S * 10 / 100);
        unmake(&g);
    }
}

/* A change of the cap would not take effect at once, or a guest wait for ever. */
static void changes(void **state)
{
    uint64_t before;

    sim_init(2, SCHED_FAIR);
    make(&g, 2, 0, 0, 0);
    assert_int_equal(sched_caps_set, 0);
    sim_run(S);
    assert_int_equal(ran(&g), 2 * S);
    set_cap(&g, 10);
    assert_int_equal(sched_caps_set, 1);
    sim_run(S);
    assert_int_equal(ran(&g), 2 * S + 100 * MS);
    sim_run(5 * MS); /* both are parked */
    assert_int_equal(g.v[0]->u.state, SCHED_BLOCKED);
    assert_int_equal(g.v[1]->u.state, SCHED_BLOCKED);
    before = ran(&g);
    set_cap(&g, 40); /* more in the same window */
    sim_run(5 * MS);
    assert_int_equal(ran(&g) - before, 3 * MS);
    set_cap(&g, 5); /* less than was used of it already: the next ones pay */
    sim_run(5 * MS);
    before = ran(&g);
    set_cap(&g, 0);
    sim_run(WINDOW);
    assert_int_equal(ran(&g) - before, 2 * WINDOW);
    assert_int_equal(sched_caps_set, 0);
    /* What was owed is forgotten with the cap. */
    before = ran(&g);
    set_cap(&g, 50);
    sim_run(WINDOW);
    assert_int_equal(ran(&g) - before, WINDOW / 2);
    unmake(&g);
}

/* A guest that is paused, woken or destroyed while its time is used up would hang, or the machine
 * stop. */
static void parked(void **state)
{
    struct sched_times times;

    sim_init(1, SCHED_FAIR);
    make(&g, 1, 10, 0, 0);
    sim_run(5 * MS);
    struct sched_unit *u = &g.v[0]->u;
    assert_true(u->parked);
    /* It waits, and says so: that is stolen time. */
    sched_times(u, &times);
    assert_int_equal(times.now, SCHED_TIME_QUEUED);
    assert_int_equal(times.ns[SCHED_TIME_QUEUED], 4 * MS);
    sim_wake(g.v[0]);
    assert_true(u->parked);
    sched_pause(u);
    sim_run(WINDOW);
    assert_false(u->parked);
    assert_int_equal(u->state, SCHED_BLOCKED);
    sched_times(u, &times);
    assert_int_equal(times.now, SCHED_TIME_OFF);
    assert_int_equal(ran(&g), MS);
    sched_unpause(u);
    sim_run(4 * MS);
    assert_int_equal(ran(&g), 2 * MS);
    assert_true(u->parked);
    unmake(&g); /* as it is */
}

/* A guest that sleeps would be disturbed by its cap's windows. The slice's timer may be left over.
 */
static void asleep(void **state)
{
    sim_init(1, SCHED_FAIR);
    make(&g, 1, 50, MS, 99 * MS);
    sim_run(10 * S);
    assert_in_range(sim_pcpus[0].interrupts, 0, 101);
    assert_in_range(sim_pcpus[0].switches, 190, 210);
    unmake(&g);
}

/* Units that may not run on all pCPUs, and such as are moved while they are parked. */
static void affinity(void **state)
{
    DECLARE_BITMAP(mask, SCHED_MAX_PCPUS) = { 2 };

    sim_init(2, SCHED_FAIR);
    make(&g, 2, 100, 0, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sched_set_affinity(&g.v[i]->u, mask), 0);
    sim_run(10 * S);
    assert_in_range(ran(&g), 10 * S - MS, 10 * S); /* pCPU 1, whole */
    set_cap(&g, 20);
    sim_run(S + 9 * MS);
    mask[0] = 1;
    assert_true(g.v[0]->u.parked || g.v[1]->u.parked);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sched_set_affinity(&g.v[i]->u, mask), 0);
    sim_run(S);
    assert_int_equal(g.v[0]->u.pcpu->id + g.v[1]->u.pcpu->id, 0);
    unmake(&g);
}

/* With sched=null a cap would do nothing. */
static void with_null(void **state)
{
    sim_init(2, SCHED_NULL);
    make(&g, 2, 30, 0, 0);
    sim_run(10 * S);
    assert_int_equal(ran(&g), 3 * S);
    unmake(&g);
}

/* Some order of events would hang a guest, or give it more than its cap. */
static void at_random(void **state)
{
    for (uint64_t round = 1; round <= 12; round++) {
        uint64_t began, most, before;

        unit_random_seed(round);
        sim_init(1 + unit_random(4), SCHED_FAIR);
        sim_lazy = round % 2 != 0;
        sim_spinner(128);
        make(&h, 1 + (int)unit_random(3), 1 + unit_random(100), 300 * US, 100 * US);
        make(&g, 1 + (int)unit_random(12), 1 + unit_random(300), 0, 0);
        for (int i = 0; i < g.nr; i++)
            if (unit_random(2) != 0) {
                g.v[i]->burst_ns = g.v[i]->left_ns = 1 + unit_random(5 * MS);
                g.v[i]->sleep_ns = 1 + unit_random(3 * MS);
            }
        set_cap(&g, g.cap.percent);
        for (int step = 0; step < 100; step++) {
            began = clock_ns();
            before = ran(&g);
            for (int event = 0; event < 50; event++) {
                struct sim_unit *v = g.v[unit_random((uint32_t)g.nr)];

                host_set_pcpu(unit_random(nr_pcpus));
                if (unit_random(3) == 0)
                    sched_pause(&v->u);
                else if (v->u.pause_count > v->u.parked)
                    sched_unpause(&v->u);
                sim_settle();
                sim_run(unit_random(2 * MS));
            }
            /* Of the windows that it touched, whole or not. */
            most = ((clock_ns() - began) / WINDOW + 2) * g.cap.budget_ns;
            assert_true(ran(&g) - before <= most);
        }
        for (int i = 0; i < g.nr; i++) {
            while (g.v[i]->u.pause_count > g.v[i]->u.parked)
                sched_unpause(&g.v[i]->u);
            g.v[i]->burst_ns = 0;
            sim_wake(g.v[i]);
        }
        set_cap(&g, 0);
        sim_run(1);
        for (int i = 0; i < g.nr; i++)
            assert_int_equal(g.v[i]->u.pause_count, 0);
        unmake(&h);
        unmake(&g);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(exact, set_up),
        cmocka_unit_test_setup(all_vcpus_together, set_up),
        cmocka_unit_test_setup(no_bound, set_up),
        cmocka_unit_test_setup(beside_others, set_up),
        cmocka_unit_test_setup(sleepers, set_up),
        cmocka_unit_test_setup(debts, set_up),
        cmocka_unit_test_setup(changes, set_up),
        cmocka_unit_test_setup(parked, set_up),
        cmocka_unit_test_setup(asleep, set_up),
        cmocka_unit_test_setup(affinity, set_up),
        cmocka_unit_test_setup(with_null, set_up),
        cmocka_unit_test_setup(at_random, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
