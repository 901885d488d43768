/* SPDX-License-Identifier: MIT */
/* The interrupt that tells of events: a PPI, level, up while evtchn_upcall_pending is set. */
#include "hypercall.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

static unsigned int intid = GUEST_EVTCHN_PPI;

void upcall_init(void)
{
    struct xen_hvm_param param = { .domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ };

    check_eq((uint64_t)hypercall_op(__HYPERVISOR_hvm_op, HVMOP_get_param, &param), 0,
             "the callback");
    if (param.value) /* Xen tells some guests nothing */
        intid = param.value & 0xff;
    check(intid >= 16 && intid < 32, "its interrupt is a PPI (%u)", intid);
    gic_init();
    gic_enable(intid);
}

void upcall_init_cpu(void)
{
    gic_init_cpu();
    gic_enable(intid);
}

bool upcall_take(volatile uint8_t *upcall_pending)
{
    uint32_t iar = gic_ack();

    if ((iar & 0x3ff) == GIC_SPURIOUS)
        return false;
    check_eq(iar & 0x3ff, intid, "the interrupt is the event channels'");
    check_eq(*upcall_pending, 1, "evtchn_upcall_pending");
    *upcall_pending = 0;
    gic_eoi(iar);
    return true;
}

void upcall_wait(volatile uint8_t *upcall_pending)
{
    while (!upcall_take(upcall_pending))
        wfi();
}
