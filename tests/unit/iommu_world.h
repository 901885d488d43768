/* SPDX-License-Identifier: MIT */
/*
 * A hardware domain whose devices are behind an IOMMU, for tests of drivers/iommu*.c: its p2m in
 * the real walker, ACPI's table in memory of exactly its size, and devices that remember every
 * translation until they are told to forget. The test includes iommu.c and a driver, and says how
 * its hardware translates.
 */
#ifndef IOMMU_WORLD_H
#define IOMMU_WORLD_H

#include "counting_heap.h"

#include <asm/host.h>
#include <hospes/acpi.h>
#include <hospes/cmdline.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/iommu.h>
#include <hospes/p2m.h>
#include <hospes/pgtable.h>
#include <lib/bits.h>

#define WORLD_PAGES 4096u      /* of the domain, from 0 on, that devices have looked at */
#define REGS        0xfed90000 /* of the first unit; each has a page, and more */
#define UNIT_STEP   0x10000u

static struct domain dom;

/* What a device finds at an address; `there` is false where it is refused. */
struct seen {
    uint64_t maddr;
    bool there, read, write;
};

/* How the hardware translates now, by what stands in memory. The test's own. */
static struct seen hardware_walk(uint16_t bdf, uint64_t addr);

/* A device's own memory of that, which only the hardware's commands take away. */
static struct seen remembered[WORLD_PAGES];
static uint32_t forgotten; /* so often */

static void devices_forget(void)
{
    memset(remembered, 0, sizeof(remembered));
    forgotten++;
}

static struct seen device_sees(uint64_t addr)
{
    uint64_t page = addr >> 12;
    struct seen s;

    if (page < WORLD_PAGES && remembered[page].there)
        return remembered[page];
    s = hardware_walk(0x10, addr);
    if (page < WORLD_PAGES)
        remembered[page] = s;
    return s;
}

/* --- the domain's memory ---------------------------------------------------------------------- */

static void *p2m_alloc(struct pgtable *pt)
{
    return heap_alloc_pages(0);
}

static void p2m_free(struct pgtable *pt, void *page)
{
    heap_free_pages(page, 0);
}

static void p2m_flush(struct pgtable *pt, uint64_t addr, uint64_t bytes)
{
    iommu_flush();
}

static void map(uint64_t at, uint64_t maddr, uint64_t bytes, uint32_t flags)
{
    struct pgtable_leaf leaf = { MADDR(maddr), flags, P2M_RAM };

    assert_int_equal(pgtable_map(&dom.p2m.pt, at, bytes, &leaf), 0);
}

static void unmap(uint64_t at, uint64_t bytes)
{
    assert_int_equal(pgtable_unmap(&dom.p2m.pt, at, bytes), 0);
}

#define RAM    (PG_R | PG_W | PG_X | PG_VALID)
#define RAM_RO (PG_R | PG_X | PG_VALID)
#define DEVICE (PG_R | PG_W | PG_DEVICE | PG_VALID)

/* Devices see just what the domain has there. */
static void check_page(uint64_t addr)
{
    struct seen s = device_sees(addr);
    struct pgtable_leaf leaf;
    unsigned int order;
    bool found = pgtable_lookup(&dom.p2m.pt, addr, &leaf, &order) && leaf.flags & PG_VALID &&
                 !(leaf.flags & PG_DEVICE);

    assert_int_equal(s.there, found);
    if (!found)
        return;
    assert_int_equal(s.maddr, leaf.maddr.v + (addr & ((4096ull << order) - 1) & ~4095ull));
    assert_int_equal(s.read, !!(leaf.flags & PG_R));
    assert_int_equal(s.write, !!(leaf.flags & PG_W));
}

/* --- ACPI ------------------------------------------------------------------------------------- */

static struct acpi_table table = { .maddr = 1 };
static uint8_t *table_copy; /* of its own length, so that reading beyond is seen */

const struct acpi_table *acpi_find(const char *signature, uint32_t index)
{
    return table_copy && !index && !strcmp(signature, table.signature) ? &table : NULL;
}

const void *acpi_map(const struct acpi_table *t)
{
    return table_copy;
}

void acpi_unmap(const struct acpi_table *t, const void *p)
{
    assert_ptr_equal(p, table_copy);
}

static void set_table(const char *signature, const void *bytes, uint32_t nr)
{
    free(table_copy);
    table_copy = malloc(nr);
    memcpy(table_copy, bytes, nr);
    memcpy(table.signature, signature, 5);
    table.bytes = nr;
}

