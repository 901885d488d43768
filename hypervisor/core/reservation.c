/* SPDX-License-Identifier: MIT */
/*
 * Memory that domains get and give back: XENMEM_{populate_physmap,decrease_reservation,...}.
 *
 * Lists of extents are read in chunks. The answer is how many extents were handled, whatever
 * stopped it. Larger extents are not cleared now but where they are first touched (P2M_RESERVED).
 *
 * What takes its time, giving an extent of more than 2 MiB back or having it again, is done 2 MiB
 * at a time; how many of these are done stands in the command above the extents that are.
 *
 * A domain whose memory is at machine addresses, or static, has it for good: what it gives back
 * stays its own, and is what it gets at that place again.
 */
#include "memory_internal.h"

#include <hospes/claim.h>
#include <hospes/compiler.h>
#include <hospes/domain_config.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <lib/bits.h>
#include <xen/memory.h>
#include <xen/xen.h>

#define NO_NODE 0xffu /* of XENMEMF_get_node() */

/* What one call is about. */
struct extents {
    struct domain *d;
    struct guest_window window; /* of the caller */
    uint64_t list;              /* guest address */
    uint64_t nr, done;
    unsigned int order;
    uint64_t pieces;      /* of 2 MiB, of the next extent, that are done */
    uint32_t frame_flags; /* of frame_alloc() */
    mfn_t end;            /* frames below this one */
    bool preempted;
};

#define OWN_TYPES                                                               \
    (1u << P2M_RAM | 1u << P2M_RAM_RO | 1u << P2M_RESERVED | 1u << P2M_SHARED | \
     1u << P2M_SHARED_RO | P2M_ONLY_OWNED)

/* --- large extents --------------------------------------------------------------------------- */

#define PIECES_SHIFT (32 - MEMOP_EXTENT_SHIFT) /* above the number of extents */

static bool is_large(const struct extents *x)
{
    return x->order > FRAME_ORDER_2M;
}

/* Does all of the extent that is left, at least one piece. False: it failed, or is to go on later.
 */
static bool by_pieces(struct extents *x, gfn_t gfn, int (*fn)(struct domain *d, gfn_t gfn))
{
    uint64_t first = x->pieces, all = (uint64_t)1 << (x->order - FRAME_ORDER_2M);

    for (; x->pieces < all; x->pieces++) {
        x->preempted = x->pieces != first && hypercall_should_stop();
        if (x->preempted || fn(x->d, gfn_add(gfn, x->pieces << FRAME_ORDER_2M)))
            return false;
    }
    x->pieces = 0;
    x->done++;
    return true;
}

/* --- getting --------------------------------------------------------------------------------- */

/*
 * True if the domain's new memory must be there and clear at once: devices reach it without a
 * fault, or a reserved block would be filled from its boot modules.
 */
static bool wants_present(const struct domain *d)
{
    return d->hardware || (d->config && d->config->passthrough) || d->p2m.nr_fills;
}

/* Frames for one extent, and how they are to be mapped. */
static int get_frames(const struct extents *x, mfn_t *m, enum p2m_type *type)
{
    uint64_t frames = (uint64_t)1 << x->order;
    unsigned int flags = x->frame_flags | FRAME_HIGH_FIRST;
    bool later = x->order >= FRAME_ORDER_2M && !wants_present(x->d), dirty = false;
    int rc;

    if (!later && x->order > FRAME_ORDER_2M)
        return -ENOMEM; /* clearing that much takes too long */
    if (!claim_allows(x->d, frames))
        return -ENOMEM;
    rc = frame_alloc(x->d->id, x->order, flags | (later ? FRAME_DIRTY_OK : 0), m, &dirty);
    if (rc)
        return rc;
    if (unlikely(m->v + frames > x->end.v)) {
        frame_free(*m, frames);
        return -ENOMEM;
    }
    *type = dirty ? P2M_RESERVED : P2M_RAM;
    return 0;
}

static bool has_its_own(const struct domain *d)
{
    return d->direct_map || d->static_memory;
}

