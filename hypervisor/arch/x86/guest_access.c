/* SPDX-License-Identifier: MIT */
/*
 * Where a guest's virtual address is in the machine: a walk of its page tables in software, with
 * the rights of its kernel. AMD APM volume 2, chapter 5.
 *
 *   64-bit  4 levels of 512 entries of 8 bytes; pages of 4 KiB, 2 MiB, 1 GiB
 *   PAE     4 entries, whose only flag is P; then two such levels
 *   32-bit  2 levels of 1024 entries of 4 bytes; pages of 4 KiB, 4 MiB
 *
 * Each table is counted while it is read: another vCPU that gives it back meanwhile changes what is
 * found, and nothing else. Reserved bits, NX, and protection of user pages from the kernel are not
 * looked at.
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
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define PTE_PRESENT   BIT(0)
#define PTE_WRITE     BIT(1)
#define PTE_DIRTY     BIT(6)
#define PTE_LARGE     BIT(7)
#define PTE_ADDRESS   MASK(51, 12)
#define PTE_PSE36     MASK(20, 13) /* bits 39:32 of a 4 MiB page's address */
#define PDPTE_ADDRESS MASK(51, 12)
#define CR3_PAE       MASK(31, 5)

/* One level of a walk. */
struct level {
    uint8_t shift; /* lowest bit of the address that this level translates */
    uint8_t bits;
    bool may_be_large;
    bool has_flags; /* of access: all but PDPTEs */
};

static const struct level levels_64[] = {
    { 39, 9, false, true },
    { 30, 9, true, true },
    { 21, 9, true, true },
    { 12, 9, false, true },
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

static const struct walk {
    const struct level *levels;
    uint8_t nr, entry_bytes;
} walks[] = {
    [PAGING_32] = { levels_32, array_size(levels_32), 4 },
    [PAGING_PAE] = { levels_pae, array_size(levels_pae), 8 },
    [PAGING_64] = { levels_64, array_size(levels_64), 8 },
};

static bool is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* The entry at `at`, which the guest may be changing. With `dirty` its page is marked as written.
 */
static bool read_entry(struct domain *d, gaddr_t at, uint8_t bytes, uint64_t *entry)
{
    enum p2m_type type;
    const uint8_t *page;
    mfn_t m;

    if (p2m_acquire(d, gaddr_to_gfn(at), &m, &type))
        return false;
    page = frame_map(m);
    if (likely(bytes == 8))
        *entry = read_once(*(const uint64_t *)(const void *)(page + (at.v & FRAME_MASK)));
    else
        *entry = read_once(*(const uint32_t *)(const void *)(page + (at.v & FRAME_MASK)));
    frame_unmap((void *)(uintptr_t)page);
    frame_put(m);
    return true;
}

/* The guest sees that its page was written to, as if it had done so itself. */
static void __noinline set_dirty(struct domain *d, gaddr_t at, uint64_t seen)
{
    enum p2m_type type;
    uint8_t *page;
    mfn_t m;

    if (p2m_acquire(d, gaddr_to_gfn(at), &m, &type))
        return;
    if (type == P2M_RAM) {
        uint32_t *low, want = (uint32_t)(seen | PTE_DIRTY), old = (uint32_t)seen;

        page = frame_map(m);
        low = (uint32_t *)(void *)(page + (at.v & FRAME_MASK));
        (void)__atomic_compare_exchange_n(low, &old, want, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED);
        frame_unmap(page);
    }
    frame_put(m);
}

/* Address of a page that an entry of this level maps, without the part that `va` has. */
static uint64_t large_address(const struct walk *w, uint64_t entry, unsigned int shift)
{
    uint64_t base = entry & PTE_ADDRESS & ~(BIT(shift) - 1);

    if (w->entry_bytes == 4 && shift == 22)
        base = (entry & 0xffc00000u) | field_get(PTE_PSE36, entry) << 32;
    return base;
}

static bool translate_paged(struct vcpu *v, uint64_t va, bool write, gaddr_t *ga)
{
    const struct walk *w = &walks[v->arch.paging];
    uint64_t table = hvm_ops->get_reg(v, HVM_CR3), entry;
    bool need_write = write && v->arch.cr0 & CR0_WP;
    bool large_pages = w->entry_bytes == 8 || v->arch.cr4 & CR4_PSE;

    if (v->arch.paging == PAGING_64 && !is_canonical(va))
        return false;
    if (v->arch.paging != PAGING_64)
        va = (uint32_t)va;
    table &= v->arch.paging == PAGING_PAE ? CR3_PAE : PTE_ADDRESS;
    for (uint32_t i = 0; i < w->nr; i++) {
        const struct level *l = &w->levels[i];
        uint64_t index = va >> l->shift & (BIT(l->bits) - 1);
        gaddr_t at = GADDR(table + index * w->entry_bytes);

        if (!read_entry(v->domain, at, w->entry_bytes, &entry) || !(entry & PTE_PRESENT))
            return false;
        if (need_write && l->has_flags && !(entry & PTE_WRITE))
            return false;
        table = entry & PTE_ADDRESS;
        if (l->shift == FRAME_SHIFT || (l->may_be_large && entry & PTE_LARGE && large_pages)) {
            if (write && !(entry & PTE_DIRTY))
                set_dirty(v->domain, at, entry);
            *ga = GADDR(large_address(w, entry, l->shift) | (va & (BIT(l->shift) - 1)));
            return true;
        }
    }
    return false;
}

/* Guest physical address behind `va`. */
static bool translate(struct vcpu *v, uint64_t va, bool write, gaddr_t *ga)
{
    if (unlikely(v->arch.paging == PAGING_NONE)) {
        *ga = GADDR((uint32_t)va);
        return true;
    }
    return translate_paged(v, va, write, ga);
}

/* More than filling two blocks of reserved memory takes. */
#define TRIES 16u

mfn_t arch_guest_frame(struct vcpu *v, uint64_t va, bool write)
{
    struct domain *d = v->domain;
    gaddr_t ga;

    if (!translate(v, va, write, &ga))
        return MFN_NONE;
    for (unsigned int tries = TRIES; tries; tries--) {
        enum p2m_type type;
        mfn_t m = p2m_lookup(d, gaddr_to_gfn(ga), &type, NULL);

        if (likely(type == P2M_RAM) || (type == P2M_RAM_RO && !write))
            return m;
        if (type == P2M_SHARED || (type == P2M_SHARED_RO && !write))
            return m;
        if (type != P2M_RESERVED || !p2m_handle_fault(d, gaddr_to_gfn(ga)))
            break;
    }
    return MFN_NONE;
}

uint32_t guest_fetch(struct vcpu *v, uint8_t bytes[15])
{
    uint32_t nr = hvm_ops->told_bytes(v, bytes), first;
    struct hvm_code code;

    if (nr)
        return nr;
    hvm_ops->locate(v, &code);
    first = (uint32_t)min((uint64_t)15, FRAME_SIZE - (code.address & FRAME_MASK));
    if (guest_read(v, bytes, code.address, first))
        return 0;
    if (first < 15 && guest_read(v, bytes + first, code.address + first, 15 - first))
        return first;
    return 15;
}
