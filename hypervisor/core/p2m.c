/* SPDX-License-Identifier: MIT */
/* Guest-to-machine mappings; <hospes/p2m.h> has the contract, pgtable.c walks. */
#include "p2m_internal.h"

#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <lib/bitmap.h>
#include <lib/bits.h>

#define MAX_VMIDS 256 /* what every CPU has; 0 is nobody's */

/* Leaves looked at in one step of teardown: with 2 MiB blocks, that many references dropped takes
 * well under 1 ms. */
#define TEARDOWN_FRAMES 4096

/* Tables freed in one step. */
#define TEARDOWN_TABLES 1024

/* What is copied, or cleared, at a time: a slow core (A53) does either in well under a millisecond.
 */
#define FILL_STEP  KIB(512)
#define CLEAR_STEP MIB(1)

static DECLARE_BITMAP(vmids, MAX_VMIDS);

const uint32_t p2m_type_flags[P2M_TYPES] = {
    [P2M_RAM] = PG_R | PG_W | PG_X | PG_VALID,
    [P2M_RAM_RO] = PG_R | PG_X | PG_VALID,
    [P2M_RESERVED] = 0,
    [P2M_DEVICE] = PG_R | PG_W | PG_DEVICE | PG_VALID,
    [P2M_SHARED] = PG_R | PG_W | PG_VALID,
    [P2M_SHARED_RO] = PG_R | PG_VALID,
    [P2M_GRANT] = PG_R | PG_W | PG_VALID,
    [P2M_GRANT_RO] = PG_R | PG_VALID,
    [P2M_KEPT] = 0,
};

static struct p2m *p2m_of(struct pgtable *pt)
{
    return container_of(pt, struct p2m, pt);
}

static uint64_t root_pages(void)
{
    return (uint64_t)1 << arch_p2m_format.top_order;
}

static void *table_alloc(struct pgtable *pt)
{
    struct p2m *p2m = p2m_of(pt);
    void *page;

    if (p2m->nr_tables - root_pages() >= p2m->pool)
        return NULL;
    page = heap_alloc_pages(0);
    if (page)
        p2m->nr_tables++;
    return page;
}

static void table_free(struct pgtable *pt, void *page)
{
    p2m_forget(p2m_of(pt));
    p2m_of(pt)->nr_tables--;
    heap_free_pages(page, 0);
}

static void table_flush(struct pgtable *pt, uint64_t addr, uint64_t bytes)
{
    struct domain *d = container_of(p2m_of(pt), struct domain, p2m);

    arch_p2m_flush(d, GFN(addr >> FRAME_SHIFT), bytes >> FRAME_SHIFT);
}

/* The entries of a page are read here, not by the format: p2m_leaf_get(). */
static bool keeps_types(const struct pgtable_format *format)
{
    struct pgtable_leaf leaf = { .maddr = MADDR(GIB(1)),
                                 .flags = p2m_type_flags[P2M_KEPT],
                                 .type = P2M_KEPT };
    uint64_t entry = format->encode_leaf(&leaf, PGTABLE_LEVELS - 1);

    return (entry & (PGTABLE_TYPE | PGTABLE_ADDRESS)) ==
           (field_prep(PGTABLE_TYPE, leaf.type) | leaf.maddr.v);
}

int p2m_init(struct domain *d)
{
    struct p2m *p2m = &d->p2m;
    unsigned int vmid = 1;
    int err;

    p2m->lock = SPINLOCK_INIT(LOCK_P2M);
    p2m->lowest = UINT64_MAX;
    p2m_forget(p2m);
    p2m->pt.alloc = table_alloc;
    p2m->pt.free = table_free;
    p2m->pt.flush = table_flush;
    while (vmid < MAX_VMIDS && bitmap_test_and_set(vmids, vmid))
        vmid++;
    if (vmid == MAX_VMIDS)
        return -EBUSY;
    p2m->vmid = (uint16_t)vmid;
    assert(keeps_types(&arch_p2m_format));
    err = pgtable_init(&p2m->pt, &arch_p2m_format);
    if (err) {
        bitmap_atomic_clear(vmids, vmid);
        return err;
    }
    p2m->nr_tables = root_pages();
    p2m->pool = P2M_POOL_FIRST;
    arch_p2m_init(d);
    return 0;
}

