/* SPDX-License-Identifier: MIT */
/*
 * Pages that stay mapped: frame_pin() of <hospes/map.h>. A window of twice FRAME_PINS pages whose
 * last-level tables are made from the heap as they are first needed, and stay; entries are written
 * in place.
 *
 * No pCPU can make another forget a translation at once, and nobody waits here. So the address of a
 * page that was let go is used again only after every pCPU has flushed its TLB. Many are collected,
 * a generation is counted up and all pCPUs are kicked; when all have caught up, these addresses are
 * free. What is collected meanwhile waits for the next generation. The window is large enough that
 * those that wait are never missed.
 */
#include <asm/layout.h>
#include <asm/mm.h>
#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/heap.h>
#include <hospes/hypmap.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/pgtable.h>
#include <hospes/spinlock.h>
#include <lib/bitmap.h>
#include <lib/bits.h>

#define WINDOW    (2 * FRAME_PINS)
#define PER_TABLE 512u
#define COLLECT   4096u /* let go before all are asked to forget */

static struct spinlock lock = SPINLOCK_INIT(LOCK_PIN); /* guards all below */
static DECLARE_BITMAP(used, WINDOW);                   /* mapped, or not forgotten by all */
static DECLARE_BITMAP(stale, WINDOW);                  /* let go since the generation began */
static DECLARE_BITMAP(aging, WINDOW);                  /* let go before it */
static uint32_t nr_pinned, nr_stale;
static uint64_t *tables[WINDOW / PER_TABLE]; /* NULL: not there yet */
static uint32_t next;                        /* none below is free */
static uint32_t generation;                  /* atomic, for readers */
static bool is_aging;                        /* `aging` has some */

void pin_catch_up(void)
{
    struct pcpu *p = this_pcpu();
    uint32_t now = load_acquire(generation);

    if (p->arch.tlb_seen == now)
        return;
    mm_flush_all();
    store_release(p->arch.tlb_seen, now);
}

static bool all_caught_up(void)
{
    uint32_t i;

    pcpu_for_each_online (i)
        if (pcpus[i] != this_pcpu() && load_acquire(pcpus[i]->arch.tlb_seen) != generation)
            return false;
    return true;
}

/* Frees what everybody has forgotten; asks to forget more if there is much. Under the lock. */
static void collect(void)
{
    uint32_t i;

    if (is_aging) {
        pin_catch_up();
        if (!all_caught_up())
            return;
        for (i = 0; i < array_size(used); i++)
            used[i] &= ~aging[i];
        is_aging = false;
        next = 0;
    }
    if (nr_stale < COLLECT)
        return;
    bitmap_copy(aging, stale, WINDOW);
    bitmap_zero(stale, WINDOW);
    nr_stale = 0;
    is_aging = true;
    store_release(generation, generation + 1);
    pcpu_for_each_online (i)
        if (pcpus[i] != this_pcpu())
            arch_send_kick(i);
}

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
    collect();
    n = nr_pinned < FRAME_PINS ? bitmap_find_next_zero(used, WINDOW, next) : WINDOW;
    if (n < WINDOW)
        table = table_of(n);
    if (table) {
        bitmap_set(used, n);
        nr_pinned++;
        next = n + 1;
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

    assert(va >= LAYOUT_PINS && n < WINDOW);
    spin_lock(&lock);
    write_once(tables[n / PER_TABLE][n % PER_TABLE], 0);
    arch_slot_cleared(va);
    bitmap_set(stale, n);
    nr_stale++;
    nr_pinned--;
    collect();
    spin_unlock(&lock);
}
