/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_cache_flush: cache maintenance of a page that the caller has mapped from another domain,
 * or of its own, named by its machine address: for DMA by devices that do not see the caches, to
 * which a guest's own instructions by address do not always reach.
 *
 * Lines are written back before they are forgotten whatever was asked for: who may only read a page
 * must not undo what its owner has written.
 */
#include "gnttab_internal.h"

#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/map.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

/* Entries looked at before others may have their turn; a power of two (gnttab_op()). */
#define SEARCH_STEP 4096u

/* --- may it? ----------------------------------------------------------------------------- */

static bool is_use_of(const struct grant_use *use, const struct domain *by, mfn_t m)
{
    return (use->readers || use->writers) && use->by == by && use->frame.v == m.v;
}

/*
 * Looks for a use of `m` by `by` among the entries of `granter` from *from on. 0: found; -EINVAL:
 * there is none; -ERESTART: not yet, *from says how far it is.
 */
static int find_use(struct domain *granter, const struct domain *by, mfn_t m, uint32_t *from)
{
    struct gnttab *gt = &granter->gnttab;
    uint32_t ref = *from, end, all;
    int err = -EINVAL;

    spin_lock(&gt->lock);
    all = gt->closed ? 0 : gt->nr_frames * GNTTAB_ENTRIES;
    end = all - min(ref, all) > SEARCH_STEP ? ref + SEARCH_STEP : all;
    for (; ref < end && err; ref++)
        if (is_use_of(&gt->frames[ref / GNTTAB_ENTRIES].uses[ref % GNTTAB_ENTRIES], by, m))
            err = 0;
    if (err && end < all) {
        *from = end;
        err = -ERESTART;
    }
    spin_unlock(&gt->lock);
    return err;
}

/* Takes a reference to `m` if the caller may do this to it. */
static int permit(struct domain *d, mfn_t m, uint32_t *from)
{
    struct domain *owner;
    int err;

    if (!frame_is_ram(m))
        return -EINVAL;
    owner = domain_get(frame_owner(frame_of(m)));
    if (!owner)
        return -EPERM;
    err = frame_get(m, owner->id) ? -EPERM : 0;
    if (!err && owner != d) {
        err = find_use(owner, d, m, from);
        if (err)
            frame_put(m);
    }
    domain_put(owner);
    return err;
}

/* --- it ---------------------------------------------------------------------------------- */

static int flush_one(struct domain *d, const struct gnttab_cache_flush *op, uint32_t *from)
{
    mfn_t m = maddr_to_mfn(MADDR(op->a.dev_bus_addr));
    uint8_t *page;
    int err;

    if (op->offset >= FRAME_SIZE || (uint64_t)op->offset + op->length > FRAME_SIZE ||
        op->op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN))
        return -EINVAL;
    if (!op->length || !op->op)
        return *from ? -EILSEQ : 0;
    err = permit(d, m, from);
    if (err)
        return err;
    page = frame_map(m);
    arch_cache_clean(page + op->offset, op->length);
    frame_unmap(page);
    frame_put(m);
    return 0;
}

int gnttab_cache_flush(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done, uint32_t *from)
{
    struct gnttab_cache_flush op;
    int err = 0;

    for (uint32_t i = 0; i < count && !err; i++, uop += sizeof(op)) {
        *done = i;
        if (i && hypercall_should_stop())
            return -ERESTART;
        err = guest_read(v, &op, uop, sizeof(op));
        if (err)
            return err;
        do
            err = flush_one(v->domain, &op, from);
        while (err == -ERESTART && !hypercall_should_stop());
        if (!err)
            *from = 0;
    }
    return err;
}
