/* SPDX-License-Identifier: MIT */
// sources: core/work.c core/spinlock.c
/* Deferred work: domains are destroyed and started again by it. The scheduler is the test's own. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/sched.h>
#include <hospes/work.h>

static struct sched_unit *worker;
static bool runnable;

int sched_unit_init(struct sched_unit *u, bool is_vcpu)
{
    assert_false(is_vcpu);
    worker = u;
    return 0;
}

void sched_wake(struct sched_unit *u)
{
    assert_ptr_equal(u, worker);
    runnable = true;
}

void sched_block(struct sched_unit *u)
{
    assert_ptr_equal(u, worker);
    runnable = false;
}

struct job {
    struct work work;
    uint32_t left, done;
    bool again; /* its step queues it once more */
};

static char order[100];

static bool step(struct work *w)
{
    struct job *j = (struct job *)w;

    assert_false(w->queued);
    strncat(order, j->left > 9 ? "x" : &"0123456789"[j->left], 1);
    j->done++;
    if (j->again) {
        j->again = false;
        work_queue(w);
        assert_true(w->queued);
    }
    return j->left > 0 && --j->left > 0;
}

static void run_all(void)
{
    int rounds = 0;

    while (runnable) {
        work_run();
        assert_in_range(rounds++, 0, 1000);
    }
}

static int start(void **state)
{
    host_pcpus_init(1);
    order[0] = '\0';
    work_init();
    assert_non_null(worker);
    return 0;
}

/* Two domains that go away at once both make progress; nothing runs twice, or after it said that it
 * is done. */
static void in_turn(void **state)
{
    struct job a = { .work = WORK_INIT(step), .left = 3 };
    struct job b = { .work = WORK_INIT(step), .left = 2 };

    work_queue(&a.work);
    work_queue(&b.work);
    work_queue(&a.work);
    assert_true(runnable);
    run_all();
    assert_string_equal(order, "32211");
    assert_int_equal(a.done, 3);
    assert_int_equal(b.done, 2);
    assert_false(a.work.queued || b.work.queued);
}

/* A domain that stops while its last teardown step runs must not be forgotten. */
static void queued_while_it_runs(void **state)
{
    struct job a = { .work = WORK_INIT(step), .left = 1, .again = true };

    work_queue(&a.work);
    run_all();
    assert_int_equal(a.done, 2);

    /* The same with a step that has more to do anyway: still once. */
    a = (struct job){ .work = WORK_INIT(step), .left = 2, .again = true };
    work_queue(&a.work);
    run_all();
    assert_int_equal(a.done, 2);
}

static bool free_itself(struct work *w)
{
    free(w);
    return false;
}

/* The last step of a domain's destruction frees the domain, and the work item in it. */
static void freed_by_its_step(void **state)
{
    struct work *w = calloc(1, sizeof(*w));

    *w = WORK_INIT(free_itself);
    work_queue(w);
    run_all();
}

/* A worker that is picked with nothing to do, which a spurious wake-up makes happen, blocks. */
static void spurious(void **state)
{
    runnable = true;
    work_run();
    assert_false(runnable);
}

static uint32_t idle_left;

static bool idle(void)
{
    return idle_left > 0 && idle_left-- > 0;
}

/* Free memory is scrubbed while a pCPU has nothing else to do, until none is left. */
static void idle_work(void **state)
{
    assert_false(work_run_idle());
    work_set_idle(idle);
    idle_left = 2;
    assert_true(work_run_idle());
    assert_true(work_run_idle());
    assert_false(work_run_idle());
    work_set_idle(NULL);
    assert_false(work_run_idle());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(in_turn, start),
        cmocka_unit_test_setup(queued_while_it_runs, start),
        cmocka_unit_test_setup(freed_by_its_step, start),
        cmocka_unit_test_setup(spurious, start),
        cmocka_unit_test_setup(idle_work, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
