/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space: windows of asm/layout.h, filled and emptied.
 *
 * Owns the EL2 tables. Their pages come from a pool only: a small one in .bss to start with, then
 * one sized by the machine's RAM, so that mapping a heap chunk never needs the heap. Lock:
 * LOCK_HYPMAP for all but the slots, which belong to one pCPU each.
 */
#include <asm/mm.h>
#include <asm/sysreg.h>
#include <hospes/boot.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/init.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <hospes/pgtable.h>
#include <hospes/spinlock.h>
#include <lib/bits.h>

#define POOL_START 24 /* pages in .bss: slots of the first CPU, its UART, the pool itself */

extern char _image_start[], _image_end[], boot_text[], boot_text_end[];

static uint8_t start_pool[POOL_START][FRAME_SIZE] __aligned(4096)
    __attribute__((section(".bss.page_aligned")));

static struct spinlock mm_lock = SPINLOCK_INIT(LOCK_HYPMAP);
static struct pgtable mm_pt;
static uint64_t image_offset; /* virtual - machine address of the image */
static uint64_t image_maddr, image_bytes;
static uint8_t *pool = start_pool[0]; /* pages not handed out yet */
static uint64_t pool_pages = POOL_START;
static uint64_t *pool_freed; /* given back, chained through their first word */
static uint64_t device_next = LAYOUT_DEVICES;

/* Each pCPU's slots: where they are, and their level-3 and level-2 entries, written without a walk.
 */
static struct slots {
    uint64_t base;
    uint64_t *pages, *blocks;
    uint64_t unused; /* to a power of two */
} slots[MAX_PCPUS];

static uint64_t encode_leaf(const struct pgtable_leaf *leaf, unsigned int level)
{
    uint64_t e = leaf->maddr.v | EL2_AP_RES1 | EL2_AF | EL2_SH_IS |
                 field_prep(EL2_INDEX, leaf->flags & PG_DEVICE ? MAIR_DEVICE : MAIR_NORMAL);

    if (!(leaf->flags & PG_W))
        e |= EL2_AP_RO;
    if (!(leaf->flags & PG_X))
        e |= EL2_XN;
    return e | (level == PGTABLE_LEVELS - 1 ? EL2_PAGE : EL2_BLOCK);
}

static uint64_t encode_table(maddr_t table)
{
    return table.v | EL2_TABLE;
}

static bool decode_leaf(uint64_t e, unsigned int level, struct pgtable_leaf *leaf)
{
    if ((e & 3) != (level == PGTABLE_LEVELS - 1 ? EL2_PAGE : EL2_BLOCK))
        return false;
    leaf->maddr = MADDR(e & EL2_ADDRESS);
    leaf->type = 0;
    leaf->flags = PG_VALID | PG_R | (e & EL2_AP_RO ? 0 : PG_W) | (e & EL2_XN ? 0 : PG_X) |
                  (field_get(EL2_INDEX, e) == MAIR_DEVICE ? PG_DEVICE : 0);
    return true;
}

static bool decode_table(uint64_t e, unsigned int level, maddr_t *table)
{
    (void)level;
    *table = MADDR(e & EL2_ADDRESS);
    return (e & 3) == EL2_TABLE;
}

static const struct pgtable_format mm_format = {
    .top_level = 0,
    .largest_block = 2,
    .encode_leaf = encode_leaf,
    .encode_table = encode_table,
    .decode_leaf = decode_leaf,
    .decode_table = decode_table,
};

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
    dsb(ishst);
    if (bytes > MIB(2)) {
        __asm__ volatile("tlbi alle2is" ::: "memory");
    } else {
        for (uint64_t a = addr; a < addr + bytes; a += FRAME_SIZE)
            __asm__ volatile("tlbi vae2is, %0" : : "r"(a >> FRAME_SHIFT) : "memory");
    }
    dsb(ish);
    isb();
}

