/* SPDX-License-Identifier: MIT */
// sources: core/timer.c core/spinlock.c
/* Timers: guests' own timers wake them through these, and the scheduler's slices end by them. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>
#include <pthread.h>

#define PCPUS  3
#define TIMERS 60

struct probe {
    struct timer timer;
    bool armed; /* as the model has it */
    uint64_t expires;
    uint32_t pcpu;
    uint32_t fired; /* and what happened */
    uint64_t rearm; /* fn arms it again after so many ns; 0: not */
};

static struct probe probes[TIMERS];
static uint64_t last_expiry;

static void fired(void *arg)
{
    struct probe *p = arg;

    assert_true(p->armed);
    assert_true(p->expires <= clock_ns());
    assert_int_equal(this_pcpu()->id, p->pcpu);
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    /* In order of time on each pCPU. */
    assert_true(p->timer.expires_ns >= last_expiry);
    last_expiry = p->timer.expires_ns;
    p->fired++;
    p->armed = false;
    if (p->rearm != 0) {
        p->armed = true;
        p->expires = clock_ns() + p->rearm;
        timer_set(&p->timer, this_pcpu(), p->expires);
    }
}

static void start(void)
{
    host_pcpus_init(PCPUS);
    for (uint32_t i = 0; i < PCPUS; i++)
        assert_int_equal(timer_queue_init(pcpus[i]), 0);
    memset(probes, 0, sizeof(probes));
    for (uint32_t i = 0; i < TIMERS; i++)
        assert_int_equal(timer_init(&probes[i].timer, fired, &probes[i]), 0);
}

static void end(void)
{
    for (uint32_t i = 0; i < TIMERS; i++)
        timer_destroy(&probes[i].timer);
    for (uint32_t i = 0; i < PCPUS; i++) {
        assert_int_equal(pcpus[i]->timers.nr, 0);
        free(pcpus[i]->timers.heap);
    }
}

/* What pCPU `id` does when its hardware timer has fired or it was kicked for its timers. */
static void serve(uint32_t id)
{
    struct pcpu *p = pcpus[id];

    host_set_pcpu(id);
    if ((p->pending & PENDING_TIMER) == 0)
        return;
    p->pending &= ~(uint32_t)PENDING_TIMER;
    last_expiry = 0;
    timer_run();
}

/* After pending work was served nothing is overdue, and the hardware will fire in time for the
 * rest. */
static void check(void)
{
    for (uint32_t id = 0; id < PCPUS; id++) {
        uint64_t earliest = TIMER_NEVER;
        uint32_t armed = 0;

        for (uint32_t i = 0; i < TIMERS; i++) {
            if (!probes[i].armed || probes[i].pcpu != id)
                continue;
            armed++;
            earliest = probes[i].expires < earliest ? probes[i].expires : earliest;
        }
        assert_int_equal(pcpus[id]->timers.nr, armed);
        /* One set for now, when the clock has just been looked at, waits for the next nanosecond.
         */
        assert_true(earliest >= clock_ns());
        assert_true(pcpus[id]->arch.timer_ns <= earliest + (earliest != TIMER_NEVER));
    }
}

/* A timer lost is a guest that sleeps for ever; one too many is a CPU that never idles. */
static void random_timers(void **state)
{
    start();
    for (int step = 0; step < 20000; step++) {
        struct probe *p = &probes[unit_random(TIMERS)];

        host_set_pcpu(unit_random(PCPUS));
        switch (unit_random(4)) {
        case 0:
        case 1:
            p->armed = true;
            p->pcpu = unit_random(PCPUS);
            p->expires = clock_ns() + unit_random(1000);
            p->rearm = unit_random(4) == 0 ? 1 + unit_random(100) : 0;
            timer_set(&p->timer, pcpus[p->pcpu], p->expires);
            break;
        case 2:
            p->armed = false;
            p->rearm = 0;
            if (unit_random(2) == 0)
                timer_stop(&p->timer);
            else
                timer_set(&p->timer, pcpus[p->pcpu], TIMER_NEVER);
            break;
        default:
            host_clock_advance(unit_random(50));
            break;
        }
        for (uint32_t id = 0; id < PCPUS; id++)
            serve(id);
        check();
    }
    for (uint32_t i = 0; i < TIMERS; i++)
        assert_true(probes[i].fired > 0);
    end();
}