static int restore_piece(struct domain *d, gfn_t gfn)
{
    return p2m_restore(d, gfn, (uint64_t)1 << FRAME_ORDER_2M);
}

static int populate(struct extents *x, gfn_t gfn)
{
    struct domain *d = x->d;
    uint64_t frames = (uint64_t)1 << x->order;
    enum p2m_type type;
    mfn_t m;
    int rc;

    if (has_its_own(d))
        return p2m_restore(d, gfn, frames);
    if (is_large(x) && !p2m_is_empty(d, gfn, frames))
        return -EBUSY; /* to take out what is there takes too long */
    if (!domain_charge(d, frames))
        return -ENOMEM;
    rc = get_frames(x, &m, &type);
    if (rc)
        goto uncharge;
    rc = p2m_replace(d, gfn, m, frames, type);
    if (rc)
        goto free;
    claim_use(d, frames);
    return 0;

free:
    frame_free(m, frames);
uncharge:
    domain_uncharge(d, frames);
    return rc;
}

/* One after the other, in pieces. */
static void large_all(struct extents *x, int (*fn)(struct domain *d, gfn_t gfn))
{
    uint64_t gfn, first = x->done;

    while (x->done < x->nr) {
        x->preempted = x->done != first && hypercall_should_stop();
        if (x->preempted ||
            memory_read_list(&x->window, x->list + x->done * sizeof(gfn), 1, &gfn) != 1 ||
            !by_pieces(x, GFN(gfn), fn))
            return;
    }
}

static void populate_all(struct extents *x)
{
    uint64_t gfns[MEMORY_CHUNK], first = x->done;

    while (x->done < x->nr) {
        uint64_t want = min(x->nr - x->done, (uint64_t)MEMORY_CHUNK);
        uint32_t n = memory_read_list(&x->window, x->list + x->done * sizeof(gfns[0]), want, gfns);

        for (uint32_t i = 0; i < n; i++, x->done++) {
            if (x->done != first && hypercall_should_stop()) {
                x->preempted = true;
                return;
            }
            if (populate(x, GFN(gfns[i])))
                return;
        }
        if (n < want)
            return;
    }
}

/* --- giving back ----------------------------------------------------------------------------- */

/*
 * The extents of one chunk, with one flush; false: one could not be removed. Not inlined: the
 * batch is large, and who populates needs the stack for other things.
 */
static __noinline bool remove_chunk(struct extents *x, const uint64_t *gfns, uint32_t n)
{
    struct p2m_batch b;
    uint32_t i = 0;

    p2m_batch_begin(&b, x->d);
    while (i < n &&
           !p2m_batch_unmap(&b, GFN(gfns[i]), (uint64_t)1 << x->order, MFN_NONE, OWN_TYPES))
        i++;
    p2m_batch_end(&b);
    x->done += i;
    return i == n;
}

static int remove_piece(struct domain *d, gfn_t gfn)
{
    return p2m_remove(d, gfn, (uint64_t)1 << FRAME_ORDER_2M, MFN_NONE, OWN_TYPES);
}

static void decrease_all(struct extents *x)
{
    uint64_t gfns[MEMORY_CHUNK], first = x->done;
    uint64_t most = x->order ? max(MEMORY_CHUNK >> x->order, 1u) : MEMORY_CHUNK;

    while (x->done < x->nr) {
        uint64_t want = min(x->nr - x->done, most);
        uint32_t n;

        if (x->done != first && hypercall_should_stop()) {
            x->preempted = true;
            return;
        }
        n = memory_read_list(&x->window, x->list + x->done * sizeof(gfns[0]), want, gfns);
        if (!remove_chunk(x, gfns, n) || n < want)
            return;
    }
}

/* --- the calls ------------------------------------------------------------------------------- */

/* Where the frames may be: bits of address, and nodes, of which there is one. */
static int read_flags(const struct vcpu *v, const struct xen_memory_reservation *r,
                      struct extents *x)
{
    uint32_t bits = XENMEMF_get_address_bits(r->mem_flags);
    uint32_t node = XENMEMF_get_node(r->mem_flags);

