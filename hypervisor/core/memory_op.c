/* SPDX-License-Identifier: MIT */
/*
 * __HYPERVISOR_memory_op: its operations, and those that only tell something. Answers are those of
 * Xen 4.20 to guests under hardware virtualization, without paging, sharing or populate-on-demand.
 */
#include "memory_internal.h"

#include <hospes/claim.h>
#include <hospes/compiler.h>
#include <hospes/frame.h>
#include <hospes/hypercall.h>
#include <hospes/memory_op.h>
#include <hospes/vnuma.h>
#include <lib/bits.h>
#include <xen/memory.h>
#include <xen/xen.h>

/* --- for all --------------------------------------------------------------------------------- */

int memory_target(struct vcpu *v, uint16_t domid, struct domain **out)
{
    struct domain *own = v->domain, *d = own;

    if (domid != DOMID_SELF && domid != own->id) {
        d = domain_get(domid);
        if (!d)
            return -ESRCH;
        if (!memory_may_change(own, d)) {
            domain_put(d);
            return -EPERM;
        }
    }
    *out = d;
    return 0;
}

void memory_target_put(struct vcpu *v, struct domain *d)
{
    if (d != v->domain)
        domain_put(d);
}

uint32_t memory_read_list(struct guest_window *w, uint64_t from, uint64_t n, uint64_t *to)
{
    uint32_t most = (uint32_t)min(n, (uint64_t)MEMORY_CHUNK), i = 0;

    if (!guest_window_read(w, to, from, most * (uint32_t)sizeof(*to)))
        return most;
    while (i < most && !guest_window_read(w, &to[i], from + i * sizeof(*to), sizeof(*to)))
        i++;
    return i;
}

unsigned int memory_max_order(const struct domain *caller)
{
    if (caller->control)
        return FRAME_MAX_ORDER;
    return caller->hardware ? 10 : FRAME_ORDER_2M;
}

/* --- questions ------------------------------------------------------------------------------- */

static int64_t tell_reservation(struct vcpu *v, const uint64_t *arg, unsigned int op)
{
    struct xen_memory_domain domain;
    struct domain *d;
    uint64_t answer;
    int rc;

    if (guest_read(v, &domain, arg[1], sizeof(domain)))
        return -EFAULT;
    rc = memory_target(v, domain.domid, &d);
    if (rc)
        return rc;
    if (op == XENMEM_current_reservation)
        answer = read_once(d->tot_pages);
    else if (op == XENMEM_maximum_reservation)
        answer = read_once(d->max_pages);
    else
        answer = p2m_maximum_gfn(d).v;
    memory_target_put(v, d);
    return (int64_t)answer;
}

static int64_t tell_vnuma(struct vcpu *v, const uint64_t *arg)
{
    struct xen_vnuma_topology_info topology;
    struct domain *d;
    int rc;

    if (guest_read(v, &topology, arg[1], sizeof(topology)))
        return -EFAULT;
    if (topology.pad)
        return -EINVAL;
    rc = memory_target(v, topology.domid, &d);
    if (rc)
        return rc;
    rc = vnuma_tell(v, d, &topology, arg[1]);
    memory_target_put(v, d);
    return rc;
}

/* No device needs memory at the same address in all domains. */
static int64_t tell_reserved_memory(struct vcpu *v, const uint64_t *arg)
{
    struct xen_reserved_device_memory_map map;

    if (guest_read(v, &map, arg[1], sizeof(map)))
        return -EFAULT;
    if (map.flags & ~(uint32_t)XENMEM_RDM_ALL)
        return -EINVAL;
    map.nr_entries = 0;
    return guest_write(v, arg[1], &map, sizeof(map));
}

static int64_t claim_pages(struct vcpu *v, const uint64_t *arg)
{
    struct xen_memory_reservation r;
    struct domain *d;
    int rc = -EPERM;

    if (guest_read(v, &r, arg[1], sizeof(r)))
        return -EFAULT;
    if (!guest_handle_is_null(r.extent_start) || r.extent_order || r.mem_flags)
        return -EINVAL;
    d = domain_get(r.domid);
    if (!d)
        return -EINVAL;
    if (v->domain->control)
        rc = read_once(d->p2m.dying) ? -EINVAL : claim_set(d, r.nr_extents);
    domain_put(d);
    return rc;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* Those that are done at once. Not inlined: the others are to be quick. */
static __noinline int64_t short_op(struct vcpu *v, const uint64_t *arg, unsigned int op)
{
    switch (op) {
    case XENMEM_maximum_ram_page:
        return (int64_t)frame_end().v;
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return tell_reservation(v, arg, op);
    case XENMEM_exchange:
        return reservation_exchange(v, arg);
    case XENMEM_remove_from_physmap:
        return physmap_remove(v, arg);
    case XENMEM_claim_pages:
        return claim_pages(v, arg);
    case XENMEM_get_vnumainfo:
        return tell_vnuma(v, arg);
    case XENMEM_reserved_device_memory_map:
        return tell_reserved_memory(v, arg);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0;
    default:
        return arch_memory_op(v, arg, op);
    }
}

int64_t memory_op(struct vcpu *v, uint64_t *arg)
{
    unsigned int op = arg[0] & MEMOP_CMD_MASK;
    uint64_t done = arg[0] >> MEMOP_EXTENT_SHIFT;

    switch (op) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return reservation_op(v, arg, op, done);
    case XENMEM_add_to_physmap:
        return physmap_add(v, arg, done);
    case XENMEM_add_to_physmap_batch:
        return physmap_add_batch(v, arg, done);
    case XENMEM_acquire_resource:
        return resource_acquire(v, arg, done);
    default:
        break;
    }
    int64_t rc = short_op(v, arg, op);
    return done && rc != -ENOSYS ? -EINVAL : rc;
}
