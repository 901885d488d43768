/* SPDX-License-Identifier: MIT */
/*
 * Changes that a guest or a toolstack makes to a domain's memory; p2m_batch_*() of <hospes/p2m.h>.
 *
 * What an entry gives up may still be in TLBs. So it is only noted, and its references are dropped
 * when the batch is settled: after one flush for all of it.
 */
#include "p2m_internal.h"

#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <lib/bits.h>

#define LEAVES ((uint64_t)1 << FRAME_ORDER_2M) /* of one table */

void p2m_batch_begin(struct p2m_batch *b, struct domain *d)
{
    b->d = d;
    b->first = UINT64_MAX;
    b->end = 0;
    b->nr = 0;
    b->doomed.first = NULL;
    spin_lock(&d->p2m.lock);
}

/* Nothing of what the batch took out can be reached any more from here on. */
static void settle(struct p2m_batch *b)
{
    struct domain *d = b->d;

    if (b->first < b->end)
        arch_p2m_flush(d, GFN(b->first), b->end - b->first);
    b->first = UINT64_MAX;
    b->end = 0;
    if (b->doomed.first)
        pgtable_free_doomed(&d->p2m.pt, &b->doomed);
    for (uint32_t i = 0; i < b->nr; i++) {
        if (b->gone[i].own) {
            domain_uncharge(d, b->gone[i].frames);
            frame_free(b->gone[i].m, b->gone[i].frames);
        } else {
            frame_put(b->gone[i].m);
        }
    }
    b->nr = 0;
}

void p2m_batch_end(struct p2m_batch *b)
{
    settle(b);
    spin_unlock(&b->d->p2m.lock);
}

static void note_gone(struct p2m_batch *b, mfn_t m, uint64_t frames, bool own)
{
    b->gone[b->nr].m = m;
    b->gone[b->nr].frames = (uint32_t)frames;
    b->gone[b->nr++].own = own;
}

static void note_stale(struct p2m_batch *b, gfn_t gfn, uint64_t frames)
{
    b->first = min(b->first, gfn.v);
    b->end = max(b->end, gfn.v + frames);
}

/* The table around `gfn`, which mostly is one that was used before. */
static inline uint64_t *leaves_of(struct p2m_batch *b, gfn_t gfn, bool make)
{
    struct p2m *p2m = &b->d->p2m;
    uint64_t *leaves = p2m_recent_leaves(p2m, gfn);

    if (!leaves) {
        leaves = pgtable_leaves(&p2m->pt, gfn_to_gaddr(gfn).v, make);
        if (likely(leaves))
            p2m_remember(p2m, gfn, leaves);
    }
    return leaves;
}

/* --- taking out ------------------------------------------------------------------------------ */

/*
 * The leaf behind `gfn`, as of this frame; *frames: how many of those asked for it stands for, so
 * few that taking them out either needs no memory or fails before anything is changed.
 */
static bool piece(struct p2m_batch *b, gfn_t gfn, struct pgtable_leaf *leaf, uint64_t *frames)
{
    uint64_t in_block, left, *leaves = leaves_of(b, gfn, false);
    unsigned int order;

    if (leaves) {
        *frames = 1;
        return p2m_leaf_get(leaves, gfn, leaf);
    }
    if (!pgtable_lookup(&b->d->p2m.pt, gfn_to_gaddr(gfn).v, leaf, &order))
        return false;
    in_block = gfn.v & (((uint64_t)1 << order) - 1);
    left = ((uint64_t)1 << order) - in_block;
    leaf->maddr = maddr_add(leaf->maddr, in_block << FRAME_SHIFT);
    if (in_block || *frames < left)
        left = min(left, LEAVES - gfn.v % LEAVES);
    *frames = min(*frames, left);
    return true;
}

/* A domain with memory of its own, which no other may get, keeps what it gives back. */
static bool keeps(const struct domain *d)
{
    return d->direct_map || d->static_memory;
}

/* What stands at `gfn` once what is there now is gone: nothing, or memory that is kept. */
static bool what_is_left(struct domain *d, gfn_t gfn, const struct pgtable_leaf *leaf,
                         struct pgtable_leaf *left)
{
    left->flags = 0;
    left->type = P2M_KEPT;
    if (p2m_is_counted(leaf->type)) {
        left->maddr = mfn_to_maddr(MFN(gfn.v));
        if (!p2m_has_beneath(d, gfn))
            return false;
        frame_of(MFN(gfn.v))->beneath = 0;
        return true;
    }
    left->maddr = leaf->maddr;
    return keeps(d) && p2m_is_own(d, leaf);
}

/* Takes out `frames` from `gfn`, which piece() just found to be part of `leaf`. 0 or -ENOMEM:
 * nothing changed. */
