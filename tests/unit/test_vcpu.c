/* SPDX-License-Identifier: MIT */
// sources: core/vcpu.c core/pcpu.c core/work.c core/timer.c
// sources: core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c core/sched_null.c
/*
 * What a pCPU does between two entries, and vCPUs that sleep and are woken: with the real
 * scheduler, timers and deferred work. The architecture is the test's own, so that other pCPUs can
 * act at any point of it.
 */
#include "unit.h"

#include <asm/host.h>
#include <hospes/cmdline.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/vcpu.h>
#include <hospes/work.h>
#include <pthread.h>
#include <unistd.h>

/* In place of cmocka's where threads check: these cannot jump out of a test. */
#define check(cond)                                                              \
    do {                                                                         \
        if (!(cond)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                             \
        }                                                                        \
    } while (0)

/* The order of locks is checked; and threads may lose their CPU just before they take one. */
#define lock_debug_acquire check_order
#include "../../hypervisor/core/spinlock.c"
#undef lock_debug_acquire

static bool threads; /* pCPUs are threads: idle ones poll */

void lock_debug_acquire(const struct spinlock *l)
{
    static _Thread_local uint32_t coin = 1;

    check_order(l);
    coin = coin * 1664525u + 1013904223u;
    if (threads && coin >> 29 == 0)
        arch_cpu_relax();
}

static struct domain dom;

/* --- the architecture ----------------------------------------------------------------------------
 */

static bool fail_init;
static uint32_t alive;                          /* arch_vcpu_init() less arch_vcpu_destroy() */
static uint32_t events, taken;                  /* what a vCPU may be interrupted by */
static void (*at_look)(void), (*at_save)(void); /* what others do meanwhile, once */

static void meanwhile(void (**hook)(void))
{
    void (*fn)(void) = *hook;
    uint32_t self = this_pcpu()->id;

    *hook = NULL;
    if (fn == NULL)
        return;
    host_set_pcpu(1);
    fn();
    host_set_pcpu(self);
}

int arch_vcpu_init(struct vcpu *v)
{
    if (fail_init)
        return -ENOMEM;
    alive++;
    return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    alive--;
}

void arch_vcpu_reset(struct vcpu *v)
{
    v->regs.pc = 0;
}

void arch_vcpu_save(struct vcpu *v, bool more)
{
    check(this_pcpu()->current == v);
    check(v->arch.loaded == v->arch.saved + 1);
    v->arch.saved++;
    meanwhile(&at_save);
}

void arch_vcpu_load(struct vcpu *v)
{
    check(this_pcpu()->current == v);
    check(v->arch.loaded == v->arch.saved);
    v->arch.loaded++;
}

void arch_vcpu_deliver(struct vcpu *v)
{
    check(v->arch.loaded == v->arch.saved + 1);
    v->arch.delivered++;
}

bool arch_vcpu_has_interrupt(struct vcpu *v)
{
    bool any = __atomic_load_n(&events, __ATOMIC_SEQ_CST) != taken;

    meanwhile(&at_look);
    return any;
}

static struct vcpu *entered;

void arch_vcpu_enter_first(struct vcpu *v)
{
    entered = v;
    host_stop("entered");
}

/* --- set-up --------------------------------------------------------------------------------------
 */

static void machine(uint32_t nr, enum sched_policy policy)
{
    host_pcpus_init(nr);
    options.sched = policy;
    sched_init();
    for (uint32_t i = 0; i < nr; i++)
        assert_non_null(pcpu_create(i));
    work_init();
    events = taken = 0;
    fail_init = false;
    at_look = at_save = NULL;
    dom = (struct domain){ .id = 3 };
}

static int start(void **state)
{
    machine(2, SCHED_FAIR);
    return 0;
}

static int stop(void **state)
{
    assert_int_equal(alive, 0);
    for (uint32_t i = 0; i < nr_pcpus; i++)
        heap_free(pcpus[i]->timers.heap);
    return 0;
}

