/* SPDX-License-Identifier: MIT */
/* What arm64 keeps for each pCPU, and how it finds its own: TPIDR_EL2 points to it. */
#ifndef ASM_PCPU_H
#define ASM_PCPU_H

#include <stdint.h>

struct pcpu;

/* Whether a CPU that was told to start did. It and who waits for it agree by changing WAITED_FOR.
 */
enum start_state {
    START_WAITED_FOR,
    START_ARRIVED,
    START_FAILED, /* it arrived, but cannot work */
    START_TOO_LATE,
};

struct arch_pcpu {
    uint64_t mpidr;       /* affinity fields of MPIDR_EL1 */
    uint32_t start_state; /* enum start_state, atomic */
    uint64_t stack_top;
    /* GIC: see asm/gic.h */
    volatile uint8_t *gicr; /* v3: this CPU's redistributor frames */
    uint8_t gic_target;     /* v2: this CPU's bit in target registers */
    const void *loaded;     /* vCPU whose arch state is in the hardware, or NULL */
};

/* TPIDR_EL2 changes once, at this CPU's start: not volatile, so that repeated uses are merged. */
static inline struct pcpu *arch_this_pcpu(void)
{
    struct pcpu *p;
    __asm__("mrs %0, tpidr_el2" : "=r"(p));
    return p;
}

#endif
