/* SPDX-License-Identifier: MIT */
/* Guest memory that Hospes keeps mapped; <hospes/guest_area.h> has the contract. */
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/guest_area.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

/* Another vCPU may change what stands there again and again; each try fills a part of a block. */
#define TRIES 64u

/* The frame behind `gfn`, counted. */
static int take_frame(struct domain *d, gfn_t gfn, mfn_t *out)
{
    for (unsigned int tries = TRIES; tries; tries--) {
        enum p2m_type type;
        mfn_t m = p2m_lookup(d, gfn, &type, NULL);

        if (type == P2M_RAM_RO || type == P2M_SHARED_RO || type == P2M_GRANT_RO)
            return -EACCES;
        if (type == P2M_RESERVED && p2m_handle_fault(d, gfn))
            continue;
        /* Between the look and the count it may have been given back: then it has another owner. */
        if (type != P2M_RAM || frame_get(m, d->id))
            return -EINVAL;
        *out = m;
        return 0;
    }
    return -EINVAL;
}

int guest_area_map(struct domain *d, gaddr_t at, uint64_t bytes, struct guest_area *out)
{
    uint64_t offset = at.v & FRAME_MASK;
    uint8_t *page;
    mfn_t m;
    int err;

    if (offset + bytes > FRAME_SIZE || offset % 8)
        return -ENXIO;
    err = take_frame(d, gaddr_to_gfn(at), &m);
    if (err)
        return err;
    page = frame_pin(m);
    if (!page) {
        frame_put(m);
        return -ENOMEM;
    }
    *out = (struct guest_area){ page + offset, m };
    return 0;
}

int guest_area_map_virtual(struct vcpu *caller, uint64_t va, struct guest_area *out)
{
    mfn_t m;
    uint8_t *page = arch_guest_map(caller, va, true, &m);

    if (!page)
        return -EINVAL;
    frame_unmap(page);
    page = frame_pin(m);
    if (!page) {
        frame_put(m);
        return -ENOMEM;
    }
    *out = (struct guest_area){ page + (va & FRAME_MASK), m };
    return 0;
}

void guest_area_unmap(struct guest_area *a)
{
    if (!a->p)
        return;
    frame_unpin((void *)((uintptr_t)a->p & ~(uintptr_t)FRAME_MASK));
    frame_put(a->mfn);
    a->p = NULL;
}