static struct vcpu *vcpu_on(uint32_t id)
{
    struct vcpu *v = vcpu_create(&dom, id);

    assert_non_null(v);
    vcpu_up(v);
    return v;
}

static bool idle(void)
{
    if (!threads)
        host_stop("idle");
    arch_cpu_relax();
    return false;
}

static struct vcpu *next;

static void go(void *arg)
{
    next = vcpu_next(arg);
}

/* What the pCPU enters now; NULL: it goes to sleep. */
static struct vcpu *run(uint32_t id)
{
    host_set_pcpu(id);
    __atomic_fetch_or(&pcpus[id]->pending, PENDING_SCHED, __ATOMIC_SEQ_CST);
    next = NULL;
    if (host_stops(go, pcpus[id]))
        assert_string_equal(host_stop_reason, "idle");
    else
        assert_ptr_equal(next, pcpus[id]->current);
    return next;
}

static void destroy(struct vcpu *v)
{
    sched_pause(&v->sched);
    for (uint32_t i = 0; i < nr_pcpus; i++)
        run(i);
    assert_false(sched_is_running(&v->sched));
    vcpu_destroy(v);
}

static void kick_with_event(void *arg)
{
    __atomic_fetch_add(&events, 1, __ATOMIC_SEQ_CST);
    vcpu_kick(arg);
}

/* --- tests ---------------------------------------------------------------------------------------
 */

/* A vCPU begins off, runs once it is on, and leaves nothing behind: else memory goes with each
 * guest that restarts. */
static void life(void **state)
{
    struct vcpu *v = vcpu_create(&dom, 7);

    assert_non_null(v);
    assert_int_equal(v->id, 7);
    assert_ptr_equal(v->domain, &dom);
    assert_false(v->online);
    assert_null(run(0));
    vcpu_up(v);
    assert_true(v->online);
    assert_ptr_equal(run(v->sched.pcpu->id), v);
    host_set_pcpu(v->sched.pcpu->id);
    vcpu_down(v);
    assert_false(v->online);
    assert_null(run(v->sched.pcpu->id));
    /* One that is off is not loaded anywhere: its registers may be set. */
    assert_false(sched_is_running(&v->sched));
    assert_int_equal(v->arch.saved, 1);
    vcpu_up(v);
    assert_ptr_equal(run(v->sched.pcpu->id), v);
    destroy(v);
    assert_int_equal(alive, 0);

    fail_init = true;
    assert_null(vcpu_create(&dom, 0));
}

static struct vcpu *sleeper;

static void kick_sleeper(void)
{
    kick_with_event(sleeper);
}

/* WFI: the guest sleeps until an interrupt comes, and not a moment longer. */
static void blocks_and_wakes(void **state)
{
    struct vcpu *v = sleeper = vcpu_on(0);
    uint32_t p = v->sched.pcpu->id;

    assert_ptr_equal(run(p), v);
    vcpu_block(v);
    assert_null(run(p));
    /* It stays loaded while its pCPU has nothing else. */
    assert_ptr_equal(pcpus[p]->current, v);
    assert_int_equal(v->arch.saved, 0);
    host_set_pcpu(1 - p);
    kick_with_event(v);
    assert_true(pcpus[p]->arch.kicks > 0);
    assert_ptr_equal(run(p), v);
    assert_int_equal(v->arch.saved, 0);
    assert_true(v->arch.delivered > 0);
    destroy(v);
}

/* An interrupt that comes while the guest goes to sleep wakes it, whenever: a lost one hangs it for
 * ever. */
