/* SPDX-License-Identifier: MIT */
/*
 * Where a guest's virtual address is in the machine: a walk of its page tables in software, with
 * the rights of the code that runs: a kernel's hypercalls, or instructions of either that are
 * carried out for it. AMD APM volume 2, chapter 5.
 *
 *   64-bit  4 levels of 512 entries of 8 bytes; pages of 4 KiB, 2 MiB, 1 GiB
 *   PAE     4 entries, whose only flag is P; then two such levels
 *   32-bit  2 levels of 1024 entries of 4 bytes; pages of 4 KiB, 4 MiB
 *
 * A walk is done under the lock of the domain's memory, so that no table of it is another's
 * meanwhile. Reserved bits, NX, and protection of user pages from the kernel are not looked at.
 */
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/hvm.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/p2m_peek.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define PTE_PRESENT  BIT(0)
#define PTE_WRITE    BIT(1)
#define PTE_USER     BIT(2)
#define PTE_DIRTY    BIT(6)
#define PTE_LARGE    BIT(7)
#define PTE_ADDRESS  MASK(51, 12)
#define PTE_PSE36    MASK(20, 13) /* bits 39:32 of a 4 MiB page's address */
#define TOP_SHIFT_64 39u
#define BITS_64      9u
#define CR3_PAE      MASK(31, 5)
#define LEVEL_USER   3u

/* One level of a walk. */
struct level {
    uint8_t shift; /* lowest bit of the address that this level translates */
    uint8_t bits;
    bool may_be_large;
    bool has_flags; /* of access: all but PDPTEs */
};

static const struct level levels_pae[] = {
    { 30, 2, false, false },
    { 21, 9, true, true },
    { 12, 9, false, true },
};

static const struct level levels_32[] = {
    { 22, 10, true, true },
    { 12, 10, false, true },
};

static const struct format {
    const struct level *levels;
    uint8_t nr, entry_bytes;
} formats[] = {
    [PAGING_32] = { levels_32, array_size(levels_32), 4 },
    [PAGING_PAE] = { levels_pae, array_size(levels_pae), 8 },
};

