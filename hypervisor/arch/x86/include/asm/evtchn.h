/* SPDX-License-Identifier: MIT */
/*
 * How an x86 guest is told of events: by a vector of its own choice. Either HVM_PARAM_CALLBACK_IRQ
 * names one for the whole domain, which is injected as long as vcpu_info says that events are
 * pending, past the local APIC; or HVMOP_set_evtchn_upcall_vector names one for each vCPU, which
 * its local APIC gets as an edge. <xen/hvm/params.h>, <xen/hvm/hvm_op.h>.
 */
#ifndef ASM_EVTCHN_H
#define ASM_EVTCHN_H

#include <stdbool.h>
#include <stdint.h>

struct domain;
struct vcpu;

/* The domain's vector, if its HVM_PARAM_CALLBACK_IRQ is such a one; 0: none. */
uint8_t evtchn_domain_vector(const struct domain *d);

/* The vector to inject past the local APIC now, -1: none. `v` runs here, or not at all. */
int evtchn_pending_vector(const struct vcpu *v);

#endif
