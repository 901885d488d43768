/* SPDX-License-Identifier: MIT */
/*
 * The operations on tables as a whole, and on their entries, that use no grant: size, version, swap
 * of two entries; and transfer, which guests of this kind do not have.
 */
#include "gnttab_internal.h"

#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/vcpu.h>

/* The one version there is. */
#define VERSION 1u

/*
 * The domain that a request names, with a reference: GNTST_okay; GNTST_bad_domain, or
 * GNTST_permission_denied for others than itself unless the caller is a control domain.
 */
static int find_target(struct vcpu *v, uint16_t domid, struct domain **d)
{
    *d = domain_get(domid == DOMID_SELF ? v->domain->id : domid);
    if (!*d)
        return GNTST_bad_domain;
    if (*d == v->domain || v->domain->control)
        return GNTST_okay;
    domain_put(*d);
    return GNTST_permission_denied;
}

/* The one request that these calls take at a time. 0, -EINVAL or -EFAULT. */
static int read_single(struct vcpu *v, void *op, uint64_t bytes, uint64_t uop, uint32_t count)
{
    return count == 1 ? guest_read(v, op, uop, bytes) : -EINVAL;
}

/* --- size -------------------------------------------------------------------------------- */

/* Writes where the domain sees the frames of its table; all ones where it does not. */
static int tell_frames(struct vcpu *v, struct domain *d, const struct gnttab_setup_table *op)
{
    int rc = GNTST_okay;

    for (uint32_t i = 0; i < op->nr_frames; i++) {
        xen_pfn_t gfn;

        spin_lock(&d->gnttab.lock);
        gfn = i < d->gnttab.nr_frames ? (xen_pfn_t)d->gnttab.frames[i].gfn.v : ~(xen_pfn_t)0;
        spin_unlock(&d->gnttab.lock);
        if (guest_write(v, guest_element(op->frame_list, i), &gfn, sizeof(gfn)))
            rc = GNTST_bad_virt_addr;
    }
    return rc;
}

int gnttab_setup_table(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    struct gnttab_setup_table op;
    struct domain *d;
    mfn_t last;
    int rc;

    (void)done;
    rc = read_single(v, &op, sizeof(op), uop, count);
    if (rc)
        return rc;
    rc = find_target(v, op.dom, &d);
    if (!rc) {
        if (op.nr_frames && gnttab_frame(d, op.nr_frames - 1, true, &last))
            rc = GNTST_general_error;
        else if (op.nr_frames)
            frame_put(last);
        if (!rc)
            rc = tell_frames(v, d, &op);
        domain_put(d);
    }
    op.status = (int16_t)rc;
    return guest_write(v, uop + offsetof(struct gnttab_setup_table, status), &op.status,
                       sizeof(op.status));
}

int gnttab_query_size(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    struct gnttab_query_size op;
    struct domain *d;
    int rc;

    (void)done;
    rc = read_single(v, &op, sizeof(op), uop, count);
    if (rc)
        return rc;
    rc = find_target(v, op.dom, &d);
    if (!rc) {
        op.nr_frames = gnttab_nr_frames(d);
        op.max_nr_frames = d->gnttab.max_frames;
        domain_put(d);
    }
    op.status = (int16_t)rc;
    return guest_write(v, uop, &op, sizeof(op));
}

/* Frames that only tables of version 2 have: none can be asked for. */
int gnttab_get_status_frames(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    struct gnttab_get_status_frames op;
    struct domain *d;
    int rc;

    (void)done;
    rc = read_single(v, &op, sizeof(op), uop, count);
    if (rc)
        return rc;
    rc = find_target(v, op.dom, &d);
    if (!rc) {
        rc = op.nr_frames ? GNTST_general_error : GNTST_okay;
        domain_put(d);
    }
    op.status = (int16_t)rc;
    return guest_write(v, uop + offsetof(struct gnttab_get_status_frames, status), &op.status,
                       sizeof(op.status));
}

/* --- version ----------------------------------------------------------------------------- */

int gnttab_set_version(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    struct gnttab_set_version op;
    int err = 0;

    (void)count, (void)done;
    if (guest_read(v, &op, uop, sizeof(op)))
        return -EFAULT;
    if (op.version != VERSION)
        err = op.version == 2 ? -ENOSYS : -EINVAL;
    op.version = VERSION;
    return guest_write(v, uop, &op, sizeof(op)) ? -EFAULT : err;
}

int gnttab_get_version(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    struct gnttab_get_version op;
    struct domain *d;
    int rc;

    (void)count, (void)done;
    if (guest_read(v, &op, uop, sizeof(op)))
        return -EFAULT;
    rc = find_target(v, op.dom, &d);
    if (rc)
        return rc == GNTST_bad_domain ? -ESRCH : -EPERM;
    domain_put(d);
    op.version = VERSION;
    return guest_write(v, uop + offsetof(struct gnttab_get_version, version), &op.version,
                       sizeof(op.version));
}

/* --- entries ----------------------------------------------------------------------------- */

static struct gnttab_frame *frame_of_ref(struct gnttab *gt, uint32_t ref)
{
    return ref / GNTTAB_ENTRIES < gt->nr_frames ? &gt->frames[ref / GNTTAB_ENTRIES] : NULL;
}

static bool is_used(const struct gnttab_frame *f, uint32_t ref)
{
    const struct grant_use *use = &f->uses[ref % GNTTAB_ENTRIES];

    return use->readers || use->writers;
}

/* Eight bytes, which go at once, so that the guest never sees half of an entry. */
static uint64_t *entry_at(const struct gnttab_frame *f, uint32_t ref)
{
    _Static_assert(sizeof(struct grant_entry_v1) == sizeof(uint64_t), "an entry is one word");
    return (uint64_t *)(void *)&f->shared[ref % GNTTAB_ENTRIES];
}

/* Under the lock. */
static int swap(struct gnttab *gt, uint32_t a, uint32_t b)
{
    const struct gnttab_frame *fa = frame_of_ref(gt, a), *fb = frame_of_ref(gt, b);
    uint64_t entry;

    if (!fa || !fb)
        return GNTST_bad_gntref;
    if (a == b)
        return GNTST_okay;
    if (is_used(fa, a) || is_used(fb, b))
        return GNTST_eagain;
    entry = read_once(*entry_at(fa, a));
    write_once(*entry_at(fa, a), read_once(*entry_at(fb, b)));
    write_once(*entry_at(fb, b), entry);
    return GNTST_okay;
}

static int swap_one(void *context, void *request)
{
    const struct gnttab_swap_grant_ref *op = request;
    struct gnttab *gt = context;
    int rc;

    spin_lock(&gt->lock);
    rc = swap(gt, op->ref_a, op->ref_b);
    spin_unlock(&gt->lock);
    return rc;
}

int gnttab_swap(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    static const struct gnttab_list list = { swap_one, sizeof(struct gnttab_swap_grant_ref),
                                             offsetof(struct gnttab_swap_grant_ref, status), 1 };

    return gnttab_for_each(v, uop, count, done, &list, &v->domain->gnttab);
}

/* Pages are given away only by guests that know machine addresses, and there are none. */
int gnttab_transfer(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    (void)v, (void)uop, (void)count, (void)done;
    return -EOPNOTSUPP;
}
