/* SPDX-License-Identifier: MIT */
/* Forgetting translations of guests' memory; <asm/guest_tlb.h> tells how. */
#include <asm/guest_tlb.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/heap.h>
#include <hospes/iommu.h>
#include <hospes/p2m.h>

struct pgtable_format arch_p2m_format; /* the vendor's: hvm.c */

void arch_p2m_init(struct domain *d)
{
    d->arch.nested_root = arch_virt_to_maddr(d->p2m.pt.root).v;
    d->arch.tlb_generation = 1;
}

/* Waits until pCPU `id` has left `d` since now. It is in the guest, so that the interrupt comes
 * through at once, and on its way out it takes no lock. */
static void wait_for(uint32_t id, const struct domain *d)
{
    const struct arch_pcpu *p = &pcpus[id]->arch;
    uint64_t entries = load_acquire(p->entries);

    if (__atomic_load_n(&p->in_guest, __ATOMIC_SEQ_CST) != d)
        return;
    arch_send_kick(id);
    while (load_acquire(p->in_guest) == d && read_once(p->entries) == entries)
        arch_cpu_relax();
}

void arch_p2m_flush(struct domain *d, gfn_t gfn, uint64_t frames)
{
    uint32_t id;

    (void)gfn, (void)frames; /* a whole generation at a time */
    if (d->hardware)
        iommu_flush();
    __atomic_fetch_add(&d->arch.tlb_generation, 1, __ATOMIC_SEQ_CST);
    pcpu_for_each_online (id) {
        wait_for(id, d);
    }
}
