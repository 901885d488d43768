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
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <string.h>

/* One end of copies. */
struct side {
    uint8_t *page; /* what it holds, mapped; NULL: nothing */
    mfn_t frame;   /* referenced, if it holds it */
    bool write;    /* constant */
    bool granted;
    uint64_t number; /* of the page: a grant, or a guest frame */
    /* Whose pages are asked for; NULL: nobody's yet */
    struct domain *d;
    uint16_t domid;
    struct domain *last; /* of the last grant; referenced */
};

struct copying {
    struct vcpu *v;
    struct side from, to;
};

static void end_use(const struct side *s, mfn_t frame)
{
    frame_put(frame);
    if (s->granted)
        gnttab_use_end(s->d, (uint32_t)s->number, !s->write);
}

static void let_go(struct side *s)
{
    if (!s->page)
        return;
    frame_unmap(s->page);
    s->page = NULL;
    end_use(s, s->frame);
}

/* True if it holds what is asked for now. */
static inline bool holds(const struct side *s, const struct gnttab_copy_ptr *p, bool granted)
{
    return s->page && s->number == (granted ? p->u.ref : p->u.gmfn) && s->domid == p->domid &&
           s->granted == granted;
}

static __noinline int find_domain(const struct copying *c, struct side *s, uint16_t domid)
{
    let_go(s);
    s->domid = domid;
    s->d = domid == DOMID_SELF ? c->v->domain : domain_get_again(&s->last, domid);
    return s->d ? GNTST_okay : GNTST_bad_domain;
}

/* Finds whose page is meant now; what is held stays, unless it is another's. */
static inline int aim(const struct copying *c, struct side *s, const struct gnttab_copy_ptr *p,
                      bool granted)
{
    if (unlikely(p->domid != DOMID_SELF && !granted)) {
        let_go(s);
        return GNTST_permission_denied;
    }
    return likely(s->d && s->domid == p->domid) ? GNTST_okay : find_domain(c, s, p->domid);
}

/* Holds that page, and lets go of what was held: not before, so that its slot can be used again. */
static inline int hold(const struct copying *c, struct side *s, const struct gnttab_copy_ptr *p,
                       bool granted)
{
    uint32_t types = s->write ? 1u << P2M_RAM : 1u << P2M_RAM | 1u << P2M_RAM_RO;
    uint64_t number = granted ? p->u.ref : p->u.gmfn;
    int rc = GNTST_okay;
    mfn_t frame;

    if (granted)
        rc =
            gnttab_use_begin(s->d, (uint32_t)number, c->v->domain, !s->write, GTF_COPYABLE, &frame);
    else if (unlikely(p2m_acquire(s->d, GFN(number), types, &frame) < 0))
        rc = GNTST_bad_page;
    if (unlikely(rc)) {
        let_go(s);
        return rc;
    }
    if (s->page) {
        s->page = frame_map_instead(s->page, frame);
        end_use(s, s->frame);
    } else {
        s->page = frame_map(frame);
    }
    s->frame = frame;
    s->number = number;
    s->granted = granted;
    return GNTST_okay;
}

static bool fits(uint16_t offset, uint16_t len)
{
    return (uint64_t)offset + len <= FRAME_SIZE;
}

static int move(const struct gnttab_copy *op, const struct side *from, const struct side *to)
{
    uint8_t *out = to->page + op->dest.offset;

    assert(from->page && to->page); /* both were held */
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
    bool has_from = holds(&c->from, &op->source, from_grant);
    bool has_to = holds(&c->to, &op->dest, to_grant);
    int rc = GNTST_okay;

    if (!has_from)
        rc = aim(c, &c->from, &op->source, from_grant);
    if (!has_to && likely(!rc))
        rc = aim(c, &c->to, &op->dest, to_grant);
    if (!has_from && likely(!rc))
        rc = hold(c, &c->from, &op->source, from_grant);
    if (!has_to && likely(!rc))
        rc = hold(c, &c->to, &op->dest, to_grant);
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
