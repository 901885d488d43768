/* SPDX-License-Identifier: MIT */
/*
 * Intel's IOMMU between the hardware domain's devices and memory: its table (DMAR), its page tables
 * as the specification's reader walks them, its registers. If these fail a device reaches what is
 * another's, or not what is its domain's.
 */
// sources: core/pgtable.c core/spinlock.c arch/x86/npt.c
#include "unit.h"

#include <asm/npt.h>

#include "../../hypervisor/drivers/iommu.c"
#include "../../hypervisor/drivers/iommu_vtd.c"

#include "iommu_world.h"

const struct iommu_driver iommu_amd = { .signature = "IVRS" };

/* --- the hardware ----------------------------------------------------------------------------- */

#define TES   (1u << 31)
#define RTPS  (1u << 30)
#define QIES  (1u << 26)
#define IRES  (1u << 25)
#define IOTLB 0x108u /* where the capability below says */

static struct hardware {
    uint8_t regs[REGS_BYTES];
    uint32_t status;
    uint64_t root; /* that was set by a command */
    uint32_t context_flushes, flushes;
} hardware[UNITS_MOST];
static bool deaf; /* it ends no command */

static uint64_t reg(const struct hardware *h, uint32_t at)
{
    return load_le64(h->regs + at);
}

static void set_reg64(struct hardware *h, uint32_t at, uint64_t value)
{
    memcpy(h->regs + at, &value, 8);
}

/* VT-d 9.1, 9.3, 9.8, by their figures. */
static struct seen hardware_walk(uint16_t bdf, uint64_t addr)
{
    const uint64_t *root = (const uint64_t *)(uintptr_t)hardware[0].root, *at;
    uint64_t entry = root[2 * (bdf >> 8)];
    struct seen s = { .read = true, .write = true };
    uint32_t levels;

    assert_int_equal(entry & 0xfff, 1);
    at = (const uint64_t *)(uintptr_t)(entry & ~0xfffull);
    at += 2 * (bdf & 255);
    assert_int_equal(at[0] & 0xf, 1); /* there, and translated */
    assert_int_equal(at[1] >> 8 & 0xffff, 1);
    levels = (at[1] & 7) + 2;
    assert_true(reg(&hardware[0], 8) >> (8 + (at[1] & 7)) & 1);
    if (addr >> (12 + 9 * levels))
        return (struct seen){ 0 };
    at = (const uint64_t *)(uintptr_t)(at[0] & ~0xfffull);
    for (uint32_t level = levels; level; level--) {
        uint32_t shift = 12 + 9 * (level - 1);
        uint64_t e = at[addr >> shift & 511];

        if (!(e & 3))
            return (struct seen){ 0 };
        s.read &= e & 1;
        s.write &= e >> 1 & 1;
        if (level == 1 || e & 0x80) {
            uint64_t in_page = (1ull << shift) - 1;

            /* Large pages are only for hardware that has them. */
            assert_true(level == 1 || reg(&hardware[0], 8) >> (32 + level) & 1);
            assert_int_equal(e & 0xffffffffff000ull & in_page, 0);
            s.there = true;
            s.maddr = (e & 0xffffffffff000ull) | (addr & in_page & ~0xfffull);
            return s;
        }
        at = (const uint64_t *)(uintptr_t)(e & 0xffffffffff000ull);
    }
    return (struct seen){ 0 };
}

static struct hardware *unit_of(const volatile void *p, uint64_t *at)
{
    for (uint32_t i = 0; i < UNITS_MOST; i++) {
        *at = (uint64_t)((const volatile uint8_t *)p - hardware[i].regs);
        if (*at < REGS_BYTES)
            return &hardware[i];
    }
    fail();
    return NULL;
}

static uint64_t hw_read(void *arg, const volatile void *p, unsigned int bytes)
{
    uint64_t at, v = 0;
    struct hardware *h = unit_of(p, &at);

    if (at == 0x1c)
        return h->status;
    memcpy(&v, h->regs + at, bytes);
    return v;
}

