/* SPDX-License-Identifier: MIT */
/* What the parts of <hospes/p2m.h> share: p2m.c, p2m_batch.c. All under the p2m's lock. */
#ifndef P2M_INTERNAL_H
#define P2M_INTERNAL_H

#include <hospes/domain.h>
#include <hospes/frame.h>
#include <hospes/p2m.h>
#include <hospes/p2m_peek.h>
#include <lib/bits.h>

extern const uint32_t p2m_type_flags[P2M_TYPES]; /* enum pgtable_flags of each entry of a type */

/* An entry of this type stands for a reference of its own, not for the owner's. */
static inline bool p2m_is_counted(uint32_t type)
{
    return type >= P2M_SHARED && type <= P2M_GRANT_RO;
}

static inline bool p2m_is_grant(uint32_t type)
{
    return type == P2M_GRANT || type == P2M_GRANT_RO;
}

/* A leaf stands for the domain's own RAM: no device, no memory of firmware's or of another. */
static inline bool p2m_is_own(const struct domain *d, const struct pgtable_leaf *leaf)
{
    mfn_t m = maddr_to_mfn(leaf->maddr);

    return leaf->type != P2M_DEVICE && !p2m_is_counted(leaf->type) && frame_is_owned(m, d->id);
}

/*
 * A domain whose memory is at machine addresses keeps the frame at each: here something else is
 * mapped in its place.
 */
static inline bool p2m_has_beneath(const struct domain *d, gfn_t gfn)
{
    mfn_t m = MFN(gfn.v);

    return d->direct_map && frame_is_owned(m, d->id) && frame_of(m)->beneath;
}

/* True if the range can be told in bytes. What is beyond the guest's width is the walker's to
 * refuse. */
static inline bool p2m_has_address(gfn_t gfn, uint64_t frames)
{
    return gfn.v <= UINT64_MAX >> FRAME_SHIFT && frames <= UINT64_MAX >> FRAME_SHIFT;
}

/* The table of pages around `gfn` if it was used recently, else NULL. */
static inline uint64_t *p2m_recent_leaves(struct p2m *p2m, gfn_t gfn)
{
    const struct p2m_recent *r = p2m_recent(p2m, gfn);

    return r->number == gfn.v >> FRAME_ORDER_2M ? r->leaves : NULL;
}

static inline void p2m_remember(struct p2m *p2m, gfn_t gfn, uint64_t *leaves)
{
    *p2m_recent(p2m, gfn) =
        (struct p2m_recent){ .number = gfn.v >> FRAME_ORDER_2M, .leaves = leaves };
}

/* Before any entry above the pages' is changed. */
static inline void p2m_forget(struct p2m *p2m)
{
    for (uint32_t i = 0; i < P2M_RECENT; i++)
        p2m->recent[i].number = P2M_RECENT_NONE;
}

/* What stands behind `gfn`, as its table has it; false: nothing. */
static inline bool p2m_leaf_get(const uint64_t *leaves, gfn_t gfn, struct pgtable_leaf *leaf)
{
    uint64_t entry = leaves[gfn.v % PGTABLE_ENTRIES];

    leaf->maddr = MADDR(entry & PGTABLE_ADDRESS);
    leaf->type = (uint32_t)field_get(PGTABLE_TYPE, entry);
    leaf->flags = p2m_type_flags[leaf->type];
    return leaf->type != P2M_NONE;
}

#endif
