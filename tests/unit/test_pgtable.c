/* SPDX-License-Identifier: MIT */
// sources: core/pgtable.c arch/arm64/stage2_format.c
/*
 * The page-table walker with the format of arm64's stage 2, against a model that knows each page by
 * itself. A mistake here lets a guest see another's memory, or go on with rights that it has lost:
 * the worst that a hypervisor can do.
 */
#include "unit.h"

#include <asm/host.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/p2m.h>
#include <hospes/pgtable.h>
#include <stdlib.h>
#include <string.h>

#define PAGES     (4u * 512 * 512) /* the model's 4 GiB */
#define TYPE_KEPT 3u

struct page {
    uint64_t maddr; /* 0: nothing */
    uint32_t flags, type;
};

static struct page model[PAGES];
static struct page before[PAGES];
static uint8_t flushed[PAGES];
static uint32_t tables, allocations_left;

static void *alloc(struct pgtable *pt)
{
    (void)pt;
    if (!allocations_left)
        return NULL;
    allocations_left--;
    tables++;
    return heap_alloc_pages(0);
}

static void release(struct pgtable *pt, void *page)
{
    (void)pt;
    tables--;
    heap_free_pages(page, 0);
}

static void flush(struct pgtable *pt, uint64_t addr, uint64_t bytes)
{
    (void)pt;
    for (uint64_t n = addr >> 12; n < (addr + bytes) >> 12 && n < PAGES; n++)
        flushed[n] = 1;
}

static void setup(struct pgtable *pt)
{
    *pt = (struct pgtable){ .alloc = alloc, .free = release, .flush = flush };
    allocations_left = UINT32_MAX;
    tables = 0;
    memset(model, 0, sizeof(model));
    memset(flushed, 0, sizeof(flushed));
    assert_int_equal(pgtable_init(pt, &arch_p2m_format), 0);
}

static void check_page(const struct pgtable *pt, uint64_t n)
{
    struct pgtable_leaf leaf;
    unsigned int order;

    if (!pgtable_lookup(pt, n << 12, &leaf, &order)) {
        assert_int_equal(model[n].maddr, 0);
        return;
    }
    assert_int_equal(leaf.maddr.v + ((n & ((1u << order) - 1)) << 12), model[n].maddr);
    assert_int_equal(leaf.flags, model[n].flags);
    assert_int_equal(leaf.type, model[n].type);
}

static void check_range(const struct pgtable *pt, uint64_t first, uint64_t pages)
{
    uint64_t from = first > 600 ? first - 600 : 0;
    uint64_t to = first + pages + 600 < PAGES ? first + pages + 600 : PAGES;

    for (uint64_t n = from; n < to; n++)
        check_page(pt, n);
}

/* What hardware may have cached of the old must have been flushed if it changed. */
static void check_flushed(uint64_t first, uint64_t pages)
{
    for (uint64_t n = first; n < first + pages; n++)
        if ((before[n].flags & PG_VALID) && memcmp(&before[n], &model[n], sizeof(model[n])))
            assert_true(flushed[n]);
}

static void random_step(struct pgtable *pt)
{
    unsigned int shape = (unsigned int)rand() % 4;
    uint64_t align = shape == 0 ? 512 * 512 : shape == 1 ? 512 : 1;
    uint64_t first = (uint64_t)rand() % PAGES / align * align;
    uint64_t pages = align * (1 + (uint64_t)rand() % (shape == 0 ? 2 : 40));
    bool kept = rand() % 4 == 0;
    struct pgtable_leaf leaf = {
        .maddr = MADDR(((uint64_t)rand() % 4096 + 1) * align << 12),
        .flags = kept ? 0 : PG_VALID | PG_R | (rand() % 2 ? PG_W : PG_X),
        .type = kept ? TYPE_KEPT : 1,
    };

    if (first + pages > PAGES)
        pages = PAGES - first;
    memcpy(before + first, model + first, pages * sizeof(model[0]));
    memset(flushed + first, 0, pages);
    if (rand() % 3 == 0) {
        assert_int_equal(pgtable_unmap(pt, first << 12, pages << 12), 0);
        memset(model + first, 0, pages * sizeof(model[0]));
    } else {
        assert_int_equal(pgtable_map(pt, first << 12, pages << 12, &leaf), 0);
        for (uint64_t i = 0; i < pages; i++)
            model[first + i] = (struct page){ leaf.maddr.v + (i << 12), leaf.flags, leaf.type };
    }
    check_range(pt, first, pages > 4096 ? 4096 : pages);
    check_flushed(first, pages);
}

/* Any order of mapping, splitting, replacing and unmapping leaves each page as the last change made
 * it. */
