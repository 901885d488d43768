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

static inline void unmap_page(uint8_t *page, mfn_t m)
{
    frame_unmap(page);
    frame_put(m);
}

/* From one page of the guest's. */
static inline int read_page(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    mfn_t m;
    uint8_t *page = arch_guest_map(v, from, false, &m);

    if (unlikely(!page))
        return -EFAULT;
    memcpy(to, page + (from & FRAME_MASK), bytes);
    unmap_page(page, m);
    return 0;
}

static inline int write_page(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    mfn_t m;
    uint8_t *page = arch_guest_map(v, to, true, &m);

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

void *guest_window_move(struct guest_window *w, uint64_t va, uint32_t bytes)
{
    if (unlikely(!in_one_page(va, bytes)))
        return NULL;
    guest_window_close(w);
    w->va = va;
    w->page = arch_guest_map(w->v, va, true, &w->m);
    return likely(w->page != NULL) ? w->page + (va & FRAME_MASK) : NULL;
}

int guest_window_read(struct guest_window *w, void *to, uint64_t from, uint32_t bytes)
{
    const void *there = guest_window_at(w, from, bytes);

    if (unlikely(!there))
        return guest_read(w->v, to, from, bytes);
    memcpy(to, there, bytes);
    return 0;
}

int guest_window_write(struct guest_window *w, uint64_t to, const void *from, uint32_t bytes)
{
    void *there = guest_window_at(w, to, bytes);

    if (unlikely(!there))
        return guest_write(w->v, to, from, bytes);
    memcpy(there, from, bytes);
    return 0;
}
