/* SPDX-License-Identifier: MIT */
/*
 * A machine with a few domains for tests of memory_op: the real frames, tables and p2m; guests'
 * pointers are the test's own, but for BAD ones; domains and grant tables are as simple as can be.
 */
#ifndef MEMORY_WORLD_H
#define MEMORY_WORLD_H

#include "machine.h"

#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/gnttab.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/memory_op.h>
#include <hospes/p2m.h>
#include <lib/bits.h>
#include <xen/memory.h>
#include <xen/xen.h>

#define RAM       GIB(4)
#define RAM_BYTES GIB(4)
#define META      GIB(16)

#define DOMAINS      4u
#define GRANT_FRAMES 8u

static struct domain domains[DOMAINS];
static struct vcpu vcpus[DOMAINS];
static bool gone[DOMAINS]; /* not to be found by number */
static mfn_t grant_frames[DOMAINS][GRANT_FRAMES];
static uint32_t nr_grant_frames[DOMAINS];
static uint64_t all_free;

/* --- what is not under test ------------------------------------------------------------------ */

static uint32_t stop_after = UINT32_MAX; /* so many questions are answered with no, one with yes */

bool hypercall_should_stop(void)
{
    if (stop_after == UINT32_MAX || stop_after--)
        return false;
    stop_after = UINT32_MAX;
    return true;
}

struct domain *domain_get(uint16_t id)
{
    if (id >= DOMAINS || gone[id])
        return NULL;
    domains[id].refs++;
    return &domains[id];
}

void domain_hold(struct domain *d)
{
    d->refs++;
}

void domain_put(struct domain *d)
{
    assert_true(d->refs > 1);
    d->refs--;
}

/* Guests' memory is the test's own. Nothing can be accessed from `bad` on. */
static uint64_t bad = UINT64_MAX;

static bool reaches_bad(uint64_t from, uint64_t bytes)
{
    return !from || (from < bad + FRAME_SIZE && from + bytes > bad);
}

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    assert_false(v->domain->p2m.lock.owner != v->domain->p2m.lock.next); /* it may want that lock */
    if (reaches_bad(from, bytes))
        return -EFAULT;
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    assert_false(v->domain->p2m.lock.owner != v->domain->p2m.lock.next);
    if (reaches_bad(to, bytes))
        return -EFAULT;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

/* A window keeps a page mapped: whoever opens one finds the last one closed. */
static bool window_is_open;

static void open_window(struct guest_window *w)
{
    assert_true(!w->page == !window_is_open);
    window_is_open = true;
    w->page = (uint8_t *)w; /* any */
}

int guest_window_read(struct guest_window *w, void *to, uint64_t from, uint32_t bytes)
{
    open_window(w);
    return guest_read(w->v, to, from, bytes);
}

int guest_window_write(struct guest_window *w, uint64_t to, const void *from, uint32_t bytes)
{
    open_window(w);
    return guest_write(w->v, to, from, bytes);
}

void guest_window_close(struct guest_window *w)
{
    assert_true(!w->page == !window_is_open);
    window_is_open = false;
    w->page = NULL;
}

int gnttab_frame(struct domain *d, uint32_t idx, bool grow, mfn_t *out)
{
    if (idx >= d->gnttab.max_frames || (!grow && idx >= nr_grant_frames[d->id]))
        return -EINVAL;
    for (; nr_grant_frames[d->id] <= idx; nr_grant_frames[d->id]++)
        assert_int_equal(
            frame_alloc(d->id, 0, 0, &grant_frames[d->id][nr_grant_frames[d->id]], NULL), 0);
    *out = grant_frames[d->id][idx];
    return frame_get(*out, d->id);
}

void gnttab_frame_mapped(struct domain *d, uint32_t idx, gfn_t gfn)
{
}

/* --- set-up ---------------------------------------------------------------------------------- */

static inline int machine(void **state)
{
    machine_make(2, RAM, RAM_BYTES, META);
    all_free = frame_free_count();
    return 0;
}

static inline void create(uint32_t n)
{
    struct domain *d = &domains[n];

    *d = (struct domain){ .id = (uint16_t)n, .refs = 1, .control = n == 0, .max_pages = 1 << 20 };
    d->gnttab.max_frames = GRANT_FRAMES;
    vcpus[n] = (struct vcpu){ .domain = d };
    gone[n] = false;
    assert_int_equal(p2m_init(d), 0);
    assert_int_equal(p2m_set_pool(d, MIB(4)), 0);
    assert_int_equal(frame_alloc(d->id, 0, 0, &d->shared_info_mfn, NULL), 0);
}