/* --- what is kept from the domain ------------------------------------------------------------- */

static uint64_t kept[16];
static uint32_t nr_kept;

static void keep(uint64_t start, uint64_t bytes)
{
    assert_true(nr_kept < 16 && bytes);
    kept[nr_kept++] = start;
}

/* --- life ------------------------------------------------------------------------------------- */

struct options options;

static void world_begin(void)
{
    static const struct pgtable none;

    host_pcpus_init(1);
    host_log_clear();
    memset(&dom, 0, sizeof(dom));
    dom.hardware = true;
    dom.p2m.lock = SPINLOCK_INIT(LOCK_P2M);
    dom.p2m.pt.alloc = p2m_alloc;
    dom.p2m.pt.free = p2m_free;
    dom.p2m.pt.flush = p2m_flush;
    heap_left = UINT64_MAX;
    assert_int_equal(pgtable_init(&dom.p2m.pt, &npt_format), 0);
    options.iommu = true;
    nr_kept = forgotten = 0;
    memset(remembered, 0, sizeof(remembered));
    driver = NULL;
    tables = none;
    doomed.first = NULL;
    enabled = stale = false;
    nr_unity = 0;
}

static void world_end(void)
{
    heap_left = UINT64_MAX;
    if (tables.root) {
        pgtable_free_doomed(&tables, &doomed);
        pgtable_destroy(&tables);
    }
    free(table_copy);
    table_copy = NULL;
    dom.p2m.pt.changed = NULL;
    pgtable_destroy(&dom.p2m.pt);
}

/* --- tests for every kind --------------------------------------------------------------------- */

/* A disk's driver whose buffers stand where its domain has them finds them there; nothing of the
 * domain's devices, or of what it may only read, can be written by a device. */
static void test_attach(void **state)
{
    map(0, MIB(16), MIB(16), RAM);
    unmap(0x9f000, 0x61000);
    map(MIB(2) + 0x3000, GIB(3), 0x1000, RAM_RO);
    map(GIB(2), GIB(2), MIB(2), DEVICE);
    map(GIB(1), GIB(1), GIB(1), RAM);
    assert_int_equal(iommu_attach(&dom), 0);
    for (uint64_t at = 0; at < MIB(16); at += 4096)
        check_page(at);
    check_page(GIB(2));
    check_page(GIB(1) + MIB(700) + 0x5000);
    assert_false(device_sees(GIB(4)).there);
    assert_false(device_sees(MIB(2) + 0x3000).write);
}

/* A page that is given back is no device's when the call returns, nor is one that changed. */
static void test_changes(void **state)
{
    map(0, MIB(16), MIB(4), RAM);
    assert_int_equal(iommu_attach(&dom), 0);
    for (uint64_t at = 0; at < MIB(4); at += 4096)
        (void)device_sees(at);
    unmap(0x5000, 0x1000);
    assert_false(device_sees(0x5000).there);
    check_page(0x4000);
    map(0x5000, GIB(9), 0x1000, RAM_RO);
    check_page(0x5000);
    map(0x6000, GIB(10), 0x1000, RAM);
    check_page(0x6000);
    map(0, MIB(32), MIB(2), RAM); /* one block in place of a table of pages */
    check_page(0x5000);
    unmap(0, MIB(4));
    for (uint64_t at = 0; at < MIB(4); at += 4096)
        assert_false(device_sees(at).there);
}

/* One page comes and goes in a table that stays; until a block takes its place. */
static void test_same_page(void **state)
{
    const uint64_t at = 3 * MIB(2), *leaves;
    struct pgtable_doomed gone = { NULL };

    assert_int_equal(iommu_attach(&dom), 0);
    map(at, GIB(1), 0x1000, RAM);
    leaves = recent.leaves;
    assert_non_null(leaves);
    for (uint32_t i = 0; i < 5; i++) {
        check_page(at);
        unmap(at, 0x1000);
        assert_false(device_sees(at).there);
        map(at, GIB(2 + i), 0x1000, RAM);
        assert_ptr_equal(recent.leaves, leaves);
    }
    /* All of the table is taken out, and a page mapped there before the flush, as in a batch. */
    assert_int_equal(pgtable_clear(&dom.p2m.pt, at, MIB(2), &gone), 0);
    map(at, GIB(3), 0x1000, RAM);
    iommu_flush();
    pgtable_free_doomed(&dom.p2m.pt, &gone);
    check_page(at);
    map(at, GIB(8), MIB(2), RAM);
    check_page(at);
    unmap(at + 0x1000, 0x1000);
    assert_false(device_sees(at + 0x1000).there);
    check_page(at + 0x2000);
}

