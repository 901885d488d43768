/* SPDX-License-Identifier: MIT */
/*
 * Uses of grants: the protocol of an entry that the granter may change at any moment. We set
 * GTF_reading and GTF_writing in it by compare-and-exchange, which tells the granter that it cannot
 * take the grant back yet; only while nobody uses an entry do we believe what else is in it.
 *
 * The granter can make every attempt fail, so attempts are few; and where we have to succeed, to
 * end a use, the last one is a plain store.
 */
#include "gnttab_internal.h"

#include <hospes/compiler.h>
#include <hospes/frame.h>
#include <hospes/p2m.h>
#include <hospes/p2m_peek.h>

#define TRIES 32u

/* Flags and domain, which change together. */
static uint32_t *word_of(struct grant_entry_v1 *e)
{
    _Static_assert(offsetof(struct grant_entry_v1, domid) == 2, "flags below, domain above");
    return (uint32_t *)(void *)e;
}

static int set_flags(struct grant_entry_v1 *e, const struct domain *by, bool readonly, bool first,
                     uint16_t mask)
{
    uint32_t seen = read_once(*word_of(e));

    for (unsigned int tries = TRIES; tries; tries--) {
        uint16_t flags = (uint16_t)seen, domid = (uint16_t)(seen >> 16);
        uint32_t set = readonly ? GTF_reading : GTF_reading | GTF_writing;

        if (first && unlikely((flags & mask) != GTF_permit_access || domid != by->id))
            return GNTST_general_error;
        if (!readonly && unlikely(flags & GTF_readonly))
            return GNTST_general_error;
        if (likely(__atomic_compare_exchange_n(word_of(e), &seen, seen | set, true,
                                               __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)))
            return GNTST_okay;
    }
    return GNTST_general_error;
}

static void clear_flags(struct grant_entry_v1 *e, uint16_t clear)
{
    uint16_t seen = read_once(e->flags);

    for (unsigned int tries = TRIES; tries; tries--)
        if (likely(__atomic_compare_exchange_n(&e->flags, &seen, (uint16_t)(seen & ~clear), true,
                                               __ATOMIC_RELEASE, __ATOMIC_RELAXED)))
            return;
    store_release(e->flags, (uint16_t)(seen & ~clear));
}

/* Takes back the flags that no use needs any more. */
static void clear_unneeded(struct grant_entry_v1 *e, const struct grant_use *use, bool readonly)
{
    uint16_t clear = 0;

    if (!readonly && !use->writers)
        clear = GTF_writing;
    if (!use->readers && !use->writers)
        clear |= GTF_reading;
    if (clear)
        clear_flags(e, clear);
}

/* Under the granter's lock. */
static int begin(struct domain *granter, struct grant_entry_v1 *e, struct grant_use *use,
                 struct domain *by, bool readonly, uint16_t mask)
{
    bool first = !use->readers && !use->writers;
    int rc;

    if (!first && unlikely(use->by != by))
        return GNTST_general_error;
    if (first || (!readonly && !use->writers)) {
        rc = set_flags(e, by, readonly, first, mask);
        if (unlikely(rc))
            return rc;
    }
    if (first) {
        /* What the entry names now: RAM that the granter owns. */
        gfn_t gfn = GFN(read_once(e->frame));

        rc = p2m_acquire_present(granter, gfn, 1u << P2M_RAM, &use->frame);
        if (unlikely(rc == P2M_RESERVED))
            rc = p2m_acquire(granter, gfn, 1u << P2M_RAM, &use->frame);
        if (unlikely(rc < 0)) {
            rc = GNTST_bad_page;
            goto undo;
        }
        use->by = by;
    }
    rc = GNTST_general_error;
    if (unlikely(frame_get(use->frame, granter->id)))
        goto undo_frame;
    /* Neither overflows: each use has a handle, or a CPU that is copying. */
    if (readonly)
        use->readers++;
    else
        use->writers++;
    return GNTST_okay;

undo_frame:
    if (first)
        frame_put(use->frame);
undo:
    clear_unneeded(e, use, readonly);
    return rc;
}

int gnttab_use_begin(struct domain *granter, uint32_t ref, struct domain *by, bool readonly,
                     uint16_t mask, mfn_t *m)
{
    struct gnttab *gt = &granter->gnttab;
    int rc = GNTST_bad_gntref;

    spin_lock(&gt->lock);
    if (unlikely(gt->closed)) {
        rc = GNTST_bad_domain;
    } else if (likely(ref / GNTTAB_ENTRIES < gt->nr_frames)) {
        struct gnttab_frame *f = &gt->frames[ref / GNTTAB_ENTRIES];
        struct grant_use *use = &f->uses[ref % GNTTAB_ENTRIES];

        rc = begin(granter, &f->shared[ref % GNTTAB_ENTRIES], use, by, readonly, mask);
        *m = use->frame;
    }
    spin_unlock(&gt->lock);
    return rc;
}

void gnttab_use_end(struct domain *granter, uint32_t ref, bool readonly)
{
    struct gnttab *gt = &granter->gnttab;
    mfn_t unused = MFN_NONE;

    spin_lock(&gt->lock);
    if (likely(!gt->closed)) {
        struct gnttab_frame *f = &gt->frames[ref / GNTTAB_ENTRIES];
        struct grant_use *use = &f->uses[ref % GNTTAB_ENTRIES];

        if (readonly)
            use->readers--;
        else
            use->writers--;
        if (!use->readers && !use->writers)
            unused = use->frame;
        clear_unneeded(&f->shared[ref % GNTTAB_ENTRIES], use, readonly);
    }
    spin_unlock(&gt->lock);
    if (!mfn_is_none(unused))
        frame_put(unused);
}