/* A timer set for the past fires, and does so once; that of another pCPU makes it look. */
static void past(void **state)
{
    start();
    host_clock_set(1000);
    probes[0] = (struct probe){ .timer = probes[0].timer, .armed = true, .expires = 5, .pcpu = 2 };
    timer_set(&probes[0].timer, pcpus[2], 5);
    assert_int_equal(pcpus[2]->pending, PENDING_TIMER);
    assert_int_equal(pcpus[2]->arch.kicks, 1);
    serve(2);
    assert_int_equal(probes[0].fired, 1);
    host_clock_advance(1);
    serve(2);
    assert_int_equal(probes[0].fired, 1);
    assert_int_equal(pcpus[2]->arch.timer_ns, TIMER_NEVER);
    end();
}

static struct timer greedy;
static uint32_t greedy_runs;

static void run_greedy(void *arg)
{
    greedy_runs++;
    timer_set(&greedy, this_pcpu(), 0);
}

/* A function that arms its timer in the past again and again must not keep the pCPU from everything
 * else. */
static void no_endless_loop(void **state)
{
    start();
    assert_int_equal(timer_init(&greedy, run_greedy, NULL), 0);
    timer_set(&greedy, pcpus[0], 0);
    for (uint32_t i = 1; i <= 5; i++) {
        host_clock_advance(10);
        probes[0].armed = true;
        probes[0].expires = clock_ns() - 1;
        timer_set(&probes[0].timer, pcpus[0], probes[0].expires);
        pcpus[0]->pending |= PENDING_TIMER;
        serve(0);
        assert_int_equal(greedy_runs, i);
        assert_int_equal(probes[0].fired, i);
    }
    timer_destroy(&greedy);
    end();
}

static void destroy_itself(void *arg)
{
    timer_destroy(arg);
    memset(arg, 0xee, sizeof(struct timer));
    free(arg);
}

/* A vCPU's timer goes away with the vCPU, even from the timer's own function. */
static void destroyed_in_function(void **state)
{
    start();
    for (int i = 0; i < 10; i++) {
        struct timer *t = malloc(sizeof(*t));
        assert_int_equal(timer_init(t, destroy_itself, t), 0);
        timer_set(t, pcpus[0], 0);
        host_clock_advance(1);
        pcpus[0]->pending |= PENDING_TIMER;
        serve(0);
    }
    end();
}

static bool slow_started, slow_ended;

static void slow(void *arg)
{
    __atomic_store_n(&slow_started, true, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 200; i++)
        arch_cpu_relax();
    __atomic_store_n(&slow_ended, true, __ATOMIC_SEQ_CST);
}

static void *other_pcpu(void *arg)
{
    host_set_pcpu(1);
    timer_run();
    return NULL;
}

/* Who stops a timer frees what its function uses: that must not be running any more on another
 * pCPU. */
static void stop_waits(void **state)
{
    start();
    for (int round = 0; round < 20; round++) {
        struct timer t;
        pthread_t thread;

        slow_started = slow_ended = false;
        host_clock_advance(10);
        assert_int_equal(timer_init(&t, slow, NULL), 0);
        timer_set(&t, pcpus[1], 0);
        assert_int_equal(pthread_create(&thread, NULL, other_pcpu, NULL), 0);
        while (!__atomic_load_n(&slow_started, __ATOMIC_SEQ_CST))
            arch_cpu_relax();
        /* Armed elsewhere in the meantime, it still is known where it runs. */
        if (round % 2 == 0)
            timer_set(&t, pcpus[2], clock_ns() + 100);
        timer_destroy(&t);
        assert_true(__atomic_load_n(&slow_ended, __ATOMIC_SEQ_CST));
        pthread_join(thread, NULL);
    }
    end();
}

/* Arming needs no memory: a pCPU that comes up later has room for every timer that exists. */
static void room_for_all(void **state)
{
    static struct timer many[500];

    host_pcpus_init(2);
    assert_int_equal(timer_queue_init(pcpus[0]), 0);
    for (int i = 0; i < 250; i++)
        assert_int_equal(timer_init(&many[i], fired, NULL), 0);
    assert_int_equal(timer_queue_init(pcpus[1]), 0);
    for (int i = 250; i < 500; i++)
        assert_int_equal(timer_init(&many[i], fired, NULL), 0);
    for (int i = 0; i < 500; i++)
        timer_set(&many[i], pcpus[0], 1000 - (uint64_t)i);
    for (int i = 0; i < 500; i++)
        timer_set(&many[i], pcpus[1], 1000 - (uint64_t)i);
    assert_int_equal(pcpus[0]->timers.nr, 0);
    assert_int_equal(pcpus[1]->timers.nr, 500);
    for (int i = 0; i < 500; i++)
        timer_destroy(&many[i]);
    free(pcpus[0]->timers.heap);
    free(pcpus[1]->timers.heap);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_timers),   cmocka_unit_test(past),
        cmocka_unit_test(no_endless_loop), cmocka_unit_test(destroyed_in_function),
        cmocka_unit_test(stop_waits),      cmocka_unit_test(room_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