int p2m_set_pool(struct domain *d, uint64_t bytes)
{
    struct p2m *p2m = &d->p2m;
    uint64_t pages = bytes >> FRAME_SHIFT;
    int err = 0;

    if (bytes == P2M_POOL_UNLIMITED)
        pages = P2M_POOL_UNLIMITED;
    else if (bytes & FRAME_MASK)
        return -EINVAL;
    spin_lock(&p2m->lock);
    if (pages < p2m->nr_tables - root_pages())
        err = -ENOMEM;
    else
        p2m->pool = pages;
    spin_unlock(&p2m->lock);
    return err;
}

uint64_t p2m_get_pool(struct domain *d)
{
    uint64_t pages = read_once(d->p2m.pool);

    return pages == P2M_POOL_UNLIMITED ? 0 : pages << FRAME_SHIFT;
}

int p2m_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames, enum p2m_type type)
{
    struct p2m *p2m = &d->p2m;
    struct pgtable_leaf leaf = { .maddr = mfn_to_maddr(mfn),
                                 .flags = p2m_type_flags[type],
                                 .type = type };
    uint64_t addr = gfn_to_gaddr(gfn).v, bytes = frames << FRAME_SHIFT;
    int err;

    if (!p2m_has_address(gfn, frames))
        return -EINVAL;
    spin_lock(&p2m->lock);
    p2m_forget(p2m);
    err = pgtable_map(&p2m->pt, addr, bytes, &leaf);
    if (err == -ENOMEM)
        (void)pgtable_unmap(&p2m->pt, addr, bytes);
    if (!err) {
        p2m->lowest = min(p2m->lowest, gfn.v);
        p2m->highest = max(p2m->highest, gfn.v + frames);
    }
    spin_unlock(&p2m->lock);
    return err;
}

int p2m_unmap(struct domain *d, gfn_t gfn, uint64_t frames)
{
    int err;

    if (!p2m_has_address(gfn, frames))
        return -EINVAL;
    spin_lock(&d->p2m.lock);
    p2m_forget(&d->p2m);
    err = pgtable_unmap(&d->p2m.pt, gfn_to_gaddr(gfn).v, frames << FRAME_SHIFT);
    spin_unlock(&d->p2m.lock);
    return err;
}

/* Frame `m`, behind `gfn`, is in a block of at least 2 MiB. */
static void remember_block(struct p2m *p2m, gfn_t gfn, const struct p2m_found *f)
{
    mfn_t first = MFN(f->m.v - gfn.v % PGTABLE_ENTRIES);

    *p2m_recent(p2m, gfn) = (struct p2m_recent){
        .number = gfn.v >> FRAME_ORDER_2M,
        .block = mfn_to_maddr(first).v | field_prep(PGTABLE_TYPE, f->type),
    };
}

struct p2m_found p2m_walk(struct domain *d, gfn_t gfn)
{
    struct p2m_found f = { .m = MFN_NONE, .type = P2M_NONE };
    struct pgtable_leaf leaf;
    uint64_t *leaves;

    if (!p2m_has_address(gfn, 1))
        return f;
    if (pgtable_find(&d->p2m.pt, gfn_to_gaddr(gfn).v, &leaf, &f.order, &leaves)) {
        f.m = mfn_add(maddr_to_mfn(leaf.maddr), gfn.v & (((uint64_t)1 << f.order) - 1));
        f.type = leaf.type;
    }
    if (leaves)
        p2m_remember(&d->p2m, gfn, leaves);
    else if (f.type != P2M_NONE)
        remember_block(&d->p2m, gfn, &f);
    return f;
}

