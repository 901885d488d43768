/* SPDX-License-Identifier: MIT */
/*
 * What a guest is told of NUMA nodes: XEN_DOMCTL_setvnumainfo of <xen/domctl.h> says it,
 * XENMEM_get_vnumainfo of <xen/memory.h> asks. The machine is one node; nothing is placed by it.
 */
#ifndef HOSPES_VNUMA_H
#define HOSPES_VNUMA_H

#include <hospes/types.h>

struct domain;
struct vcpu;
struct xen_domctl_vnuma;
struct xen_vnuma_topology_info;

/*
 * Once for each domain; it is freed with it, from domain->vnuma. -EINVAL, -E2BIG: more than 32
 * nodes or 128 ranges, -ENOMEM, -EFAULT, -EEXIST.
 */
int vnuma_set(struct vcpu *caller, struct domain *d, const struct xen_domctl_vnuma *op);

/*
 * Writes what is known of `d` where *t, which was read at `at`, says. -EOPNOTSUPP: nothing is,
 * -ENOBUFS: there is less room than needed, and *t tells at `at` how much that is; -EFAULT.
 */
int vnuma_tell(struct vcpu *v, const struct domain *d, struct xen_vnuma_topology_info *t,
               uint64_t at);

#endif
