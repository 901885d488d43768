/* SPDX-License-Identifier: MIT */
// sources: core/spinlock.c
/* Locks, and the check of their order that debug builds make. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/pcpu.h>
#include <hospes/spinlock.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#define THREADS 4
#define ROUNDS  3000

static struct spinlock outer = SPINLOCK_INIT(LOCK_DOMAIN), inner = SPINLOCK_INIT(LOCK_FRAME);
static struct spinlock peer = SPINLOCK_INIT(LOCK_FRAME);

static int start(void **state)
{
    host_pcpus_init(THREADS);
    outer = SPINLOCK_INIT(LOCK_DOMAIN);
    inner = SPINLOCK_INIT(LOCK_FRAME);
    peer = SPINLOCK_INIT(LOCK_FRAME);
    return 0;
}

static uint64_t counter, tries;

static void *count(void *arg)
{
    host_set_pcpu((uint32_t)(uintptr_t)arg);
    for (int i = 0; i < ROUNDS; i++) {
        spin_lock(&outer);
        counter++;
        spin_unlock(&outer);
        if (spin_trylock(&inner)) {
            tries++;
            spin_unlock(&inner);
        }
    }
    return NULL;
}

/* Without exclusion two pCPUs give the same frame away. */
static void exclusion(void **state)
{
    pthread_t threads[THREADS];

    counter = tries = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter, THREADS * ROUNDS);
    assert_in_range(tries, 1, THREADS * ROUNDS);
    assert_int_equal(outer.owner, outer.next);
}

/* A pCPU that waits for `outer`, which another has. */
static sem_t polled, queued, goes_on;
static __thread bool waits;
static bool stands; /* the machine below does not run it */

static void *wait_for_lock(void *arg)
{
    host_set_pcpu(1);
    waits = true;
    spin_lock(&outer);
    sem_wait(&goes_on);
    spin_unlock(&outer);
    return NULL;
}

void arch_cpu_relax(void)
{
    uint16_t owner = __atomic_load_n(&outer.owner, __ATOMIC_RELAXED);

    if (waits) {
        if ((uint16_t)(__atomic_load_n(&outer.next, __ATOMIC_RELAXED) - owner) > 1)
            sem_post(&queued);
        sem_post(&polled);
        if (stands)
            sem_wait(&goes_on);
    }
    sched_yield();
}

static pthread_t begin_waiting(bool stand)
{
    pthread_t t;

    sem_init(&polled, 0, 0);
    sem_init(&queued, 0, 0);
    sem_init(&goes_on, 0, 0);
    stands = stand;
    spin_lock(&outer);
    assert_int_equal(pthread_create(&t, NULL, wait_for_lock, NULL), 0);
    return t;
}

/*
 * Where pCPUs are threads of another system, a lock's next owner may be one that is not run now.
 * If all waited for it, a kernel stood in one system call for a minute.
 */
static void waiter_that_does_not_run(void **state)
{
    pthread_t t = begin_waiting(true);

    sem_wait(&polled);
    for (int i = 0; i < ROUNDS; i++) {
        spin_unlock(&outer);
        assert_true(spin_trylock(&outer));
    }
    spin_unlock(&outer);
    sem_post(&goes_on);
    sem_post(&goes_on);
    pthread_join(t, NULL);
    assert_int_equal(outer.owner, outer.next);
}

/* Others that come over and over keep nobody from a lock for ever. */
static void waiter_that_polled_for_long(void **state)
{
    pthread_t t = begin_waiting(false);

    sem_wait(&queued);
    spin_unlock(&outer);
    assert_false(spin_trylock(&outer));
    sem_post(&goes_on);
    pthread_join(t, NULL);
    assert_int_equal(outer.owner, outer.next);
}

/* Tickets wrap around after 65536. */
static void wrap(void **state)
{
    for (uint32_t i = 0; i < 70000; i++) {
        spin_lock(&outer);
        assert_false(spin_trylock(&outer));
        spin_unlock(&outer);
        assert_true(spin_trylock(&outer));
        spin_unlock(&outer);
    }
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    assert_int_equal(outer.rank, LOCK_DOMAIN);
}

/* Any order of release; what is held is known. */
static void right_order(void **state)
{
    spin_lock(&outer);
    spin_lock(&inner);
    assert_int_equal(this_pcpu()->nr_locks_held, 2);
    spin_unlock(&outer);
    spin_unlock(&inner);
    assert_int_equal(this_pcpu()->nr_locks_held, 0);

    /* One pCPU's locks are not another's. */
    spin_lock(&inner);
    host_set_pcpu(1);
    spin_lock(&outer);
    spin_unlock(&outer);
    host_set_pcpu(0);
    spin_unlock(&inner);

    /* Early in boot, before this_pcpu() is known. */
    host_this_pcpu = NULL;
    spin_lock(&inner);
    spin_lock(&outer);
    spin_unlock(&inner);
    spin_unlock(&outer);
}

static void take_backwards(void *arg)
{
    spin_lock(&inner);
    spin_lock(&outer);
}

static void take_equals(void *arg)
{
    spin_lock(&inner);
    spin_lock(&peer);
}

static void take_twice(void *arg)
{
    spin_lock(&inner);
    spin_lock(&inner);
}

static void release_another(void *arg)
{
    spin_lock(&inner);
    spin_unlock(&peer);
}

static void take_backwards_after_try(void *arg)
{
    assert_true(spin_trylock(&inner));
    spin_lock(&outer);
}

static void take_many(void *arg)
{
    static struct spinlock locks[20];

    for (uint32_t i = 0; i < 20; i++) {
        locks[i] = SPINLOCK_INIT(LOCK_DOMAIN_LIST);
        assert_true(spin_trylock(&locks[i]));
    }
}

/* A deadlock that happens once a month in the field happens here at once, with both names. */
static void wrong_order(void **state)
{
    assert_true(host_stops(take_backwards, NULL));
    assert_contains(host_stop_reason, "locks out of order: domain lock");
    assert_contains(host_stop_reason, "with frame lock");
    start(state);
    assert_true(host_stops(take_equals, NULL));
    assert_contains(host_stop_reason, "out of order");
    start(state);
    assert_true(host_stops(take_twice, NULL));
    assert_contains(host_stop_reason, "out of order");
    start(state);
    assert_true(host_stops(take_backwards_after_try, NULL));
    assert_contains(host_stop_reason, "out of order");
    start(state);
    assert_true(host_stops(release_another, NULL));
    assert_contains(host_stop_reason, "not held");
    start(state);
    assert_true(host_stops(take_many, NULL));
    assert_contains(host_stop_reason, "too many locks");
    start(state);

    /* Trying is allowed in any order. */
    spin_lock(&inner);
    assert_true(spin_trylock(&outer));
    spin_unlock(&outer);
    spin_unlock(&inner);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(exclusion, start),
        cmocka_unit_test_setup(waiter_that_does_not_run, start),
        cmocka_unit_test_setup(waiter_that_polled_for_long, start),
        cmocka_unit_test_setup(wrap, start),
        cmocka_unit_test_setup(right_order, start),
        cmocka_unit_test_setup(wrong_order, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
