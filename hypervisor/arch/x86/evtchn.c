/* SPDX-License-Identifier: MIT */
/* How an x86 guest is told of events; <asm/evtchn.h> has the contract. */
#include <asm/evtchn.h>
#include <asm/vlapic.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>
#include <hospes/vcpu_info.h>
#include <lib/bits.h>
#include <xen/hvm/params.h>
#include <xen/xen.h>

#define FIRST_VECTOR 16u

uint8_t evtchn_domain_vector(const struct domain *d)
{
    uint64_t via = read_once(d->hvm_params[HVM_PARAM_CALLBACK_IRQ]);

    if (field_get(HVM_PARAM_CALLBACK_IRQ_TYPE_MASK, via) != HVM_PARAM_CALLBACK_TYPE_VECTOR)
        return 0;
    return (uint8_t)via < FIRST_VECTOR ? 0 : (uint8_t)via;
}

int evtchn_pending_vector(const struct vcpu *v)
{
    uint8_t vector;

    if (v->arch.upcall_vector || !read_once(v->info->evtchn_upcall_pending))
        return -1;
    vector = evtchn_domain_vector(v->domain);
    return vector ? vector : -1;
}

void arch_evtchn_upcall(struct vcpu *v)
{
    uint8_t vector = read_once(v->arch.upcall_vector);

    if (vector)
        vlapic_raise(v, vector, false);
    else
        vcpu_kick(v);
}
