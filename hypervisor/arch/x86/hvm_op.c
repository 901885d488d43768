/* SPDX-License-Identifier: MIT */
/*
 * x86's part of hvm_op: parameters of a guest, and the vector by which a vCPU is told of events.
 * <xen/hvm/hvm_op.h>, <xen/hvm/params.h>. Calls on alternate p2ms, memory events and device models
 * are refused: there are none.
 */
#include <asm/vlapic.h>
#include <hospes/abi.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/xen.h>

#define FIRST_VECTOR 16u

enum hvm_param_right arch_hvm_param_right(uint32_t index)
{
    switch (index) {
    case HVM_PARAM_CALLBACK_IRQ:
    case HVM_PARAM_VM86_TSS:
    case HVM_PARAM_VM86_TSS_SIZED:
    case HVM_PARAM_ACPI_IOPORTS_LOCATION:
    case HVM_PARAM_VM_GENERATION_ID_ADDR:
        return HVM_PARAM_GUEST_SETS;
    case HVM_PARAM_STORE_PFN:
    case HVM_PARAM_STORE_EVTCHN:
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_CONSOLE_EVTCHN:
    case HVM_PARAM_X87_FIP_WIDTH:
        return HVM_PARAM_GUEST_READS;
    case HVM_PARAM_PAE_ENABLED:
    case HVM_PARAM_IOREQ_PFN:
    case HVM_PARAM_BUFIOREQ_PFN:
    case HVM_PARAM_VIRIDIAN:
    case HVM_PARAM_TIMER_MODE:
    case HVM_PARAM_HPET_ENABLED:
    case HVM_PARAM_IDENT_PT:
    case HVM_PARAM_DM_DOMAIN:
    case HVM_PARAM_ACPI_S_STATE:
    case HVM_PARAM_VPT_ALIGN:
    case HVM_PARAM_NESTEDHVM:
    case HVM_PARAM_PAGING_RING_PFN:
    case HVM_PARAM_MONITOR_RING_PFN:
    case HVM_PARAM_SHARING_RING_PFN:
    case HVM_PARAM_TRIPLE_FAULT_REASON:
    case HVM_PARAM_IOREQ_SERVER_PFN:
    case HVM_PARAM_NR_IOREQ_SERVER_PAGES:
    case HVM_PARAM_ALTP2M:
    case HVM_PARAM_MCA_CAP:
        return HVM_PARAM_TOOLSTACK;
    default:
        return HVM_PARAM_NOBODY;
    }
}

/* Values that stand for what there is not. */
static int check(uint32_t index, uint64_t value)
{
    switch (index) {
    case HVM_PARAM_VIRIDIAN:
    case HVM_PARAM_MCA_CAP:
        return value ? -EINVAL : 0;
    case HVM_PARAM_NESTEDHVM:
    case HVM_PARAM_ALTP2M:
        return value ? -EOPNOTSUPP : 0;
    case HVM_PARAM_TRIPLE_FAULT_REASON:
        return value > DOMAIN_WATCHDOG ? -EINVAL : 0;
    case HVM_PARAM_TIMER_MODE:
        return value > HVMPTM_one_missed_tick_pending ? -EINVAL : 0;
    case HVM_PARAM_ACPI_S_STATE: /* changed by nobody: there is no sleep */
        return value ? -EINVAL : 0;
    default:
        return 0;
    }
}

int arch_hvm_param_set(struct domain *d, uint32_t index, uint64_t value)
{
    int rc = check(index, value);
    struct vcpu *v;
    uint32_t i;

    if (rc)
        return rc;
    write_once(d->hvm_params[index], value);
    if (index != HVM_PARAM_CALLBACK_IRQ)
        return 0;
    /* What was pending before comes by the new vector. */
    domain_for_each_vcpu (d, v, i)
        vcpu_kick(v);
    return 0;
}

static int64_t set_upcall_vector(struct vcpu *v, uint64_t at)
{
    struct xen_hvm_evtchn_upcall_vector u;
    struct domain *d = v->domain;
    struct vcpu *target;

    if (guest_read(v, &u, at, sizeof(u)))
        return -EFAULT;
    if (u.vector < FIRST_VECTOR)
        return -EINVAL;
    target = u.vcpu < d->max_vcpus ? d->vcpus[u.vcpu] : NULL;
    if (!target)
        return -ENOENT;
    write_once(target->arch.upcall_vector, u.vector);
    vlapic_raise(target, u.vector, false); /* it looks */
    return 0;
}

static int64_t get_time(struct vcpu *v, uint64_t at)
{
    struct xen_hvm_get_time t = { .now = clock_ns() };

    return guest_write(v, at, &t, sizeof(t));
}

/* Devices' too: another vCPU may be changing the tables that are freed then. */
static void flush_tlbs(struct domain *d)
{
    spin_lock(&d->p2m.lock);
    arch_p2m_flush(d, GFN(0), UINT64_MAX);
    spin_unlock(&d->p2m.lock);
}

int64_t arch_hvm_op(struct vcpu *v, uint64_t op, uint64_t at)
{
    switch (op) {
    case HVMOP_set_evtchn_upcall_vector:
        return set_upcall_vector(v, at);
    case HVMOP_get_time:
        return get_time(v, at);
    case HVMOP_flush_tlbs:
        if (at)
            return -EINVAL;
        flush_tlbs(v->domain);
        return 0;
    case HVMOP_altp2m:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
