/* SPDX-License-Identifier: MIT */
/*
 * The scheduler with sched=null: each vCPU has its own pCPU, the worker finds its time.
 */
// sources: core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c core/sched_null.c core/spinlock.c
#include "test_sched_sim.h"

static struct sim_unit *vcpu(uint64_t burst_ns, uint64_t sleep_ns)
{
    struct sim_unit *v = sim_unit_new(true);

    if (v == NULL)
        return NULL;
    v->burst_ns = v->left_ns = burst_ns;
    v->sleep_ns = sleep_ns;
    sim_wake(v);
    return v;
}

/* A worker whose queue never empties: steps of work follow each other. */
static struct sim_unit *worker(void)
{
    struct sim_unit *w = sim_unit_new(false);

    assert_non_null(w);
    sim_wake(w);
    return w;
}

/* A real-time guest would share its CPU, or be interrupted. */
static void own_pcpu(void **state)
{
    struct sim_unit *v[4];

    sim_init(4, SCHED_NULL);
    for (int i = 0; i < 4; i++)
        v[i] = vcpu(0, 0);
    assert_null(vcpu(0, 0));
    sim_run(10 * S);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sched_runtime_ns(&v[i]->u), 10 * S);
        assert_int_equal(sim_pcpus[i].interrupts, 0);
        assert_int_equal(sim_pcpus[i].switches, 1);
    }
}

/* After a guest is gone its CPUs would be lost to others. */
static void given_back(void **state)
{
    struct sim_unit *v[3];

    sim_init(3, SCHED_NULL);
    for (int i = 0; i < 3; i++)
        v[i] = vcpu(0, 0);
    sim_run(MS);
    sched_pause(&v[1]->u);
    sim_run(MS);
    assert_false(sched_is_running(&v[1]->u));
    sched_unit_destroy(&v[1]->u);
    v[1]->used = false;
    struct sim_unit *next = vcpu(0, 0);
    assert_non_null(next);
    assert_ptr_equal(next->u.pcpu, pcpus[1]);
    assert_null(vcpu(0, 0));
    sim_run(MS);
    assert_ptr_equal(pcpus[1]->sched.running, &next->u);
}

/* A guest that ended would never be cleaned up while others are busy, or cleaning up would stop
 * those. */
static void worker_shares_bounded(void **state)
{
    struct sim_unit *v[2], *w;
    uint64_t ran;

    sim_init(2, SCHED_NULL);
    v[0] = vcpu(0, 0);
    v[1] = vcpu(0, 0);
    w = worker();
    sim_run(10 * S);
    ran = sched_runtime_ns(&w->u);
    assert_in_range(ran, S * 99 / 100, S * 101 / 100);
    assert_true(sched_runtime_ns(&v[0]->u) >= 10 * S - ran);
    assert_true(sched_runtime_ns(&v[1]->u) >= 10 * S - ran);

    /* No work, no interrupts. */
    uint32_t interrupts = sim_pcpus[0].interrupts + sim_pcpus[1].interrupts;
    sched_pause(&w->u);
    sim_run(10 * S);
    assert_in_range(sim_pcpus[0].interrupts + sim_pcpus[1].interrupts, interrupts, interrupts + 1);
}

/* Work would disturb a guest although a CPU has nothing to do. */
static void worker_goes_where_it_is_idle(void **state)
{
    struct sim_unit *v[2], *w;

    sim_init(3, SCHED_NULL);
    v[0] = vcpu(0, 0);
    v[1] = vcpu(300 * US, 700 * US);
    sim_run(10 * MS);
    w = worker();
    sim_run(S);
    assert_ptr_equal(w->u.pcpu, pcpus[2]);
    assert_int_equal(sched_runtime_ns(&w->u), S);
    assert_int_equal(sim_pcpus[0].switches, 1);
    assert_int_equal(v[1]->max_latency_ns, 0);

    /* With a vCPU on each pCPU it runs while one of them sleeps, and that one does not wait for it.
     */
    assert_non_null(vcpu(0, 0));
    sim_run(10 * MS);
    uint64_t before = sched_runtime_ns(&w->u);
    v[1]->max_latency_ns = 0;
    sim_run(S);
    assert_int_equal(v[1]->max_latency_ns, 0);
    assert_true(sched_runtime_ns(&w->u) - before > S / 2);
}

/* Pinning a vCPU would leave it on the wrong CPU, or throw another off its own. */
static void affinity(void **state)
{
    DECLARE_BITMAP(mask, SCHED_MAX_PCPUS) = { 0 };

    sim_init(3, SCHED_NULL);
    struct sim_unit *a = vcpu(0, 0), *b = vcpu(200 * US, 800 * US);
    sim_run(S);
    bitmap_set(mask, 1);
    assert_int_equal(sched_set_affinity(&a->u, mask), -EBUSY);
    assert_ptr_equal(a->u.pcpu, pcpus[0]);
    bitmap_set(mask, 2);
    assert_int_equal(sched_set_affinity(&a->u, mask), 0);
    sim_settle();
    assert_ptr_equal(pcpus[2]->sched.running, &a->u);
    /* Its former pCPU is free now. */
    bitmap_zero(mask, SCHED_MAX_PCPUS);
    bitmap_set(mask, 0);
    assert_int_equal(sched_set_affinity(&b->u, mask), 0);
    sim_run(10 * MS);
    assert_ptr_equal(b->u.pcpu, pcpus[0]);
    assert_non_null(vcpu(0, 0));
    assert_null(vcpu(0, 0));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_pcpu),
        cmocka_unit_test(given_back),
        cmocka_unit_test(worker_shares_bounded),
        cmocka_unit_test(worker_goes_where_it_is_idle),
        cmocka_unit_test(affinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
