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

/* From one page of the guest's. */
static inline int read_page(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    mfn_t m;
    uint8_t *page = map_page(v, from, false, &m);

    if (unlikely(!page))
        return -EFAULT;
    memcpy(to, page + (from & FRAME_MASK), bytes);
    unmap_page(page, m);
    return 0;
}

static inline int write_page(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    mfn_t m;
    uint8_t *page = map_page(v, to, true, &m);

    if (unlikely(!page))
        return -EFAULT;
    memcpy(page + (to & FRAME_MASK), from, bytes);
    unmap_page(page, m);
    return 0;
}

static bool in_one_page(uint64_t va, uint64_t bytes)
{
    return bytes <= FRAME_SIZE - (va & FRAME_MASK);
}

static __noinline int read_pages(struct vcpu *v, uint8_t *to, uint64_t from, uint64_t bytes)
{
    int err = 0;

    for (uint64_t n; bytes && !err; to += n, from += n, bytes -= n) {
        n = min(bytes, FRAME_SIZE - (from & FRAME_MASK));
        err = read_page(v, to, from, n);
    }
    return err;
}

static __noinline int write_pages(struct vcpu *v, uint64_t to, const uint8_t *from, uint64_t bytes)
{
    int err = 0;

    for (uint64_t n; bytes && !err; to += n, from += n, bytes -= n) {
        n = min(bytes, FRAME_SIZE - (to & FRAME_MASK));
        err = write_page(v, to, from, n);
    }
    return err;
}

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    if (unlikely(!bytes || !in_one_page(from, bytes)))
        return read_pages(v, to, from, bytes);
    return read_page(v, to, from, bytes);
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    if (unlikely(!bytes || !in_one_page(to, bytes)))
        return write_pages(v, to, from, bytes);
    return write_page(v, to, from, bytes);
}

void guest_window_close(struct guest_window *w)
{
    if (likely(w->page))
        unmap_page(w->page, w->m);
    w->page = NULL;
}

/* Where `bytes` at `va` are, which lie in one page; NULL if the guest may not write there. */
static inline uint8_t *look_at(struct guest_window *w, uint64_t va)
{
    if (unlikely(!w->page || (va ^ w->va) >> FRAME_SHIFT)) {
        guest_window_close(w);
        w->va = va;
        w->page = map_page(w->v, va, true, &w->m);
        if (unlikely(!w->page))
            return NULL;
    }
    return w->page + (va & FRAME_MASK);
}

int guest_window_read(struct guest_window *w, void *to, uint64_t from, uint32_t bytes)
{
    const uint8_t *in;

    if (unlikely(!in_one_page(from, bytes))) {
        guest_window_close(w);
        return guest_read(w->v, to, from, bytes);
    }
    in = look_at(w, from);
    if (unlikely(!in))
        return -EFAULT;
    memcpy(to, in, bytes);
    return 0;
}

int guest_window_write(struct guest_window *w, uint64_t to, const void *from, uint32_t bytes)
{
    uint8_t *out;

    if (unlikely(!in_one_page(to, bytes))) {
        guest_window_close(w);
        return guest_write(w->v, to, from, bytes);
    }
    out = look_at(w, to);
    if (unlikely(!out))
        return -EFAULT;
    memcpy(out, from, bytes);
    return 0;
}
