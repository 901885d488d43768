/* SPDX-License-Identifier: MIT */
/*
 * The scheduler on real threads, each a pCPU: do its locks hold? Units pass events to each other,
 * block and wake, are paused, changed, destroyed and made anew by whoever likes to. What one pCPU
 * at a time may touch is touched without atomics, so that the thread sanitizer reports every gap;
 * `make unit` runs it with the address sanitizer, and -fsanitize=thread in its place (see
 * test_sched_tsan.h) must stay as silent.
 */
// sources: core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c core/sched_null.c
#include "unit.h"

#include <pthread.h>
#include <time.h>

#include <asm/host.h>
#include <hospes/cmdline.h>
#include <hospes/cpu.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/sched_cap.h>
#include <hospes/timer.h>

#define THREADS 4
#define UNITS   10
#ifndef LOOPS
#define LOOPS 5000
#endif
#define NOBODY UINT32_MAX
#define CAPPED 6 /* with caps: the first units are under one, and live as long as it does */

struct event_unit {
    struct sched_unit u;
    uint32_t sent;    /* events for it; atomic */
    uint32_t done;    /* of these handled; by the pCPU that runs it */
    uint32_t loaded;  /* on which pCPU its state is, or NOBODY; likewise */
    uint64_t control; /* how often its state was changed while it was paused; likewise */
    bool is_vcpu;
    bool spins; /* never blocks while the test goes on */
    pthread_rwlock_t
        alive; /* taken by who calls the scheduler for it from outside; to write: to destroy it */
    pthread_mutex_t paused; /* one pauses and changes it at a time */
};

static struct event_unit units[UNITS];
static struct timer *timers[THREADS + 1]; /* all there are; under: */
static pthread_mutex_t timers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sched_cap cap;
static bool caps;
static bool over, drained;
static int running_threads;
static bool lazy;
static _Thread_local uint32_t nr_held; /* locks */

#define check(cond)                                                              \
    do {                                                                         \
        if (!(cond)) {                                                           \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                                             \
        }                                                                        \
    } while (0)

int timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    *t = (struct timer){ .fn = fn, .arg = arg, .slot = -1, .expires_ns = TIMER_NEVER };
    for (int i = 0; i <= THREADS; i++) {
        if (timers[i] == NULL) {
            timers[i] = t;
            return 0;
        }
    }
    return -1;
}

void timer_destroy(struct timer *t)
{
    (void)t;
}

void timer_set(struct timer *t, struct pcpu *p, uint64_t expires_ns)
{
    check(p == this_pcpu());
    pthread_mutex_lock(&timers_lock);
    t->pcpu = p;
    t->expires_ns = expires_ns;
    pthread_mutex_unlock(&timers_lock);
}

/* What of this pCPU's is due. */
static void run_timers(void)
{
    for (int i = 0; i <= THREADS; i++) {
        struct timer *t = timers[i];
        bool due;

        if (t == NULL)
            continue;
        pthread_mutex_lock(&timers_lock);
        due = t->pcpu == this_pcpu() && t->expires_ns <= clock_ns();
        if (due)
            t->expires_ns = TIMER_NEVER;
        pthread_mutex_unlock(&timers_lock);
        if (due)
            t->fn(t->arg);
    }
}

/* One of 0 .. n - 1, for this thread. */
static uint32_t any(uint32_t n)
{
    static _Thread_local uint64_t state;

    if (state == 0)
        state = this_pcpu()->id + 1;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(((state >> 32) * n) >> 32);
}

/*
 * Called at each lock: here the order is simple, never two at a time but for a cap's behind a
 * queue's. Others get time between any two locks, so that what a pCPU left half-done is seen.
 */
void lock_debug_acquire(const struct spinlock *l)
{
    check(nr_held == 0 || (nr_held == 1 && l == &cap.lock));
    nr_held++;
    if (any(8) == 0)
        arch_cpu_relax();
}

void lock_debug_release(const struct spinlock *l)
{
    check(nr_held-- > 0);
}

