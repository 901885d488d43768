/* SPDX-License-Identifier: MIT */
/*
 * Mapping grants, and undoing it. A mapping holds one use of the granter's entry, one reference to
 * the granter, and by its p2m entry one to the frame.
 *
 * Unmapping goes by what the mapping says, not by what the guest tells: where it was mapped, and
 * what. It is done in batches with one TLB flush each, and a grant counts as used until then.
 */
#include "gnttab_internal.h"

#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

/* --- mapping ----------------------------------------------------------------------------- */

/* Everything behind the handle: from here on it either is all there or nothing is. */
static int make(struct domain *d, const struct gnttab_map_grant_ref *op, struct domain *granter,
                struct grant_mapping *m)
{
    bool readonly = op->flags & GNTMAP_readonly;
    gfn_t gfn = gaddr_to_gfn(GADDR(op->host_addr));
    mfn_t frame;
    struct grant_user user = grant_user(d, granter, GTF_MAPPABLE, readonly);
    int rc = gnttab_use_begin(&user, op->ref, &frame);

    if (unlikely(rc))
        return rc;
    if (unlikely(op->flags & ~(uint32_t)(GNTMAP_host_map | GNTMAP_readonly)) ||
        unlikely(p2m_replace(d, gfn, frame, 1, readonly ? P2M_GRANT_RO : P2M_GRANT))) {
        gnttab_use_end(granter, op->ref, readonly);
        frame_put(frame);
        return GNTST_general_error;
    }
    domain_hold(granter);
    m->granter = granter;
    m->frame = frame;
    m->gfn = gfn;
    m->ref = op->ref;
    m->readonly = readonly;
    maptrack_publish(m);
    return GNTST_okay;
}

/* Who maps; and the last granter, for the next grant is often the same one's. */
struct mapper {
    struct domain *d, *last;
};

static int map_one(void *context, void *request)
{
    struct mapper *by = context;
    struct gnttab_map_grant_ref *op = request;
    struct domain *granter;
    struct grant_mapping *m;
    uint32_t handle;
    int rc;

    if (unlikely(!(op->flags & (GNTMAP_device_map | GNTMAP_host_map))))
        return GNTST_bad_gntref;
    /* What only domains have that see the machine's addresses, or whose page tables are ours. */
    if (unlikely(op->flags & (GNTMAP_device_map | GNTMAP_application_map | GNTMAP_contains_pte)))
        return GNTST_general_error;
    granter = domain_get_again(&by->last, op->dom);
    if (unlikely(!granter))
        return GNTST_bad_domain;
    m = maptrack_take(by->d, &handle);
    if (unlikely(!m))
        return GNTST_no_space;
    rc = make(by->d, op, granter, m);
    if (unlikely(rc)) {
        maptrack_give(by->d, handle);
        return rc;
    }
    op->handle = handle;
    op->dev_bus_addr = mfn_to_maddr(m->frame).v;
    return GNTST_okay;
}

int gnttab_map(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    static const struct gnttab_list list = { map_one, sizeof(struct gnttab_map_grant_ref),
                                             offsetof(struct gnttab_map_grant_ref, status), 1 };
    struct mapper by = { .d = v->domain };
    int err = gnttab_for_each(v, uop, count, done, &list, &by);

    if (by.last)
        domain_put(by.last);
    return err;
}

/* --- unmapping --------------------------------------------------------------------------- */

#define GRANT_TYPES (1u << P2M_GRANT | 1u << P2M_GRANT_RO)

/* Mappings that are BUSY, to be undone together. */
struct batch {
    struct domain *d;
    bool replace; /* which of the two requests it is */
    uint32_t n;
    uint32_t handles[P2M_BATCH];
};

/* Both requests in one: what is at the second place differs. */
_Static_assert(sizeof(struct gnttab_unmap_grant_ref) == sizeof(struct gnttab_unmap_and_replace) &&
                   offsetof(struct gnttab_unmap_grant_ref, dev_bus_addr) ==
                       offsetof(struct gnttab_unmap_and_replace, new_addr) &&
                   offsetof(struct gnttab_unmap_grant_ref, handle) ==
                       offsetof(struct gnttab_unmap_and_replace, handle) &&
                   offsetof(struct gnttab_unmap_grant_ref, status) ==
                       offsetof(struct gnttab_unmap_and_replace, status),
               "of one shape");

/* What stands against undoing `m` as it is asked for. */
static int check(const struct gnttab_unmap_grant_ref *op, bool replace,
                 const struct grant_mapping *m)
{
    uint64_t bus_addr = replace ? 0 : op->dev_bus_addr, new_addr = replace ? op->dev_bus_addr : 0;

    if (unlikely(bus_addr && bus_addr != mfn_to_maddr(m->frame).v))
        return GNTST_general_error;
    if (unlikely(op->host_addr && (new_addr || gaddr_to_gfn(GADDR(op->host_addr)).v != m->gfn.v)))
        return GNTST_general_error;
    return GNTST_okay;
}

/* Puts the mapping into the batch; an address of 0 asks for nothing, and that succeeds. */
static int begin_unmap(struct batch *b, const struct gnttab_unmap_grant_ref *op)
{
    struct grant_mapping *m = maptrack_find(b->d, op->handle);
    int rc;

    if (unlikely(!m || !maptrack_claim(m)))
        return GNTST_bad_handle;
    rc = check(op, b->replace, m);
    if (unlikely(rc || !op->host_addr)) {
        maptrack_publish(m);
        return rc;
    }
    b->handles[b->n++] = op->handle;
    return GNTST_okay;
}

/* A mapping's entry is there: nobody else changes it. After this no TLB has it any more, and its
 * reference is ours. */
static void take_out(const struct batch *b)
{
    struct p2m_batch p2m;

    p2m_batch_begin(&p2m, b->d);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct grant_mapping *m = maptrack_find(b->d, b->handles[i]);

        (void)p2m_batch_unmap(&p2m, m->gfn, 1, m->frame, GRANT_TYPES);
    }
    p2m_batch_end(&p2m);
}

static void finish(struct batch *b)
{
    if (unlikely(!b->n))
        return;
    take_out(b);
    for (uint32_t i = 0; i < b->n; i++) {
        struct grant_mapping *m = maptrack_find(b->d, b->handles[i]);

        gnttab_use_end(m->granter, m->ref, m->readonly);
        frame_put(m->frame);
        domain_put(m->granter);
        maptrack_give(b->d, b->handles[i]);
    }
    b->n = 0;
}

static int unmap_one(void *context, void *request)
{
    struct batch *b = context;

    if (unlikely(b->n == P2M_BATCH))
        finish(b);
    return begin_unmap(b, request);
}

static int unmap(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done, bool replace)
{
    static const struct gnttab_list list = { unmap_one, sizeof(struct gnttab_unmap_grant_ref),
                                             offsetof(struct gnttab_unmap_grant_ref, status),
                                             P2M_BATCH };
    struct batch b;
    int err;

    b.d = v->domain;
    b.replace = replace;
    b.n = 0;
    err = gnttab_for_each(v, uop, count, done, &list, &b);
    finish(&b);
    return err;
}

int gnttab_unmap(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    return unmap(v, uop, count, done, false);
}

int gnttab_unmap_and_replace(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done)
{
    return unmap(v, uop, count, done, true);
}
