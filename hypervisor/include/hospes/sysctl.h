/* SPDX-License-Identifier: MIT */
/*
 * The toolstack's calls about the machine: __HYPERVISOR_sysctl of <xen/sysctl.h>. doc/abi.md lists
 * what is understood. The interface has not changed from Xen 4.17 to 4.20.
 */
#ifndef HOSPES_SYSCTL_H
#define HOSPES_SYSCTL_H

#include <hospes/types.h>
#include <xen/sysctl.h>

struct vcpu;

/* A call under way. */
struct sysctl {
    struct vcpu *caller;
    struct xen_sysctl *op; /* copied in */
};

/*
 * The hypercall. -EPERM for all but control domains, -EFAULT, -EACCES for an interface version that
 * is not served, -ENOSYS, or what <xen/sysctl.h> says of each.
 */
int64_t sysctl_op(struct vcpu *v, uint64_t *arg);

/* --- contract of each architecture ----------------------------------------------------------- */

/* Adds the architecture's capabilities and the clock's rate. */
void arch_sysctl_physinfo(struct xen_sysctl_physinfo *info);

/* Calls that only some architectures have. What <xen/sysctl.h> says, -ENOSYS. */
int64_t arch_sysctl(struct sysctl *s);

#endif
