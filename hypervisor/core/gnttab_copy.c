/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_copy: bytes from one page to another, each the caller's own or one that was granted to
 * it. A granted page is in use, for the granter to see, just as long as that takes.
 */
#include "gnttab_internal.h"

#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <string.h>

/* One end of a copy. */
struct side {
    struct domain *d;    /* whose page it is */
    struct domain *last; /* of the last grant; referenced, for the next element is often the same */
    bool write;
    bool granted;
    uint32_t ref; /* if granted */
    mfn_t frame;  /* referenced */
};

static int find_domain(struct vcpu *v, struct side *s, const struct gnttab_copy_ptr *p,
                       bool granted)
{
    s->granted = granted;
    if (unlikely(p->domid != DOMID_SELF && !granted))
        return GNTST_permission_denied;
    s->d = p->domid == DOMID_SELF ? v->domain : domain_get_again(&s->last, p->domid);
    return likely(s->d) ? GNTST_okay : GNTST_bad_domain;
}

static int take_own(struct side *s, uint64_t gfn)
{
    enum p2m_type type;

    if (unlikely(p2m_acquire(s->d, GFN(gfn), &s->frame, &type)))
        return GNTST_bad_page;
    if (likely(type == P2M_RAM || (type == P2M_RAM_RO && !s->write)))
        return GNTST_okay;
    frame_put(s->frame);
    return GNTST_bad_page;
}

static int take(struct vcpu *v, struct side *s, const struct gnttab_copy_ptr *p)
{
    if (!s->granted)
        return take_own(s, p->u.gmfn);
    s->ref = p->u.ref;
    return gnttab_use_begin(s->d, s->ref, v->domain, !s->write, GTF_COPYABLE, &s->frame);
}

static void let_go(const struct side *s)
{
    frame_put(s->frame);
    if (s->granted)
        gnttab_use_end(s->d, s->ref, !s->write);
}

static bool fits(uint16_t offset, uint16_t len)
{
    return (uint64_t)offset + len <= FRAME_SIZE;
}

static int move(const struct gnttab_copy *op, const struct side *from, const struct side *to)
{
    uint8_t *in, *out;

    if (unlikely(!fits(op->source.offset, op->len) || !fits(op->dest.offset, op->len)))
        return GNTST_bad_copy_arg;
    out = frame_map(to->frame);
    if (likely(from->frame.v != to->frame.v)) {
        in = frame_map(from->frame);
        memcpy(out + op->dest.offset, in + op->source.offset, op->len);
        frame_unmap(in);
    } else if (op->dest.offset != op->source.offset) {
        memmove(out + op->dest.offset, out + op->source.offset, op->len);
    }
    frame_unmap(out);
    return GNTST_okay;
}

static int copy_one(struct vcpu *v, const struct gnttab_copy *op, struct side *from,
                    struct side *to)
{
    int rc = find_domain(v, from, &op->source, op->flags & GNTCOPY_source_gref);

    if (likely(!rc))
        rc = find_domain(v, to, &op->dest, op->flags & GNTCOPY_dest_gref);
    if (likely(!rc))
        rc = take(v, from, &op->source);
    if (unlikely(rc))
        return rc;
    rc = take(v, to, &op->dest);
    if (likely(!rc)) {
        rc = move(op, from, to);
        let_go(to);
    }
    let_go(from);
    return rc;
}

int gnttab_copy(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    struct guest_window w = { .v = v };
    struct side from = { .write = false }, to = { .write = true };
    struct gnttab_copy op;
    int err = 0;

    for (uint32_t i = 0; i < count; i++, uop += sizeof(op)) {
        if (i && hypercall_should_stop()) {
            *done = i;
            err = -ERESTART;
            break;
        }
        err = guest_window_read(&w, &op, uop, sizeof(op));
        if (unlikely(err))
            break;
        op.status = (int16_t)copy_one(v, &op, &from, &to);
        err = guest_window_write(&w, uop + offsetof(struct gnttab_copy, status), &op.status,
                                 sizeof(op.status));
        if (unlikely(err))
            break;
    }
    guest_window_close(&w);
    if (from.last)
        domain_put(from.last);
    if (to.last)
        domain_put(to.last);
    return err;
}
