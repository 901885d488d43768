/* SPDX-License-Identifier: MIT */
/* Bits and fields: every register access and every alignment of memory goes through these. */
#include "unit.h"

#include <lib/bits.h>

#define FIELD MASK(11, 4)

/* As initialisers of constants, which is how tables of registers use them. */
static const uint64_t constant = field_prep(FIELD, 0xab) | BIT(63);
_Static_assert(MASK(63, 0) == UINT64_MAX && MASK(0, 0) == 1 && MASK(63, 63) == BIT(63), "masks");
_Static_assert(field_get(MASK(63, 32), 0x1234567800000000) == 0x12345678, "field at the top");

/* A wrong field means a wrong bit in a system register: the machine does not boot, or a guest
 * escapes. */
static void fields(void **state)
{
    assert_int_equal(constant, 0x8000000000000ab0);
    assert_int_equal(field_get(FIELD, UINT64_C(0xfffffffffffff12f)), 0x12);
    assert_int_equal(field_prep(FIELD, 0x1ff), 0xff0);
    assert_int_equal(field_put(FIELD, UINT64_MAX, 0), ~UINT64_C(0xff0));
    assert_int_equal(field_put(FIELD, 0, 0x34), 0x340);
    assert_int_equal(field_get(BIT(31), (uint32_t)1 << 31), 1);
}

/* The scheduler and the frame allocator find work and memory by these. */
static void searching(void **state)
{
    for (unsigned int i = 0; i < 64; i++) {
        assert_int_equal(bit_lowest(BIT(i) | BIT(63)), i);
        assert_int_equal(bit_highest(BIT(i) | 1), i);
        assert_int_equal(log2_ceil(BIT(i)), i);
        assert_true(is_power_of_two(BIT(i)));
        if (i > 1) {
            assert_int_equal(log2_ceil(BIT(i) - 1), i);
            assert_int_equal(log2_ceil(BIT(i - 1) + 1), i);
            assert_false(is_power_of_two(BIT(i) | 1));
        }
    }
    assert_false(is_power_of_two(0));
    assert_int_equal(log2_ceil(1), 0);
    assert_int_equal(bit_count(0), 0);
    assert_int_equal(bit_count(UINT64_MAX), 64);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = unit_random64() & unit_random64();
        assert_int_equal(bit_count(x), __builtin_popcountll(x));
    }
}

/* A range rounded the wrong way gives a guest memory that is not its own. */
static void alignment(void **state)
{
    assert_int_equal(align_up(0, 4096), 0);
    assert_int_equal(align_up(1, 4096), 4096);
    assert_int_equal(align_up(4096, 4096), 4096);
    assert_int_equal(align_down(8191, 4096), 4096);
    assert_true(is_aligned(8192, 4096));
    assert_false(is_aligned(8193, 4096));
    assert_int_equal(div_round_up(10, 5), 2);
    assert_int_equal(div_round_up(11, 5), 3);
}

/* min() and max() nest, evaluate once, and compare as the type that they are given. */
static void extremes(void **state)
{
    uint64_t a = 3, b = 5, c = 4;
    int n = 0;

    assert_int_equal(min(a, b), 3);
    assert_int_equal(max(min(a, b), min(b, c)), 4);
    assert_int_equal(min(-1, 1), -1);
    assert_int_equal(max(n++, 0), 0);
    assert_int_equal(n, 1);
}

/* The device tree is big-endian, and its properties are aligned to 4 bytes only. */
static void big_endian(void **state)
{
    static const uint8_t bytes[] = { 0xff, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };

    assert_int_equal(load_be32(bytes + 1), 0x01234567);
    assert_int_equal(load_be64(bytes + 1), 0x0123456789abcdef);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),   cmocka_unit_test(searching),  cmocka_unit_test(alignment),
        cmocka_unit_test(extremes), cmocka_unit_test(big_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
