/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space; <hospes/hypmap.h> has the contract.
 *
 * Pages of its tables come from a pool only: a small one in .bss to start with, then one sized by
 * the machine's RAM, so that mapping a heap chunk never needs the heap.
 */
#include <hospes/boot.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/hypmap.h>
#include <hospes/init.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/pgtable.h>
#include <hospes/spinlock.h>
#include <lib/bits.h>

#define POOL_START 24 /* pages in .bss: slots of the first CPU, its UART, the pool itself */

extern char _image_start[], _image_end[];

static uint8_t start_pool[POOL_START][FRAME_SIZE] __aligned(4096)
    __attribute__((section(".bss.page_aligned")));

static struct spinlock lock = SPINLOCK_INIT(LOCK_HYPMAP);
static struct pgtable tree;
static uint64_t image_offset; /* virtual - machine address of the image */
static uint64_t image_maddr, image_bytes;
static uint8_t *pool = start_pool[0]; /* pages not handed out yet */
static uint64_t pool_pages = POOL_START;
static uint64_t *pool_freed; /* given back, chained through their first word */
static uint64_t device_next = LAYOUT_DEVICES;

/* An address as the tree has it: without the copies of its highest bit. */
static uint64_t input(uint64_t va)
{
    return va & MASK(47, 0);
}

static void *pool_alloc(struct pgtable *pt)
{
    void *page = pool_freed;

    (void)pt;
    if (page) {
        pool_freed = (uint64_t *)(uintptr_t)*pool_freed;
        arch_zero_pages(page, 1);
    } else if (pool_pages) {
        page = pool;
        pool += FRAME_SIZE;
        pool_pages--;
    }
    return page;
}

static void pool_free(struct pgtable *pt, void *page)
{
    (void)pt;
    *(uint64_t *)page = (uint64_t)(uintptr_t)pool_freed;
    pool_freed = page;
}

static void flush(struct pgtable *pt, uint64_t addr, uint64_t bytes)
{
    (void)pt;
    arch_hypmap_flush(addr & BIT(47) ? addr | LAYOUT_HIGH : addr, bytes);
}

maddr_t arch_virt_to_maddr(const void *p)
{
    uint64_t v = (uint64_t)(uintptr_t)p;

    return MADDR(v - (v >= LAYOUT_HEAP ? LAYOUT_HEAP : image_offset));
}

void *arch_heap_maddr_to_virt(maddr_t a)
{
    if (unlikely(a.v - image_maddr < image_bytes))
        return (void *)(uintptr_t)(a.v + image_offset);
    return (void *)(uintptr_t)(a.v + LAYOUT_HEAP);
}

maddr_t hypmap_root(void)
{
    return arch_virt_to_maddr(tree.root);
}

int hypmap_map(uint64_t va, maddr_t ma, uint64_t bytes, uint32_t flags)
{
    struct pgtable_leaf leaf = { .maddr = ma, .flags = flags | PG_VALID };
    int err;

    spin_lock(&lock);
    err = pgtable_map(&tree, input(va), bytes, &leaf);
    spin_unlock(&lock);
    return err;
}

void hypmap_unmap(uint64_t va, uint64_t bytes)
{
    spin_lock(&lock);
    (void)pgtable_unmap(&tree, input(va), bytes);
    spin_unlock(&lock);
}

/* The table at `level` that covers `va`, made as needed. Under the lock. */
static uint64_t *table_for(uint64_t va, unsigned int level)
{
    uint64_t *table = tree.root;
    maddr_t below;

    for (unsigned int l = 0; l < level; l++) {
        uint64_t *slot = &table[va >> (39 - 9 * l) & 511];

        if (!*slot) {
            uint64_t *page = pool_alloc(&tree);

            if (!page)
                return NULL;
            write_once(*slot, arch_hypmap_format.encode_table(arch_virt_to_maddr(page), l));
        }
        if (!arch_hypmap_format.decode_table(*slot, l, &below))
            return NULL;
        table = arch_heap_maddr_to_virt(below);
    }
    arch_slot_written();
    return table;
}

int hypmap_link(uint64_t va, maddr_t table)
{
    uint64_t *blocks;

    spin_lock(&lock);
    blocks = table_for(va, 2);
    if (blocks)
        write_once(blocks[va >> 21 & 511], arch_hypmap_format.encode_table(table, 2));
    spin_unlock(&lock);
    arch_slot_written();
    return blocks ? 0 : -ENOMEM;
}