bool p2m_is_empty(struct domain *d, gfn_t gfn, uint64_t frames)
{
    struct pgtable_leaf leaf;
    unsigned int order;
    uint64_t found;
    bool empty;

    if (!p2m_has_address(gfn, frames) || !p2m_has_address(gfn_add(gfn, frames), 0))
        return false;
    spin_lock(&d->p2m.lock);
    empty = !pgtable_next(&d->p2m.pt, gfn_to_gaddr(gfn).v, gfn_to_gaddr(gfn_add(gfn, frames)).v,
                          &found, &leaf, &order);
    spin_unlock(&d->p2m.lock);
    return empty;
}

gfn_t p2m_maximum_gfn(struct domain *d)
{
    uint64_t end = read_once(d->p2m.highest);

    return GFN(end ? end - 1 : 0);
}

mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned int *order)
{
    struct p2m_found found;

    spin_lock(&d->p2m.lock);
    found = p2m_find(d, gfn);
    spin_unlock(&d->p2m.lock);
    *type = (enum p2m_type)found.type;
    if (order)
        *order = found.order;
    return found.m;
}

/* The part of a fill that lies in [start, end), in bytes; *first is where it begins. */
static uint64_t overlap(const struct p2m_fill *f, uint64_t start, uint64_t end, uint64_t *first)
{
    uint64_t last = min(end, f->to.v + f->bytes);

    *first = max(start, f->to.v);
    return last > *first ? last - *first : 0;
}

static bool is_filled(const struct p2m *p2m, uint64_t start, uint64_t end)
{
    uint64_t first;

    for (uint32_t i = 0; i < p2m->nr_fills; i++)
        if (overlap(&p2m->fills[i], start, end, &first))
            return true;
    return false;
}

/* Gives the frames at `to` what the guest is to find in [start, end), whole frames. */
static void set_content(const struct p2m *p2m, uint64_t start, uint64_t end, maddr_t to)
{
    uint64_t frames = (end - start) >> FRAME_SHIFT, first;
    bool whole = false;

    for (uint32_t i = 0; i < p2m->nr_fills; i++)
        whole |= overlap(&p2m->fills[i], start, end, &first) == end - start;
    if (!whole && !frame_were_clean(maddr_to_mfn(to), frames))
        frame_clear(maddr_to_mfn(to), frames);
    for (uint32_t i = 0; i < p2m->nr_fills; i++) {
        const struct p2m_fill *f = &p2m->fills[i];
        uint64_t bytes = overlap(f, start, end, &first);

        if (bytes)
            maddr_copy(maddr_add(to, first - start), maddr_add(f->from, first - f->to.v), bytes);
    }
}

/*
 * Gives the reserved block of at most 2 MiB around `gfn`, found at `m`, its content and maps it.
 * That takes several calls; the guest's access is tried again until all is there, and interrupts
 * are served in between. Under the lock.
 */
static bool populate(struct domain *d, gfn_t gfn, mfn_t m, unsigned int order)
{
    struct p2m *p2m = &d->p2m;
    uint64_t frames = (uint64_t)1 << min(order, (unsigned int)FRAME_ORDER_2M);
    uint64_t in_block = gfn.v & (frames - 1);
    uint64_t start = (gfn.v - in_block) << FRAME_SHIFT, bytes = frames << FRAME_SHIFT;
    uint64_t from = p2m->filled, step;
    struct pgtable_leaf leaf = { .maddr = mfn_to_maddr(MFN(m.v - in_block)),
                                 .flags = p2m_type_flags[P2M_RAM],
                                 .type = P2M_RAM };
    bool is_copy = is_filled(p2m, start, start + bytes);

    step = min(is_copy ? FILL_STEP : CLEAR_STEP, bytes - from);
    if (!is_copy && frame_were_clean(maddr_to_mfn(leaf.maddr), frames))
        step = bytes;
    set_content(p2m, start + from, start + from + step, maddr_add(leaf.maddr, from));
    p2m->filling = gfn;
    p2m->filled = from + step;
    if (p2m->filled < bytes)
        return true;
    p2m->filled = 0;
    if (is_copy)
        arch_icache_invalidate(); /* code, and other code was in these frames once */
    p2m_forget(p2m);
    return pgtable_map(&p2m->pt, start, bytes, &leaf) == 0;
}

