/* SPDX-License-Identifier: MIT */
/* The hypervisor's own address space on x86: what entries look like, TLBs, and what is mapped only
 * while the machine boots. The rest is core/hypmap.c. AMD APM volume 2, 5.3 to 5.5. */
#include <asm/cpu.h>
#include <asm/mm.h>
#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/heap.h>
#include <hospes/hypmap.h>
#include <hospes/pcpu.h>
#include <hospes/pgtable.h>
#include <lib/bits.h>

#define FLUSH_ONE_BY_ONE 32 /* pages; more are forgotten with all others */

static uint64_t encode_leaf(const struct pgtable_leaf *leaf, unsigned int level)
{
    uint64_t e = leaf->maddr.v | PTE_LEAF;

    if (leaf->flags & PG_W)
        e |= PTE_W;
    if (!(leaf->flags & PG_X))
        e |= PTE_NX;
    if (leaf->flags & PG_COMBINE)
        e |= level == PGTABLE_LEVELS - 1 ? PTE_PAT : PTE_PAT_LARGE;
    else if (leaf->flags & PG_DEVICE)
        e |= PTE_PCD | PTE_PWT;
    return level == PGTABLE_LEVELS - 1 ? e : e | PTE_PS;
}

static uint64_t encode_table(maddr_t table, unsigned int level)
{
    (void)level;
    return table.v | PTE_TABLE;
}

static bool decode_leaf(uint64_t e, unsigned int level, struct pgtable_leaf *leaf)
{
    if (!(e & PTE_P) || (level != PGTABLE_LEVELS - 1 && !(e & PTE_PS)))
        return false;
    leaf->maddr = MADDR(e & PTE_ADDRESS);
    leaf->type = 0;
    leaf->flags = PG_VALID | PG_R | (e & PTE_W ? PG_W : 0) | (e & PTE_NX ? 0 : PG_X) |
                  (e & PTE_PCD ? PG_DEVICE : 0);
    return true;
}

static bool decode_table(uint64_t e, unsigned int level, maddr_t *table)
{
    *table = MADDR(e & PTE_ADDRESS);
    return (e & PTE_P) && level != PGTABLE_LEVELS - 1 && !(e & PTE_PS);
}

const struct pgtable_format arch_hypmap_format = {
    .top_level = 0,
    .largest_block = 2,
    .encode_leaf = encode_leaf,
    .encode_table = encode_table,
    .decode_leaf = decode_leaf,
    .decode_table = decode_table,
};

void mm_flush_all(void)
{
    write_cr3(read_cr3()); /* no translation of ours is global */
}

/*
 * This pCPU forgets it. Others may remember it until they flush for another reason, which is
 * harmless as long as the address is not used for anything else: hypmap's windows never do so, but
 * for chunks of the heap, each of which always has the same memory; pin.c sees to it.
 */
void arch_hypmap_flush(uint64_t va, uint64_t bytes)
{
    if (bytes > FLUSH_ONE_BY_ONE * FRAME_SIZE) {
        mm_flush_all();
        return;
    }
    for (uint64_t a = va; a < va + bytes; a += FRAME_SIZE)
        arch_slot_cleared(a);
}

/* Walkers see stores in the order in which they were made. */
void arch_pgtable_publish(const void *p, uint64_t bytes)
{
    (void)p, (void)bytes;
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

void mm_init_early(uint64_t load)
{
    hypmap_init_early(MADDR(read_cr3() & PTE_ADDRESS), MADDR(load));
}

void mm_drop_identity(void)
{
    uint64_t *root = arch_heap_maddr_to_virt(hypmap_root());

    write_once(root[0], 0);
    mm_flush_all();
}

int mm_map_trampoline(maddr_t page)
{
    return hypmap_map(page.v, page, FRAME_SIZE, PG_R | PG_X);
}

static void forget(void *arg)
{
    (void)arg;
    mm_flush_all();
}

void mm_unmap_trampoline(maddr_t page)
{
    hypmap_unmap(page.v, FRAME_SIZE);
    pcpu_call_others(forget, NULL);
}

void mm_own_stack(uint64_t top, struct pcpu *p)
{
    *(struct pcpu **)(uintptr_t)(top - STACK_TOP + STACK_TOP_PCPU) = p;
    p->arch.stack_top = top - STACK_TOP;
}
