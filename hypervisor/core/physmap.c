/* SPDX-License-Identifier: MIT */
/*
 * What domains map besides their own memory: XENMEM_{add_to,remove_from}_physmap and the batch of
 * it. Errors are those of Xen on arm64, on x86 too: what more Xen has there, PVH guests do not use.
 *
 * Foreign frames are counted when they are found, and the reference passes to the mapper's p2m
 * entry: a frame stays what it is for as long as anybody has it mapped, whatever becomes of its
 * owner.
 */
#include "memory_internal.h"

#include <hospes/compiler.h>
#include <hospes/frame.h>
#include <hospes/gnttab.h>
#include <hospes/hypercall.h>
#include <lib/bits.h>
#include <xen/memory.h>
#include <xen/xen.h>

/* --- frames that the domain shares with Hospes -------------------------------------------------
 */

/* Maps a frame of the domain's own, which is not part of its RAM. The reference passes to it. */
static int map_shared(struct domain *d, gfn_t gfn, mfn_t m)
{
    int rc = p2m_replace(d, gfn, m, 1, P2M_SHARED);
    if (rc)
        frame_put(m);
    return rc;
}

static int map_shared_info(struct domain *d, gfn_t gfn, uint64_t idx)
{
    if (idx || frame_get(d->shared_info_mfn, d->id))
        return -EINVAL;
    return map_shared(d, gfn, d->shared_info_mfn);
}

static int map_grant_frame(struct domain *d, gfn_t gfn, uint64_t idx)
{
    mfn_t m;
    int rc;

    if (idx > UINT32_MAX || idx & XENMAPIDX_grant_table_status)
        return -EINVAL; /* status frames belong to version 2 */
    rc = gnttab_frame(d, (uint32_t)idx, true, &m);
    if (!rc)
        rc = map_shared(d, gfn, m);
    if (!rc)
        gnttab_frame_mapped(d, (uint32_t)idx, gfn);
    return rc;
}

/*
 * Registers of a device at another place in the hardware domain's memory. Those that it has are
 * mapped 1:1 already; what it does not have is passed over, without an error.
 */
static int map_device(struct domain *d, gfn_t gfn, uint64_t idx)
{
    enum p2m_type type;
    mfn_t m = p2m_lookup(d, GFN(idx), &type, NULL);

    if (type != P2M_DEVICE || m.v != idx || gfn.v == idx)
        return 0;
    return p2m_replace(d, gfn, m, 1, P2M_DEVICE);
}

static int add_one(struct domain *d, unsigned int space, uint64_t idx, gfn_t gfn)
{
    switch (space) {
    case XENMAPSPACE_shared_info:
        return map_shared_info(d, gfn, idx);
    case XENMAPSPACE_grant_table:
        return map_grant_frame(d, gfn, idx);
    case XENMAPSPACE_dev_mmio:
        return map_device(d, gfn, idx);
    default:
        return -ENOSYS;
    }
}

/* The domain, if the caller may map this into it. */
static int find_mapper(struct vcpu *v, uint16_t domid, unsigned int space, struct domain **d)
{
    int rc = memory_target(v, domid, d);

    if (!rc && space == XENMAPSPACE_dev_mmio && (!(*d)->hardware || *d != v->domain)) {
        memory_target_put(v, *d);
        rc = -EACCES;
    }
    return rc;
}

/* A range of the domain's own memory cannot be moved: the first page says so. */
static int add_range(const struct xen_add_to_physmap *x, uint64_t done)
{
    if (x->size < done)
        return -EILSEQ;
    if (x->gpfn + x->size < x->gpfn || x->idx + x->size < x->idx)
        return -EOVERFLOW;
    return x->size > done ? -ENOSYS : 0;
}

/* Reads the struct of a call of which `done` elements are done. */
static int read_call(struct guest_window *w, const uint64_t *arg, uint64_t done, void *x,
                     uint32_t bytes)
{
    if (done > UINT16_MAX)
        return -EDOM;
    return guest_window_read(w, x, arg[1], bytes) ? -EFAULT : 0;
}

int64_t physmap_add(struct vcpu *v, uint64_t *arg, uint64_t done)
{
    struct guest_window w = { .v = v };
    struct xen_add_to_physmap x;
    struct domain *d;
    int rc = read_call(&w, arg, done, &x, sizeof(x));

    guest_window_close(&w);
    if (!rc)
        rc = x.space == XENMAPSPACE_gmfn_foreign ? -ENOSYS : find_mapper(v, x.domid, x.space, &d);
    if (rc)
        return rc;
    if (x.gpfn == UINT64_MAX)
        rc = -EINVAL;
    else if (x.space == XENMAPSPACE_gmfn_range)
        rc = add_range(&x, done);
    else
        rc = add_one(d, x.space, x.idx, GFN(x.gpfn));
    memory_target_put(v, d);
    return rc;
}

/* --- foreign frames ----------------------------------------------------------------------------
 */

/* What is handled of a batch at a time. */
struct chunk {
    uint32_t nr;
    uint64_t idx[MEMORY_CHUNK]; /* of the owner's frames; machine frames, once acquired */
    uint64_t gfn[MEMORY_CHUNK];
    uint8_t type[MEMORY_CHUNK]; /* enum p2m_type to map it as */
    int32_t err[MEMORY_CHUNK];
};