static int take_out(struct p2m_batch *b, gfn_t gfn, const struct pgtable_leaf *leaf,
                    uint64_t frames)
{
    struct domain *d = b->d;
    struct p2m *p2m = &d->p2m;
    bool counted = p2m_is_counted(leaf->type), own = p2m_is_own(d, leaf);
    uint64_t *leaves = p2m_recent_leaves(p2m, gfn), addr = gfn_to_gaddr(gfn).v;
    struct pgtable_leaf left;
    bool kept;
    int err = 0;

    if (b->nr == P2M_BATCH)
        settle(b);
    p2m->filled = 0; /* the block that is being filled may be another now */
    kept = what_is_left(d, gfn, leaf, &left);
    if (leaves && frames == 1) {
        bool seen = leaf->flags & PG_VALID;

        pgtable_leaf_set(&p2m->pt, leaves, addr, seen, kept ? &left : NULL);
        if (seen)
            note_stale(b, gfn, 1);
    } else {
        p2m_forget(p2m);
        if (kept)
            err = pgtable_map(&p2m->pt, addr, frames << FRAME_SHIFT, &left);
        else
            err = pgtable_clear(&p2m->pt, addr, frames << FRAME_SHIFT, &b->doomed);
        note_stale(b, gfn, frames);
    }
    if (err)
        return err;
    p2m->nr_counted -= counted;
    if (own ? !kept : counted && !p2m_is_grant(leaf->type)) /* a grant is gnttab's to let go of */
        note_gone(b, maddr_to_mfn(leaf->maddr), frames, own);
    return 0;
}

int p2m_batch_unmap(struct p2m_batch *b, gfn_t gfn, uint64_t frames, mfn_t m, uint32_t types)
{
    if (!p2m_has_address(gfn, frames))
        return -EINVAL;
    if (b->d->p2m.dying)
        return -ESRCH;
    for (uint64_t done = 0, n; done < frames; done += n) {
        struct pgtable_leaf leaf;
        int err;

        n = frames - done;
        if (!piece(b, gfn_add(gfn, done), &leaf, &n) || !(types & 1u << leaf.type))
            return -ENOENT;
        if (!mfn_is_none(m) && maddr_to_mfn(leaf.maddr).v != m.v + done)
            return -ENOENT;
        if (types & P2M_ONLY_OWNED && !frame_is_owned(maddr_to_mfn(leaf.maddr), b->d->id))
            return -ENXIO;
        err = take_out(b, gfn_add(gfn, done), &leaf, n);
        if (err)
            return err;
    }
    return 0;
}

/* --- putting in ------------------------------------------------------------------------------ */

/* Grants that are mapped are gnttab's to unmap. */
static bool has_grants(const struct p2m *p2m, uint64_t addr, uint64_t end)
{
    struct pgtable_leaf leaf;
    unsigned int order;

    while (p2m->nr_counted && pgtable_next(&p2m->pt, addr, end, &addr, &leaf, &order)) {
        if (p2m_is_grant(leaf.type))
            return true;
        addr += FRAME_SIZE << order;
    }
    return false;
}

/* Takes out what is in the way, but for frames that are to be mapped there. */
static int clear_range(struct p2m_batch *b, gfn_t gfn, uint64_t frames, mfn_t m)
{
    uint64_t at = gfn_to_gaddr(gfn).v, end = at + (frames << FRAME_SHIFT), found;
    struct pgtable_leaf leaf;
    unsigned int order;

    while (pgtable_next(&b->d->p2m.pt, at, end, &found, &leaf, &order)) {
        gfn_t here = gaddr_to_gfn(GADDR(max(at, found)));
        uint64_t n = (end >> FRAME_SHIFT) - here.v;
        int err = 0;

        (void)piece(b, here, &leaf, &n);
        if (p2m_is_counted(leaf.type) || maddr_to_mfn(leaf.maddr).v != m.v + (here.v - gfn.v))
            err = take_out(b, here, &leaf, n);
        if (err)
            return err;
        at = gfn_to_gaddr(gfn_add(here, n)).v;
    }
    return 0;
}

static int map_range(struct p2m_batch *b, gfn_t gfn, uint64_t frames,
                     const struct pgtable_leaf *leaf)
{
    struct pgtable *pt = &b->d->p2m.pt;
    uint64_t addr = gfn_to_gaddr(gfn).v, bytes = frames << FRAME_SHIFT;
    int err;

    if (has_grants(&b->d->p2m, addr, addr + bytes))
        return -EBUSY;
    err = clear_range(b, gfn, frames, maddr_to_mfn(leaf->maddr));
    if (err)
        return err;
    settle(b);
    p2m_forget(&b->d->p2m);
    err = pgtable_map(pt, addr, bytes, leaf);
    if (err == -ENOMEM && !keeps(b->d))
        (void)pgtable_unmap(pt, addr, bytes);
    return err;
}

/* Own memory that something else is mapped over goes, unless the domain has it for good. */
static void cover(struct p2m_batch *b, gfn_t gfn, const struct pgtable_leaf *leaf)
{
    mfn_t m = maddr_to_mfn(leaf->maddr);

    if (p2m_is_counted(leaf->type)) {
        b->d->p2m.nr_counted--;
        note_gone(b, m, 1, false);
    } else if (p2m_is_own(b->d, leaf)) {
        if (b->d->direct_map && m.v == gfn.v)
            frame_of(m)->beneath = 1;
        else
            note_gone(b, m, 1, true);
    }
}

