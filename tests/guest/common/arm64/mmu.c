/* SPDX-License-Identifier: MIT */
/* Stage 1 (Arm DDI 0487, D8): 4 KiB granule, 39 bits, one table of 1 GiB blocks shared by all CPUs.
 */
#include "guest.h"

#define TCR_T0SZ_39BIT UINT64_C(25)
#define TCR_CACHED     (UINT64_C(1) << 8 | UINT64_C(1) << 10 | UINT64_C(3) << 12)
#define TCR_EPD1       (UINT64_C(1) << 23)
#define SCTLR_M_C_I    (UINT64_C(1) << 0 | UINT64_C(1) << 2 | UINT64_C(1) << 12)
#define SCTLR_A_WXN    (UINT64_C(1) << 1 | UINT64_C(1) << 19)

static uint64_t table[512] __attribute__((aligned(4096)));

void mmu_init(void)
{
    table[0] = MAP_DEVICE;
    for (uint64_t i = 1; i < 511; i++)
        table[i] = i << 30 | MAP_NORMAL;
}

void mmu_on(void)
{
    uint64_t parange = sysreg_read(id_aa64mmfr0_el1) & 0xf;

    sysreg_write(mair_el1, 0xff04); /* 0: Device-nGnRE, 1: Normal, write-back */
    sysreg_write(tcr_el1,
                 TCR_T0SZ_39BIT | TCR_CACHED | TCR_EPD1 | (parange > 5 ? 5 : parange) << 32);
    sysreg_write(ttbr0_el1, (uint64_t)table);
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
    sysreg_write(sctlr_el1, (sysreg_read(sctlr_el1) | SCTLR_M_C_I) & ~SCTLR_A_WXN);
}

void mmu_off(void)
{
    clean_dcache((const void *)machine.image.base, machine.image.bytes);
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) & ~SCTLR_M_C_I);
}

void mmu_set(unsigned int gib, uint64_t descriptor)
{
    for (int i = 0; i < 2; i++) { /* break, then make */
        *(volatile uint64_t *)&table[gib] = i == 0 ? 0 : descriptor;
        __asm__ volatile("dsb ishst\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" ::: "memory");
    }
}

void mmu_set_window(uint64_t descriptor)
{
    mmu_set(WINDOW >> 30, descriptor);
}

uint64_t mmu_window(uint64_t pa, uint64_t map)
{
    mmu_set_window((pa & ~(GIB - 1)) | map);
    return WINDOW | (pa & (GIB - 1));
}

uint64_t mmu_window32(uint64_t pa, uint64_t map)
{
    mmu_set(WINDOW32 >> 30, (pa & ~(GIB - 1)) | map);
    return WINDOW32 | (pa & (GIB - 1));
}