bool p2m_handle_fault(struct domain *d, gfn_t gfn)
{
    struct p2m_found found;
    bool retry;

    /* Beyond what was ever mapped is nothing. If it is just being mapped, the access came before.
     */
    if (gfn.v < read_once(d->p2m.lowest) || gfn.v >= read_once(d->p2m.highest))
        return false;
    spin_lock(&d->p2m.lock);
    if (d->p2m.filled)
        gfn = d->p2m.filling; /* one after the other */
    found = p2m_find(d, gfn);
    if (d->p2m.dying) {
        retry = false;
    } else if (found.type == P2M_RESERVED) {
        retry = populate(d, gfn, found.m, found.order);
    } else {
        d->p2m.filled = 0; /* something else was mapped there */
        retry = p2m_type_flags[found.type] & PG_VALID;
    }
    spin_unlock(&d->p2m.lock);
    return retry;
}

/* More than filling two blocks takes: the one that was begun, and ours. */
#define ACQUIRE_TRIES 16u

static __noinline int acquire_reserved(struct domain *d, gfn_t gfn, uint32_t types, mfn_t *m)
{
    for (unsigned int tries = ACQUIRE_TRIES; tries; tries--) {
        int rc;

        if (!p2m_handle_fault(d, gfn))
            return -EINVAL;
        rc = p2m_acquire_present(d, gfn, types, m);
        if (rc != P2M_RESERVED)
            return rc;
    }
    return -EAGAIN;
}

int p2m_acquire(struct domain *d, gfn_t gfn, uint32_t types, mfn_t *m)
{
    int rc = p2m_acquire_present(d, gfn, types, m);

    return likely(rc != P2M_RESERVED) ? rc : acquire_reserved(d, gfn, types, m);
}

int p2m_fill(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes)
{
    struct p2m *p2m = &d->p2m;
    int err = -ENOSPC;

    spin_lock(&p2m->lock);
    if (p2m->nr_fills < P2M_FILLS) {
        p2m->fills[p2m->nr_fills++] = (struct p2m_fill){ to, bytes, from };
        err = 0;
    }
    spin_unlock(&p2m->lock);
    return err;
}

enum copy_direction { COPY_TO, COPY_FROM, COPY_MODULE };

/*
 * Copies frame by frame, or by blocks where they are mapped as such. A reserved block is cleared
 * first, as the guest would find it.
 */
static int copy(struct domain *d, gaddr_t ga, void *to, const void *from, maddr_t module,
                uint64_t bytes, enum copy_direction direction)
{
    uint64_t done = 0;

    while (done < bytes) {
        gfn_t gfn = gaddr_to_gfn(gaddr_add(ga, done));
        uint64_t offset, n;
        enum p2m_type type;
        unsigned int order;
        mfn_t m = p2m_lookup(d, gfn, &type, &order);

        if (type == P2M_RESERVED && p2m_handle_fault(d, gfn))
            continue;
        if (type != P2M_RAM && !(type == P2M_RAM_RO && direction == COPY_FROM))
            return -EFAULT;
        offset = (ga.v + done) & FRAME_MASK;
        n = ((uint64_t)1 << (order + FRAME_SHIFT)) -
            ((ga.v + done) & (((uint64_t)1 << (order + FRAME_SHIFT)) - 1));
        n = min(n, bytes - done);
        switch (direction) {
        case COPY_TO:
            maddr_write(maddr_add(mfn_to_maddr(m), offset), (const uint8_t *)from + done, n);
            break;
        case COPY_FROM:
            maddr_read((uint8_t *)to + done, maddr_add(mfn_to_maddr(m), offset), n);
            break;
        case COPY_MODULE:
            maddr_copy(maddr_add(mfn_to_maddr(m), offset), maddr_add(module, done), n);
            break;
        }
        done += n;
    }
    return 0;
}

