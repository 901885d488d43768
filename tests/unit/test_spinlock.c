/* SPDX-License-Identifier: MIT */
// sources: core/spinlock.c
/* Locks, and the check of their order that debug builds make. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/pcpu.h>
#include <hospes/spinlock.h>
#include <pthread.h>

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
        cmocka_unit_test_setup(wrap, start),
        cmocka_unit_test_setup(right_order, start),
        cmocka_unit_test_setup(wrong_order, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
