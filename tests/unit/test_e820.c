/* SPDX-License-Identifier: MIT */
/*
 * Memory maps: against a plain array of what is at each address. If these fail a domain takes a
 * device, or somebody else's memory, for RAM.
 */
// sources: arch/x86/e820.c
#include "unit.h"

#include <asm/e820.h>
#include <hospes/errno.h>
#include <string.h>

#define SPACE 256u

static struct e820 m;
static uint8_t model[SPACE];

static int setup(void **state)
{
    memset(&m, 0, sizeof(m));
    memset(model, 0, sizeof(model));
    return 0;
}

static void agree(void)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < m.nr; i++) {
        const struct e820_range *r = &m.r[i];

        assert_true(r->start >= at && r->start < r->end && r->end <= SPACE);
        /* What touches and is the same is one. */
        assert_false(i && m.r[i - 1].end == r->start && m.r[i - 1].type == r->type);
        for (; at < r->start; at++)
            assert_int_equal(model[at], 0);
        for (; at < r->end; at++)
            assert_int_equal(model[at], r->type);
    }
    for (; at < SPACE; at++)
        assert_int_equal(model[at], 0);
}

static void random_changes(void **state)
{
    for (int n = 0; n < 20000; n++) {
        uint32_t start = (uint32_t)unit_random(SPACE), bytes = (uint32_t)unit_random(SPACE - start);
        uint32_t type = 1 + (uint32_t)unit_random(4), how = (uint32_t)unit_random(3);
        bool over = how == 0 || (how == 2 && type != E820_RAM);

        if (unit_random(50) == 0)
            setup(state);
        if (how == 0)
            assert_int_equal(e820_set(&m, start, start + bytes, type), 0);
        else if (how == 1)
            assert_int_equal(e820_fill(&m, start, start + bytes, type), 0);
        else
            assert_int_equal(e820_add_firmware(&m, start, bytes, type), 0);
        for (uint32_t i = start; i < start + bytes; i++)
            if (over || !model[i])
                model[i] = (uint8_t)type;
        agree();
        assert_int_equal(e820_overlaps(&m, start, start + bytes, type),
                         memchr(model + start, (int)type, bytes) != NULL);
    }
}

/* What a PC's firmware says, the other way round. */
static void firmware(void **state)
{
    assert_int_equal(e820_add_firmware(&m, 0xfffc0000, 0x40000, E820_RESERVED), 0);
    assert_int_equal(e820_add_firmware(&m, 0x9fc00, 0x400, E820_RESERVED), 0);
    assert_int_equal(e820_add_firmware(&m, 0x7ffe0000, 0x20000, E820_ACPI), 0);
    assert_int_equal(e820_add_firmware(&m, 0x100000, 0x7ff00000, E820_RAM), 0);
    assert_int_equal(e820_add_firmware(&m, 0, 0xa0000, E820_RAM), 0);
    assert_int_equal(e820_add_firmware(&m, 5, UINT64_MAX, E820_RAM), 0);
    assert_int_equal(m.nr, 5);
    assert_int_equal(m.r[0].end, 0x9fc00);
    assert_int_equal(m.r[2].end, 0x7ffe0000);
    assert_int_equal(m.r[3].type, E820_ACPI);
}

/* It is full: nothing changes. */
static void full(void **state)
{
    struct e820 before;
    int rc = 0;

    for (uint64_t i = 0; !rc; i++) {
        before = m;
        rc = e820_set(&m, 2 * i, 2 * i + 1, E820_RAM);
    }
    assert_int_equal(rc, -ENOSPC);
    assert_in_range(m.nr, E820_MAX - 2, E820_MAX);
    assert_memory_equal(&m, &before, sizeof(m));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = { TEST(random_changes), TEST(firmware), TEST(full) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
