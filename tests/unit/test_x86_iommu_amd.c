/* SPDX-License-Identifier: MIT */
/*
 * AMD's IOMMU between the hardware domain's devices and memory: its table (IVRS), its page tables
 * as the specification's reader walks them, its commands. If these fail a device reaches what is
 * another's, or not what is its domain's.
 */
// sources: core/pgtable.c core/spinlock.c arch/x86/npt.c
#include "unit.h"

#include <asm/npt.h>

#include "../../hypervisor/drivers/iommu.c"
#include "../../hypervisor/drivers/iommu_amd.c"

#include "iommu_world.h"

const struct iommu_driver iommu_vtd = { .signature = "DMAR" };

/* --- the hardware ----------------------------------------------------------------------------- */

static struct hardware {
    uint8_t regs[REGS_BYTES];
    uint32_t done; /* commands */
    uint32_t invalidations;
} hardware[UNITS_MOST];
static bool deaf; /* it does not take commands */

static uint64_t reg(const struct hardware *h, uint32_t at)
{
    return load_le64(h->regs + at);
}

/* AMD IOMMU specification 2.2.2.1 and 2.2.3, by its figures. */
static struct seen hardware_walk(uint16_t bdf, uint64_t addr)
{
    const uint64_t *devices = (const uint64_t *)(uintptr_t)(reg(&hardware[0], 0) & ~0xfffull);
    const uint64_t *d = devices + 4 * bdf, *table_at;
    struct seen s = { 0 };
    uint32_t level;
    uint64_t e;

    assert_int_equal(reg(&hardware[0], 0) & 0x1ff, 511);
    assert_int_equal(d[0] & 3, 3);
    assert_int_equal(d[2] & 1, 0); /* interrupts are not looked at */
    level = d[0] >> 9 & 7;
    assert_int_equal(level, 4);
    assert_int_equal(d[0] >> 61 & 3, 3);
    table_at = (const uint64_t *)(uintptr_t)(d[0] & 0xffffffffff000ull);
    s.read = s.write = true;
    for (;;) {
        uint32_t shift = 12 + 9 * (level - 1);

        e = table_at[addr >> shift & 511];
        if (!(e & 1))
            return (struct seen){ 0 };
        s.read &= e >> 61 & 1;
        s.write &= e >> 62 & 1;
        if (!(e >> 9 & 7)) {
            uint64_t in_page = (1ull << shift) - 1;

            s.there = true;
            assert_int_equal(e & 0xffffffffff000ull & in_page, 0);
            s.maddr = (e & 0xffffffffff000ull) | (addr & in_page & ~0xfffull);
            return s;
        }
        assert_int_equal(e >> 9 & 7, level - 1);
        table_at = (const uint64_t *)(uintptr_t)(e & 0xffffffffff000ull);
        level--;
    }
}

static void run_command(struct hardware *h, const uint64_t *c)
{
    h->done++;
    switch (c[0] >> 60) {
    case 1:
        assert_int_equal(c[0] & 7, 1);
        *(uint64_t *)(uintptr_t)(c[0] & 0xffffffffffff8ull) = c[1];
        break;
    case 3:
        assert_int_equal(c[0] >> 32 & 0xffff, 1);
        assert_int_equal(c[1], 0x7ffffffffffff003ull);
        h->invalidations++;
        devices_forget();
        break;
    default:
        fail();
    }
}

static uint64_t hw_read(void *arg, const volatile void *p, unsigned int bytes)
{
    uint64_t v = 0;

    memcpy(&v, (const void *)(uintptr_t)p, bytes);
    return v;
}

static void hw_write(void *arg, volatile void *p, unsigned int bytes, uint64_t value)
{
    for (uint32_t i = 0; i < UNITS_MOST; i++) {
        struct hardware *h = &hardware[i];
        uint64_t at = (uint64_t)((volatile uint8_t *)p - h->regs), base;

        if (at >= REGS_BYTES)
            continue;
        memcpy((void *)(uintptr_t)p, &value, bytes);
        if (at != 0x2008 || deaf || (reg(h, 0x18) & 0x1001) != 0x1001)
            return;
        base = reg(h, 8);
        assert_int_equal(base >> 56 & 15, 8); /* 256 of them */
        while (reg(h, 0x2000) != value) {
            uint64_t head = reg(h, 0x2000), next = (head + 16) % 4096;

            run_command(h, (const uint64_t *)(uintptr_t)((base & 0xffffffffff000ull) + head));
            memcpy(h->regs + 0x2000, &next, 8);
        }
        return;
    }
    fail();
}

/* --- tables ----------------------------------------------------------------------------------- */

static uint8_t ivrs[512];
static uint32_t ivrs_bytes;

static void block(uint8_t type, uint16_t length, uint64_t at8, uint64_t at16, uint64_t at24)
{
    uint8_t *b = ivrs + ivrs_bytes;

    memset(b, 0, length);
    b[0] = type;
    memcpy(b + 2, &length, 2);
    memcpy(b + 8, &at8, 8);
    memcpy(b + 16, &at16, 8);
    if (length >= 32)
        memcpy(b + 24, &at24, 8);
    ivrs_bytes += length;
}

static void again(void)
{
    memset(units, 0, sizeof(units));
    nr_units = nr_unity = nr_kept = 0;
    told = 0;
    memset(hardware, 0, sizeof(hardware));
}

static int set_up(void **state)
{
    static bool added;
    static const struct host_mmio hooks = { hw_read, hw_write, NULL };

    for (uint32_t i = 0; !added && i < UNITS_MOST - 1; i++)
        host_device_add(REGS + i * UNIT_STEP, REGS_BYTES, hardware[i].regs);
    added = true;
    host_set_mmio(&hooks);
    world_begin();
    again();
    deaf = false;
    ivrs_bytes = 48;
    block(0x10, 24, REGS, 0, 0);
    return 0;
}