static int map_page(struct p2m_batch *b, gfn_t gfn, const struct pgtable_leaf *leaf)
{
    struct pgtable *pt = &b->d->p2m.pt;
    uint64_t addr = gfn_to_gaddr(gfn).v, *leaves = leaves_of(b, gfn, true);
    struct pgtable_leaf old;
    bool seen;

    if (!leaves)
        return -ENOMEM;
    if (b->nr == P2M_BATCH)
        settle(b);
    if (unlikely(p2m_leaf_get(leaves, gfn, &old))) {
        if (p2m_is_grant(old.type))
            return -EBUSY;
        if (old.maddr.v != leaf->maddr.v || p2m_is_counted(old.type) || p2m_is_counted(leaf->type))
            cover(b, gfn, &old);
    }
    if (!p2m_is_counted(leaf->type) && p2m_has_beneath(b->d, gfn) &&
        leaf->maddr.v == gfn_to_gaddr(gfn).v)
        frame_of(MFN(gfn.v))->beneath = 0;
    seen = old.flags & PG_VALID;
    pgtable_leaf_set(pt, leaves, addr, seen, leaf);
    if (unlikely(seen))
        note_stale(b, gfn, 1);
    return 0;
}

int p2m_batch_map(struct p2m_batch *b, gfn_t gfn, mfn_t m, uint64_t frames, enum p2m_type type)
{
    struct p2m *p2m = &b->d->p2m;
    struct pgtable_leaf leaf = { .maddr = mfn_to_maddr(m),
                                 .flags = p2m_type_flags[type],
                                 .type = type };
    int err;

    if (!p2m_has_address(gfn, frames) || (frames != 1 && p2m_is_counted(type)) ||
        !pgtable_covers(&p2m->pt, gfn_to_gaddr(gfn).v, frames << FRAME_SHIFT))
        return -EINVAL;
    if (p2m->dying)
        return -ESRCH;
    p2m->filled = 0; /* the block that is being filled may be another now */
    /* Before all, so that teardown finds what a failure leaves half done. */
    p2m->lowest = min(p2m->lowest, gfn.v);
    p2m->highest = max(p2m->highest, gfn.v + frames);
    err = frames == 1 ? map_page(b, gfn, &leaf) : map_range(b, gfn, frames, &leaf);
    if (!err && p2m_is_counted(type))
        p2m->nr_counted++;
    return err;
}

/*
 * What p2m_restore() finds for the frame `gfn`: in *m what was kept there for it, or is there
 * anyway; and how many frames it goes on like that, *frames at most. False: nothing.
 */
static bool find_kept(struct domain *d, gfn_t gfn, mfn_t *m, uint64_t *frames)
{
    struct p2m_found found = p2m_find(d, gfn);

    *m = found.m;
    if (p2m_is_counted(found.type)) {
        *m = MFN(gfn.v);
        *frames = 1;
        return p2m_has_beneath(d, gfn);
    }
    *frames =
        min(*frames, ((uint64_t)1 << found.order) - (gfn.v & (((uint64_t)1 << found.order) - 1)));
    return found.type == P2M_KEPT || found.type == P2M_RAM || found.type == P2M_RAM_RO ||
           found.type == P2M_RESERVED;
}

int p2m_restore(struct domain *d, gfn_t gfn, uint64_t frames)
{
    struct p2m_batch b;
    mfn_t m = MFN_NONE;
    int err = 0;

    /* All of them or none. Only those of 1:1 domains are known to lie in a row. */
    if (!d->direct_map && frames != 1)
        return -EINVAL;
    p2m_batch_begin(&b, d);
    for (uint64_t done = 0, n; done < frames && !err; done += n) {
        n = frames - done;
        if (!find_kept(d, gfn_add(gfn, done), &m, &n) || (d->direct_map && m.v != gfn.v + done) ||
            !frame_is_owned(m, d->id))
            err = -EINVAL;
    }
    if (!err)
        err = p2m_batch_map(&b, gfn, d->direct_map ? MFN(gfn.v) : m, frames, P2M_RAM);
    p2m_batch_end(&b);
    return err;
}

mfn_t p2m_batch_lookup(struct p2m_batch *b, gfn_t gfn, enum p2m_type *type)
{
    struct p2m_found found = p2m_find(b->d, gfn);

    *type = (enum p2m_type)found.type;
    return found.m;
}

/* --- single changes -------------------------------------------------------------------------- */

int p2m_replace(struct domain *d, gfn_t gfn, mfn_t m, uint64_t frames, enum p2m_type type)
{
    struct p2m_batch b;
    int err;

    p2m_batch_begin(&b, d);
    err = p2m_batch_map(&b, gfn, m, frames, type);
    p2m_batch_end(&b);
    return err;
}

int p2m_remove(struct domain *d, gfn_t gfn, uint64_t frames, mfn_t m, uint32_t types)
{
    struct p2m_batch b;
    int err;

    p2m_batch_begin(&b, d);
    err = p2m_batch_unmap(&b, gfn, frames, m, types);
    p2m_batch_end(&b);
    return err;
}