/* Finds and counts frames of `owner`, up to one that has to wait. */
static void acquire(struct domain *owner, struct chunk *c)
{
    for (uint32_t i = 0; i < c->nr; i++) {
        mfn_t m = MFN_NONE;
        int type = -EAGAIN;

        if (i == 0 || !hypercall_should_stop())
            type = p2m_acquire(owner, GFN(c->idx[i]), P2M_PRESENT_TYPES, &m);
        if (unlikely(type == -EAGAIN)) {
            c->nr = i;
            return;
        }
        c->err[i] = type < 0 ? -EINVAL : 0;
        c->idx[i] = type < 0 ? UINT64_MAX : m.v;
        c->type[i] = type == P2M_RAM || type == P2M_SHARED ? P2M_SHARED : P2M_SHARED_RO;
    }
}

static __noinline void map_acquired(struct domain *d, struct chunk *c)
{
    struct p2m_batch b;

    p2m_batch_begin(&b, d);
    for (uint32_t i = 0; i < c->nr; i++)
        if (!c->err[i])
            c->err[i] =
                p2m_batch_map(&b, GFN(c->gfn[i]), MFN(c->idx[i]), 1, (enum p2m_type)c->type[i]);
    p2m_batch_end(&b);
    for (uint32_t i = 0; i < c->nr; i++)
        if (unlikely(c->err[i]) && !mfn_is_none(MFN(c->idx[i])))
            frame_put(MFN(c->idx[i]));
}

/* Whose frames `d` is to map: the mapper needs the right, not only the caller, who names itself in
 * vain. */
static int find_owner(struct vcpu *v, struct domain *d, uint16_t domid, struct domain **owner)
{
    if (domid == v->domain->id)
        return -EPERM;
    *owner = domain_get(domid);
    if (!*owner)
        return -ESRCH;
    if (memory_may_change(d, *owner))
        return 0;
    domain_put(*owner);
    return -EPERM;
}

/* Handles the chunk as far as it goes; c->nr: so much, each with its error. */
static void add_chunk(struct vcpu *v, struct domain *d, const struct xen_add_to_physmap_batch *x,
                      struct chunk *c)
{
    struct domain *owner;
    int rc;

    if (x->space != XENMAPSPACE_gmfn_foreign) {
        for (uint32_t i = 0; i < c->nr; i++)
            c->err[i] = add_one(d, x->space, c->idx[i], GFN(c->gfn[i]));
        return;
    }
    rc = find_owner(v, d, x->u.foreign_domid, &owner);
    if (rc) {
        for (uint32_t i = 0; i < c->nr; i++)
            c->err[i] = rc;
        return;
    }
    acquire(owner, c);
    map_acquired(d, c);
    domain_put(owner);
}

/* The next elements from `done` on. 0; -EFAULT, -EINVAL: the first of them is wrong. */
static int read_chunk(struct guest_window *w, const struct xen_add_to_physmap_batch *x,
                      uint64_t done, struct chunk *c)
{
    uint64_t left = x->size - done;
    uint32_t n = memory_read_list(w, guest_element(x->idxs, done), left, c->idx);

    c->nr = memory_read_list(w, guest_element(x->gpfns, done), min(left, (uint64_t)n), c->gfn);
    if (!c->nr)
        return -EFAULT;
    for (uint32_t i = 0; i < c->nr; i++)
        if (c->gfn[i] == UINT64_MAX)
            c->nr = i;
    return c->nr ? 0 : -EINVAL;
}

/* -ERESTART: *done elements are done. */
static int add_all(struct guest_window *w, struct domain *d,
                   const struct xen_add_to_physmap_batch *x, uint64_t *done)
{
    uint64_t first = *done;

    while (*done < x->size) {
        struct chunk c;
        int rc;

        if (*done != first && hypercall_should_stop())
            return -ERESTART;
        rc = read_chunk(w, x, *done, &c);
        if (rc)
            return rc;
        add_chunk(w->v, d, x, &c);
        if (!c.nr)
            return -ERESTART;
        if (guest_window_write(w, guest_element(x->errs, *done), c.err,
                               c.nr * (uint32_t)sizeof(c.err[0])))
            return -EFAULT;
        *done += c.nr;
    }
    return 0;
}

int64_t physmap_add_batch(struct vcpu *v, uint64_t *arg, uint64_t done)
{
    struct guest_window w = { .v = v };
    struct xen_add_to_physmap_batch x;
    struct domain *d;
    int rc = read_call(&w, arg, done, &x, sizeof(x));

    if (!rc)
        rc = x.space == XENMAPSPACE_gmfn_range ? -EOPNOTSUPP : find_mapper(v, x.domid, x.space, &d);
    if (rc)
        goto out;
    if (x.size < done || (x.size == done && done))
        rc = -EILSEQ;
    else if (x.size && x.space == XENMAPSPACE_dev_mmio && x.u.res0)
        rc = -EOPNOTSUPP;
    else
        rc = add_all(&w, d, &x, &done);
    memory_target_put(v, d);
out:
    guest_window_close(&w);
    return rc == -ERESTART ? memory_continue(arg, done) : rc;
}

/* --- removing ----------------------------------------------------------------------------------
 */

#define REMOVABLE \
    (1u << P2M_RAM | 1u << P2M_RAM_RO | 1u << P2M_RESERVED | 1u << P2M_SHARED | 1u << P2M_SHARED_RO)

int64_t physmap_remove(struct vcpu *v, const uint64_t *arg)
{
    struct xen_remove_from_physmap x;
    struct domain *d;
    int rc;

    if (guest_read(v, &x, arg[1], sizeof(x)))
        return -EFAULT;
    rc = memory_target(v, x.domid, &d);
    if (rc)
        return rc;
    rc = p2m_remove(d, GFN(x.gpfn), 1, MFN_NONE, REMOVABLE);
    memory_target_put(v, d);
    return rc == -EINVAL ? -ENOENT : rc;
}
