/* SPDX-License-Identifier: MIT */
/*
 * An arm64 vCPU's state. `struct cpu_regs` is what entry.S saves at each exit, its layout is known
 * there; the rest stays in the hardware until another vCPU is loaded (context.c).
 */
#ifndef ASM_VCPU_H
#define ASM_VCPU_H

#include <asm/vgic.h>
#include <asm/vtimer.h>
#include <hospes/types.h>
#include <stdbool.h>
#include <stdint.h>

struct cpu_regs {
    uint64_t x[31];
    uint64_t pc;     /* ELR_EL2 */
    uint64_t pstate; /* SPSR_EL2 */
};

/* EL1 and EL0 system registers of a vCPU that is not loaded. */
struct vcpu_sysregs {
    uint64_t sp_el0, sp_el1, elr_el1, spsr_el1;
    uint64_t sctlr_el1, actlr_el1, cpacr_el1, tcr_el1, ttbr0_el1, ttbr1_el1, mair_el1, amair_el1;
    uint64_t esr_el1, far_el1, afsr0_el1, afsr1_el1, vbar_el1, contextidr_el1, par_el1;
    uint64_t tpidr_el0, tpidr_el1, tpidrro_el0, csselr_el1, cntkctl_el1;
    uint64_t apia[2], apib[2], apda[2], apdb[2], apga[2]; /* FEAT_PAuth keys: low, high */
};

struct vcpu_fp {
    __uint128_t v[32];
    uint32_t fpsr, fpcr;
};

struct arch_vcpu {
    struct vcpu_sysregs sysregs;
    struct vcpu_fp fp;
    uint64_t hcr_el2;
    uint64_t vmpidr_el2;
    uint64_t mdscr;   /* as the guest wrote it; what of it works is in the register */
    bool os_lock;     /* OSLSR_EL1.OSLK */
    gfn_t clean_next; /* of p2m_clean_step(), while its memory is cleaned: set_way.c */
    struct vgic_vcpu vgic;
    struct vtimer_vcpu vtimer;
};

#endif