static void test_random(void **state)
{
    struct pgtable pt;

    (void)state;
    srand(1);
    setup(&pt);
    for (int i = 0; i < 400; i++)
        random_step(&pt);
    for (uint64_t n = 0; n < PAGES; n += 7)
        check_page(&pt, n);
    /* And all of it goes away: a domain that dies leaves no table behind. */
    assert_int_equal(pgtable_unmap(&pt, 0, (uint64_t)PAGES << 12), 0);
    assert_int_equal(tables, 0);
    pgtable_destroy(&pt);
}

/* Aligned memory takes blocks: a guest of 1 GiB must not cost 512 tables and its TLB misses. */
static void test_blocks(void **state)
{
    struct pgtable pt;
    struct pgtable_leaf leaf = { .maddr = MADDR(GIB(4)), .flags = PG_VALID | PG_R, .type = 1 };
    unsigned int order;

    (void)state;
    setup(&pt);
    assert_int_equal(pgtable_map(&pt, GIB(1), GIB(1), &leaf), 0);
    assert_true(pgtable_lookup(&pt, GIB(1) + 4096, &leaf, &order));
    assert_int_equal(order, 18);
    assert_int_equal(tables, 0);
    /* One page out of the middle splits twice, and leaves the rest as it was. */
    assert_int_equal(pgtable_unmap(&pt, GIB(1) + MIB(512) + 4096, 4096), 0);
    assert_int_equal(tables, 2);
    assert_false(pgtable_lookup(&pt, GIB(1) + MIB(512) + 4096, &leaf, &order));
    assert_true(pgtable_lookup(&pt, GIB(1) + MIB(512), &leaf, &order));
    assert_int_equal(order, 0);
    assert_int_equal(leaf.maddr.v, GIB(4) + MIB(512));
    assert_true(pgtable_lookup(&pt, GIB(1) + MIB(2), &leaf, &order));
    assert_int_equal(order, 9);
    pgtable_destroy(&pt);
    assert_int_equal(tables, 0);
}

/* The walk over what is mapped meets each leaf once, in order: teardown frees each frame once. */
static void test_next(void **state)
{
    struct pgtable pt;
    struct pgtable_leaf leaf = { .flags = PG_VALID | PG_R, .type = 1 };
    static const uint64_t where[] = { 0, MIB(2), GIB(1), GIB(3) + 4096, GIB(3) + MIB(4) };
    uint64_t at = 0, found;
    unsigned int order, n = 0;

    (void)state;
    setup(&pt);
    for (unsigned int i = 0; i < 5; i++) {
        leaf.maddr = MADDR(where[i] + GIB(8));
        assert_int_equal(pgtable_map(&pt, where[i], i == 1 ? MIB(2) : 4096, &leaf), 0);
    }
    while (pgtable_next(&pt, at, GIB(4), &found, &leaf, &order)) {
        assert_in_range(n, 0, 4);
        assert_int_equal(found, where[n]);
        assert_int_equal(leaf.maddr.v, where[n] + GIB(8));
        at = found + ((uint64_t)4096 << order);
        n++;
    }
    assert_int_equal(n, 5);
    pgtable_destroy(&pt);
}

/* What does not fit is refused, and running out of memory says so: neither may corrupt what is
 * mapped. */
static void test_errors(void **state)
{
    struct pgtable pt;
    struct pgtable_leaf leaf = { .maddr = MADDR(GIB(4)), .flags = PG_VALID | PG_R, .type = 1 };
    unsigned int order;

    (void)state;
    setup(&pt);
    assert_int_equal(pgtable_map(&pt, 1, 4096, &leaf), -EINVAL);
    assert_int_equal(pgtable_map(&pt, 0, 100, &leaf), -EINVAL);
    assert_int_equal(pgtable_map(&pt, 1ull << 40, 4096, &leaf), -EINVAL);
    assert_int_equal(pgtable_map(&pt, (1ull << 40) - 4096, 8192, &leaf), -EINVAL);
    assert_int_equal(pgtable_map(&pt, UINT64_MAX - 4095, 8192, &leaf), -EINVAL);
    leaf.maddr = MADDR(7);
    assert_int_equal(pgtable_map(&pt, 0, 4096, &leaf), -EINVAL);
    leaf.maddr = MADDR(GIB(4));
    assert_int_equal(pgtable_map(&pt, 0, GIB(1), &leaf), 0);
    allocations_left = 1;
    assert_int_equal(pgtable_unmap(&pt, 4096, 4096), -ENOMEM);
    allocations_left = UINT32_MAX;
    assert_true(pgtable_lookup(&pt, 4096, &leaf, &order));
    assert_int_equal(leaf.maddr.v + (order ? 4096u : 0), GIB(4) + 4096);
    assert_false(pgtable_lookup(&pt, 1ull << 40, &leaf, &order));
    pgtable_destroy(&pt);
    assert_int_equal(tables, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
