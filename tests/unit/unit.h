/* SPDX-License-Identifier: MIT */
/*
 * What every unit test begins with: cmocka with the headers that it wants before it, and numbers at
 * random that are the same in each run.
 *
 * How a test looks: a comment "// sources: core/x.c" names the real sources under hypervisor/ that
 * it links (lib/ and arch/host/ come along); each test function has a comment saying what a user
 * would lose if it failed; main() lists them. A property test draws its steps with unit_random(),
 * applies each to the real thing and to a plain model, and compares both after each step.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t unit_random_state = 1;

/* xorshift64*: any seed but 0. */
static inline void unit_random_seed(uint64_t seed)
{
    unit_random_state = seed;
}

static inline uint64_t unit_random64(void)
{
    unit_random_state ^= unit_random_state >> 12;
    unit_random_state ^= unit_random_state << 25;
    unit_random_state ^= unit_random_state >> 27;
    return unit_random_state * UINT64_C(2685821657736338717);
}

/* One of 0 .. n - 1. */
static inline uint32_t unit_random(uint32_t n)
{
    return (uint32_t)((unit_random64() >> 32) * n >> 32);
}

/* Fails with both texts where `text` does not contain `part`. */
#define assert_contains(text, part)                               \
    do {                                                          \
        if (strstr((text), (part)) == NULL)                       \
            fail_msg("\"%s\" not found in:\n%s", (part), (text)); \
    } while (0)

#endif
