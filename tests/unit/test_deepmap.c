/* SPDX-License-Identifier: MIT */
/* Bitmaps with summaries: the frame allocator finds free memory in them. A plain array is the
 * model. */
#include "unit.h"

#include <lib/bitmap.h>
#include <lib/deepmap.h>

#define MOST 300000

static bool model[MOST];

static void compare(const struct deepmap *m, uint32_t from)
{
    uint32_t next = from, prev = from;

    while (next < m->bits && !model[next])
        next++;
    while (prev > 0 && !model[prev])
        prev--;
    assert_int_equal(deepmap_next(m, from), next);
    assert_int_equal(deepmap_is_empty(m), deepmap_next(m, 0) == m->bits);
    assert_int_equal(deepmap_prev(m, from), model[prev] ? prev : m->bits);
    assert_int_equal(deepmap_test(m, from), model[from]);
}

/* A member that is not found is memory lost; one found wrongly is memory given away twice. */
static void random_changes(void **state)
{
    static const uint32_t sizes[] = { 1, 2, 63, 64, 65, 4095, 4096, 4097, 262143, 262145, MOST };

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint32_t bits = sizes[s], words = (uint32_t)deepmap_words(bits);
        unsigned long *storage = calloc(words, sizeof(*storage));
        struct deepmap m;

        memset(model, 0, sizeof(model));
        deepmap_init(&m, bits, storage);
        assert_true(deepmap_is_empty(&m));
        assert_int_equal(deepmap_next(&m, 0), bits);
        assert_int_equal(deepmap_prev(&m, bits - 1), bits);
        for (int step = 0; step < 600; step++) {
            uint32_t n = unit_random(bits), near = step % 2 ? n : n & ~63u;

            /* At first few members, then many, then few again. */
            if (unit_random(600) > (uint32_t)step) {
                deepmap_set(&m, near);
                model[near] = true;
            } else {
                n = deepmap_next(&m, n);
                if (n < bits) {
                    deepmap_clear(&m, n);
                    model[n] = false;
                }
            }
            compare(&m, unit_random(bits));
            compare(&m, 0);
            compare(&m, bits - 1);
        }
        for (uint32_t n = 0; (n = deepmap_next(&m, n)) < bits;)
            deepmap_clear(&m, n);
        for (uint32_t i = 0; i < words; i++)
            assert_int_equal(storage[i], 0);
        free(storage);
    }
}

/* Frames are marked clean and dirty by ranges. */
static void ranges(void **state)
{
    unsigned long map[5];

    for (int step = 0; step < 3000; step++) {
        unsigned int from = unit_random(310), to = from + unit_random(321 - from), set = 0;
        unsigned int a = unit_random(320), b = a + unit_random(321 - a);
        bool fill = unit_random(2);

        for (size_t i = 0; i < 5; i++)
            map[i] = fill ? unit_random64() : ~unit_random64();
        unsigned long before[5];
        memcpy(before, map, sizeof(map));
        if (fill)
            bitmap_range_fill(map, from, to);
        else
            bitmap_range_zero(map, from, to);
        for (unsigned int i = 0; i < 320; i++) {
            bool in = i >= from && i < to;
            assert_int_equal(bitmap_test(map, i), in ? fill : bitmap_test(before, i));
            set += i >= a && i < b && bitmap_test(map, i);
        }
        assert_int_equal(bitmap_range_weight(map, a, b), set);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes),
        cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
