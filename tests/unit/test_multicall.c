/* SPDX-License-Identifier: MIT */
// sources: core/multicall.c
/*
 * Calls in a row that are interrupted: if these fail a guest's list is carried out twice, or not to
 * its end, whenever an interrupt comes in the middle.
 */
#include "unit.h"

#include <asm/host.h>
#include <hospes/abi.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <xen/xen.h>

static struct multicall_entry list[8];
static uint32_t called[8], stop_after, steps;
static bool refuse_writes;

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    if (refuse_writes)
        return -EFAULT;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

bool hypercall_should_stop(void)
{
    return stop_after && --stop_after == 0;
}

/* Takes three goes, and keeps in its argument how far it is. */
static int64_t in_steps(struct vcpu *v, uint64_t *arg)
{
    steps++;
    called[arg[0]]++;
    return ++arg[1] < 3 ? -ERESTART : 77;
}

static int64_t at_once(struct vcpu *v, uint64_t *arg)
{
    called[arg[0]]++;
    return (int64_t)arg[0] + 100;
}

hypercall_fn *const hypercalls[HYPERCALLS] = {
    [0] = at_once, [1] = in_steps, [2 ... HYPERCALLS - 1] = at_once
};

static void fill(uint64_t slow)
{
    memset(called, 0, sizeof(called));
    stop_after = steps = 0;
    refuse_writes = false;
    for (uint32_t i = 0; i < 8; i++)
        list[i] = (struct multicall_entry){ .op = i == slow ? 1 : 2, .args = { i } };
}

static void run_to_end(uint64_t *arg, uint32_t goes)
{
    int64_t rc = -ERESTART;

    while (goes-- && rc == -ERESTART)
        rc = multicall_op(NULL, arg);
    assert_int_equal(rc, 0);
}

static void goes_on_within_a_call(void **state)
{
    uint64_t arg[HYPERCALL_ARGS] = { (uint64_t)(uintptr_t)list, 8 };

    fill(4);
    run_to_end(arg, 3);
    assert_int_equal(steps, 3);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(called[i], i == 4 ? 3 : 1);
        assert_int_equal(list[i].result, i == 4 ? 77 : i + 100);
    }
}

static void goes_on_between_calls(void **state)
{
    uint64_t arg[HYPERCALL_ARGS] = { (uint64_t)(uintptr_t)list, 8 };

    fill(99);
    stop_after = 3;
    assert_int_equal(multicall_op(NULL, arg), -ERESTART);
    assert_int_equal(arg[1], 5);
    assert_ptr_equal((void *)(uintptr_t)arg[0], &list[3]);
    run_to_end(arg, 1);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(called[i], 1);
}

static void results_go_nowhere(void **state)
{
    uint64_t arg[HYPERCALL_ARGS] = { (uint64_t)(uintptr_t)list, 8 };

    fill(99);
    refuse_writes = true;
    assert_int_equal(multicall_op(NULL, arg), -EFAULT);
    assert_int_equal(called[0], 1);
    assert_int_equal(called[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_within_a_call),
        cmocka_unit_test(goes_on_between_calls),
        cmocka_unit_test(results_go_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
