/* SPDX-License-Identifier: MIT */
/* Bitmaps: which pCPUs are online, where a vCPU may run, which frames are free. */
#include "unit.h"

#include <lib/bitmap.h>

#define MOST 200

/* The map as an array of truth. */
static bool model[MOST];
static DECLARE_BITMAP(map, MOST);

static void compare(unsigned int bits)
{
    unsigned int weight = 0, n, seen = 0;

    for (unsigned int i = 0; i < bits; i++) {
        assert_int_equal(bitmap_test(map, i), model[i]);
        weight += model[i];
    }
    assert_int_equal(bitmap_weight(map, bits), weight);
    assert_int_equal(bitmap_is_empty(map, bits), weight == 0);
    bitmap_for_each_set (n, map, bits) {
        assert_true(model[n]);
        seen++;
    }
    assert_int_equal(seen, weight);
    for (unsigned int from = 0; from <= bits + 1; from++) {
        unsigned int set = from, clear = from;
        while (set < bits && !model[set])
            set++;
        while (clear < bits && model[clear])
            clear++;
        assert_int_equal(bitmap_find_next(map, bits, from), set < bits ? set : bits);
        assert_int_equal(bitmap_find_next_zero(map, bits, from), clear < bits ? clear : bits);
    }
}

/* A bit lost or invented is a CPU that never gets work, or a frame given away twice. */
static void single_bits(void **state)
{
    static const unsigned int sizes[] = { 1, 3, 63, 64, 65, 127, 128, 129, MOST };

    for (unsigned int s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        unsigned int bits = sizes[s];

        bitmap_zero(map, MOST);
        memset(model, 0, sizeof(model));
        for (int step = 0; step < 100; step++) {
            unsigned int n = unit_random(bits);
            switch (unit_random(6)) {
            case 0:
                bitmap_set(map, n);
                model[n] = true;
                break;
            case 1:
                bitmap_clear(map, n);
                model[n] = false;
                break;
            case 2:
                bitmap_atomic_set(map, n);
                model[n] = true;
                break;
            case 3:
                bitmap_atomic_clear(map, n);
                model[n] = false;
                break;
            case 4:
                assert_int_equal(bitmap_test_and_set(map, n), model[n]);
                model[n] = true;
                break;
            default:
                assert_int_equal(bitmap_test_and_clear(map, n), model[n]);
                model[n] = false;
                break;
            }
            compare(bits);
        }
    }
}

/* Bits beyond the size must not be reported: they would be CPUs that do not exist. */
static void sizes_not_of_words(void **state)
{
    DECLARE_BITMAP(a, 70);
    DECLARE_BITMAP(b, 70);

    memset(a, 0xff, sizeof(a));
    assert_int_equal(bitmap_weight(a, 70), 70);
    assert_int_equal(bitmap_find_next_zero(a, 70, 0), 70);
    bitmap_fill(b, 70);
    assert_int_equal(b[1], 0x3f);
    assert_true(bitmap_equal(a, b, 70));
    b[1] = ~0x3ful;
    b[0] = 0;
    assert_true(bitmap_is_empty(b, 70));
    assert_false(bitmap_intersects(a, b, 70));
    assert_int_equal(bitmap_find_first(b, 70), 70);
    assert_int_equal(bitmap_find_first_zero(b, 70), 0);
    bitmap_copy(b, a, 70);
    assert_int_equal(b[1], 0x3f);
    bitmap_zero(a, 0);
    bitmap_fill(a, 0);
    assert_int_equal(a[0], ~0ul);
}

/* Affinity is the intersection of what a vCPU may use and what is online. */
static void whole_sets(void **state)
{
    DECLARE_BITMAP(a, 130) = { 0 };
    DECLARE_BITMAP(b, 130) = { 0 };
    DECLARE_BITMAP(c, 130);

    for (unsigned int i = 0; i < 130; i += 3)
        bitmap_set(a, i);
    for (unsigned int i = 0; i < 130; i += 5)
        bitmap_set(b, i);
    bitmap_and(c, a, b, 130);
    for (unsigned int i = 0; i < 130; i++)
        assert_int_equal(bitmap_test(c, i), i % 15 == 0);
    bitmap_or(c, a, b, 130);
    for (unsigned int i = 0; i < 130; i++)
        assert_int_equal(bitmap_test(c, i), i % 3 == 0 || i % 5 == 0);
    assert_true(bitmap_intersects(a, b, 130));
    assert_false(bitmap_equal(a, b, 130));
    bitmap_and(a, a, b, 130);
    assert_int_equal(bitmap_weight(a, 130), 9);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_bits),
        cmocka_unit_test(sizes_not_of_words),
        cmocka_unit_test(whole_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
