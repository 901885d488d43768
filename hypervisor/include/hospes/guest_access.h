/* SPDX-License-Identifier: MIT */
/*
 * Copies between the hypervisor and the calling guest, by the guest's own virtual addresses.
 *
 * Each page is translated at the moment of its use, by the caller's present translation tables and
 * with the rights of its kernel, and counted for as long as it is mapped here: another vCPU that
 * changes tables or gives memory back meanwhile can spoil this domain's data, nothing else. Memory
 * must be RAM that the domain owns; pages of others that it has mapped are refused, as in Xen.
 *
 * Only for the vCPU that is loaded on this pCPU. 0 or -EFAULT; then a part may have been copied.
 */
#ifndef HOSPES_GUEST_ACCESS_H
#define HOSPES_GUEST_ACCESS_H

#include <hospes/compiler.h>
#include <hospes/types.h>

struct vcpu;

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes);
int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes);

/*
 * For arrays that are read and written back an element at a time, and for what stands beside one
 * another: the page of the last access stays mapped and counted, and takes one slot of frame_map(),
 * until the window is closed or another page is asked for. Begins as { .v = v }.
 */
struct guest_window {
    struct vcpu *v;
    uint8_t *page; /* NULL: closed */
    uint64_t va;   /* of the page */
    mfn_t m;
};

/* guest_window_at() where the window is elsewhere, or closed. */
void *guest_window_move(struct guest_window *w, uint64_t va, uint32_t bytes);

/*
 * Where `bytes`, one at least, at `va` are, to be read and written until the next call: the guest
 * may change them meanwhile. NULL if they are not in one page that the guest may write:
 * guest_read() knows more.
 */
static inline void *guest_window_at(struct guest_window *w, uint64_t va, uint32_t bytes)
{
    bool is_there = w->page && (((va ^ w->va) | ((va + bytes - 1) ^ w->va)) >> FRAME_SHIFT) == 0;

    return likely(is_there) ? w->page + (va & FRAME_MASK) : guest_window_move(w, va, bytes);
}

/* As guest_read() and guest_write(), there if it can be. */
int guest_window_read(struct guest_window *w, void *to, uint64_t from, uint32_t bytes);
int guest_window_write(struct guest_window *w, uint64_t to, const void *from, uint32_t bytes);
void guest_window_close(struct guest_window *w);

/* The address in a handle of <xen/...>, of either width; and of element `i` of an array. */
#define guest_address(handle)        ((uint64_t)(uintptr_t)(handle).p)
#define guest_element(handle, i)     (guest_address(handle) + (uint64_t)(i) * sizeof(*(handle).p))
#define guest_handle_is_null(handle) (!(handle).p)

/* --- contract of each architecture ----------------------------------------------------------- */

/*
 * The page around virtual address `va` of `v`, found by its stage 1 tables and ours, if its kernel
 * may read (write) it and the domain owns it; NULL if not. Memory reserved for the domain is made
 * present. The caller has to frame_unmap() it, and to frame_put() *m, the frame.
 */
uint8_t *arch_guest_map(struct vcpu *v, uint64_t va, bool write, mfn_t *m);

#endif