static int tear_down(void **state)
{
    heap_free_pages((void *)(uintptr_t)(reg(&hardware[0], 0) & ~0xfffull), 0);
    for (uint32_t i = 0; i < nr_units; i++)
        heap_free_pages(units[i].commands, 0);
    heap_free((void *)(uintptr_t)done);
    done = NULL;
    world_end();
    assert_int_equal(heap_used, 0);
    return 0;
}

static void begin(void)
{
    set_table("IVRS", ivrs, ivrs_bytes);
    iommu_init(keep);
}

static int set_up_one(void **state)
{
    set_up(state);
    begin();
    assert_true(iommu_is_there());
    return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

/* A unit is described by several blocks, and there are several units: each is found once, and its
 * registers are not the domain's. */
static void test_units(void **state)
{
    block(0x11, 40, REGS, 0, 0);
    block(0x40, 40, REGS + UNIT_STEP, 0, 0);
    block(0x90, 8, 0, 0, 0); /* of no kind that there is yet */
    begin();
    assert_true(iommu_is_there());
    assert_int_equal(nr_units, 2);
    assert_int_equal(nr_kept, 2);
    assert_int_equal(kept[1], REGS + UNIT_STEP);
    assert_int_equal(iommu_attach(&dom), 0);
    assert_int_equal(hardware[0].invalidations, 1);
    assert_int_equal(hardware[1].invalidations, 1);
    assert_int_equal(reg(&hardware[1], 0), reg(&hardware[0], 0));
}

static void test_switched_off(void **state)
{
    options.iommu = false;
    begin();
    assert_false(iommu_is_there());
    assert_contains(host_log, "off by iommu=");
}

/* Tables that are not good leave the machine as one without an IOMMU, and say so. */
static void test_bad_tables(void **state)
{
    ivrs_bytes = 48;
    begin();
    assert_false(iommu_is_there());
    block(0x10, 16, REGS, 0, 0); /* too short for its kind */
    begin();
    assert_false(iommu_is_there());
    again();
    ivrs_bytes = 48;
    block(0x10, 24, REGS + 8, 0, 0);
    begin();
    assert_false(iommu_is_there());
    again();
    ivrs_bytes = 48;
    for (uint32_t i = 0; i <= UNITS_MOST; i++)
        block(0x10, 24, REGS + i * UNIT_STEP, 0, 0);
    begin();
    assert_false(iommu_is_there());
    assert_contains(host_log, "makes no sense");
}

static void test_random_tables(void **state)
{
    block(0x11, 40, REGS, 0, 0);
    block(0x22, 32, 0, 0x1000, 0x2000);
    block(0x40, 40, REGS + UNIT_STEP, 0, 0);
    tables_at_random("IVRS", ivrs, ivrs_bytes, probe, again);
}

static void test_unity(void **state)
{
    block(0x21, 32, 0, 0x7f000, 0x3000);
    block(0x20, 32, 0, UINT64_MAX - 10, 100); /* across the end of all */
    begin();
    check_unity(0x7f000, 0x81000);
}

/* All devices there can be are behind it, not only those that tables name. */
static void test_every_device(void **state)
{
    map(0, MIB(4), MIB(2), RAM);
    assert_int_equal(iommu_attach(&dom), 0);
    for (uint32_t bdf = 0; bdf < 65536; bdf += 257)
        assert_int_equal(hardware_walk((uint16_t)bdf, 0x1000).maddr, MIB(4) + 0x1000);
}

/* The queue of commands begins anew at its end. */
static void test_many_commands(void **state)
{
    map(0, MIB(4), MIB(2), RAM);
    assert_int_equal(iommu_attach(&dom), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t at = (uint64_t)(i % 512) << 12;

        (void)device_sees(at);
        unmap(at, 4096);
        assert_false(device_sees(at).there);
        map(at, MIB(4) + at, 4096, RAM);
        assert_true(device_sees(at).there);
    }
    assert_true(hardware[0].done > 1000);
}

/* Nothing is asked of the hardware where nothing changed. */
static void test_idle_flush(void **state)
{
    uint32_t before;

    assert_int_equal(iommu_attach(&dom), 0);
    before = hardware[0].done;
    iommu_flush();
    assert_int_equal(hardware[0].done, before);
}

static void test_no_answer(void **state)
{
    deaf = true;
    assert_true(host_stops(no_answer_to_attach, NULL));
    assert_contains(host_stop_reason, "IOMMU does not answer");
}

/* All or nothing: hardware never walks tables that were given back. */
static void test_no_memory(void **state)
{
    uint32_t tries = 0;
    int64_t before;
    int err;

    map(0, 0, MIB(4), RAM);
    before = heap_used;
    do {
        heap_left = tries++;
        err = iommu_attach(&dom);
        if (err) {
            assert_int_equal(heap_used, before);
            assert_int_equal(reg(&hardware[0], 0x18), 0);
            assert_null(dom.p2m.pt.changed);
        }
    } while (err);
    assert_true(tries > 4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define WITH(f) cmocka_unit_test_setup_teardown(f, set_up_one, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_units),         TEST(test_switched_off), TEST(test_bad_tables),
        TEST(test_random_tables), TEST(test_unity),        WITH(test_attach),
        WITH(test_changes),       WITH(test_same_page),    WITH(test_at_random),
        WITH(test_out_of_memory), WITH(test_every_device), WITH(test_many_commands),
        WITH(test_idle_flush),    WITH(test_no_answer),    WITH(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
