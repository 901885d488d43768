/* SPDX-License-Identifier: MIT */
/* Whose the machine's registers are; <hospes/iomem.h> has the contract. */
#include <hospes/boot.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/iomem.h>
#include <hospes/p2m.h>
#include <lib/list.h>

struct range {
    struct list_node node;
    const struct domain *d;
    uint64_t start, end; /* frames of the machine */
    uint64_t mapped;     /* how many of them, some of them perhaps twice */
};

static struct spinlock lock = SPINLOCK_INIT(LOCK_IOMEM);
static struct list ranges = LIST_INIT(ranges);
static const struct boot_ranges *kept; /* NULL: not known yet */

void iomem_init(const struct boot_ranges *own)
{
    kept = own;
}

static bool is_valid(uint64_t frame, uint64_t frames)
{
    uint64_t most = UINT64_MAX >> FRAME_SHIFT;

    return frames && frame <= most && frames <= most - frame;
}

static bool is_registers(uint64_t start, uint64_t end)
{
    return kept &&
           !boot_range_overlaps(&boot_ram, start << FRAME_SHIFT, end << FRAME_SHIFT, NULL) &&
           !boot_range_overlaps(kept, start << FRAME_SHIFT, end << FRAME_SHIFT, NULL);
}

/* d's range that has all these; NULL: there is none. */
static struct range *find(const struct domain *d, uint64_t start, uint64_t end)
{
    struct range *r;

    list_for_each (r, &ranges, node)
        if (r->d == d && r->start <= start && end <= r->end)
            return r;
    return NULL;
}

/* --- who may --------------------------------------------------------------------------------- */

/* 0 if `d` may have another range. */
static int check_new(const struct domain *d, uint64_t start, uint64_t end)
{
    const struct range *r;
    uint32_t nr = 0;

    list_for_each (r, &ranges, node) {
        if (r->d != d && r->start < end && start < r->end)
            return -EBUSY;
        nr += r->d == d;
    }
    return nr < IOMEM_MAX_RANGES ? 0 : -ENOSPC;
}

static int add(const struct domain *d, uint64_t start, uint64_t end)
{
    struct range *r;
    int rc = check_new(d, start, end);

    if (rc || find(d, start, end))
        return rc == -ENOSPC && find(d, start, end) ? 0 : rc;
    r = heap_alloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->d = d;
    r->start = start;
    r->end = end;
    list_push_back(&ranges, &r->node);
    return 0;
}

int iomem_permit(struct domain *d, mfn_t mfn, uint64_t frames)
{
    int rc = -EINVAL;

    if (!is_valid(mfn.v, frames))
        return -EINVAL;
    if (!is_registers(mfn.v, mfn.v + frames))
        return -EPERM;
    /* Its end takes back what it has, once. */
    spin_lock(&d->lock);
    spin_lock(&lock);
    if (d->state != DOMAIN_DYING)
        rc = add(d, mfn.v, mfn.v + frames);
    spin_unlock(&lock);
    spin_unlock(&d->lock);
    return rc;
}

static int check_deny(const struct domain *d, uint64_t start, uint64_t end)
{
    const struct range *r;

    list_for_each (r, &ranges, node) {
        if (r->d != d || r->end <= start || end <= r->start)
            continue;
        if (r->start < start || end < r->end)
            return -EINVAL;
        if (r->mapped)
            return -EBUSY;
    }
    return 0;
}

/* Removes d's ranges in there. */
static void take(const struct domain *d, uint64_t start, uint64_t end)
{
    struct range *r, *next;

    list_for_each_safe (r, next, &ranges, node) {
        if (r->d == d && start <= r->start && r->end <= end) {
            list_remove(&r->node);
            heap_free(r);
        }
    }
}

int iomem_deny(struct domain *d, mfn_t mfn, uint64_t frames)
{
    int rc;

    if (!is_valid(mfn.v, frames))
        return -EINVAL;
    spin_lock(&lock);
    rc = check_deny(d, mfn.v, mfn.v + frames);
    if (!rc)
        take(d, mfn.v, mfn.v + frames);
    spin_unlock(&lock);
    return rc;
}

void iomem_take_all(struct domain *d)
{
    spin_lock(&lock);
    take(d, 0, UINT64_MAX);
    spin_unlock(&lock);
}

/* --- what is mapped -------------------------------------------------------------------------- */

int iomem_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames)
{
    struct range *r;
    int rc;

    if (!is_valid(mfn.v, frames) || !is_valid(gfn.v, frames))
        return -EINVAL;
    spin_lock(&lock);
    r = find(d, mfn.v, mfn.v + frames);
    if (!r)
        rc = -EPERM;
    else if (!p2m_is_empty(d, gfn, frames))
        rc = -EEXIST;
    else
        rc = p2m_replace(d, gfn, mfn, frames, P2M_DEVICE);
    if (!rc)
        r->mapped += frames;
    spin_unlock(&lock);
    return rc;
}

/* True if exactly these are mapped there. */
static bool is_mapped(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames)
{
    for (uint64_t i = 0; i < frames; i++) {
        enum p2m_type type;

        if (p2m_lookup(d, GFN(gfn.v + i), &type, NULL).v != mfn.v + i || type != P2M_DEVICE)
            return false;
    }
    return true;
}

int iomem_unmap(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames)
{
    struct range *r;
    int rc;

    if (!is_valid(mfn.v, frames) || !is_valid(gfn.v, frames))
        return -EINVAL;
    spin_lock(&lock);
    r = find(d, mfn.v, mfn.v + frames);
    if (!r)
        rc = -EPERM;
    else if (r->mapped < frames || !is_mapped(d, gfn, mfn, frames))
        rc = -ENOENT;
    else
        rc = p2m_remove(d, gfn, frames, mfn, 1u << P2M_DEVICE);
    if (!rc)
        r->mapped -= frames;
    spin_unlock(&lock);
    return rc;
}
