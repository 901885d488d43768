/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers: numbers and bits, and the instructions. Intel SDM volume 4; AMD APM
 * volume 2, appendix A.
 */
#ifndef ASM_MSR_H
#define ASM_MSR_H

#include <asm/layout.h>

#define MSR_TSC            0x10u
#define MSR_APIC_BASE      0x1bu
#define MSR_SPEC_CTRL      0x48u
#define MSR_PRED_CMD       U_(0x49)
#define MSR_UCODE_WRITE    0x79u /* Intel */
#define MSR_UCODE_REV      0x8bu
#define MSR_PLATFORM_INFO  0xceu /* Intel */
#define MSR_MTRR_CAP       0xfeu
#define MSR_ARCH_CAPS      0x10au
#define MSR_FLUSH_CMD      0x10bu
#define MSR_SYSENTER_CS    0x174u
#define MSR_SYSENTER_ESP   0x175u
#define MSR_SYSENTER_EIP   0x176u
#define MSR_MCG_CAP        0x179u
#define MSR_MCG_STATUS     0x17au
#define MSR_MISC_ENABLE    0x1a0u
#define MSR_DEBUGCTL       0x1d9u
#define MSR_MTRR_FIRST     0x200u
#define MSR_PAT            0x277u
#define MSR_MTRR_DEF_TYPE  0x2ffu
#define MSR_MC0_CTL        0x400u
#define MSR_TSC_DEADLINE   0x6e0u
#define MSR_X2APIC         0x800u /* register at offset 16 * n of the page: MSR_X2APIC + n */
#define MSR_XSS            0xda0u
#define MSR_EFER           U_(0xc0000080)
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u
#define MSR_TSC_RATIO      0xc0000104u
#define MSR_SYSCFG         0xc0010010u
#define MSR_HWCR           0xc0010015u
#define MSR_UCODE_PATCH    0xc0010020u /* AMD */
#define MSR_VM_CR          0xc0010114u
#define MSR_VM_HSAVE_PA    0xc0010117u
#define MSR_VIRT_SPEC_CTRL 0xc001011fu
#define MSR_LS_CFG         0xc0011020u
#define MSR_DE_CFG         0xc0011029u
#define MSR_BP_CFG         0xc001102eu

#define EFER_SCE    (U_(1) << 0)
#define EFER_LME    (U_(1) << 8)
#define EFER_LMA    (U_(1) << 10)
#define EFER_NXE    (U_(1) << 11)
#define EFER_SVME   (U_(1) << 12)
#define EFER_LMSLE  (U_(1) << 13)
#define EFER_FFXSR  (U_(1) << 14)
#define EFER_TCE    (U_(1) << 15)
#define EFER_AIBRSE (U_(1) << 21) /* automatic IBRS */

#define APIC_BASE_BSP     (1ull << 8)
#define APIC_BASE_X2APIC  (1ull << 10)
#define APIC_BASE_ENABLE  (1ull << 11)
#define APIC_BASE_ADDRESS 0x000ffffffffff000ull

#define SPEC_CTRL_IBRS  (U_(1) << 0)
#define SPEC_CTRL_STIBP (U_(1) << 1)
#define SPEC_CTRL_SSBD  (U_(1) << 2)
#define SPEC_CTRL_PSFD  (U_(1) << 7)
#define PRED_CMD_IBPB   (U_(1) << 0)

#define VM_CR_SVMDIS (U_(1) << 4)

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

/* One that there is: a fault is a bug of ours. */
static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

/* One that there may be: false, and 0, after a fault. exception.S */
bool rdmsr_safe(uint32_t msr, uint64_t *value);
bool wrmsr_safe(uint32_t msr, uint64_t value);
#endif

#endif