    x->end = frame_end();
    x->frame_flags = 0;
    if (bits && bits < log2_ceil(x->end.v) + FRAME_SHIFT) {
        if (bits <= FRAME_SHIFT)
            return -EINVAL;
        x->end = MFN((uint64_t)1 << (bits - FRAME_SHIFT));
        x->frame_flags = FRAME_LOW;
    }
    if (node == NO_NODE || r->mem_flags & XENMEMF_vnode)
        return 0;
    if (v->domain->hardware || v->domain->control)
        return node ? -EINVAL : 0;
    return r->mem_flags & XENMEMF_exact_node_request ? -EINVAL : 0;
}

/*
 * XENMEM_increase_reservation handles no extent: in a translated domain it would yield memory
 * without an address, which nobody can ever use.
 */
static void handle(struct extents *x, unsigned int op)
{
    if (x->order > memory_max_order(x->window.v->domain))
        return;
    if (op == XENMEM_populate_physmap && is_large(x) && has_its_own(x->d))
        large_all(x, restore_piece);
    else if (op == XENMEM_populate_physmap)
        populate_all(x);
    else if (op == XENMEM_decrease_reservation && is_large(x))
        large_all(x, remove_piece);
    else if (op == XENMEM_decrease_reservation)
        decrease_all(x);
}

int64_t reservation_op(struct vcpu *v, uint64_t *arg, unsigned int op, uint64_t done)
{
    struct xen_memory_reservation r;
    struct extents x = { .window = { .v = v },
                         .done = done & MEMOP_EXTENTS_MAX,
                         .pieces = done >> PIECES_SHIFT };

    if (guest_window_read(&x.window, &r, arg[1], sizeof(r)) || r.nr_extents > MEMOP_EXTENTS_MAX ||
        x.done >= r.nr_extents || memory_target(v, r.domid, &x.d))
        goto out;
    x.list = guest_address(r.extent_start);
    x.nr = r.nr_extents;
    x.order = r.extent_order;
    /* Populate-on-demand is not there, and asking for it gets nothing. */
    if (!read_flags(v, &r, &x) &&
        !(op == XENMEM_populate_physmap && r.mem_flags & XENMEMF_populate_on_demand))
        handle(&x, op);
    memory_target_put(v, x.d);
out:
    guest_window_close(&x.window);
    if (x.preempted)
        return memory_continue(arg, x.done | x.pieces << PIECES_SHIFT);
    return (int64_t)x.done;
}

/* --- exchange, which only PV domains have ------------------------------------------------------
 */

static bool sizes_match(const struct xen_memory_exchange *e)
{
    return e->nr_exchanged <= e->in.nr_extents && e->in.domid == e->out.domid &&
           ~(uint64_t)0 >> e->in.extent_order >= e->in.nr_extents &&
           ~(uint64_t)0 >> e->out.extent_order >= e->out.nr_extents &&
           e->in.nr_extents << e->in.extent_order == e->out.nr_extents << e->out.extent_order;
}

/* Why the first extent that is left cannot be exchanged. */
static int refuse_exchange(struct vcpu *v, const struct xen_memory_exchange *e)
{
    enum p2m_type type;
    struct domain *d;
    uint64_t gfn;
    int rc;

    rc = memory_target(v, e->in.domid, &d);
    if (rc)
        return rc;
    if (guest_read(v, &gfn, guest_element(e->in.extent_start, e->nr_exchanged), sizeof(gfn)))
        rc = -EFAULT;
    else
        rc = mfn_is_none(p2m_lookup(d, GFN(gfn), &type, NULL)) ? -EINVAL : -EOPNOTSUPP;
    memory_target_put(v, d);
    return rc;
}

int64_t reservation_exchange(struct vcpu *v, const uint64_t *arg)
{
    struct xen_memory_exchange e;

    if (guest_read(v, &e, arg[1], sizeof(e)))
        return -EFAULT;
    if (max(e.in.extent_order, e.out.extent_order) > memory_max_order(v->domain))
        return -EPERM;
    if (!sizes_match(&e))
        return -EINVAL;
    return e.nr_exchanged == e.in.nr_extents ? 0 : refuse_exchange(v, &e);
}
