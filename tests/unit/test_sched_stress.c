/* SPDX-License-Identifier: MIT */
/*
 * The scheduler under everything that can happen to it, at random: sim_check() looks after each
 * event.
 */
// sources: core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c core/sched_null.c core/spinlock.c
#include "test_sched_sim.h"

#define MIN_WEIGHT 64
#define MAX_WAIT                                                                     \
    (4 * S) /* 24 units of the weights below: the least wants to run again after 2 s \
             */

static void random_mask(unsigned long *mask)
{
    bitmap_zero(mask, SCHED_MAX_PCPUS);
    bitmap_set(mask, unit_random(nr_pcpus));
    for (uint32_t i = unit_random(4); i > 0; i--)
        bitmap_set(mask, unit_random(nr_pcpus));
}

static struct sim_unit *random_unit(void)
{
    for (int tries = 0; tries < 100; tries++) {
        struct sim_unit *v = &sim_units[unit_random(24)];

        if (v->used)
            return v;
    }
    return NULL;
}

static void random_burst(struct sim_unit *v)
{
    static const uint32_t longest[] = { 10 * US, MS, 7 * MS, 50 * MS };

    v->burst_ns = unit_random(4) == 0 ? 0 : 1 + unit_random(longest[unit_random(4)]);
    v->left_ns = v->burst_ns;
    v->sleep_ns = 1 + unit_random(longest[unit_random(4)]);
}

static void create(void)
{
    struct sim_unit *v = NULL;
    uint32_t n = 0;

    for (uint32_t i = 0; i < SIM_UNITS; i++)
        n += sim_units[i].used;
    if (n < 24)
        v = sim_unit_new(unit_random(4) != 0);
    if (v == NULL)
        return;
    random_burst(v);
    sim_wake(v);
}

static void destroy(struct sim_unit *v)
{
    sched_pause(&v->u);
    if (unit_random(2) == 0)
        sched_wake(&v->u);
    sim_settle();
    assert_false(sched_is_running(&v->u));
    assert_int_equal(sim_times_queued(&v->u), 0);
    sched_unit_destroy(&v->u);
    memset(v, 0xa5, sizeof(*v));
    v->used = false;
}

static bool runs(const struct sim_unit *v)
{
    return sim_pcpus[v->u.pcpu->id].on == v && v->u.state == SCHED_RUNNING;
}

static void random_event(void)
{
    DECLARE_BITMAP(mask, SCHED_MAX_PCPUS);
    struct sim_unit *v = random_unit();

    host_set_pcpu(unit_random(nr_pcpus));
    if (v == NULL) {
        create();
        return;
    }
    switch (unit_random(12)) {
    case 0:
        create();
        break;
    case 1:
        if (unit_random(3) == 0)
            destroy(v);
        break;
    case 2:
    case 3:
        sched_pause(&v->u);
        break;
    case 4:
    case 5:
    case 6:
        if (v->u.pause_count > 0)
            sched_unpause(&v->u);
        break;
    case 7:
        sim_wake(v);
        break;
    case 8:
        random_mask(mask);
        if (sched_set_affinity(&v->u, mask) != 0)
            assert_int_equal(options.sched, SCHED_NULL);
        break;
    case 9:
        assert_int_equal(sched_set_weight(&v->u, MIN_WEIGHT + unit_random(1000)), 0);
        break;
    case 10:
        if (runs(v)) {
            host_set_pcpu(v->u.pcpu->id);
            sched_unit_yield(&v->u);
        }
        break;
    case 11:
        if (runs(v)) {
            host_set_pcpu(v->u.pcpu->id);
            sched_block(&v->u);
            if (unit_random(2) == 0)
                sched_wake(&v->u);
            else
                v->wake_ns = clock_ns() + v->sleep_ns;
        }
        break;
    }
}

/* Virtual times stay together, and nobody waits for ever. */
static void check_bounds(void)
{
    for (int i = 0; i < SIM_UNITS; i++) {
        struct sched_unit *u = &sim_units[i].u;
        int64_t ahead;

        if (!sim_units[i].used)
            continue;
        if (u->state == SCHED_QUEUED)
            assert_true(clock_ns() - u->state_since_ns < MAX_WAIT);
        ahead = (int64_t)(u->vtime - u->pcpu->sched.min_vtime);
        if (u->state != SCHED_BLOCKED && options.sched == SCHED_FAIR)
            assert_true(ahead <= (int64_t)(SLICE * 256 / MIN_WEIGHT + SLICE));
    }
}

static void rounds(enum sched_policy policy, int nr)
{
    for (int round = 0; round < nr; round++) {
        unit_random_seed((uint64_t)round + 1);
        sim_init(1 + unit_random(6), policy);
        sim_lazy = round % 2 != 0;
        for (int step = 0; step < 500; step++) {
            uint32_t events = 1 + unit_random(3);

            while (events-- > 0)
                random_event(); /* several may be pending before a pCPU looks */
            sim_settle();
            check_bounds();
            sim_run(unit_random(unit_random(4) == 0 ? 20 * MS : 300 * US));
            check_bounds();
        }
        for (int i = 0; i < SIM_UNITS; i++)
            if (sim_units[i].used)
                destroy(&sim_units[i]);
        for (uint32_t i = 0; i < nr_pcpus; i++) {
            assert_int_equal(pcpus[i]->sched.load, 0);
            assert_null(pcpus[i]->sched.own);
        }
    }
}

/* A guest would hang, or a CPU idle, or the machine stop, in some order of events that nobody
 * thought of. */
static void fair_at_random(void **state)
{
    rounds(SCHED_FAIR, 16);
}

static void null_at_random(void **state)
{
    rounds(SCHED_NULL, 16);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fair_at_random),
        cmocka_unit_test(null_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