int p2m_copy_to(struct domain *d, gaddr_t to, const void *from, uint64_t bytes)
{
    return copy(d, to, NULL, from, MADDR(0), bytes, COPY_TO);
}

int p2m_copy_from(struct domain *d, void *to, gaddr_t from, uint64_t bytes)
{
    return copy(d, from, to, NULL, MADDR(0), bytes, COPY_FROM);
}

int p2m_copy_module(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes)
{
    return copy(d, to, NULL, NULL, from, bytes, COPY_MODULE);
}

/* Nobody enters the domain any more: what was mapped may go at once. */
static void let_go(struct domain *d, const struct pgtable_leaf *leaf, gfn_t gfn, uint64_t frames)
{
    mfn_t m = maddr_to_mfn(leaf->maddr);

    if (p2m_is_own(d, leaf)) {
        frame_free(m, frames);
        domain_uncharge(d, frames);
    } else if (p2m_is_counted(leaf->type)) {
        frame_put(m);
        d->p2m.nr_counted--;
        if (p2m_has_beneath(d, gfn)) {
            frame_of(MFN(gfn.v))->beneath = 0; /* the next owner's is another matter */
            frame_free(MFN(gfn.v), 1);
            domain_uncharge(d, 1);
        }
    }
}

/* Some of what is mapped. True: there is more. */
static bool release_frames(struct domain *d)
{
    struct p2m *p2m = &d->p2m;
    uint64_t budget = TEARDOWN_FRAMES;
    bool more = true;

    while (budget) {
        struct pgtable_leaf leaf;
        unsigned int order;
        uint64_t addr, frames, done;

        more = p2m->lowest < p2m->highest &&
               pgtable_next(&p2m->pt, p2m->lowest << FRAME_SHIFT, p2m->highest << FRAME_SHIFT,
                            &addr, &leaf, &order);
        if (!more)
            break;
        /* Of a block that is larger than the budget, its part from where the last step ended. */
        done = max(addr, p2m->lowest << FRAME_SHIFT) - addr;
        frames = ((uint64_t)1 << order) - (done >> FRAME_SHIFT);
        leaf.maddr = maddr_add(leaf.maddr, done);
        if (p2m_is_own(d, &leaf))
            frames = min(frames, budget);
        let_go(d, &leaf, GFN((addr + done) >> FRAME_SHIFT), frames);
        budget -= min(frames, budget);
        p2m->lowest = ((addr + done) >> FRAME_SHIFT) + frames;
    }
    return more;
}

/* Then some of the tables, and last the VMID. True: there is more. */
static bool release_tables(struct domain *d)
{
    struct p2m *p2m = &d->p2m;

    if (!p2m->vmid)
        return false;
    arch_p2m_flush(d, GFN(0), UINT64_MAX);
    if (pgtable_destroy_step(&p2m->pt, TEARDOWN_TABLES))
        return true;
    bitmap_atomic_clear(vmids, p2m->vmid);
    p2m->vmid = 0;
    return false;
}

bool p2m_teardown_step(struct domain *d)
{
    struct p2m *p2m = &d->p2m;
    bool more;

    spin_lock(&p2m->lock);
    p2m->dying = true;
    more = release_frames(d) || release_tables(d);
    spin_unlock(&p2m->lock);
    return more;
}

void p2m_destroy(struct domain *d)
{
    struct p2m *p2m = &d->p2m;

    if (!p2m->pt.root)
        return;
    spin_lock(&p2m->lock);
    p2m->dying = true; /* who still has a reference to the domain finds nothing */
    while (release_tables(d))
        ;
    pgtable_destroy(&p2m->pt);
    spin_unlock(&p2m->lock);
}