void arch_pgtable_publish(const void *p, uint64_t bytes)
{
    (void)p, (void)bytes; /* walks are coherent: TCR_EL2 and VTCR_EL2 have them cached */
    dsb(ishst);
    isb();
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

uint64_t mm_root(void)
{
    return arch_virt_to_maddr(mm_pt.root).v;
}

/* Maps under the lock; what is mapped was unmapped before, so that nothing needs flushing. */
static int map_range(uint64_t va, maddr_t ma, uint64_t bytes, uint32_t flags)
{
    struct pgtable_leaf leaf = { .maddr = ma, .flags = flags | PG_VALID };
    int err;

    spin_lock(&mm_lock);
    err = pgtable_map(&mm_pt, va, bytes, &leaf);
    spin_unlock(&mm_lock);
    return err;
}

static void unmap_range(uint64_t va, uint64_t bytes)
{
    spin_lock(&mm_lock);
    (void)pgtable_unmap(&mm_pt, va, bytes);
    spin_unlock(&mm_lock);
}

/* The table at `level` that covers `va`, made as needed. Under the lock. */
static uint64_t *table_for(uint64_t va, unsigned int level)
{
    uint64_t *table = mm_pt.root;

    for (unsigned int l = 0; l < level; l++) {
        uint64_t *slot = &table[va >> (39 - 9 * l) & 511];

        if (!*slot) {
            uint64_t *page = pool_alloc(&mm_pt);

            if (!page)
                return NULL;
            *slot = encode_table(arch_virt_to_maddr(page));
        }
        table = arch_heap_maddr_to_virt(MADDR(*slot & EL2_ADDRESS));
    }
    dsb(ishst);
    isb();
    return table;
}

int mm_pcpu_init(uint32_t id)
{
    struct slots *s = &slots[id];
    uint64_t *blocks;

    s->base = LAYOUT_SLOTS + id * LAYOUT_SLOTS_PER_PCPU;
    spin_lock(&mm_lock);
    blocks = table_for(s->base, 2);
    s->blocks = blocks ? &blocks[(s->base >> 21 & 511) + 1] : NULL; /* the first is for pages */
    s->pages = blocks ? table_for(s->base, 3) : NULL;
    spin_unlock(&mm_lock);
    return s->pages ? 0 : -ENOMEM;
}

int mm_link_pins(uint32_t n, maddr_t table)
{
    uint64_t *blocks;

    spin_lock(&mm_lock);
    blocks = table_for(LAYOUT_PINS, 2);
    if (blocks) {
        write_once(blocks[n], encode_table(table));
        dsb(ishst);
        isb();
    }
    spin_unlock(&mm_lock);
    return blocks ? 0 : -ENOMEM;
}

void mm_init_early(void)
{
    uint64_t root = read_sysreg(ttbr0_el2) & EL2_ADDRESS;
    uint64_t here = (uint64_t)(uintptr_t)_image_start;
    uint64_t par;

    __asm__ volatile("at s1e2r, %1\n\tisb\n\tmrs %0, par_el1" : "=r"(par) : "r"(here));
    image_maddr = par & PAR_PA;
    image_bytes = (uint64_t)(_image_end - _image_start);
    image_offset = here - image_maddr;
    mm_pt = (struct pgtable){ .format = &mm_format,
                              .root = arch_heap_maddr_to_virt(MADDR(root)),
                              .alloc = pool_alloc,
                              .free = pool_free,
                              .flush = flush };
    (void)mm_pcpu_init(0);
}

void mm_init_pool(void)
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

    if (map_range(va, start, bytes, PG_R | PG_W))
        return NULL;
    return (void *)(uintptr_t)va;
}

void mm_drop_identity(void)
{
    unmap_range(arch_virt_to_maddr(boot_text).v, (uint64_t)(boot_text_end - boot_text));
}

void mm_drop_tree(void)
{
    unmap_range(LAYOUT_FDT, 2 * MIB(2));
}

void *mm_alloc_stack(void)
{
    uint8_t *pages = heap_alloc_pages((unsigned int)log2_ceil(STACK_SIZE / FRAME_SIZE));
    uint64_t va;

    if (!pages)
        return NULL;
    spin_lock(&mm_lock);
    va = device_next + FRAME_SIZE;
    device_next = va + STACK_SIZE;
    spin_unlock(&mm_lock);
    if (map_range(va, arch_virt_to_maddr(pages), STACK_SIZE, PG_R | PG_W))
        return NULL;
    return (void *)(uintptr_t)(va + STACK_SIZE);
}

void *arch_heap_map_chunk(mfn_t m)
{
    uint64_t va = LAYOUT_HEAP + mfn_to_maddr(m).v;

    if (mfn_to_maddr(m).v >= LAYOUT_HEAP_SIZE)
        return NULL;
    if (map_range(va, mfn_to_maddr(m), MIB(2), PG_R | PG_W))
        return NULL;
    return (void *)(uintptr_t)va;
}

void arch_heap_unmap_chunk(void *chunk)
{
    unmap_range((uint64_t)(uintptr_t)chunk, MIB(2));
}

struct frame *arch_frame_table(void)
{
    return (struct frame *)(uintptr_t)LAYOUT_FRAMES;
}