/* As domain_end.c does it. */
static inline void destroy(uint32_t n)
{
    struct domain *d = &domains[n];

    while (p2m_teardown_step(d))
        ;
    gone[n] = true;
    assert_int_equal(d->tot_pages, 0);
    for (uint32_t i = 0; i < nr_grant_frames[n]; i++)
        frame_free(grant_frames[n][i], 1);
    nr_grant_frames[n] = 0;
    frame_free(d->shared_info_mfn, 1);
    assert_int_equal(d->refs, 1);
    p2m_destroy(d);
    assert_int_equal(d->p2m.nr_counted, 0);
}

static inline int start(void **state)
{
    for (uint32_t n = 0; n < DOMAINS; n++)
        create(n);
    bad = UINT64_MAX - FRAME_SIZE;
    stop_after = UINT32_MAX;
    return 0;
}

static inline int stop(void **state)
{
    for (uint32_t n = 0; n < DOMAINS; n++)
        if (!gone[n])
            destroy(n);
    assert_int_equal(frame_free_count(), all_free);
    return 0;
}

/* --- calls ----------------------------------------------------------------------------------- */

/* One call as the guest's register makes it: its answer, and the command it leaves. */
static inline int64_t call_once(uint32_t caller, uint64_t *cmd, void *what)
{
    uint64_t arg[HYPERCALL_ARGS] = { *cmd, (uint64_t)(uintptr_t)what };
    int64_t rc = memory_op(&vcpus[caller], arg);

    *cmd = arg[0];
    assert_int_equal(arg[1], (uintptr_t)what);
    return rc;
}

/* And as often as it takes. */
static inline int64_t call(uint32_t caller, uint64_t cmd, void *what)
{
    int64_t rc;

    do
        rc = call_once(caller, &cmd, what);
    while (rc == -ERESTART);
    return rc;
}

static inline int64_t reserve(uint32_t caller, unsigned int op, uint16_t domid, xen_pfn_t *gfns,
                              uint64_t nr, unsigned int order, unsigned int flags)
{
    struct xen_memory_reservation r = {
        .nr_extents = nr, .extent_order = order, .mem_flags = flags, .domid = domid
    };

    set_xen_guest_handle(r.extent_start, gfns);
    return call(caller, op, &r);
}

static inline int64_t populate_one(uint32_t caller, uint16_t domid, uint64_t gfn,
                                   unsigned int order)
{
    xen_pfn_t list = gfn;

    return reserve(caller, XENMEM_populate_physmap, domid, &list, 1, order, 0);
}

static inline int64_t decrease_one(uint32_t caller, uint16_t domid, uint64_t gfn,
                                   unsigned int order)
{
    xen_pfn_t list = gfn;

    return reserve(caller, XENMEM_decrease_reservation, domid, &list, 1, order, 0);
}

static inline int64_t add(uint32_t caller, uint16_t domid, unsigned int space, uint64_t idx,
                          uint64_t gfn)
{
    struct xen_add_to_physmap x = { .domid = domid, .space = space, .idx = idx, .gpfn = gfn };

    return call(caller, XENMEM_add_to_physmap, &x);
}

static inline int64_t remove_page(uint32_t caller, uint16_t domid, uint64_t gfn)
{
    struct xen_remove_from_physmap x = { .domid = domid, .gpfn = gfn };

    return call(caller, XENMEM_remove_from_physmap, &x);
}

static inline int64_t foreign(uint32_t caller, uint16_t domid, uint16_t owner, uint64_t nr,
                              xen_ulong_t *idxs, xen_pfn_t *gfns, int *errs)
{
    struct xen_add_to_physmap_batch x = { .domid = domid,
                                          .space = XENMAPSPACE_gmfn_foreign,
                                          .size = (uint16_t)nr,
                                          .u.foreign_domid = owner };

    set_xen_guest_handle(x.idxs, idxs);
    set_xen_guest_handle(x.gpfns, gfns);
    set_xen_guest_handle(x.errs, errs);
    return call(caller, XENMEM_add_to_physmap_batch, &x);
}

/* One frame; the call's error or the frame's. */
static inline int64_t foreign_one(uint32_t caller, uint16_t domid, uint16_t owner, uint64_t idx,
                                  uint64_t gfn)
{
    xen_ulong_t idxs = idx;
    xen_pfn_t gfns = gfn;
    int err = 77;
    int64_t rc = foreign(caller, domid, owner, 1, &idxs, &gfns, &err);

    return rc ? rc : err;
}

static inline mfn_t look(uint32_t n, uint64_t gfn, enum p2m_type *type)
{
    return p2m_lookup(&domains[n], GFN(gfn), type, NULL);
}

static inline void expect_type(uint32_t n, uint64_t gfn, enum p2m_type wanted)
{
    enum p2m_type type;

    (void)look(n, gfn, &type);
    assert_int_equal(type, wanted);
}

#endif
