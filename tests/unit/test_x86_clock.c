/* SPDX-License-Identifier: MIT */
// sources: arch/x86/clock_scale.c
/* Ticks and nanoseconds. A clock that errs makes every guest's time wrong. */
#include "unit.h"

#include <asm/calibrate.h>
#include <asm/clock.h>

#define NS_PER_S 1000000000ull

static const uint64_t rates[] = { 1,          1000,       1193182,      3579545,    14318180,
                                  99999999,   NS_PER_S,   NS_PER_S + 1, 1999999999, 2500000000,
                                  4000000000, 5700000000, 10000000000 };

/* The factor is the largest that fits, which guests' vcpu_time_info takes as it is. */
static void factors_are_precise(void **state)
{
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct clock_scale s = clock_scale_of(rates[i]);

        if (rates[i] > 3 && rates[i] < 4000000000)
            assert_true(s.mul >= 0x80000000u);
        else
            assert_true(s.mul);
    }
    assert_int_equal(clock_scale_of(0).mul, 0);
    assert_int_equal(clock_scale_of(NS_PER_S).mul, 0x80000000u);
    assert_int_equal(clock_scale_of(NS_PER_S).shift, 1);
}

/* After a day it is off by microseconds at most. */
static void a_day_is_a_day(void **state)
{
    for (size_t i = 3; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct clock_scale s = clock_scale_of(rates[i]);
        uint64_t day = clock_scale_ns(&s, 86400 * rates[i]);

        assert_in_range(day, 86400 * NS_PER_S - 100000, 86400 * NS_PER_S);
    }
}

static void there_and_back(void **state)
{
    for (uint32_t n = 0; n < 100000; n++) {
        uint64_t hz = 1000000 + unit_random64() % 9000000000;
        struct clock_scale s = clock_scale_of(hz);
        uint64_t ns = unit_random64() >> (8 + unit_random64() % 50);
        uint64_t ticks = clock_scale_ticks(&s, ns);
        uint64_t slack = NS_PER_S / hz + 2 + (ns >> 30);

        assert_in_range(clock_scale_ns(&s, ticks), ns > slack ? ns - slack : 0, ns + slack);
    }
}

static void what_does_not_fit(void **state)
{
    struct clock_scale fast = clock_scale_of(10000000000), none = { 0 };

    assert_true(clock_scale_ticks(&fast, UINT64_MAX) == UINT64_MAX);
    assert_int_equal(clock_scale_ticks(&none, 5), 0);
    assert_int_equal(clock_scale_ns(&none, 5), 0);
}

static void measures(void **state)
{
    /* 10 ms of ACPI's timer. */
    assert_int_equal(calibrate_hz(20000000, 35795, 3579545), 2000025143);
    assert_int_equal(calibrate_hz(5, 0, 3579545), 0);
    assert_int_equal(calibrate_hz(100000000, 11931, 1193182), 10000687285);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_precise),
        cmocka_unit_test(a_day_is_a_day),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(measures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
