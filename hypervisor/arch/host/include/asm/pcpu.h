/* SPDX-License-Identifier: MIT */
/* What the stand-in keeps for each pCPU. The current one is per thread, so that real threads can be
 * pCPUs. */
#ifndef ASM_PCPU_H
#define ASM_PCPU_H

#include <stdint.h>

struct pcpu;

#define HOST_MAP_SLOTS 8

struct arch_pcpu {
    uint32_t apic_id;                   /* as x86, whose platform_op is tested here */
    uint64_t timer_ns;                  /* what its timer is set to; UINT64_MAX: off */
    uint64_t timer_programs;            /* how often it was set */
    uint32_t kicks;                     /* interrupts that others sent it */
    uint32_t idles;                     /* how often it went to sleep */
    const void *mapped[HOST_MAP_SLOTS]; /* by frame_map() */
    uint32_t nr_mapped;
};

extern _Thread_local struct pcpu *host_this_pcpu;

static inline struct pcpu *arch_this_pcpu(void)
{
    return host_this_pcpu;
}

#endif
