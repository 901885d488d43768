/* SPDX-License-Identifier: MIT */
/* Virtual NUMA nodes: kept for the guest that asks; <hospes/vnuma.h> has the contract. */
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/vnuma.h>
#include <xen/domctl.h>
#include <xen/memory.h>

#define MOST_NODES  32u
#define MOST_RANGES 128u

/* Behind the ranges: the distances from each node to each, then each vCPU's node. */
struct vnuma {
    uint32_t nodes, ranges, vcpus;
    struct xen_vmemrange range[];
};

static uint64_t distance_bytes(const struct vnuma *n)
{
    return (uint64_t)n->nodes * n->nodes * sizeof(uint32_t);
}

static uint32_t *distances(struct vnuma *n)
{
    return (uint32_t *)(void *)&n->range[n->ranges];
}

static uint32_t *node_of(struct vnuma *n)
{
    return distances(n) + (uint64_t)n->nodes * n->nodes;
}

static int check(const struct domain *d, const struct xen_domctl_vnuma *op)
{
    if (!op->nr_vnodes || !op->nr_vmemranges || op->nr_vcpus != d->max_vcpus || op->pad)
        return -EINVAL;
    if (guest_handle_is_null(op->vdistance) || guest_handle_is_null(op->vcpu_to_vnode) ||
        guest_handle_is_null(op->vnode_to_pnode) || guest_handle_is_null(op->vmemrange))
        return -EINVAL;
    return op->nr_vnodes > MOST_NODES || op->nr_vmemranges > MOST_RANGES ? -E2BIG : 0;
}

static int fill(struct vcpu *caller, struct vnuma *n, const struct xen_domctl_vnuma *op)
{
    if (guest_read(caller, n->range, guest_address(op->vmemrange),
                   n->ranges * sizeof(n->range[0])) ||
        guest_read(caller, distances(n), guest_address(op->vdistance), distance_bytes(n)) ||
        guest_read(caller, node_of(n), guest_address(op->vcpu_to_vnode),
                   n->vcpus * sizeof(uint32_t)))
        return -EFAULT;
    for (uint32_t i = 0; i < n->ranges; i++)
        if (n->range[i].nid >= n->nodes || n->range[i].end < n->range[i].start)
            return -EINVAL;
    for (uint32_t i = 0; i < n->vcpus; i++)
        if (node_of(n)[i] >= n->nodes)
            return -EINVAL;
    return 0;
}

int vnuma_set(struct vcpu *caller, struct domain *d, const struct xen_domctl_vnuma *op)
{
    struct vnuma *n;
    int rc = check(d, op);

    if (rc)
        return rc;
    n = heap_alloc(sizeof(*n) + op->nr_vmemranges * sizeof(n->range[0]) +
                   ((uint64_t)op->nr_vnodes * op->nr_vnodes + op->nr_vcpus) * sizeof(uint32_t));
    if (!n)
        return -ENOMEM;
    n->nodes = op->nr_vnodes;
    n->ranges = op->nr_vmemranges;
    n->vcpus = op->nr_vcpus;
    rc = fill(caller, n, op);
    spin_lock(&d->lock);
    if (!rc && d->vnuma)
        rc = -EEXIST;
    if (!rc)
        store_release(d->vnuma, n);
    spin_unlock(&d->lock);
    if (rc)
        heap_free(n);
    return rc;
}

int vnuma_tell(struct vcpu *v, const struct domain *d, struct xen_vnuma_topology_info *t,
               uint64_t at)
{
    struct vnuma *n = load_acquire(d->vnuma);
    int rc = 0;

    if (!n)
        return -EOPNOTSUPP;
    if (t->nr_vnodes < n->nodes || t->nr_vcpus < n->vcpus || t->nr_vmemranges < n->ranges)
        rc = -ENOBUFS;
    else if (guest_write(v, guest_address(t->vmemrange.h), n->range,
                         n->ranges * sizeof(n->range[0])) ||
             guest_write(v, guest_address(t->vdistance.h), distances(n), distance_bytes(n)) ||
             guest_write(v, guest_address(t->vcpu_to_vnode.h), node_of(n),
                         n->vcpus * sizeof(uint32_t)))
        return -EFAULT;
    t->nr_vnodes = n->nodes;
    t->nr_vcpus = n->vcpus;
    t->nr_vmemranges = n->ranges;
    return guest_write(v, at, t, sizeof(*t)) ? -EFAULT : rc;
}
