/* SPDX-License-Identifier: MIT */
/*
 * Short looks into a domain's memory: what stands behind a guest frame, and single words of what is
 * there. Inline, since each argument of a hypercall is found by some of them where the processor
 * does not do it (x86).
 *
 * Between begin and end the p2m's lock is held, so that nobody takes a frame away from the domain,
 * and one slot of frame_map().
 */
#ifndef HOSPES_P2M_PEEK_H
#define HOSPES_P2M_PEEK_H

#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <lib/bits.h>

/* What stands behind a guest frame. */
struct p2m_found {
    mfn_t m;        /* MFN_NONE for P2M_NONE */
    uint32_t type;  /* enum p2m_type */
    uint32_t order; /* of the block that it is in, or of the 2 MiB of it */
};

/* Walks all of the tree, and remembers. Under the lock. */
struct p2m_found p2m_walk(struct domain *d, gfn_t gfn);

/* Where it is remembered. Spread: what is used together often is a power of two apart. */
static inline struct p2m_recent *p2m_recent(struct p2m *p2m, gfn_t gfn)
{
    uint32_t hash = (uint32_t)(gfn.v >> FRAME_ORDER_2M) * 0x9e3779b1u;

    return &p2m->recent[hash >> (32 - P2M_RECENT_SHIFT)];
}

/* Under the lock. */
static inline struct p2m_found p2m_find(struct domain *d, gfn_t gfn)
{
    const struct p2m_recent *r = p2m_recent(&d->p2m, gfn);
    uint64_t i = gfn.v % PGTABLE_ENTRIES, entry;
    uint32_t type;

    if (unlikely(r->number != gfn.v >> FRAME_ORDER_2M))
        return p2m_walk(d, gfn);
    entry = r->leaves ? r->leaves[i] : r->block + (i << FRAME_SHIFT);
    type = (uint32_t)field_get(PGTABLE_TYPE, entry);
    return (struct p2m_found){
        .m = likely(type != P2M_NONE) ? MFN(field_get(PGTABLE_ADDRESS, entry)) : MFN_NONE,
        .type = type,
        .order = r->leaves ? 0 : FRAME_ORDER_2M,
    };
}

/* p2m_acquire(), but what is only reserved is not made present: P2M_RESERVED. */
static inline int p2m_acquire_present(struct domain *d, gfn_t gfn, uint32_t types, mfn_t *m)
{
    struct p2m_found found;
    int rc = -EINVAL;

    spin_lock(&d->p2m.lock);
    found = p2m_find(d, gfn);
    if (likely(types & 1u << found.type)) {
        if (likely(!d->p2m.dying && !frame_get(found.m, d->id)))
            rc = (int)found.type;
        *m = found.m;
    } else if (found.type == P2M_RESERVED) {
        rc = P2M_RESERVED;
    }
    spin_unlock(&d->p2m.lock);
    return rc;
}

/* p2m_acquire(), for those who call it most. */
static inline int p2m_acquire_fast(struct domain *d, gfn_t gfn, uint32_t types, mfn_t *m)
{
    int rc = p2m_acquire_present(d, gfn, types, m);

    return likely(rc != P2M_RESERVED) ? rc : p2m_acquire(d, gfn, types, m);
}

struct p2m_peek {
    struct domain *d;
    uint8_t *page; /* what was looked into last, mapped; NULL: nothing yet */
};

static inline void p2m_peek_begin(struct p2m_peek *p, struct domain *d)
{
    *p = (struct p2m_peek){ .d = d };
    spin_lock(&d->p2m.lock);
}

static inline void p2m_peek_end(struct p2m_peek *p)
{
    spin_unlock(&p->d->p2m.lock);
    if (p->page)
        frame_unmap(p->page);
}

/* The same, but leaves frame `m` mapped, for the caller to frame_unmap(). */
static inline uint8_t *p2m_peek_end_at(struct p2m_peek *p, mfn_t m)
{
    spin_unlock(&p->d->p2m.lock);
    return p->page ? frame_map_instead(p->page, m) : frame_map(m);
}

/* Reads 4 or 8 bytes, aligned to that, which *f found to be RAM; false if they are not. */
static inline bool p2m_peek_word(struct p2m_peek *p, const struct p2m_found *f, gaddr_t at,
                                 uint32_t bytes, uint64_t *word)
{
    const void *there;

    if (unlikely(f->type != P2M_RAM && f->type != P2M_RAM_RO))
        return false;
    p->page = p->page ? frame_map_instead(p->page, f->m) : frame_map(f->m);
    there = p->page + (at.v & FRAME_MASK);
    *word = bytes == 8 ? read_once(*(const uint64_t *)there) : read_once(*(const uint32_t *)there);
    return true;
}

#endif
