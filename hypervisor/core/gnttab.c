/* SPDX-License-Identifier: MIT */
/* Grant tables' beginning, growth and end; and the hypercall. <hospes/gnttab.h> has the contract.
 */
#include "gnttab_internal.h"

#include <hospes/cmdline.h>
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <lib/bits.h>

/* Handles in what Xen calls a maptrack frame, in which limits are told. */
#define HANDLES_PER_FRAME 256u

/* --- the table --------------------------------------------------------------------------- */

/* One more frame. Under the lock. */
static int grow(struct domain *d)
{
    struct gnttab *gt = &d->gnttab;
    struct gnttab_frame f = { .gfn = GFN(UINT64_MAX) };
    int err = -ENOMEM;

    f.uses = heap_calloc(GNTTAB_ENTRIES, sizeof(*f.uses));
    if (!f.uses)
        return err;
    err = frame_alloc(d->id, 0, 0, &f.mfn, NULL);
    if (err)
        goto no_frame;
    f.shared = frame_pin(f.mfn);
    err = -ENOMEM;
    if (!f.shared)
        goto no_pin;
    gt->frames[gt->nr_frames] = f;
    gt->nr_frames++;
    return 0;

no_pin:
    frame_free(f.mfn, 1);
no_frame:
    heap_free(f.uses);
    return err;
}

int gnttab_domain_init(struct domain *d, int max_frames, int max_maptrack_frames,
                       unsigned int max_version)
{
    struct gnttab *gt = &d->gnttab;
    uint32_t frames = max_frames < 0 ? options.gnttab_max_frames : (uint32_t)max_frames;
    uint32_t handles = max_maptrack_frames < 0 ? options.gnttab_max_maptrack_frames
                                               : (uint32_t)max_maptrack_frames;
    int err;

    if (max_version != 1 || !frames || frames > options.gnttab_max_frames ||
        handles > options.gnttab_max_maptrack_frames)
        return -EINVAL;
    gt->frames = heap_calloc(frames, sizeof(*gt->frames));
    if (!gt->frames)
        return -ENOMEM;
    gt->maptrack.max = handles * HANDLES_PER_FRAME;
    spin_lock(&gt->lock);
    gt->max_frames = frames;
    err = grow(d);
    spin_unlock(&gt->lock);
    return err;
}

int gnttab_frame(struct domain *d, uint32_t idx, bool grow_it, mfn_t *out)
{
    struct gnttab *gt = &d->gnttab;
    int err = 0;

    spin_lock(&gt->lock);
    if (gt->closed || idx >= (grow_it ? gt->max_frames : gt->nr_frames))
        err = -EINVAL;
    while (!err && gt->nr_frames <= idx)
        err = grow(d);
    if (!err) {
        *out = gt->frames[idx].mfn;
        err = frame_get(*out, d->id);
    }
    spin_unlock(&gt->lock);
    return err;
}

void gnttab_frame_mapped(struct domain *d, uint32_t idx, gfn_t gfn)
{
    struct gnttab *gt = &d->gnttab;

    spin_lock(&gt->lock);
    if (idx < gt->nr_frames)
        gt->frames[idx].gfn = gfn;
    spin_unlock(&gt->lock);
}

uint32_t gnttab_nr_frames(struct domain *d)
{
    return read_once(d->gnttab.nr_frames);
}

/* --- the end ----------------------------------------------------------------------------- */

/* Of a domain's mappings, in one step. */
#define STEP 512u

/* Gives up what it has mapped; p2m_teardown_step() drops the references of its p2m entries. */
static bool release_mappings(struct domain *d)
{
    struct gnttab *gt = &d->gnttab;
    uint32_t end = min(gt->released + STEP, gt->maptrack.made);

    for (; gt->released < end; gt->released++) {
        struct grant_mapping *m = maptrack_find(d, gt->released);

        if (!maptrack_claim(m))
            continue;
        gnttab_use_end(m->granter, m->ref, m->readonly);
        domain_put(m->granter);
        maptrack_give(d, gt->released);
    }
    return gt->released < gt->maptrack.made;
}

/* Forgets the uses of one frame of the table, the last one first. Under the lock. */
static void release_frame(struct gnttab *gt)
{
    struct gnttab_frame *f = &gt->frames[--gt->nr_frames];

    heap_free(f->uses);
    frame_unpin(f->shared);
    frame_free(f->mfn, 1);
}

bool gnttab_release_step(struct domain *d)
{
    struct gnttab *gt = &d->gnttab;
    bool more;

    if (release_mappings(d))
        return true;
    spin_lock(&gt->lock);
    gt->closed = true;
    if (gt->nr_frames)
        release_frame(gt);
    more = gt->nr_frames != 0;
    spin_unlock(&gt->lock);
    return more;
}

void gnttab_destroy(struct domain *d)
{
    while (gnttab_release_step(d))
        ;
    maptrack_destroy(&d->gnttab.maptrack);
    heap_free(d->gnttab.frames);
    d->gnttab.frames = NULL;
    d->gnttab.max_frames = 0;
}
