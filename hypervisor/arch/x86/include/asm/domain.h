/* SPDX-License-Identifier: MIT */
/* What x86 adds to a domain. */
#ifndef ASM_DOMAIN_H
#define ASM_DOMAIN_H

#include <asm/pio.h>
#include <asm/vioapic.h>
#include <asm/vpci.h>
#include <stdint.h>

struct cpu_policy;
struct e820;

/* P2M_POOL_FIRST of <hospes/p2m.h>, as on Xen. */
#define ARCH_P2M_POOL_FIRST 256u

struct arch_domain {
    uint64_t nested_root;      /* machine address of the root of its nested page tables */
    uint32_t tlb_generation;   /* raised when translations of its memory are taken back; atomic */
    int64_t tsc_offset;        /* guest's TSC = machine's + this */
    struct cpu_policy *policy; /* what CPUID tells it; constant while it runs */
    struct vioapics vioapics;
    struct pio_space pio;
    struct vpci vpci; /* the hardware domain's */
    struct e820 *map; /* its memory, as it was told, or NULL; under domain->lock */
};

#endif
