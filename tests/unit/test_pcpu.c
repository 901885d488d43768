/* SPDX-License-Identifier: MIT */
// sources: core/pcpu.c core/spinlock.c
/* Calls from one pCPU to the others, with threads as pCPUs. The parts that a pCPU is made of are
 * the test's own. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/pcpu.h>
#include <pthread.h>
#include <unistd.h>

#define PCPUS 5
#define CALLS 3000u

static int timers_rc, sched_rc;

int timer_queue_init(struct pcpu *p)
{
    return timers_rc;
}

int sched_pcpu_init(struct pcpu *p)
{
    return sched_rc;
}

/* In place of cmocka's where threads check: these cannot jump out of a test. */
#define check(cond)                                                              \
    do {                                                                         \
        if (!(cond)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                             \
        }                                                                        \
    } while (0)

static int start(void **state)
{
    timers_rc = sched_rc = 0;
    host_pcpus_init(PCPUS);
    return 0;
}

/* --- kicks ---------------------------------------------------------------------------------------
 */

/* A pCPU is interrupted once for what it has not looked at, and never for its own wishes. */
static void kicks(void **state)
{
    struct pcpu *p = pcpus[2];

    pcpu_kick(p, PENDING_SCHED);
    assert_int_equal(p->arch.kicks, 1);
    pcpu_kick(p, PENDING_SCHED);
    assert_int_equal(p->arch.kicks, 1);
    pcpu_kick(p, PENDING_SCHED | PENDING_TIMER);
    assert_int_equal(p->arch.kicks, 2);
    assert_int_equal(p->pending, PENDING_SCHED | PENDING_TIMER);
    p->pending = 0;
    pcpu_kick(p, PENDING_SCHED);
    assert_int_equal(p->arch.kicks, 3);
    pcpu_kick(pcpus[0], PENDING_DELIVER);
    assert_int_equal(pcpus[0]->arch.kicks, 0);
    assert_int_equal(pcpus[0]->pending, PENDING_DELIVER);

    bitmap_clear(pcpus_online, 3);
    pcpu_stop_others();
    for (uint32_t i = 0; i < PCPUS; i++)
        assert_int_equal((pcpus[i]->pending & PENDING_STOP) != 0, i != 0 && i != 3);
}

/* A pCPU for which there is no memory leaves its number free, for the next that starts. */
static void no_memory(void **state)
{
    pcpus[4] = NULL;
    timers_rc = -ENOMEM;
    assert_null(pcpu_create(4));
    assert_null(pcpus[4]);
    timers_rc = 0;
    sched_rc = -ENOMEM;
    assert_null(pcpu_create(4));
    assert_null(pcpus[4]);
    sched_rc = 0;
    struct pcpu *p = pcpu_create(4);
    assert_non_null(p);
    assert_int_equal(p->id, 4);
    assert_ptr_equal(pcpus[4], p);
    heap_free(p);
    /* The one that boots has been there from the beginning. */
    assert_ptr_equal(pcpu_create(0), pcpus[0]);
}

/* --- calls ---------------------------------------------------------------------------------------
 */

static uint32_t ran[PCPUS], expected[PCPUS];
static uint32_t busy, done;

static void note(void *arg)
{
    uint32_t caller = (uint32_t)(uintptr_t)arg, me = this_pcpu()->id;

    check(caller != me);
    check(__atomic_fetch_add(&busy, 1, __ATOMIC_SEQ_CST) < PCPUS - 1);
    __atomic_fetch_add(&ran[me], 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&busy, 1, __ATOMIC_SEQ_CST);
}

static void serve(void)
{
    struct pcpu *p = this_pcpu();

    if (__atomic_exchange_n(&p->pending, 0, __ATOMIC_SEQ_CST) & PENDING_CALL)
        pcpu_serve_call();
}

/* Alone: each of the others does it once before the call returns. A pCPU that is not there is not
 * waited for. */
static void nobody_else(void **state)
{
    bitmap_zero(pcpus_online, MAX_PCPUS);
    bitmap_set(pcpus_online, 0);
    pcpu_call_others(note, (void *)0);
    for (uint32_t i = 0; i < PCPUS; i++)
        assert_int_equal(pcpus[i]->arch.kicks, 0);
}

/* Calls, and serves others' while it waits, and between. */
static void *caller(void *arg)
{
    uint32_t me = (uint32_t)(uintptr_t)arg;

    host_set_pcpu(me);
    for (uint32_t i = 0; i < CALLS; i++) {
        uint32_t before[PCPUS];

        memcpy(before, ran, sizeof(before));
        pcpu_call_others(note, arg);
        for (uint32_t n = 0; n < PCPUS; n++) {
            check(n == me || __atomic_load_n(&ran[n], __ATOMIC_SEQ_CST) != before[n]);
            if (n != me)
                __atomic_fetch_add(&expected[n], 1, __ATOMIC_SEQ_CST);
        }
        serve();
    }
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
    /* As a pCPU in its idle loop: others still call. */
    while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < PCPUS) {
        serve();
        arch_cpu_relax();
    }
    return NULL;
}

/* All call all at the same time: everyone does each call once, nobody waits for ever for one who
 * waits for him. */
static void all_at_once(void **state)
{
    pthread_t t[PCPUS];

    memset(ran, 0, sizeof(ran));
    memset(expected, 0, sizeof(expected));
    done = 0;
    alarm(300);
    for (uint32_t i = 0; i < PCPUS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, caller, (void *)(uintptr_t)i), 0);
    for (uint32_t i = 0; i < PCPUS; i++)
        pthread_join(t[i], NULL);
    alarm(0);
    for (uint32_t i = 0; i < PCPUS; i++) {
        assert_int_equal(ran[i], (PCPUS - 1) * CALLS);
        assert_int_equal(ran[i], expected[i]);
        assert_int_equal(pcpus[i]->pending & PENDING_CALL, 0);
    }
}

static uint32_t waited;

static void *waiter(void *arg)
{
    host_set_pcpu(1);
    while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) == 0) {
        pcpu_wait_round();
        __atomic_fetch_add(&waited, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* Who waits for another pCPU serves calls meanwhile, and does not forget what else is pending for
 * it. */
static void while_waiting(void **state)
{
    pthread_t t;

    bitmap_zero(pcpus_online, MAX_PCPUS);
    bitmap_set(pcpus_online, 0);
    bitmap_set(pcpus_online, 1);
    memset(ran, 0, sizeof(ran));
    done = 0;
    pcpus[1]->pending = PENDING_SCHED | PENDING_TIMER;
    alarm(300);
    assert_int_equal(pthread_create(&t, NULL, waiter, NULL), 0);
    for (uint32_t i = 0; i < CALLS; i++)
        pcpu_call_others(note, (void *)0);
    __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
    pthread_join(t, NULL);
    alarm(0);
    assert_int_equal(ran[1], CALLS);
    assert_int_equal(pcpus[1]->pending, PENDING_SCHED | PENDING_TIMER);
}

#define TEST(fn) cmocka_unit_test_setup(fn, start)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(kicks), TEST(no_memory), TEST(nobody_else), TEST(all_at_once), TEST(while_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
