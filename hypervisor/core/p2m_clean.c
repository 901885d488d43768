/* SPDX-License-Identifier: MIT */
/* A domain's memory written back from the caches, for guests that ask for all of it. */
#include <hospes/domain.h>
#include <hospes/frame.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <lib/bits.h>

/* In a step: some tens of microseconds. */
#define CLEAN_FRAMES 64u
#define CLEAN_LEAVES 256u

bool p2m_clean_step(struct domain *d, gfn_t *next)
{
    struct p2m *p2m = &d->p2m;
    uint64_t at = max(next->v, p2m->lowest), budget = CLEAN_FRAMES;
    bool more = true;

    spin_lock(&p2m->lock);
    for (uint32_t n = 0; n < CLEAN_LEAVES && budget && more; n++) {
        struct pgtable_leaf leaf;
        unsigned int order;
        uint64_t addr, in, frames;

        more = at < p2m->highest && pgtable_next(&p2m->pt, at << FRAME_SHIFT,
                                                 p2m->highest << FRAME_SHIFT, &addr, &leaf, &order);
        if (!more)
            break;
        at = max(at, addr >> FRAME_SHIFT);
        in = at - (addr >> FRAME_SHIFT);
        frames = ((uint64_t)1 << order) - in;
        leaf.maddr = maddr_add(leaf.maddr, in << FRAME_SHIFT);
        /* What is not mapped was not written; a device's registers are not in caches. */
        if ((leaf.flags & (PG_VALID | PG_DEVICE)) == PG_VALID &&
            frame_is_ram(maddr_to_mfn(leaf.maddr))) {
            frames = min(frames, budget);
            maddr_clean(leaf.maddr, frames << FRAME_SHIFT);
            budget -= frames;
        }
        at += frames;
    }
    spin_unlock(&p2m->lock);
    *next = GFN(more ? at : 0);
    return more;
}
