/* SPDX-License-Identifier: MIT */
/* A vCPU of the stand-in: it runs nothing, but counts what was done to it. */
#ifndef ASM_VCPU_H
#define ASM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_regs {
    uint64_t x[31];
    uint64_t pc;
};

struct arch_vcpu {
    bool has_interrupt; /* arch_vcpu_has_interrupt()'s answer: set by tests and by arch_irq_inject()
                         */
    uint32_t saved, loaded, delivered;
    uint32_t upcalls; /* arch_evtchn_upcall() */
};

#endif