int arch_frame_table_map(mfn_t start, mfn_t end, void *meta, uint64_t bytes)
{
    uint64_t va = LAYOUT_FRAMES + start.v * sizeof(struct frame);

    (void)end;
    return map_range(va, arch_virt_to_maddr(meta), align_up(bytes, FRAME_SIZE), PG_R | PG_W);
}

/* Devices. */

volatile void *device_map(maddr_t start, uint64_t bytes)
{
    uint64_t offset = start.v & FRAME_MASK;
    uint64_t size = align_up(offset + bytes, FRAME_SIZE);
    uint64_t va;

    if (!bytes || size < bytes || size > LAYOUT_DEVICES_END - device_next)
        return NULL;
    spin_lock(&mm_lock);
    /* Alike in the low bits, so that large devices get blocks. */
    va = size >= MIB(2) ? align_up(device_next, MIB(2)) + (start.v - offset) % MIB(2) : device_next;
    device_next = va + size + FRAME_SIZE;
    spin_unlock(&mm_lock);
    if (map_range(va, MADDR(start.v - offset), size, PG_R | PG_W | PG_DEVICE))
        return NULL;
    return (volatile void *)(uintptr_t)(va + offset);
}

void device_unmap(volatile void *p, uint64_t bytes)
{
    uint64_t va = (uint64_t)(uintptr_t)p;
    uint64_t offset = va & FRAME_MASK;

    unmap_range(va - offset, align_up(offset + bytes, FRAME_SIZE));
}

const void *ram_map_readonly(maddr_t start, uint64_t bytes)
{
    uint64_t offset = start.v & FRAME_MASK;
    uint64_t size = align_up(offset + bytes, FRAME_SIZE);
    uint64_t va;

    if (!bytes || size < bytes || size > LAYOUT_DEVICES_END - device_next)
        return NULL;
    spin_lock(&mm_lock);
    va = device_next;
    device_next = va + size + FRAME_SIZE;
    spin_unlock(&mm_lock);
    if (map_range(va, MADDR(start.v - offset), size, PG_R))
        return NULL;
    return (const void *)(uintptr_t)(va + offset);
}

void ram_unmap(const void *p, uint64_t bytes)
{
    uint64_t va = (uint64_t)(uintptr_t)p;
    uint64_t offset = va & FRAME_MASK;

    unmap_range(va - offset, align_up(offset + bytes, FRAME_SIZE));
}

/* Slots: entries of this pCPU's own tables, written in place. Only it uses their addresses, so it
 * alone flushes. */

static void slot_flush(uint64_t va)
{
    dsb(nshst);
    __asm__ volatile("tlbi vae2, %0" : : "r"(va >> FRAME_SHIFT) : "memory");
    dsb(nsh);
    isb();
}

void *frame_map(mfn_t m)
{
    struct pcpu *p = this_pcpu();
    const struct slots *s = &slots[p->id];
    uint32_t n = p->arch.page_slots_used++;

    assert(n < LAYOUT_PAGE_SLOTS);
    s->pages[n] = mfn_to_maddr(m).v | EL2_ATTR_DATA | EL2_PAGE;
    dsb(ishst);
    isb();
    return (void *)(uintptr_t)(s->base + (uint64_t)n * FRAME_SIZE);
}

void frame_unmap(void *page)
{
    struct pcpu *p = this_pcpu();
    const struct slots *s = &slots[p->id];
    uint32_t n = --p->arch.page_slots_used;

    assert((uint64_t)(uintptr_t)page == s->base + (uint64_t)n * FRAME_SIZE);
    s->pages[n] = 0;
    slot_flush((uint64_t)(uintptr_t)page);
}

void *frame_map_2m(mfn_t m)
{
    struct pcpu *p = this_pcpu();
    const struct slots *s = &slots[p->id];
    uint32_t n = p->arch.block_slots_used++;

    assert(n < LAYOUT_BLOCK_SLOTS);
    s->blocks[n] = mfn_to_maddr(m).v | EL2_ATTR_DATA | EL2_BLOCK;
    dsb(ishst);
    isb();
    return (void *)(uintptr_t)(s->base + (1 + n) * MIB(2));
}

void frame_unmap_2m(void *block)
{
    struct pcpu *p = this_pcpu();
    const struct slots *s = &slots[p->id];
    uint32_t n = --p->arch.block_slots_used;

    assert((uint64_t)(uintptr_t)block == s->base + (1 + n) * MIB(2));
    s->blocks[n] = 0;
    slot_flush((uint64_t)(uintptr_t)block);
}
