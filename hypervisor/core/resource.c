/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_acquire_resource: a toolstack maps what Hospes keeps for a domain. That is its grant
 * table; there are no ioreq servers and no traces of vCPUs.
 */
#include "memory_internal.h"

#include <hospes/compiler.h>
#include <hospes/frame.h>
#include <hospes/gnttab.h>
#include <hospes/hypercall.h>
#include <lib/bits.h>
#include <xen/memory.h>
#include <xen/xen.h>

/* Frames of a resource, 0 if it is not there. */
static uint32_t resource_frames(const struct domain *d, const struct xen_mem_acquire_resource *x)
{
    if (x->type == XENMEM_resource_grant_table && x->id == XENMEM_resource_grant_table_id_shared)
        return read_once(d->gnttab.max_frames);
    return 0;
}

/* Maps frame `n` of the resource of `owner` at `gfn` of `d`. */
static int map_one(struct domain *d, struct domain *owner, uint32_t n, gfn_t gfn)
{
    mfn_t m;
    int rc = gnttab_frame(owner, n, true, &m);

    if (rc)
        return rc;
    rc = p2m_replace(d, gfn, m, 1, P2M_SHARED);
    if (rc)
        frame_put(m);
    return rc;
}

/* Maps all from *done on. -ERESTART: there is more. */
static int map_all(struct vcpu *v, struct domain *owner, const struct xen_mem_acquire_resource *x,
                   uint64_t *done)
{
    struct guest_window w = { .v = v };
    uint64_t first = *done, gfns[MEMORY_CHUNK];

    while (*done < x->nr_frames) {
        uint64_t want = min(x->nr_frames - *done, (uint64_t)MEMORY_CHUNK);
        uint32_t n = memory_read_list(&w, guest_element(x->frame_list, *done), want, gfns);

        guest_window_close(&w);
        mfn_t last;
        int rc = gnttab_frame(owner, (uint32_t)(x->frame + *done + want - 1), true, &last);

        if (!rc)
            frame_put(last);
        if (!rc && n < want)
            rc = -EFAULT;
        if (rc)
            return rc;
        for (uint32_t i = 0; i < n; i++, (*done)++) {
            if (*done != first && hypercall_should_stop())
                return -ERESTART;
            rc = map_one(v->domain, owner, (uint32_t)(x->frame + *done), GFN(gfns[i]));
            if (rc) /* -EIO: some of it is mapped */
                return *done ? -EIO : rc;
        }
    }
    return 0;
}

static int acquire(struct vcpu *v, struct domain *owner, const uint64_t *arg,
                   struct xen_mem_acquire_resource *x, uint64_t *done)
{
    uint32_t most = resource_frames(owner, x);

    if (!most)
        return -EINVAL;
    if (guest_handle_is_null(x->frame_list)) {
        if (x->nr_frames || *done)
            return -EINVAL;
        return guest_write(v, arg[1] + offsetof(struct xen_mem_acquire_resource, nr_frames), &most,
                           sizeof(most));
    }
    if (*done >= x->nr_frames || x->nr_frames > MEMOP_EXTENTS_MAX)
        return -EINVAL;
    return map_all(v, owner, x, done);
}

int64_t resource_acquire(struct vcpu *v, uint64_t *arg, uint64_t done)
{
    struct xen_mem_acquire_resource x;
    struct domain *owner;
    int rc = -EPERM;

    if (guest_read(v, &x, arg[1], sizeof(x)))
        return -EFAULT;
    if (x.pad || x.frame >> 32 || (x.frame + x.nr_frames) >> 32)
        return -EINVAL;
    if (x.domid == DOMID_SELF || x.domid == v->domain->id)
        return -EPERM;
    owner = domain_get(x.domid);
    if (!owner)
        return -ESRCH;
    if (v->domain->control)
        rc = acquire(v, owner, arg, &x, &done);
    domain_put(owner);
    return rc == -ERESTART ? memory_continue(arg, done) : rc;
}