int hypmap_pcpu_init(struct pcpu *p, uint32_t id)
{
    struct pcpu_slots *s = &p->slots;
    uint64_t *blocks;

    s->base = LAYOUT_SLOTS + id * LAYOUT_SLOTS_PER_PCPU;
    spin_lock(&lock);
    blocks = table_for(s->base, 2);
    s->blocks = blocks ? &blocks[(s->base >> 21 & 511) + 1] : NULL; /* the first is for pages */
    s->pages = blocks ? table_for(s->base, 3) : NULL;
    spin_unlock(&lock);
    s->free = (1u << LAYOUT_PAGE_SLOTS) - 1;
    s->free_2m = (1u << LAYOUT_BLOCK_SLOTS) - 1;
    return s->pages ? 0 : -ENOMEM;
}

void hypmap_init_early(maddr_t root, maddr_t image)
{
    image_maddr = image.v;
    image_bytes = (uint64_t)(_image_end - _image_start);
    image_offset = (uint64_t)(uintptr_t)_image_start - image_maddr;
    tree = (struct pgtable){ .format = &arch_hypmap_format,
                             .root = arch_heap_maddr_to_virt(root),
                             .alloc = pool_alloc,
                             .free = pool_free,
                             .flush = flush };
    (void)hypmap_pcpu_init(pcpus[0], 0);
}

void hypmap_init_pool(void)
{
    uint64_t pages = 64; /* roots of windows, devices, stacks and slots */
    maddr_t where;
    void *page;

    for (uint32_t i = 0; i < boot_ram.nr; i++) {
        uint64_t bytes = boot_ram.r[i].end - boot_ram.r[i].start;

        /* Level-2 tables of the heap's window, and level-3 tables of the frame table's. */
        pages += bytes / GIB(1) + 4 + bytes / FRAME_SIZE * 12 / MIB(2);
    }
    where = boot_alloc(pages * FRAME_SIZE, FRAME_SIZE, UINT64_MAX, "page tables");
    page = where.v ? arch_init_map(where, pages * FRAME_SIZE) : NULL;
    if (!page)
        panic("no memory for %llu KiB of page tables", (unsigned long long)pages * 4);
    arch_zero_pages(page, pages);
    pool = page;
    pool_pages = pages;
}

void *arch_init_map(maddr_t start, uint64_t bytes)
{
    uint64_t va = LAYOUT_HEAP + start.v;

    if (hypmap_map(va, start, bytes, PG_R | PG_W))
        return NULL;
    return (void *)(uintptr_t)va;
}

void *arch_heap_map_chunk(mfn_t m)
{
    uint64_t va = LAYOUT_HEAP + mfn_to_maddr(m).v;

    if (mfn_to_maddr(m).v >= LAYOUT_HEAP_SIZE)
        return NULL;
    if (hypmap_map(va, mfn_to_maddr(m), MIB(2), PG_R | PG_W))
        return NULL;
    return (void *)(uintptr_t)va;
}

void arch_heap_unmap_chunk(void *chunk)
{
    hypmap_unmap((uint64_t)(uintptr_t)chunk, MIB(2));
}

struct frame *arch_frame_table(void)
{
    return (struct frame *)(uintptr_t)LAYOUT_FRAMES;
}

int arch_frame_table_map(mfn_t start, mfn_t end, void *meta, uint64_t bytes)
{
    uint64_t va = LAYOUT_FRAMES + start.v * sizeof(struct frame);

    (void)end;
    return hypmap_map(va, arch_virt_to_maddr(meta), align_up(bytes, FRAME_SIZE), PG_R | PG_W);
}

/* --- devices and stacks: addresses are never used again -------------------------------------- */

/* `size` bytes of addresses that agree with `like` below `align`, and a page behind them. 0: none
 * left. */
static uint64_t take_addresses(uint64_t size, uint64_t align, uint64_t like)
{
    uint64_t va;

    spin_lock(&lock);
    va = align_up(device_next, align) + like % align;
    if (size > LAYOUT_DEVICES_END - LAYOUT_DEVICES || va + size + FRAME_SIZE > LAYOUT_DEVICES_END)
        va = 0;
    else
        device_next = va + size + FRAME_SIZE;
    spin_unlock(&lock);
    return va;
}