static bool is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* The guest sees that its page was written to, as if it had done so itself. */
static void __noinline set_dirty(struct domain *d, gaddr_t at, uint64_t seen)
{
    uint32_t *low, want = (uint32_t)(seen | PTE_DIRTY), old = (uint32_t)seen;
    uint8_t *page;
    mfn_t m;

    if (p2m_acquire(d, gaddr_to_gfn(at), 1u << P2M_RAM, &m) < 0)
        return;
    page = frame_map(m);
    low = (uint32_t *)(void *)(page + (at.v & FRAME_MASK));
    (void)__atomic_compare_exchange_n(low, &old, want, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    frame_unmap(page);
    frame_put(m);
}

/* Address of the page that a leaf of this level maps, without the part that the address has. */
static uint64_t page_address(const struct format *f, uint64_t leaf, unsigned int shift)
{
    uint64_t base = leaf & PTE_ADDRESS & ~(BIT(shift) - 1);

    if (f->entry_bytes == 4 && shift == 22)
        base = (leaf & 0xffc00000u) | field_get(PTE_PSE36, leaf) << 32;
    return base;
}

/* What a walk came to. */
struct walked {
    gaddr_t at;      /* where the address leads, */
    gaddr_t leaf_at; /* where the entry is that says so, */
    uint64_t leaf;   /* and what it is; 0: no paging */
    gfn_t gfn;       /* of memory that was looked for last, */
    mfn_t m;         /* what stands there, */
    uint32_t type;   /* and as what: enum p2m_type */
};

/*
 * Walks, between p2m_peek_begin() and end. False: the address leads nowhere, or a table is not
 * there. The first one is what nearly all guests do.
 */
static __force_inline bool walk_64(struct p2m_peek *p, struct vcpu *v, uint64_t va, uint64_t need,
                                   struct walked *w)
{
    uint64_t table = hvm_ops->get_cr3(v) & PTE_ADDRESS, at, leaf, in_page;
    unsigned int shift = TOP_SHIFT_64;

    if (unlikely(!is_canonical(va)))
        return false;
    for (;; shift -= BITS_64) {
        struct p2m_found f;

        at = table | (va >> shift & (BIT(BITS_64) - 1)) << 3;
        f = p2m_find(p->d, gaddr_to_gfn(GADDR(at)));
        if (unlikely(!p2m_peek_word(p, &f, GADDR(at), 8, &leaf))) {
            w->gfn = gaddr_to_gfn(GADDR(at));
            w->type = f.type;
            return false;
        }
        if (unlikely((leaf & need) != need))
            return false;
        table = leaf & PTE_ADDRESS;
        if (shift == FRAME_SHIFT || (leaf & PTE_LARGE && shift < TOP_SHIFT_64))
            break;
    }
    in_page = BIT(shift) - 1;
    w->at = GADDR((table & ~in_page) | (va & in_page));
    w->leaf_at = GADDR(at);
    w->leaf = leaf;
    return true;
}

static bool __noinline walk_tables(struct p2m_peek *p, struct vcpu *v, uint64_t va, uint64_t need,
                                   struct walked *w)
{
    const struct format *f = &formats[v->arch.paging];
    uint64_t table = hvm_ops->get_cr3(v);
    bool large_pages = f->entry_bytes == 8 || v->arch.cr4 & CR4_PSE;

    table &= v->arch.paging == PAGING_PAE ? CR3_PAE : PTE_ADDRESS;
    for (const struct level *l = f->levels; l < f->levels + f->nr; l++) {
        uint64_t index = va >> l->shift & (BIT(l->bits) - 1), flags;

        struct p2m_found found;

        w->leaf_at = GADDR(table + index * f->entry_bytes);
        found = p2m_find(p->d, gaddr_to_gfn(w->leaf_at));
        if (!p2m_peek_word(p, &found, w->leaf_at, f->entry_bytes, &w->leaf)) {
            w->gfn = gaddr_to_gfn(w->leaf_at);
            w->type = found.type;
            return false;
        }
        flags = l->has_flags ? need : PTE_PRESENT;
        if ((w->leaf & flags) != flags)
            return false;
        table = w->leaf & PTE_ADDRESS;
        if (l->shift == FRAME_SHIFT || (l->may_be_large && w->leaf & PTE_LARGE && large_pages)) {
            w->at = GADDR(page_address(f, w->leaf, l->shift) | (va & (BIT(l->shift) - 1)));
            return true;
        }
    }
    return false;
}

static __force_inline bool translate(struct p2m_peek *p, struct vcpu *v, uint64_t va, bool write,
                                     bool is_64, struct walked *w)
{
    uint64_t need = PTE_PRESENT | (write && v->arch.cr0 & CR0_WP ? PTE_WRITE : 0);

    if (unlikely(hvm_ops->cpl(v) == LEVEL_USER))
        need |= PTE_USER | (write ? PTE_WRITE : 0);
    if (is_64)
        return walk_64(p, v, va, need, w);
    w->at = GADDR((uint32_t)va);
    return v->arch.paging == PAGING_NONE || walk_tables(p, v, (uint32_t)va, need, w);
}

/* Memory that a hypercall's argument may be in. */
static inline bool is_memory(uint32_t type, bool write)
{
    return type == P2M_RAM || type == P2M_SHARED ||
           (!write && (type == P2M_RAM_RO || type == P2M_SHARED_RO));
}

/* The page, mapped and counted; NULL: the address leads nowhere, or to what w->type says. */
static __force_inline uint8_t *map_once(struct vcpu *v, uint64_t va, bool write, bool is_64,
                                        struct walked *w)
{
    struct domain *d = v->domain;
    struct p2m_found f;
    struct p2m_peek p;

    w->type = P2M_NONE;
    w->leaf = 0;
    p2m_peek_begin(&p, d);
    if (likely(translate(&p, v, va, write, is_64, w))) {
        w->gfn = gaddr_to_gfn(w->at);
        f = p2m_find(d, w->gfn);
        w->m = f.m;
        w->type = f.type;
        if (likely(is_memory(f.type, write) && !frame_get(f.m, d->id)))
            return p2m_peek_end_at(&p, f.m);
    }
    p2m_peek_end(&p);
    return NULL;
}

/* More than filling two blocks of reserved memory takes, for each level of tables. */
#define TRIES 64u

static __force_inline uint8_t *map(struct vcpu *v, uint64_t va, bool write, bool is_64, mfn_t *m)
{
    for (unsigned int tries = TRIES; tries; tries--) {
        struct walked w;
        uint8_t *page = map_once(v, va, write, is_64, &w);

        if (likely(page)) {
            *m = w.m;
            if (unlikely(write && w.leaf && !(w.leaf & PTE_DIRTY)))
                set_dirty(v->domain, w.leaf_at, w.leaf);
            return page;
        }
        if (w.type != P2M_RESERVED || !p2m_handle_fault(v->domain, w.gfn))
            break;
    }
    return NULL;
}

/* A function of its own: what the usual walk works with stays in registers. */
static __noinline uint8_t *map_other(struct vcpu *v, uint64_t va, bool write, mfn_t *m)
{
    return map(v, va, write, false, m);
}

uint8_t *arch_guest_map(struct vcpu *v, uint64_t va, bool write, mfn_t *m)
{
    return likely(v->arch.paging == PAGING_64) ? map(v, va, write, true, m)
                                               : map_other(v, va, write, m);
}

uint32_t guest_fetch(struct vcpu *v, uint8_t bytes[15], const struct hvm_code *code)
{
    uint32_t nr = hvm_ops->told_bytes(v, bytes), first;

    if (nr)
        return nr;
    first = (uint32_t)min((uint64_t)15, FRAME_SIZE - (code->address & FRAME_MASK));
    if (guest_read(v, bytes, code->address, first))
        return 0;
    if (first < 15 && guest_read(v, bytes + first, code->address + first, 15 - first))
        return first;
    return 15;
}
