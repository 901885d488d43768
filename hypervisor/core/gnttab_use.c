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
    _Static_assert(offsetof(struct grant_entry_v1, domid) * 8 == GRANT_DOMID_SHIFT,
                   "flags below, domain above");
    return (uint32_t *)(void *)e;
}

/* The first use finds the grant as it has to be; a later one needs no more than the right to write.
 */
static inline int set_flags(struct grant_entry_v1 *e, const struct grant_user *u, bool first)
{
    uint32_t relevant = first ? u->relevant : u->relevant & GTF_readonly;
    uint32_t needed = first ? u->needed : 0, seen = read_once(*word_of(e));

    for (unsigned int tries = TRIES; tries; tries--) {
        if (unlikely((seen & relevant) != needed))
            return GNTST_general_error;
        if (likely(__atomic_compare_exchange_n(word_of(e), &seen, seen | u->set, true,
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

static inline struct grant_use *use_of(const struct gnttab *gt, uint32_t ref)
{
    return &gt->frames[ref / GNTTAB_ENTRIES].uses[ref % GNTTAB_ENTRIES];
}

static inline struct grant_entry_v1 *entry_of(const struct gnttab *gt, uint32_t ref)
{
    return &gt->frames[ref / GNTTAB_ENTRIES].shared[ref % GNTTAB_ENTRIES];
}

/* The frame that the entry names now: RAM that the granter owns. */
static inline int find_frame(struct domain *granter, const struct grant_entry_v1 *e, mfn_t *m)
{
    gfn_t gfn = GFN(read_once(e->frame));

    return p2m_acquire_fast(granter, gfn, 1u << P2M_RAM, m) < 0 ? GNTST_bad_page : GNTST_okay;
}

/* Under the granter's lock. */
static inline int begin(const struct grant_user *u, struct grant_entry_v1 *e, struct grant_use *use)
{
    bool first = !use->readers && !use->writers;
    int rc;

    if (!first && unlikely(use->by != u->by))
        return GNTST_general_error;
    if (first || (!u->readonly && !use->writers)) {
        rc = set_flags(e, u, first);
        if (unlikely(rc))
            return rc;
    }
    if (likely(first))
        rc = find_frame(u->granter, e, &use->frame);
    else
        rc = frame_get(use->frame, u->granter->id) ? GNTST_general_error : GNTST_okay;
    if (unlikely(rc)) {
        clear_unneeded(e, use, u->readonly);
        return rc;
    }
    use->by = u->by;
    /* Neither overflows: each use has a handle, or a CPU that is copying. */
    if (u->readonly)
        use->readers++;
    else
        use->writers++;
    return GNTST_okay;
}

/* Under the granter's lock. */
static inline void end(struct gnttab *gt, uint32_t ref, bool readonly)
{
    struct grant_use *use = use_of(gt, ref);

    if (readonly)
        use->readers--;
    else
        use->writers--;
    clear_unneeded(entry_of(gt, ref), use, readonly);
}

inline int gnttab_use_begin(struct grant_user *u, uint32_t ref, mfn_t *m)
{
    struct gnttab *gt = &u->granter->gnttab;
    int rc = GNTST_bad_gntref;

    spin_lock(&gt->lock);
    if (unlikely(gt->closed)) {
        rc = GNTST_bad_domain;
    } else if (likely(ref / GNTTAB_ENTRIES < gt->nr_frames)) {
        struct grant_use *use = use_of(gt, ref);

        rc = begin(u, entry_of(gt, ref), use);
        *m = use->frame;
    }
    if (likely(!rc)) {
        if (u->ref != GRANT_NONE)
            end(gt, u->ref, u->readonly);
        u->ref = ref;
    }
    spin_unlock(&gt->lock);
    return rc;
}

void gnttab_use_end(struct domain *granter, uint32_t ref, bool readonly)
{
    struct gnttab *gt = &granter->gnttab;

    spin_lock(&gt->lock);
    if (likely(!gt->closed))
        end(gt, ref, readonly);
    spin_unlock(&gt->lock);
}
