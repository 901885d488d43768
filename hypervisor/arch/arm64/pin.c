/* SPDX-License-Identifier: MIT */
/*
 * Pages that stay mapped: frame_pin() of <hospes/map.h>. A window of FRAME_PINS pages whose level-3
 * tables are made from the heap as they are first needed, and stay; entries are written in place.
 */
#include <asm/mm.h>
#include <asm/sysreg.h>
#include <hospes/compiler.h>
#include <hospes/heap.h>
#include <hospes/hypmap.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pgtable.h>
#include <hospes/spinlock.h>
#include <lib/bitmap.h>
#include <lib/bits.h>

#define PER_TABLE 512u

static struct spinlock lock = SPINLOCK_INIT(LOCK_PIN); /* guards all below */
static DECLARE_BITMAP(used, FRAME_PINS);
static uint64_t *tables[FRAME_PINS / PER_TABLE]; /* NULL: not there yet */
static uint32_t lowest_free;                     /* none below is free */

/* The table of pin `n`, made if need be; NULL without memory. Under the lock. */
static uint64_t *table_of(uint32_t n)
{
    uint64_t **t = &tables[n / PER_TABLE];

    if (!*t) {
        uint64_t *page = heap_alloc_pages(0);

        if (!page)
            return NULL;
        if (hypmap_link(LAYOUT_PINS + n * FRAME_SIZE, arch_virt_to_maddr(page))) {
            heap_free_pages(page, 0);
            return NULL;
        }
        *t = page;
    }
    return *t;
}

void *frame_pin(mfn_t m)
{
    uint64_t *table = NULL;
    uint32_t n;

    spin_lock(&lock);
    n = bitmap_find_next_zero(used, FRAME_PINS, lowest_free);
    if (n < FRAME_PINS)
        table = table_of(n);
    if (table) {
        bitmap_set(used, n);
        lowest_free = n + 1;
        write_once(table[n % PER_TABLE], arch_slot_page(mfn_to_maddr(m)));
        arch_slot_written();
    }
    spin_unlock(&lock);
    return table ? (void *)(uintptr_t)(LAYOUT_PINS + n * FRAME_SIZE) : NULL;
}

void frame_unpin(void *page)
{
    uint64_t va = (uint64_t)(uintptr_t)page & ~FRAME_MASK;
    uint32_t n = (uint32_t)((va - LAYOUT_PINS) >> FRAME_SHIFT);

    assert(va >= LAYOUT_PINS && n < FRAME_PINS);
    spin_lock(&lock);
    write_once(tables[n / PER_TABLE][n % PER_TABLE], 0);
    dsb(ishst);
    __asm__ volatile("tlbi vae2is, %0" : : "r"(va >> FRAME_SHIFT) : "memory");
    dsb(ish);
    isb();
    bitmap_clear(used, n);
    lowest_free = min(lowest_free, n);
    spin_unlock(&lock);
}
