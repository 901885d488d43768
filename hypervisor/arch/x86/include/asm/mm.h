/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space: bits of entries, and what boot and CPU start need of it. Most
 * of it is reached through <hospes/map.h>, <hospes/heap.h> and <hospes/frame.h>. AMD APM volume 2,
 * 5.3 and 5.4.
 */
#ifndef ASM_MM_H
#define ASM_MM_H

#include <asm/cpu.h>
#include <asm/layout.h>
#include <hospes/types.h>

#define PTE_P         (1ull << 0)
#define PTE_W         (1ull << 1)
#define PTE_U         (1ull << 2)
#define PTE_PWT       (1ull << 3)
#define PTE_PCD       (1ull << 4)
#define PTE_A         (1ull << 5)
#define PTE_D         (1ull << 6)
#define PTE_PS        (1ull << 7)  /* a leaf, above the last level */
#define PTE_PAT       (1ull << 7)  /* in the last level: alone, write-combining (PAT_OURS) */
#define PTE_PAT_LARGE (1ull << 12) /* the same, above it */
#define PTE_NX        (1ull << 63)
#define PTE_ADDRESS   0x000ffffffffff000ull

/* What the CPUs take: other bits of an address make them fault. */
#define ARCH_MADDR_END (1ull << cpu_info.physical_bits)

/* Accessed and dirty from the start, so that the CPU never writes them. */
#define PTE_TABLE  (PTE_P | PTE_W | PTE_A)
#define PTE_LEAF   (PTE_P | PTE_A | PTE_D)
#define PTE_TEXT   PTE_LEAF
#define PTE_RODATA (PTE_LEAF | PTE_NX)
#define PTE_DATA   (PTE_LEAF | PTE_W | PTE_NX)
#define PTE_DEVICE (PTE_DATA | PTE_PCD | PTE_PWT)

struct pcpu;

/* Adopts the tables of early.c; the image is at `load`. The first thing that may map. */
void mm_init_early(uint64_t load);

/* Forgets the boot code's identity mapping of low memory. */
void mm_drop_identity(void);

/* Maps a page at its own address, executable, for CPUs that start; takes it away, on all CPUs. */
int mm_map_trampoline(maddr_t page);
void mm_unmap_trampoline(maddr_t page);

/* The stack that ends at `top` is p's: writes its STACK_TOP (asm/layout.h), and p->arch.stack_top.
 */
void mm_own_stack(uint64_t top, struct pcpu *p);

/* Forgets all translations of the hypervisor's own on this pCPU. */
void mm_flush_all(void);

/* This pCPU was asked to forget pins (pin.c): called where a kick is served, and before a pCPU is
 * online. */
void pin_catch_up(void);

/* Slots: <hospes/hypmap.h>. */
static inline uint64_t arch_slot_page(maddr_t a)
{
    return a.v | PTE_DATA;
}
static inline uint64_t arch_slot_block(maddr_t a)
{
    return a.v | PTE_DATA | PTE_PS;
}
static inline void arch_slot_written(void)
{
    __asm__ volatile("" ::: "memory");
}
static inline void arch_slot_cleared(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

#endif