/* Whatever a domain does with its memory, in any order, devices see the same. */
static void test_at_random(void **state)
{
    static const uint64_t sizes[] = { 0x1000, 0x3000, 0x10000, MIB(2), MIB(6) };
    static const uint32_t kinds[] = { RAM, RAM, RAM_RO, DEVICE, 0 };
    uint64_t space = (uint64_t)WORLD_PAGES << 12;

    unit_random_seed(3);
    map(0, MIB(64), MIB(8), RAM);
    assert_int_equal(iommu_attach(&dom), 0);
    for (uint32_t i = 0; i < 3000; i++) {
        uint64_t bytes = sizes[unit_random(5)];
        uint64_t at = (uint64_t)unit_random((uint32_t)((space - bytes) >> 12)) << 12;

        if (bytes >= MIB(2))
            at = align_down(at, MIB(2));
        if (unit_random(3))
            map(at, GIB(1) + at + ((uint64_t)unit_random(8) << 21), bytes, kinds[unit_random(5)]);
        else
            unmap(at, bytes);
        for (uint32_t n = 0; n < 20; n++)
            check_page((uint64_t)unit_random(WORLD_PAGES) << 12);
        check_page(at);
        check_page(at + bytes - 4096);
    }
}

/* Without memory for tables a device loses more than was taken back, but never keeps any of that:
 * another domain has it next. */
static void test_out_of_memory(void **state)
{
    map(0, 0, MIB(4), RAM);
    map(GIB(1), GIB(1), GIB(2), RAM);
    /* The domain's own tables are there already. */
    unmap(0x5000, 0x1000);
    unmap(GIB(1) + 0x5000, 0x1000);
    assert_int_equal(iommu_attach(&dom), 0);
    /* Big blocks in the devices' tables only. */
    pgtable_free_doomed(&tables, &doomed);
    {
        struct pgtable_leaf leaf = { MADDR(0), RAM, 0 };

        assert_int_equal(pgtable_map(&tables, 0, MIB(2), &leaf), 0);
        leaf.maddr = MADDR(GIB(1));
        assert_int_equal(pgtable_map(&tables, GIB(1), GIB(1), &leaf), 0);
    }
    assert_true(device_sees(0x7000).there);
    heap_left = 0;
    unmap(0x7000, 0x1000);
    unmap(GIB(1) + 0x7000, 0x1000);
    heap_left = UINT64_MAX;
    assert_false(device_sees(0x7000).there);
    assert_false(device_sees(GIB(1) + 0x7000).there);
    assert_contains(host_log, "no memory");
    check_page(GIB(2) + 0x1000);
}

/* A device without a driver, which firmware uses, still reaches what firmware said. */
static void check_unity(uint64_t start, uint64_t last)
{
    assert_int_equal(iommu_attach(&dom), 0);
    assert_int_equal(device_sees(start).maddr, start);
    assert_true(device_sees(last).write);
    assert_false(device_sees(last + 4096).there);
}

/* Waiting takes time. */
void arch_cpu_relax(void)
{
    host_clock_advance(1000000);
}

/* Hardware that does not answer may still use memory that was taken from it: nobody runs on. */
static void no_answer_to_attach(void *unused)
{
    (void)iommu_attach(&dom);
}

/* All table lengths, and bytes at random behind the header: no byte beyond is read, and what is
 * taken makes sense. */
static void tables_at_random(const char *signature, const uint8_t *good, uint32_t nr,
                             int (*probe_it)(const uint8_t *, uint32_t), void (*again)(void))
{
    unit_random_seed(9);
    for (uint32_t i = 0; i < 4000; i++) {
        uint32_t length = i < nr ? i : 36 + unit_random(nr - 36);
        uint8_t *copy = malloc(length);

        memcpy(copy, good, length);
        for (uint32_t n = i < nr ? 0 : unit_random(6); n && length > 48; n--)
            copy[48 + unit_random(length - 48)] =
                (uint8_t)(unit_random(2) ? unit_random(256) : unit_random(2) * 255);
        set_table(signature, copy, length);
        again();
        (void)probe_it(table_copy, length);
        free(copy);
    }
}

#endif
