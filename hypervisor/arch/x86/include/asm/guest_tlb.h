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

/*
 * Just before the entry: the generation that translations have to be of. Who raises it reads
 * `entries` first, then in_guest, which are written here the other way round. The atomic addition
 * orders all of that before the generation is read.
 */
static inline uint32_t guest_tlb_enter(struct pcpu *p, const struct domain *d)
{
    write_once(p->arch.in_guest, d);
    (void)__atomic_fetch_add(&p->arch.entries, 1, __ATOMIC_SEQ_CST);
    return read_once(d->arch.tlb_generation);
}

/* Just after an exit. */
static inline void guest_tlb_leave(struct pcpu *p)
{
    store_release(p->arch.in_guest, NULL);
}

#endif
