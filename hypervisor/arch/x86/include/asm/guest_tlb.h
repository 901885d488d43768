/* SPDX-License-Identifier: MIT */
/*
 * Translations of guests' memory that pCPUs remember. No processor invalidates another's: who takes
 * some back (arch_p2m_flush()) raises the domain's generation, and waits until no pCPU is in this
 * domain's guest mode that entered before. Each entry says first whose guest it is for, then looks
 * at the generation, and forgets all if it has seen another.
 */
#ifndef ASM_GUEST_TLB_H
#define ASM_GUEST_TLB_H

#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/pcpu.h>

struct guest_tlb_pcpu {
    const struct domain *in_guest; /* atomic; NULL: in the hypervisor */
    uint64_t entries;              /* so many; written by itself, read at once */
} __aligned(64);

extern struct guest_tlb_pcpu guest_tlb_pcpus[MAX_PCPUS];

/* Just before the entry: the generation that translations have to be of. The exchange orders the
 * two. */
static inline uint32_t guest_tlb_enter(const struct pcpu *p, const struct domain *d)
{
    struct guest_tlb_pcpu *g = &guest_tlb_pcpus[p->id];

    write_once(g->entries, g->entries + 1);
    (void)__atomic_exchange_n(&g->in_guest, d, __ATOMIC_SEQ_CST);
    return read_once(d->arch.tlb_generation);
}

/* Just after an exit. */
static inline void guest_tlb_leave(const struct pcpu *p)
{
    store_release(guest_tlb_pcpus[p->id].in_guest, NULL);
}

#endif
