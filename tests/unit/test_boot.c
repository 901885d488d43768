/* SPDX-License-Identifier: MIT */
// sources: core/boot.c
/* Ranges of memory at boot. The model is an array with the owner of each unit of memory. */
#include "unit.h"

#include <hospes/boot.h>
#include <hospes/errno.h>

#define UNITS 200

static const char *const names[] = { "firmware", "module", "hospes" };

static const char *model[UNITS]; /* NULL: not in the list */
static struct boot_ranges list;

static void check(void)
{
    uint32_t u = 0;

    for (uint32_t i = 0; i < list.nr; i++) {
        const struct boot_range *r = &list.r[i];
        assert_true(r->start < r->end);
        if (i > 0) {
            assert_true(list.r[i - 1].end <= r->start);
            /* What could be joined is. */
            assert_false(list.r[i - 1].end == r->start && list.r[i - 1].what == r->what);
        }
        for (; u < r->start; u++)
            assert_null(model[u]);
        for (; u < r->end; u++)
            assert_ptr_equal(model[u], r->what);
    }
    for (; u < UNITS; u++)
        assert_null(model[u]);
}

static void check_queries(uint32_t start, uint32_t end)
{
    const struct boot_range *hit = NULL;
    uint32_t taken = 0, first = UNITS;

    for (uint32_t u = start; u < end; u++) {
        taken += model[u] != NULL;
        if (model[u] != NULL && first == UNITS)
            first = u;
    }
    assert_int_equal(boot_range_contains(&list, start, end), start < end && taken == end - start);
    assert_int_equal(boot_range_overlaps(&list, start, end, NULL), taken > 0);
    assert_int_equal(boot_range_overlaps(&list, start, end, &hit), taken > 0);
    if (taken > 0)
        assert_true(hit->start <= first && first < hit->end);
}

/* A range forgotten is a module overwritten; one invented is memory that nobody can use. */
static void random_changes(void **state)
{
    memset(&list, 0, sizeof(list));
    for (int step = 0; step < 20000; step++) {
        uint32_t start = unit_random(UNITS), end = start + unit_random(UNITS - start + 1);
        const char *what = names[unit_random(3)];

        if (unit_random(4) != 0)
            end = start + (end - start) / 16;
        if (unit_random(5) < 3) {
            assert_int_equal(boot_range_add(&list, start, end, what), start < end ? 0 : -EINVAL);
            for (uint32_t u = start; u < end; u++)
                model[u] = model[u] != NULL ? model[u] : what;
        } else {
            assert_int_equal(boot_range_remove(&list, start, end), 0);
            for (uint32_t u = start; u < end; u++)
                model[u] = NULL;
        }
        check();
        start = unit_random(UNITS);
        check_queries(start, start + unit_random(UNITS - start + 1));
    }
}

/* A firmware with very many ranges gets an error, not a list that was written past its end. */
static void full(void **state)
{
    memset(&list, 0, sizeof(list));
    for (uint64_t i = 0; i < BOOT_MAX_RANGES; i++)
        assert_int_equal(boot_range_add(&list, 10 * i, 10 * i + 5, "a"), 0);
    struct boot_ranges before = list;

    assert_int_equal(boot_range_add(&list, 6, 7, "a"), -ENOSPC);
    assert_int_equal(boot_range_add(&list, 0, 10 * BOOT_MAX_RANGES, "b"), -ENOSPC);
    assert_int_equal(boot_range_remove(&list, 1, 2), -ENOSPC);
    assert_memory_equal(&before, &list, sizeof(list));

    /* What needs no room works: growing, and cutting at an edge. */
    assert_int_equal(boot_range_add(&list, 3, 10, "a"), 0);
    assert_int_equal(list.nr, BOOT_MAX_RANGES - 1);
    assert_int_equal(list.r[0].end, 15);
    assert_int_equal(boot_range_remove(&list, 20, 22), 0);
    assert_int_equal(list.r[1].start, 22);
    assert_int_equal(boot_range_add(&list, UINT64_MAX - 1, UINT64_MAX, "a"), 0);
}

/* The hypervisor takes its memory where nothing is, as high as asked, and never twice. */
static void allocation(void **state)
{
    memset(&boot_ram, 0, sizeof(boot_ram));
    memset(&boot_reserved, 0, sizeof(boot_reserved));
    assert_int_equal(boot_alloc(4096, 4096, UINT64_MAX, "x").v, 0);

    boot_range_add(&boot_ram, 0, MIB(16), NULL);
    boot_range_add(&boot_ram, GIB(1), GIB(1) + MIB(10), NULL);
    boot_range_add(&boot_reserved, GIB(1) + MIB(4), GIB(1) + MIB(6) + 1, "module");

    /* The top; then below a limit, in alignment; then below the module, then in the lower bank. */
    assert_int_equal(boot_alloc(MIB(1), 4096, UINT64_MAX, "x").v, GIB(1) + MIB(9));
    assert_int_equal(boot_alloc(MIB(1), MIB(2), GIB(1) + MIB(9) + 5, "x").v, GIB(1) + MIB(8) - 0);
    assert_int_equal(boot_alloc(MIB(3), 4096, UINT64_MAX, "x").v, GIB(1) + MIB(1));
    assert_int_equal(boot_alloc(MIB(3), 4096, UINT64_MAX, "y").v, MIB(13));
    assert_int_equal(boot_alloc(MIB(1), 4096, MIB(2), "y").v, MIB(1));
    /* Never address 0: it means that there is none. */
    assert_int_equal(boot_alloc(MIB(1), MIB(1), MIB(2), "y").v, 0);
    assert_int_equal(boot_alloc(MIB(64), 4096, UINT64_MAX, "y").v, 0);
    assert_int_equal(boot_alloc(0, 4096, UINT64_MAX, "y").v, 0);
    assert_int_equal(boot_alloc(UINT64_MAX, 4096, UINT64_MAX, "y").v, 0);

    /* All of it, page by page: as many as there are, each inside RAM and all different. */
    uint64_t pages = 0, reserved = 0, ram = MIB(26);
    for (uint32_t i = 0; i < boot_reserved.nr; i++)
        reserved += boot_reserved.r[i].end - boot_reserved.r[i].start;
    while (boot_alloc(4096, 4096, UINT64_MAX, "z").v != 0)
        pages++;
    /* Not the module's last page, of which one byte is taken, nor page 0. */
    assert_int_equal(pages, (ram - reserved - 4095) / 4096 - 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes),
        cmocka_unit_test(full),
        cmocka_unit_test(allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
