/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_copy: bytes from one page to another, each the caller's own or one that was granted to
 * it. A granted page is in use, for the granter to see, just as long as that takes.
 *
 * Often the next request is about one of the same pages: each side holds its page, counted and
 * mapped, until another one is asked for, or the call ends.
 */
#include "gnttab_internal.h"

#include <hospes/compiler.h>
#include <hospes/frame.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <string.h>

/* One end of copies. */
struct side {
    uint8_t *page; /* what it holds, mapped; NULL: nothing */
    mfn_t frame;   /* referenced, if it holds it */
    bool write;    /* constant */
    /* As asked for */
    bool granted;
    uint16_t domid;
    uint64_t number;     /* of the page: a grant, or a guest frame */
    struct domain *d;    /* whose page it is */
    struct domain *last; /* of the last grant; referenced */
};

struct copying {
    struct vcpu *v;
    struct side from, to;
};

static void let_go(struct side *s)
{
    if (!s->page)
        return;
    frame_unmap(s->page);
    frame_put(s->frame);
    if (s->granted)
        gnttab_use_end(s->d, (uint32_t)s->number, !s->write);
    s->page = NULL;
}

/* True if it holds what is asked for now. */
static inline bool holds(const struct side *s, const struct gnttab_copy_ptr *p, bool granted)
{
    return s->page && s->number == (granted ? p->u.ref : p->u.gmfn) && s->domid == p->domid &&
           s->granted == granted;
}

/* Lets go, and notes which page is meant now, and whose. */
static int aim(const struct copying *c, struct side *s, const struct gnttab_copy_ptr *p,
               bool granted)
{
    let_go(s);
    if (unlikely(p->domid != DOMID_SELF && !granted))
        return GNTST_permission_denied;
    s->granted = granted;
    s->domid = p->domid;
    s->number = granted ? p->u.ref : p->u.gmfn;
    s->d = p->domid == DOMID_SELF ? c->v->domain : domain_get_again(&s->last, p->domid);
    return likely(s->d) ? GNTST_okay : GNTST_bad_domain;
}

static int hold(const struct copying *c, struct side *s)
{
    uint32_t types = s->write ? 1u << P2M_RAM : 1u << P2M_RAM | 1u << P2M_RAM_RO;
    int rc = GNTST_okay;

    if (s->granted)
        rc = gnttab_use_begin(s->d, (uint32_t)s->number, c->v->domain, !s->write, GTF_COPYABLE,
                              &s->frame);
    else if (unlikely(p2m_acquire(s->d, GFN(s->number), types, &s->frame) < 0))
        rc = GNTST_bad_page;
    if (likely(!rc))
        s->page = frame_map(s->frame);
    return rc;
}

static bool fits(uint16_t offset, uint16_t len)
{
    return (uint64_t)offset + len <= FRAME_SIZE;
}

static int move(const struct gnttab_copy *op, const struct side *from, const struct side *to)
{
    uint8_t *out = to->page + op->dest.offset;

    if (unlikely(!fits(op->source.offset, op->len) || !fits(op->dest.offset, op->len)))
        return GNTST_bad_copy_arg;
    if (likely(from->frame.v != to->frame.v))
        memcpy(out, from->page + op->source.offset, op->len);
    else
        memmove(out, to->page + op->source.offset, op->len);
    return GNTST_okay;
}

static int copy_one(void *context, void *request)
{
    struct copying *c = context;
    const struct gnttab_copy *op = request;
    bool from_grant = op->flags & GNTCOPY_source_gref, to_grant = op->flags & GNTCOPY_dest_gref;
    int rc = GNTST_okay;

    if (!holds(&c->from, &op->source, from_grant))
        rc = aim(c, &c->from, &op->source, from_grant);
    if (likely(!rc) && !holds(&c->to, &op->dest, to_grant))
        rc = aim(c, &c->to, &op->dest, to_grant);
    if (likely(!rc) && !c->from.page)
        rc = hold(c, &c->from);
    if (likely(!rc) && !c->to.page)
        rc = hold(c, &c->to);
    return likely(!rc) ? move(op, &c->from, &c->to) : rc;
}

int gnttab_copy(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    static const struct gnttab_list list = { copy_one, sizeof(struct gnttab_copy),
                                             offsetof(struct gnttab_copy, status), 8 };
    struct copying c = { .v = v, .to.write = true };
    int err = gnttab_for_each(v, uop, count, done, &list, &c);

    let_go(&c.from);
    let_go(&c.to);
    if (c.from.last)
        domain_put(c.from.last);
    if (c.to.last)
        domain_put(c.to.last);
    return err;
}