static void run_command(struct hardware *h, uint32_t value)
{
    uint32_t lasting = TES | IRES | QIES, changed = (h->status ^ value) & lasting;

    /* 11.4.4: one at a time. */
    assert_true(!(changed & (changed - 1)));
    if (deaf)
        return;
    if (value & RTPS) {
        assert_int_equal(changed, 0);
        h->root = reg(h, 0x20);
        h->status |= RTPS;
    }
    h->status = (h->status & ~lasting) | (value & lasting);
}

static void hw_write(void *arg, volatile void *p, unsigned int bytes, uint64_t value)
{
    uint64_t at;
    struct hardware *h = unit_of(p, &at);

    memcpy(h->regs + at, &value, bytes);
    if (deaf && at != 0x18)
        return;
    switch (at) {
    case 0x18:
        run_command(h, (uint32_t)value);
        break;
    case 0x28:
        assert_int_equal(value, 1ull << 63 | 1ull << 61);
        assert_int_equal(h->status & QIES, 0); /* else registers are not looked at */
        h->context_flushes++;
        set_reg64(h, 0x28, 0);
        break;
    case IOTLB:
        assert_int_equal(value, 1ull << 63 | 1ull << 60 | 3ull << 48);
        assert_int_equal(h->status & QIES, 0);
        h->flushes++;
        devices_forget();
        set_reg64(h, IOTLB, 0);
        break;
    default:
        break;
    }
}

/* --- tables ----------------------------------------------------------------------------------- */

static uint8_t dmar[512];
static uint32_t dmar_bytes;

static void structure(uint16_t type, uint16_t length, uint64_t at8, uint64_t at16)
{
    uint8_t *b = dmar + dmar_bytes;

    memset(b, 0, length);
    memcpy(b, &type, 2);
    memcpy(b + 2, &length, 2);
    memcpy(b + 8, &at8, 8);
    if (length >= 24)
        memcpy(b + 16, &at16, 8);
    dmar_bytes += length;
}

#define ALL_SIZES (1ull << 34 | 1ull << 35)

static void set_capabilities(uint64_t cap)
{
    for (uint32_t i = 0; i < UNITS_MOST; i++) {
        set_reg64(&hardware[i], 8, cap);
        set_reg64(&hardware[i], 0x10, 0x10ull << 8);
    }
}

static void again(void)
{
    memset(units, 0, sizeof(units));
    nr_units = nr_unity = nr_kept = 0;
    all_can = UINT64_MAX;
    caching = false;
    memset(hardware, 0, sizeof(hardware));
    set_capabilities(1ull << 10 | ALL_SIZES);
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
    dmar_bytes = 48;
    structure(0, 16, REGS, 0);
    return 0;
}

static int tear_down(void **state)
{
    uint64_t *root = (uint64_t *)(uintptr_t)reg(&hardware[0], 0x20);

    if (root) {
        heap_free_pages((void *)(uintptr_t)(root[0] & ~0xfffull), 0);
        heap_free_pages(root, 0);
    }
    world_end();
    assert_int_equal(heap_used, 0);
    return 0;
}

static void begin(void)
{
    set_table("DMAR", dmar, dmar_bytes);
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

/* What firmware left on would make the commands by registers void, or messages of devices go
 * nowhere. */
static void test_units(void **state)
{
    structure(0, 24, REGS + UNIT_STEP, 0);
    structure(4, 20, 0, 0); /* of no use here */
    hardware[1].status = TES | QIES | IRES;
    begin();
    assert_true(iommu_is_there());
    assert_int_equal(nr_units, 2);
    assert_int_equal(kept[1], REGS + UNIT_STEP);
    assert_int_equal(iommu_attach(&dom), 0);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(hardware[i].status & (TES | QIES | IRES), TES);
        assert_int_equal(hardware[i].context_flushes, 1);
        assert_int_equal(hardware[i].flushes, 1);
        assert_int_equal(hardware[i].root, hardware[0].root);
    }
}