static void wake_between(void **state)
{
    struct vcpu *v = sleeper = vcpu_on(0);
    uint32_t p = v->sched.pcpu->id;

    /* It was pending already. */
    assert_ptr_equal(run(p), v);
    events++;
    vcpu_block(v);
    assert_ptr_equal(run(p), v);
    taken = events;
    /* It comes just after the vCPU has looked. */
    assert_true(p == 0);
    at_look = kick_sleeper;
    vcpu_block(v);
    assert_null(at_look);
    assert_ptr_equal(run(p), v);
    taken = events;
    /* It comes when the vCPU sleeps, but its registers are still being saved to make room for
     * another. */
    struct vcpu *other = vcpu_create(&dom, 1);
    DECLARE_BITMAP(only, SCHED_MAX_PCPUS) = { 1 };
    assert_int_equal(sched_set_affinity(&other->sched, only), 0);
    assert_int_equal(sched_set_affinity(&v->sched, only), 0);
    vcpu_block(v);
    vcpu_up(other);
    at_save = kick_sleeper;
    assert_non_null(run(p));
    assert_null(at_save);
    vcpu_block(run(p));
    struct vcpu *last = run(p);
    assert_non_null(last);
    vcpu_block(last);
    taken = events;
    destroy(v);
    destroy(other);
}

/* One that runs in its guest is interrupted for what comes; one that waits for a pCPU, or is off,
 * is not. */
static void kick_running(void **state)
{
    struct vcpu *v = vcpu_on(0);
    uint32_t p = v->sched.pcpu->id;
    uint32_t kicks, delivered;

    assert_ptr_equal(run(p), v);
    kicks = pcpus[p]->arch.kicks;
    delivered = v->arch.delivered;
    host_set_pcpu(1 - p);
    kick_with_event(v);
    assert_int_equal(pcpus[p]->arch.kicks, kicks + 1);
    /* A second before it has looked costs no second interrupt. */
    kick_with_event(v);
    assert_int_equal(pcpus[p]->arch.kicks, kicks + 1);
    host_set_pcpu(p);
    assert_ptr_equal(vcpu_next(pcpus[p]), v);
    assert_int_equal(v->arch.delivered, delivered + 1);

    vcpu_down(v);
    assert_null(run(p));
    kicks = pcpus[p]->arch.kicks;
    host_set_pcpu(1 - p);
    kick_with_event(v);
    assert_int_equal(pcpus[p]->arch.kicks, kicks);
    assert_null(run(p));
    destroy(v);
}

static uint32_t steps;

static bool step(struct work *w)
{
    steps++;
    assert_null(this_pcpu()->current); /* domains are built here: FP registers are used */
    return steps % 10 != 0;
}

/* Deferred work runs beside a guest that never sleeps, and with nobody's registers loaded. */
static void work_beside_guest(void **state)
{
    struct work w = WORK_INIT(step);
    struct vcpu *v = vcpu_on(0);
    DECLARE_BITMAP(only, SCHED_MAX_PCPUS) = { 1 };

    assert_int_equal(sched_set_affinity(&v->sched, only), 0);
    assert_ptr_equal(run(0), v);
    bitmap_clear(pcpus_online, 1);
    steps = 0;
    host_set_pcpu(0);
    work_queue(&w);
    for (uint32_t i = 0; i < 1000 && steps < 10; i++) {
        host_clock_advance(1000000);
        (void)run(0);
    }
    assert_int_equal(steps, 10);
    destroy(v);
}

static void first_entry(void *arg)
{
    vcpu_run_loop();
}

static void halt(void *arg)
{
    (void)vcpu_next(this_pcpu());
}

/* A pCPU that begins to run finds what others asked of it before. */
static void begins(void **state)
{
    struct vcpu *v = vcpu_on(0);

    host_set_pcpu(v->sched.pcpu->id);
    this_pcpu()->pending = 0;
    assert_true(host_stops(first_entry, NULL));
    assert_string_equal(host_stop_reason, "entered");
    assert_ptr_equal(entered, v);
    /* And one that is told to stop stops, whatever else there is. */
    pcpu_kick(this_pcpu(), PENDING_STOP | PENDING_DELIVER);
    assert_true(host_stops(halt, NULL));
    assert_string_equal(host_stop_reason, "halt");
    destroy(v);
}

static int start_null(void **state)
{
    machine(2, SCHED_NULL);
    return 0;
}