static void send(struct event_unit *e)
{
    if (pthread_rwlock_tryrdlock(&e->alive) != 0)
        return;
    __atomic_fetch_add(&e->sent, 1, __ATOMIC_RELAXED);
    sched_wake(&e->u);
    pthread_rwlock_unlock(&e->alive);
}

/* What one that runs does: handles its events, sends some, perhaps blocks. */
static void run(struct event_unit *e)
{
    check(e->loaded == this_pcpu()->id);
    while (e->done != read_once(e->sent))
        write_once(e->done, e->done + 1);
    if (!read_once(over)) {
        if (any(4) == 0)
            send(&units[any(UNITS)]);
        if (any(50) == 0)
            sched_unit_yield(&e->u);
        if (e->spins)
            return;
    }
    sched_block(&e->u);
    if (e->done != read_once(e->sent))
        sched_wake(&e->u);
}

static void save(struct pcpu *p, struct event_unit **loaded)
{
    if (*loaded != NULL) {
        check((*loaded)->loaded == p->id);
        (*loaded)->loaded = NOBODY;
        *loaded = NULL;
    }
    sched_switch_done(p);
}

static void serve(struct pcpu *p, struct event_unit **loaded)
{
    struct sched_unit *u = sched_pick(p, clock_ns());
    struct event_unit *next = u == NULL ? NULL : container_of(u, struct event_unit, u);

    if (next == NULL) {
        if (!lazy || sched_must_save(p))
            save(p, loaded);
        return;
    }
    if (next == *loaded)
        return;
    save(p, loaded);
    check(next->loaded == NOBODY);
    next->loaded = p->id;
    *loaded = next;
}

/* Pauses a unit, waits without stopping the pCPU, changes what only a stopped one's owner may, and
 * lets it go on. */
static void control(struct event_unit **paused)
{
    struct event_unit *e = *paused;

    if (e == NULL) {
        e = &units[any(UNITS)];
        if (pthread_mutex_trylock(&e->paused) != 0)
            return;
        sched_pause(&e->u);
        *paused = e;
        return;
    }
    if (sched_is_running(&e->u))
        return;
    check(e->loaded == NOBODY);
    e->control++;
    if (any(4) == 0 && e->u.cap == NULL && pthread_rwlock_trywrlock(&e->alive) == 0) {
        if (!sched_is_running(&e->u)) {
            sched_unit_destroy(&e->u);
            memset(&e->u, 0xa5, sizeof(e->u));
            check(sched_unit_init(&e->u, e->is_vcpu) == 0);
            sched_wake(&e->u);
            pthread_rwlock_unlock(&e->alive);
            pthread_mutex_unlock(&e->paused);
            *paused = NULL;
            return;
        }
        pthread_rwlock_unlock(&e->alive);
    }
    sched_unpause(&e->u);
    pthread_mutex_unlock(&e->paused);
    *paused = NULL;
}

static void change(void)
{
    struct event_unit *e = &units[any(UNITS)];
    DECLARE_BITMAP(mask, SCHED_MAX_PCPUS) = { 0 };

    if (pthread_rwlock_tryrdlock(&e->alive) != 0)
        return;
    bitmap_set(mask, any(THREADS));
    bitmap_set(mask, any(THREADS));
    if (any(4) == 0)
        bitmap_fill(mask, THREADS);
    (void)sched_set_affinity(&e->u, mask);
    check(sched_set_weight(&e->u, 1 + any(1000)) == 0);
    (void)sched_runtime_ns(&e->u);
    pthread_rwlock_unlock(&e->alive);
}

/* Another cap, as domctl's scheduler_op sets it; by one thread. */
static void change_cap(void)
{
    uint32_t percent = any(3) == 0 ? 0 : 1 + any(300);

    if (percent == cap.percent)
        return;
    for (int i = 0; i < CAPPED && cap.percent == 0; i++)
        sched_unit_set_cap(&units[i].u, &cap);
    sched_cap_set(&cap, percent);
    for (int i = 0; i < CAPPED; i++)
        sched_unit_look(&units[i].u);
}

