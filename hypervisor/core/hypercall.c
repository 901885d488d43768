/* SPDX-License-Identifier: MIT */
/* The table of hypercalls, and what their handlers share; <hospes/hypercall.h> has the contract. */
#include <hospes/abi.h>
#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/domctl.h>
#include <hospes/errno.h>
#include <hospes/evtchn.h>
#include <hospes/gnttab.h>
#include <hospes/hypercall.h>
#include <hospes/memory_op.h>
#include <hospes/pcpu.h>
#include <hospes/sysctl.h>
#include <hospes/vcpu.h>
#include <xen/xen.h>

hypercall_fn *const hypercalls[HYPERCALLS] = {
    [__HYPERVISOR_platform_op] = platform_op,
    [__HYPERVISOR_memory_op] = memory_op,
    [__HYPERVISOR_multicall] = multicall_op,
    [__HYPERVISOR_xen_version] = xen_version_op,
    [__HYPERVISOR_grant_table_op] = gnttab_op,
    [__HYPERVISOR_console_io] = console_io_op,
    [__HYPERVISOR_vm_assist] = vm_assist_op,
    [__HYPERVISOR_vcpu_op] = vcpu_op,
    [__HYPERVISOR_event_channel_op] = event_channel_op,
    [__HYPERVISOR_physdev_op] = arch_physdev_op,
    [__HYPERVISOR_sched_op] = sched_op,
    [__HYPERVISOR_hvm_op] = hvm_op,
    [__HYPERVISOR_sysctl] = sysctl_op,
    [__HYPERVISOR_domctl] = domctl_op,
};

bool hypercall_should_stop(void)
{
    return read_once(this_pcpu()->pending) || arch_irq_is_pending();
}

int hypercall_target(struct vcpu *v, uint16_t domid, struct domain **out)
{
    struct domain *d;

    if (domid == DOMID_SELF)
        domid = v->domain->id;
    if (domid != v->domain->id && !v->domain->control)
        return -EPERM;
    d = domain_get(domid);
    if (!d)
        return -ESRCH;
    *out = d;
    return 0;
}