/* sched=null has a pCPU for each vCPU; one too many is refused, not forgotten in the queue. */
static void null_is_full(void **state)
{
    struct vcpu *a = vcpu_on(0), *b = vcpu_on(1);

    assert_null(vcpu_create(&dom, 2));
    assert_int_equal(alive, 2);
    assert_ptr_equal(run(a->sched.pcpu->id), a);
    assert_ptr_equal(run(b->sched.pcpu->id), b);
    destroy(a);
    assert_non_null(a = vcpu_create(&dom, 2));
    destroy(a);
    destroy(b);
}

/* --- threads -------------------------------------------------------------------------------------
 */

#define KICKERS 3
#define KICKS   20000u

static uint32_t running; /* kickers that are not done */
static bool done;

static void *kicker(void *arg)
{
    host_set_pcpu((uint32_t)(uintptr_t)arg);
    for (uint32_t i = 0; i < KICKS; i++) {
        kick_with_event(sleeper);
        /* All at once, most of the time: when it sleeps again. */
        while (i % 8 != 0 && !read_once(sleeper->blocked))
            arch_cpu_relax();
    }
    __atomic_fetch_sub(&running, 1, __ATOMIC_SEQ_CST);
    kick_with_event(sleeper);
    return NULL;
}

/* Switches it on again each time: as PSCI CPU_ON does, which waits until it has left. */
static void *switcher(void *arg)
{
    host_set_pcpu(KICKERS + 1);
    while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) {
        if (!read_once(sleeper->online) && !sched_is_running(&sleeper->sched))
            vcpu_up(sleeper);
        arch_cpu_relax();
    }
    return NULL;
}

static int start_storm(void **state)
{
    machine(KICKERS + 2, SCHED_FAIR);
    return 0;
}

/*
 * One vCPU sleeps, runs, and is switched off and on, while others kick it as fast as they can.
 * Whenever it runs it must be on, and not count as asleep: who kicks a vCPU that runs and counts as
 * asleep does not interrupt it, and the guest waits for an interrupt between its CPUs for ever.
 */
static void storm(void **state)
{
    DECLARE_BITMAP(only, SCHED_MAX_PCPUS) = { 1 };
    pthread_t t[KICKERS + 1];
    uint32_t rounds = 0;

    sleeper = vcpu_create(&dom, 0);
    assert_int_equal(sched_set_affinity(&sleeper->sched, only), 0);
    vcpu_up(sleeper);
    host_set_pcpu(0);
    pcpus[0]->pending = PENDING_SCHED;
    running = KICKERS;
    threads = true;
    done = false;
    alarm(300);
    for (uint32_t i = 0; i < KICKERS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, kicker, (void *)(uintptr_t)(i + 1)), 0);
    assert_int_equal(pthread_create(&t[KICKERS], NULL, switcher, NULL), 0);

    while (__atomic_load_n(&running, __ATOMIC_SEQ_CST) > 0 ||
           __atomic_load_n(&events, __ATOMIC_SEQ_CST) != taken) {
        struct vcpu *v = vcpu_next(pcpus[0]);

        check(v == sleeper && read_once(v->online) && !read_once(v->blocked));
        taken = __atomic_load_n(&events, __ATOMIC_SEQ_CST);
        if (++rounds % 16 == 0)
            vcpu_down(v);
        else
            vcpu_block(v);
    }
    __atomic_store_n(&done, true, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i <= KICKERS; i++)
        pthread_join(t[i], NULL);
    alarm(0);
    threads = false;
    destroy(sleeper);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(life, start, stop),
        cmocka_unit_test_setup_teardown(blocks_and_wakes, start, stop),
        cmocka_unit_test_setup_teardown(wake_between, start, stop),
        cmocka_unit_test_setup_teardown(kick_running, start, stop),
        cmocka_unit_test_setup_teardown(work_beside_guest, start, stop),
        cmocka_unit_test_setup_teardown(begins, start, stop),
        cmocka_unit_test_setup_teardown(null_is_full, start_null, stop),
        cmocka_unit_test_setup_teardown(storm, start_storm, stop),
    };

    work_set_idle(idle);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