void *hypmap_alloc_stack(bool aligned)
{
    uint8_t *pages = heap_alloc_pages((unsigned int)log2_ceil(STACK_SIZE / FRAME_SIZE));
    uint64_t va;

    if (!pages)
        return NULL;
    /* What is before it is unmapped: nothing, or the page that all leave behind them. */
    va = take_addresses(STACK_SIZE, aligned ? STACK_SIZE : FRAME_SIZE, 0);
    if (!va || hypmap_map(va, arch_virt_to_maddr(pages), STACK_SIZE, PG_R | PG_W)) {
        heap_free_pages(pages, (unsigned int)log2_ceil(STACK_SIZE / FRAME_SIZE));
        return NULL;
    }
    return (void *)(uintptr_t)(va + STACK_SIZE);
}

/* Maps what is at `start`; alike in the low bits if it is large, so that it gets blocks. */
static uint64_t map_device(maddr_t start, uint64_t bytes, uint32_t flags)
{
    uint64_t offset = start.v & FRAME_MASK;
    uint64_t size = align_up(offset + bytes, FRAME_SIZE);
    uint64_t va;

    if (!bytes || size < bytes || start.v > ARCH_MADDR_END - size)
        return 0;
    va = take_addresses(size, size >= MIB(2) ? MIB(2) : FRAME_SIZE, start.v - offset);
    if (!va || hypmap_map(va, MADDR(start.v - offset), size, flags))
        return 0;
    return va + offset;
}

static void unmap_device(uint64_t va, uint64_t bytes)
{
    uint64_t offset = va & FRAME_MASK;

    hypmap_unmap(va - offset, align_up(offset + bytes, FRAME_SIZE));
}

volatile void *device_map(maddr_t start, uint64_t bytes)
{
    return (volatile void *)(uintptr_t)map_device(start, bytes, PG_R | PG_W | PG_DEVICE);
}

volatile void *screen_map(maddr_t start, uint64_t bytes)
{
    return (volatile void *)(uintptr_t)map_device(start, bytes,
                                                  PG_R | PG_W | PG_DEVICE | PG_COMBINE);
}

void device_unmap(volatile void *p, uint64_t bytes)
{
    unmap_device((uint64_t)(uintptr_t)p, bytes);
}

const void *ram_map_readonly(maddr_t start, uint64_t bytes)
{
    return (const void *)(uintptr_t)map_device(start, bytes, PG_R);
}

void ram_unmap(const void *p, uint64_t bytes)
{
    unmap_device((uint64_t)(uintptr_t)p, bytes);
}

/* --- slots: only this pCPU uses their addresses, so it alone flushes ---------------------------
 */

/* Takes the first of a set of free slots, of which there always is one. */
static inline uint32_t take_slot(uint32_t *free)
{
    uint32_t set = *free;

    assert(set != 0);
    *free = set & (set - 1);
    return bit_lowest(set);
}

static inline void give_slot(uint32_t *free, uint64_t n)
{
    assert(n < 32 && !(*free & 1u << n));
    *free |= 1u << n;
}

void *frame_map(mfn_t m)
{
    struct pcpu_slots *s = &this_pcpu()->slots;
    uint64_t n = take_slot(&s->free);

    s->pages[n] = arch_slot_page(mfn_to_maddr(m));
    arch_slot_written();
    return (void *)(uintptr_t)(s->base + (n << FRAME_SHIFT));
}

void frame_unmap(void *page)
{
    struct pcpu_slots *s = &this_pcpu()->slots;
    uint64_t va = (uint64_t)(uintptr_t)page, n = (va - s->base) >> FRAME_SHIFT;

    give_slot(&s->free, n);
    s->pages[n] = 0;
    arch_slot_cleared(va);
}

void *frame_map_instead(void *page, mfn_t m)
{
    struct pcpu_slots *s = &this_pcpu()->slots;
    uint64_t va = (uint64_t)(uintptr_t)page;
    uint64_t *slot = &s->pages[(va - s->base) >> FRAME_SHIFT];

    *slot = 0;
    arch_slot_cleared(va);
    *slot = arch_slot_page(mfn_to_maddr(m));
    arch_slot_written();
    return page;
}

void *frame_map_2m(mfn_t m)
{
    struct pcpu_slots *s = &this_pcpu()->slots;
    uint64_t n = take_slot(&s->free_2m);

    s->blocks[n] = arch_slot_block(mfn_to_maddr(m));
    arch_slot_written();
    return (void *)(uintptr_t)(s->base + (1 + n) * MIB(2));
}

void frame_unmap_2m(void *block)
{
    struct pcpu_slots *s = &this_pcpu()->slots;
    uint64_t va = (uint64_t)(uintptr_t)block, n = (va - s->base) / MIB(2) - 1;

    give_slot(&s->free_2m, n);
    s->blocks[n] = 0;
    arch_slot_cleared(va);
}
