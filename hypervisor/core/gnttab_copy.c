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
#include <hospes/p2m_peek.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <string.h>

/* A page, as requests name it. */
struct name {
    uint64_t number; /* a grant, or a guest frame */
    uint32_t whose;  /* a domain; GRANTED: by it, else its own */
};

#define GRANTED BIT(16)
#define NOBODY  UINT32_MAX

/* One end of copies. */
struct side {
    uint8_t *page;    /* what it holds, mapped; NULL: nothing */
    mfn_t frame;      /* referenced, if it holds it */
    struct name name; /* of what it holds; else NOBODY's */
    uint32_t types;   /* of own pages that may be asked for: 1 << enum p2m_type, or'ed; constant */
    uint32_t domid;   /* whose pages are asked for, or NOBODY, */
    struct grant_user user; /* .granter: the same */
    struct domain *last;    /* the last granter; referenced */
};

struct copying {
    struct side from, to;
};

static inline struct name name_of(const struct gnttab_copy_ptr *p, bool granted)
{
    return granted ? (struct name){ p->u.ref, p->domid | GRANTED }
                   : (struct name){ p->u.gmfn, p->domid };
}

static inline bool holds(const struct side *s, struct name name)
{
    return s->name.number == name.number && s->name.whose == name.whose;
}

static void let_go(struct side *s)
{
    if (!s->page)
        return;
    frame_unmap(s->page);
    s->page = NULL;
    s->name.whose = NOBODY;
    if (s->user.ref != GRANT_NONE)
        gnttab_use_end(s->user.granter, s->user.ref, s->user.readonly);
    s->user.ref = GRANT_NONE;
    frame_put(s->frame);
}

/* Lets go first: the last granter may be there only because we keep it. */
static __noinline int find_domain(struct side *s, uint16_t domid)
{
    struct domain *d;

    let_go(s);
    d = domid == DOMID_SELF ? s->user.by : domain_get_again(&s->last, domid);
    s->domid = d ? domid : NOBODY;
    s->user.granter = d;
    return d ? GNTST_okay : GNTST_bad_domain;
}

/* Finds whose page is meant now; what is held stays, unless it is another's. */
static inline int aim(struct side *s, struct name name)
{
    uint16_t domid = (uint16_t)name.whose;

    if (unlikely(domid != DOMID_SELF && !(name.whose & GRANTED)))
        return GNTST_permission_denied;
    return likely(s->domid == domid) ? GNTST_okay : find_domain(s, domid);
}

/*
 * Holds that page, and lets go of what was held: of a page of the same kind not before, so that its
 * slot, and the granter's lock, can be used again.
 */
static __noinline int hold(struct side *s, struct name name)
{
    mfn_t before = s->frame;
    int rc = GNTST_okay;

    if (unlikely(s->page && s->name.whose != name.whose))
        let_go(s);
    if (name.whose & GRANTED)
        rc = gnttab_use_begin(&s->user, (uint32_t)name.number, &s->frame);
    else if (unlikely(p2m_acquire_fast(s->user.by, GFN(name.number), s->types, &s->frame) < 0))
        rc = GNTST_bad_page;
    if (unlikely(rc)) {
        s->frame = before;
        let_go(s);
        return rc;
    }
    if (s->page) {
        s->page = frame_map_instead(s->page, s->frame);
        frame_put(before);
    } else {
        s->page = frame_map(s->frame);
    }
    s->name = name;
    return GNTST_okay;
}

static bool fits(uint16_t offset, uint16_t len)
{
    return (uint32_t)offset + len <= FRAME_SIZE;
}

static int move(const struct gnttab_copy *op, const struct side *from, const struct side *to)
{
    const uint8_t *in = from->page + op->source.offset;
    uint8_t *out = to->page + op->dest.offset;

    assert(from->page && to->page); /* both were held */
    if (unlikely(!fits(op->source.offset, op->len) || !fits(op->dest.offset, op->len)))
        return GNTST_bad_copy_arg;
    if (likely(from->frame.v != to->frame.v))
        memcpy(out, in, op->len);
    else
        memmove(out, in, op->len);
    return GNTST_okay;
}

static int copy_one(void *context, void *request)
{
    struct copying *c = context;
    const struct gnttab_copy *op = request;
    struct name from = name_of(&op->source, op->flags & GNTCOPY_source_gref);
    struct name to = name_of(&op->dest, op->flags & GNTCOPY_dest_gref);
    bool has_from = holds(&c->from, from), has_to = holds(&c->to, to);
    int rc = GNTST_okay;

    if (!has_from)
        rc = aim(&c->from, from);
    if (!has_to && likely(!rc))
        rc = aim(&c->to, to);
    if (!has_from && likely(!rc))
        rc = hold(&c->from, from);
    if (!has_to && likely(!rc))
        rc = hold(&c->to, to);
    return likely(!rc) ? move(op, &c->from, &c->to) : rc;
}

/* A side that holds nothing; mostly one of them is the caller's own. */
static inline void side_init(struct side *s, struct domain *own, bool readonly)
{
    s->page = NULL;
    s->frame = MFN_NONE;
    s->name = (struct name){ 0, NOBODY };
    s->types = readonly ? 1u << P2M_RAM | 1u << P2M_RAM_RO : 1u << P2M_RAM;
    s->domid = DOMID_SELF;
    s->user = grant_user(own, own, GTF_COPYABLE, readonly);
    s->last = NULL;
}

int gnttab_copy(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    static const struct gnttab_list list = { copy_one, sizeof(struct gnttab_copy),
                                             offsetof(struct gnttab_copy, status), 16 };
    struct copying c;
    int err;

    side_init(&c.from, v->domain, true);
    side_init(&c.to, v->domain, false);
    err = gnttab_for_each(v, uop, count, done, &list, &c);
    let_go(&c.from);
    let_go(&c.to);
    if (c.from.last)
        domain_put(c.from.last);
    if (c.to.last)
        domain_put(c.to.last);
    return err;
}