static void *pcpu_thread(void *arg)
{
    struct pcpu *p = arg;
    struct event_unit *loaded = NULL, *paused = NULL;

    host_set_pcpu(p->id);
    for (uint32_t i = 0; !read_once(drained); i++) {
        if (p->id == 0)
            host_clock_advance(20000);
        run_timers();
        if (caps && p->id == 0 && i < LOOPS && any(40) == 0)
            change_cap();
        if ((__atomic_exchange_n(&p->pending, 0, __ATOMIC_SEQ_CST) & PENDING_SCHED) != 0)
            serve(p, &loaded);
        if (p->sched.running != NULL)
            run(loaded);
        else
            arch_cpu_relax();
        if (paused != NULL || (i < LOOPS && any(20) == 0))
            control(&paused);
        if (i < LOOPS && any(30) == 0)
            change();
        if (i < LOOPS && any(10) == 0)
            send(&units[any(UNITS)]);
        if (i == LOOPS && __atomic_sub_fetch(&running_threads, 1, __ATOMIC_SEQ_CST) == 0)
            write_once(over, true);
    }
    return NULL;
}

/* Until every event is handled: no wake-up was lost. */
static void drain(void)
{
    time_t limit = time(NULL) + 300;
    bool left = true;

    while (left) {
        left = !read_once(over);
        for (int i = 0; i < UNITS; i++)
            left |= read_once(units[i].sent) != read_once(units[i].done);
        check(time(NULL) < limit);
        arch_cpu_relax();
    }
    write_once(drained, true);
}

/* `nr` of the units are vCPUs; the others are workers, which may share pCPUs under sched=null. */
static void together(enum sched_policy policy, bool is_lazy, int nr, bool with_caps)
{
    pthread_t threads[THREADS];
    uint64_t handled = 0, controlled = 0;

    options.sched = policy;
    lazy = is_lazy;
    caps = with_caps;
    over = drained = false;
    running_threads = THREADS;
    memset(timers, 0, sizeof(timers));
    host_pcpus_init(THREADS);
    sched_init();
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(sched_pcpu_init(pcpus[i]), 0);
    for (uint32_t i = 0; i < THREADS; i++)
        pcpus[i]->pending = PENDING_SCHED;
    for (int i = 0; i < UNITS; i++) {
        units[i] = (struct event_unit){ .loaded = NOBODY, .is_vcpu = i < nr, .spins = i % 5 == 1 };
        assert_int_equal(sched_unit_init(&units[i].u, units[i].is_vcpu), 0);
        pthread_rwlock_init(&units[i].alive, NULL);
        pthread_mutex_init(&units[i].paused, NULL);
    }
    assert_int_equal(sched_cap_init(&cap, CAPPED), 0);
    if (caps)
        for (int i = 0; i < CAPPED; i++)
            sched_unit_set_cap(&units[i].u, &cap);
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pcpu_thread, pcpus[i]), 0);
    drain();
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < UNITS; i++) {
        handled += units[i].done;
        controlled += units[i].control;
        assert_int_equal(units[i].sent, units[i].done);
    }
    host_set_pcpu(0);
    sched_cap_destroy(&cap);
    assert_true(handled > LOOPS / 10 && controlled > LOOPS / 100);
}

/* On a machine with several CPUs a guest would hang now and then, or memory be used after it was
 * freed. */
static void fair(void **state)
{
    together(SCHED_FAIR, false, UNITS, false);
}

/* The same where idle pCPUs keep the last guest's registers. */
static void fair_lazy(void **state)
{
    together(SCHED_FAIR, true, UNITS, false);
}

/* The same where some of them have a cap, which changes. */
static void fair_capped(void **state)
{
    together(SCHED_FAIR, true, UNITS, true);
}

static void null_lazy(void **state)
{
    together(SCHED_NULL, true, 3, false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fair),
        cmocka_unit_test(fair_lazy),
        cmocka_unit_test(fair_capped),
        cmocka_unit_test(null_lazy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