static void refused(void)
{
    begin();
    assert_false(iommu_is_there());
    again();
    dmar_bytes = 48;
}

/* Tables or units that are not good leave the machine as one without an IOMMU, and say so. */
static void test_bad_tables(void **state)
{
    dmar_bytes = 48;
    refused();
    structure(0, 12, REGS, 0);
    refused();
    structure(0, 16, REGS + 8, 0);
    refused();
    for (uint32_t i = 0; i <= UNITS_MOST; i++)
        structure(0, 16, REGS + i * UNIT_STEP, 0);
    refused();
    structure(0, 16, REGS, 0);
    set_capabilities(1ull << 8); /* two levels only */
    refused();
    structure(0, 16, REGS, 0);
    set_reg64(&hardware[0], 0x10, 0x3ffull << 8); /* registers beyond the page */
    refused();
    assert_contains(host_log, "not used");
}

static void test_random_tables(void **state)
{
    structure(1, 24, 0x1000, 0x1fff);
    structure(0, 24, REGS + UNIT_STEP, 0);
    tables_at_random("DMAR", dmar, dmar_bytes, probe, again);
}

static void test_unity(void **state)
{
    structure(1, 24, 0x7f000, 0x80fff);
    structure(1, 24, 0x1000, 0xfff); /* nothing */
    structure(1, 24, 0x1000, UINT64_MAX);
    begin();
    check_unity(0x7f000, 0x80000);
}

/* Units that can not do the same: what all of them can. */
static void test_least_unit(void **state)
{
    structure(0, 16, REGS + UNIT_STEP, 0);
    set_reg64(&hardware[0], 8, 1ull << 9 | 1ull << 10 | 1ull << 34);
    set_reg64(&hardware[1], 8, 1ull << 9);
    begin();
    /* The walk looks at unit 0's capabilities: it has to find them enough. */
    set_reg64(&hardware[0], 8, 1ull << 9);
    map(0, MIB(4), MIB(4), RAM);
    map(GIB(1), GIB(1), GIB(1), RAM);
    assert_int_equal(iommu_attach(&dom), 0);
    check_page(0x5000);
    check_page(GIB(2) - 4096);
    unmap(0x5000, 4096);
    check_page(0x5000);
}

/* Hardware that remembers what was not there finds what came later. */
static void test_caching(void **state)
{
    uint32_t before;

    set_capabilities(1ull << 10 | 1ull << 7);
    begin();
    assert_int_equal(iommu_attach(&dom), 0);
    before = hardware[0].flushes;
    map(0x5000, MIB(4), 4096, RAM);
    assert_int_equal(hardware[0].flushes, before + 1);
}

static void test_every_device(void **state)
{
    map(0, MIB(4), MIB(2), RAM);
    assert_int_equal(iommu_attach(&dom), 0);
    for (uint32_t bdf = 0; bdf < 65536; bdf += 257)
        assert_int_equal(hardware_walk((uint16_t)bdf, 0x1000).maddr, MIB(4) + 0x1000);
}

static void test_no_answer(void **state)
{
    deaf = true;
    assert_true(host_stops(no_answer_to_attach, NULL));
    assert_contains(host_stop_reason, "IOMMU does not answer");
}

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
            assert_int_equal(hardware[0].status, 0);
            assert_null(dom.p2m.pt.changed);
        }
    } while (err);
    assert_true(tries > 3);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define WITH(f) cmocka_unit_test_setup_teardown(f, set_up_one, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_units),     TEST(test_bad_tables),    TEST(test_random_tables),
        TEST(test_unity),     TEST(test_least_unit),    TEST(test_caching),
        WITH(test_attach),    WITH(test_changes),       WITH(test_same_page),
        WITH(test_at_random), WITH(test_out_of_memory), WITH(test_every_device),
        WITH(test_no_answer), WITH(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
