/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space (EL2 stage 1): entries' bits, and what boot and CPU start need
 * of it. Most of it is reached through <hospes/map.h>, <hospes/heap.h> and <hospes/frame.h>. Arm
 * ARM D8.3.
 */
#ifndef ASM_MM_H
#define ASM_MM_H

#include <asm/layout.h>
#include <asm/sysreg.h>
#include <hospes/types.h>

#define EL2_ADDRESS    0x0000fffffffff000ull
#define ARCH_MADDR_END (EL2_ADDRESS + FRAME_SIZE)
#define EL2_VALID      (1ull << 0)
#define EL2_TABLE      3ull
#define EL2_PAGE       3ull
#define EL2_BLOCK      1ull
#define EL2_INDEX      0x1cull /* AttrIndx: which byte of MAIR_EL2 */
#define EL2_AP_RES1    (1ull << 6)
#define EL2_AP_RO      (1ull << 7)
#define EL2_SH_IS      (3ull << 8)
#define EL2_AF         (1ull << 10)
#define EL2_XN         (1ull << 54)

#define EL2_ATTR_NORMAL (EL2_AP_RES1 | EL2_SH_IS | EL2_AF)
#define EL2_ATTR_BOOT   EL2_ATTR_NORMAL
#define EL2_ATTR_TEXT   (EL2_ATTR_NORMAL | EL2_AP_RO)
#define EL2_ATTR_RODATA (EL2_ATTR_NORMAL | EL2_AP_RO | EL2_XN)
#define EL2_ATTR_DATA   (EL2_ATTR_NORMAL | EL2_XN)

/* Adopts the tables of early.c. The first thing that may map. */
void mm_init_early(void);

/* Forgets the identity mapping of the boot code. Only when every CPU has started. */
void mm_drop_identity(void);

/* Unmaps the boot device tree: host_fdt is a copy now. */
void mm_drop_tree(void);

/* Slots and pins: <hospes/hypmap.h>. */
static inline uint64_t arch_slot_page(maddr_t a)
{
    return a.v | EL2_ATTR_DATA | EL2_PAGE;
}
static inline uint64_t arch_slot_block(maddr_t a)
{
    return a.v | EL2_ATTR_DATA | EL2_BLOCK;
}
static inline void arch_slot_written(void)
{
    dsb(ishst);
    isb();
}
static inline void arch_slot_cleared(uint64_t va)
{
    dsb(nshst);
    __asm__ volatile("tlbi vae2, %0" : : "r"(va >> FRAME_SHIFT) : "memory");
    dsb(nsh);
    isb();
}

#endif
