/* SPDX-License-Identifier: MIT */
/*
 * What x86 keeps for each pCPU, and how it finds its own: by the stack that it is on
 * (asm/layout.h). No segment register will do, since they hold a guest's while its vCPU is loaded.
 */
#ifndef ASM_PCPU_H
#define ASM_PCPU_H

#include <asm/layout.h>
#include <asm/svm.h>
#include <stdint.h>

struct descriptors;
struct domain;
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
    uint32_t apic_id;
    uint32_t start_state; /* enum start_state, atomic */
    uint64_t stack_top;   /* of an empty stack */
    uint32_t tlb_seen;    /* pin.c: generation of TLB flushes that it has caught up with; atomic */
    struct descriptors *descriptors; /* its GDT and TSS: trap.c */
    struct svm_pcpu svm;
    /* <asm/guest_tlb.h>; written by itself, read at once: */
    const struct domain *in_guest; /* atomic; NULL: in the hypervisor */
    uint64_t entries;              /* so many */
};

/* A CPU stays on its stack: not volatile, so that repeated uses are merged. */
static inline struct pcpu *arch_this_pcpu(void)
{
    uint64_t top;

    __asm__("mov %%rsp, %0\n\tor %1, %0" : "=&r"(top) : "i"((int)STACK_SIZE - 1) : "cc");
    return *(struct pcpu **)(top + 1 - STACK_TOP + STACK_TOP_PCPU);
}

#endif
