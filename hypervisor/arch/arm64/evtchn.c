/* SPDX-License-Identifier: MIT */
/* How an arm64 guest is told of events: a PPI, whose number its device tree has in /hypervisor. */
#include <asm/evtchn.h>
#include <asm/vgic.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>
#include <hospes/vcpu_info.h>
#include <lib/bits.h>
#include <xen/hvm/params.h>
#include <xen/xen.h>

void evtchn_set_ppi(struct domain *d, uint32_t taken1, uint32_t taken2)
{
    uint32_t ppi = GUEST_EVTCHN_PPI;

    while (ppi == taken1 || ppi == taken2)
        ppi--;
    d->arch.evtchn_ppi = ppi;
    d->hvm_params[HVM_PARAM_CALLBACK_IRQ] =
        field_prep(HVM_PARAM_CALLBACK_IRQ_TYPE_MASK, HVM_PARAM_CALLBACK_TYPE_PPI) |
        field_prep(HVM_PARAM_CALLBACK_TYPE_PPI_FLAG_MASK,
                   HVM_PARAM_CALLBACK_TYPE_PPI_FLAG_LOW_LEVEL) |
        ppi;
}

void arch_evtchn_upcall(struct vcpu *v)
{
    vgic_pend(v->domain, v, v->domain->arch.evtchn_ppi, current_vcpu());
}
