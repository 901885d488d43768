/* SPDX-License-Identifier: MIT */
/* Copies from and to the calling guest, page by page; <hospes/guest_access.h> has the contract. */
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/map.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <string.h>

/* Maps the page around `va`, counted; NULL if the guest may not use it so. *m is its frame. */
static inline uint8_t *map_page(struct vcpu *v, uint64_t va, bool write, mfn_t *m)
{
    *m = arch_guest_frame(v, va, write);
    if (unlikely(mfn_is_none(*m) || frame_get(*m, v->domain->id)))
        return NULL;
    return frame_map(*m);
}

static inline void unmap_page(uint8_t *page, mfn_t m)
{
    frame_unmap(page);
    frame_put(m);
}

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    uint8_t *out = to;

    while (bytes) {
        uint64_t offset = from & FRAME_MASK, n = min(bytes, FRAME_SIZE - offset);
        mfn_t m;
        uint8_t *page = map_page(v, from, false, &m);

        if (unlikely(!page))
            return -EFAULT;
        memcpy(out, page + offset, n);
        unmap_page(page, m);
        out += n;
        from += n;
        bytes -= n;
    }
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    const uint8_t *in = from;

    while (bytes) {
        uint64_t offset = to & FRAME_MASK, n = min(bytes, FRAME_SIZE - offset);
        mfn_t m;
        uint8_t *page = map_page(v, to, true, &m);

        if (unlikely(!page))
            return -EFAULT;
        memcpy(page + offset, in, n);
        unmap_page(page, m);
        in += n;
        to += n;
        bytes -= n;
    }
    return 0;
}
