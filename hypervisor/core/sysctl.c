/* SPDX-License-Identifier: MIT */
/*
 * The sysctl hypercall: who may call it, its version, the table of what it does. <hospes/sysctl.h>
 * has the contract.
 */
#include "sysctl_internal.h"

#include <hospes/domain.h>
#include <hospes/domctl.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/vcpu.h>

/* Those that are not here are the architecture's, or unknown. doc/abi.md is checked against this
 * table. */
static sysctl_fn *const entries[] = {
    [XEN_SYSCTL_readconsole] = sysctl_readconsole,
    [XEN_SYSCTL_physinfo] = sysctl_physinfo,
    [XEN_SYSCTL_sched_id] = sysctl_sched_id,
    [XEN_SYSCTL_getdomaininfolist] = sysctl_getdomaininfolist,
    [XEN_SYSCTL_debug_keys] = sysctl_debug_keys,
    [XEN_SYSCTL_getcpuinfo] = sysctl_getcpuinfo,
    [XEN_SYSCTL_availheap] = sysctl_availheap,
    [XEN_SYSCTL_page_offline_op] = sysctl_page_offline_op,
    [XEN_SYSCTL_cputopoinfo] = sysctl_cputopoinfo,
    [XEN_SYSCTL_numainfo] = sysctl_numainfo,
    [XEN_SYSCTL_cpupool_op] = sysctl_cpupool_op,
    [XEN_SYSCTL_scheduler_op] = sysctl_scheduler_op,
    [XEN_SYSCTL_coverage_op] = sysctl_not_built_in,
};

/* As Xen says it of what its builder left out. */
int64_t sysctl_not_built_in(struct sysctl *s)
{
    (void)s;
    return -EOPNOTSUPP;
}

static sysctl_fn *find(uint32_t cmd)
{
    return cmd < sizeof(entries) / sizeof(entries[0]) && entries[cmd] ? entries[cmd] : arch_sysctl;
}

int64_t sysctl_op(struct vcpu *v, uint64_t *arg)
{
    struct xen_sysctl op;
    struct guest_window w = { .v = v };
    struct sysctl s = { .caller = v, .op = &op };
    bool allowed = domctl_allowed(v);
    int64_t rc;

    if (!allowed && !v->domain->xenstore)
        return -EPERM;
    if (guest_window_read(&w, &op, arg[0], sizeof(op)))
        rc = -EFAULT;
    else if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        rc = -EACCES;
    else if (!allowed && op.cmd != XEN_SYSCTL_getdomaininfolist)
        rc = -EPERM;
    else
        rc = find(op.cmd)(&s);
    if (rc >= 0 && guest_window_write(&w, arg[0], &op, sizeof(op)))
        rc = -EFAULT;
    guest_window_close(&w);
    return rc;
}
