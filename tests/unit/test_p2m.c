/* SPDX-License-Identifier: MIT */
// sources: core/p2m_clean.c core/p2m.c core/p2m_batch.c core/pgtable.c core/map.c core/frame.c
// sources: core/frame_free.c core/spinlock.c arch/arm64/stage2_format.c
/*
 * A domain's memory, with arm64's format of tables and the real frame allocator: what is behind
 * each guest frame, memory that is cleared at first touch, copies, and that all of it comes back.
 */
#include "unit.h"

#include <asm/host.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <lib/bits.h>

#define RAM       GIB(4)
#define RAM_BYTES GIB(4)
#define KEPT      (RAM + RAM_BYTES - MIB(4)) /* in the bank, but firmware's */
#define META      GIB(16)
#define DEVICES   GIB(32) /* in no bank */
#define ID        5
#define GARBAGE   0xa5

static struct domain dom;

/* --- what the architecture would do --------------------------------------------------------------
 */

static uint64_t flushed_from, flushed_frames, flushes;

void arch_p2m_init(struct domain *d)
{
}

void arch_p2m_flush(struct domain *d, gfn_t gfn, uint64_t frames)
{
    flushed_from = gfn.v;
    flushed_frames = frames;
    flushes++;
}

/* --- memory for tables, which may run out --------------------------------------------------------
 */

static uint32_t pages_left = UINT32_MAX;
static uint32_t pages_used;

void *heap_alloc_pages(unsigned int order)
{
    if (pages_left == 0)
        return NULL;
    pages_left--;
    pages_used += 1u << order;
    void *p = aligned_alloc(FRAME_SIZE << order, FRAME_SIZE << order);
    return memset(p, 0, FRAME_SIZE << order);
}

void heap_free_pages(void *p, unsigned int order)
{
    pages_used -= 1u << order;
    free(p);
}

static uint64_t cleaned_bytes;
static uint8_t cleaned_pages[RAM_BYTES >> FRAME_SHIFT];

void arch_cache_clean(const void *p, uint64_t bytes)
{
    uint64_t first = (uint64_t)((const uint8_t *)p - (const uint8_t *)host_ram(MADDR(RAM)));

    cleaned_bytes += bytes;
    for (uint64_t n = first >> FRAME_SHIFT; bytes > 0 && n <= (first + bytes - 1) >> FRAME_SHIFT;
         n++)
        if (n < array_size(cleaned_pages))
            cleaned_pages[n] = 1;
}

/* --- set-up --------------------------------------------------------------------------------------
 */

static uint64_t all_free;

static int machine(void **state)
{
    host_ram_reset();
    host_pcpus_init(2);
    host_ram_add(META, MIB(64));
    host_ram_add(RAM, RAM_BYTES);
    assert_true(frame_bank_meta_size(RAM_BYTES >> FRAME_SHIFT) <= MIB(64));
    assert_int_equal(frame_bank_add(maddr_to_mfn(MADDR(RAM)), maddr_to_mfn(MADDR(RAM + RAM_BYTES)),
                                    host_ram(MADDR(META))),
                     0);
    frame_bank_release(maddr_to_mfn(MADDR(RAM)), maddr_to_mfn(MADDR(KEPT)));
    all_free = frame_free_count();
    return 0;
}

static int start(void **state)
{
    dom = (struct domain){ .id = ID };
    pages_left = UINT32_MAX;
    assert_int_equal(p2m_init(&dom), 0);
    assert_int_equal(p2m_set_pool(&dom, P2M_POOL_UNLIMITED), 0);
    assert_in_range(dom.p2m.vmid, 1, 255);
    return 0;
}

static void teardown(struct domain *d)
{
    uint32_t steps = 0, tables = pages_used;
    bool whole = d->p2m.vmid;

    flushes = 0;
    while (p2m_teardown_step(d)) {
        assert_in_range(steps++, 0, 1000000);
        /* Its number, and its tables, may be another's next: nothing of it may stay in a TLB. */
        assert_true(flushes || pages_used == tables);
    }
    assert_true(flushes || !whole);
    assert_int_equal(flushed_frames, UINT64_MAX);
    assert_int_equal(d->p2m.vmid, 0);
    assert_int_equal(d->p2m.nr_tables, (uint64_t)1 << arch_p2m_format.top_order);
    flushes = 0;
    p2m_destroy(d);
    assert_int_equal(flushes, 0);
    assert_null(d->p2m.pt.root);
}

static int stop(void **state)
{
    teardown(&dom);
    assert_int_equal(dom.tot_pages, 0);
    assert_int_equal(frame_free_count(), all_free);
    assert_int_equal(frame_owned_count(ID), 0);
    assert_int_equal(pages_used, 0);
    return 0;
}

static mfn_t alloc(unsigned int order, unsigned int flags)
{
    mfn_t m;

    assert_int_equal(frame_alloc(ID, order, flags, &m, NULL), 0);
    dom.tot_pages += (uint64_t)1 << order;
    return m;
}

static void map(uint64_t gfn, mfn_t m, uint64_t frames, enum p2m_type type)
{
    assert_int_equal(p2m_map(&dom, GFN(gfn), m, frames, type), 0);
}

static void check_frame(uint64_t gfn, uint64_t mfn, enum p2m_type type)
{
    enum p2m_type found;

    assert_int_equal(p2m_lookup(&dom, GFN(gfn), &found, NULL).v, mfn);
    assert_int_equal(found, type);
}

static void *at(mfn_t m)
{
    return host_ram(mfn_to_maddr(m));
}

/* The bytes of [m, m + frames) are all `byte`. */
static bool is_all(mfn_t m, uint64_t frames, uint8_t byte)
{
    const uint8_t *p = at(m);

    return p[0] == byte && !memcmp(p, p + 1, (frames << FRAME_SHIFT) - 1);
}

/* --- tests ---------------------------------------------------------------------------------------
 */

/* Each guest frame leads to its own machine frame, and none to another's: what keeps guests apart.
 */
static void maps(void **state)
{
    mfn_t small = alloc(0, 0), block = alloc(9, 0), huge = alloc(18, FRAME_DIRTY_OK);
    enum p2m_type type;
    unsigned int order;

    map(0x40000, small, 1, P2M_RAM);
    map(0x40200, block, 512, P2M_RAM_RO);
    map(0x80000, huge, 1 << 18, P2M_RAM);
    check_frame(0x40000, small.v, P2M_RAM);
    check_frame(0x3ffff, UINT64_MAX, P2M_NONE);
    check_frame(0x40001, UINT64_MAX, P2M_NONE);
    check_frame(0x401ff, UINT64_MAX, P2M_NONE);
    check_frame(0x40200, block.v, P2M_RAM_RO);
    check_frame(0x403ff, block.v + 511, P2M_RAM_RO);
    check_frame(0x40400, UINT64_MAX, P2M_NONE);
    check_frame(0x80000, huge.v, P2M_RAM);
    check_frame(0xbffff, huge.v + (1 << 18) - 1, P2M_RAM);
    check_frame(0xc0000, UINT64_MAX, P2M_NONE);
    (void)p2m_lookup(&dom, GFN(0x80001), &type, &order);
    assert_in_range(order, 9, 18); /* of part of it, where it was looked up before */
    (void)p2m_lookup(&dom, GFN(0x40201), &type, &order);
    assert_int_equal(order, 9);

    /* A hole in a block leaves the rest, and is forgotten by all pCPUs before the call returns. */
    flushes = 0;
    assert_int_equal(p2m_unmap(&dom, GFN(0x80123), 1), 0);
    assert_true(flushes > 0);
    check_frame(0x80122, huge.v + 0x122, P2M_RAM);
    check_frame(0x80123, UINT64_MAX, P2M_NONE);
    check_frame(0x80124, huge.v + 0x124, P2M_RAM);
    check_frame(0xbffff, huge.v + (1 << 18) - 1, P2M_RAM);
    frame_free(mfn_add(huge, 0x123), 1);
    dom.tot_pages--;
}

/* Numbers that a guest may make up are beyond the end, and do not wrap around to frames that it
 * has. */
static void bounds(void **state)
{
    static const uint64_t wild[] = { (uint64_t)1 << 28, (uint64_t)1 << 52, ((uint64_t)1 << 52) + 1,
                                     UINT64_MAX >> 1,   UINT64_MAX - 1,    UINT64_MAX };
    mfn_t m = alloc(0, 0);

    map(0, m, 1, P2M_RAM);
    for (size_t i = 0; i < array_size(wild); i++) {
        assert_int_equal(p2m_map(&dom, GFN(wild[i]), m, 1, P2M_RAM), -EINVAL);
        assert_int_equal(p2m_map(&dom, GFN(1), m, wild[i], P2M_RAM), -EINVAL);
        assert_int_equal(p2m_unmap(&dom, GFN(wild[i]), 1), -EINVAL);
        assert_int_equal(p2m_unmap(&dom, GFN(1), wild[i]), -EINVAL);
        check_frame(wild[i], UINT64_MAX, P2M_NONE);
        assert_false(p2m_handle_fault(&dom, GFN(wild[i])));
        check_frame(0, m.v, P2M_RAM);
    }
    /* The last frame there is. */
    assert_int_equal(p2m_map(&dom, GFN((1 << 28) - 1), m, 2, P2M_RAM), -EINVAL);
    assert_int_equal(p2m_map(&dom, GFN((1 << 28) - 1), m, 1, P2M_RAM), 0);
    check_frame((1 << 28) - 1, m.v, P2M_RAM);
    assert_int_equal(p2m_unmap(&dom, GFN((1 << 28) - 1), 1), 0);
    assert_int_equal(p2m_unmap(&dom, GFN(0), 0), 0);
    check_frame(0, m.v, P2M_RAM);
}

/* Touches a frame until it is there; gives how often. */
static uint32_t touch(uint64_t gfn)
{
    enum p2m_type type;
    uint32_t n = 0;

    do {
        assert_true(p2m_handle_fault(&dom, GFN(gfn)));
        p2m_lookup(&dom, GFN(gfn), &type, NULL);
        assert_in_range(n++, 0, 100);
    } while (type != P2M_RAM);
    return n;
}

/* Memory is cleared when it is first touched, that much and no more: no guest sees another's data,
 * none loses its own. */
static void reserved(void **state)
{
    static const uint64_t gfn = 3 << 18;
    mfn_t huge = alloc(18, FRAME_DIRTY_OK), block = alloc(9, FRAME_DIRTY_OK);
    mfn_t small = alloc(0, FRAME_DIRTY_OK);

    memset(at(huge), GARBAGE, MIB(8));
    memset(at(block), GARBAGE, MIB(2));
    memset(at(small), GARBAGE, FRAME_SIZE);
    map(gfn, huge, 1 << 18, P2M_RESERVED);
    map(gfn + (1 << 18), block, 512, P2M_RESERVED);
    map(gfn + (1 << 18) + 512, small, 1, P2M_RESERVED);
    check_frame(gfn + 0x345, huge.v + 0x345, P2M_RESERVED);

    touch(gfn + 0x345);
    assert_true(is_all(mfn_add(huge, 0x200), 512, 0));
    assert_true(is_all(huge, 512, GARBAGE));
    assert_true(is_all(mfn_add(huge, 0x400), 1024, GARBAGE));
    check_frame(gfn + 0x1ff, huge.v + 0x1ff, P2M_RESERVED);
    check_frame(gfn + 0x200, huge.v + 0x200, P2M_RAM);
    check_frame(gfn + 0x3ff, huge.v + 0x3ff, P2M_RAM);
    check_frame(gfn + 0x400, huge.v + 0x400, P2M_RESERVED);

    /* Another vCPU touched it too: what was written since stays. */
    memset(at(mfn_add(huge, 0x345)), 7, 16);
    assert_true(p2m_handle_fault(&dom, GFN(gfn + 0x346)));
    assert_int_equal(*(uint8_t *)at(mfn_add(huge, 0x345)), 7);

    touch(gfn + (1 << 18) + 511);
    assert_true(is_all(block, 512, 0));
    assert_true(p2m_handle_fault(&dom, GFN(gfn + (1 << 18) + 512)));
    assert_true(is_all(small, 1, 0));
    check_frame(gfn + (1 << 18) + 512, small.v, P2M_RAM);
}

/* A fault on what is mapped by now is tried again; on nothing, it is the guest's. */
static void faults(void **state)
{
    mfn_t m = alloc(0, 0), ro = alloc(0, 0);

    map(1, m, 1, P2M_RAM);
    map(2, ro, 1, P2M_RAM_RO);
    map(3, maddr_to_mfn(MADDR(DEVICES)), 1, P2M_DEVICE);
    assert_true(p2m_handle_fault(&dom, GFN(1)));
    /* These two may be missing for a moment as well: while a block is split, by another pCPU. */
    assert_true(p2m_handle_fault(&dom, GFN(2)));
    assert_true(p2m_handle_fault(&dom, GFN(3)));
    assert_false(p2m_handle_fault(&dom, GFN(0)));
    assert_false(p2m_handle_fault(&dom, GFN(4)));
}

/* Kernels and device trees get to where they belong, whole, whatever the pieces of memory. */
static void copies(void **state)
{
    static uint8_t in[MIB(3)], out[MIB(3)];
    mfn_t small = alloc(0, FRAME_DIRTY_OK), block = alloc(9, FRAME_DIRTY_OK);
    mfn_t ro = alloc(0, 0), module = alloc(10, 0);
    uint64_t bytes = FRAME_SIZE + MIB(2);

    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)unit_random(256);
    memset(at(small), GARBAGE, FRAME_SIZE);
    memset(at(block), GARBAGE, MIB(2));
    map(0x1ff, small, 1, P2M_RESERVED);
    map(0x200, block, 512, P2M_RESERVED);
    map(0x400, ro, 1, P2M_RAM_RO);

    /* Across the edge of a page and a block; the rest of what was touched is clear. */
    assert_int_equal(p2m_copy_to(&dom, GADDR(0x1ffffd), in, 77), 0);
    assert_memory_equal((uint8_t *)at(small) + 0xffd, in, 3);
    assert_memory_equal(at(block), in + 3, 74);
    assert_int_equal(*((uint8_t *)at(small) + 0xffc), 0);
    assert_int_equal(*((uint8_t *)at(block) + 74), 0);
    assert_int_equal(p2m_copy_from(&dom, out, GADDR(0x1ffffd), 77), 0);
    assert_memory_equal(out, in, 77);

    /* All of it, and no byte more. */
    assert_int_equal(p2m_copy_to(&dom, GADDR(0x1ff000), in, bytes), 0);
    assert_int_equal(p2m_copy_from(&dom, out, GADDR(0x1ff000), bytes), 0);
    assert_memory_equal(out, in, bytes);
    assert_int_equal(p2m_copy_to(&dom, GADDR(0x1ff000), in, bytes + 1), -EFAULT);
    assert_int_equal(p2m_copy_from(&dom, out, GADDR(0x1ff000), bytes + 1),
                     0); /* the read-only page */
    assert_int_equal(p2m_copy_from(&dom, out, GADDR(0x1ff000), bytes + FRAME_SIZE + 1), -EFAULT);
    assert_int_equal(p2m_copy_to(&dom, GADDR(0x1fefff), in, 2), -EFAULT);
    assert_int_equal(p2m_copy_to(&dom, GADDR(UINT64_MAX), in, 2), -EFAULT);
    assert_int_equal(p2m_copy_to(&dom, GADDR(UINT64_MAX - 10), in, 100), -EFAULT);
    assert_int_equal(p2m_copy_to(&dom, GADDR(UINT64_MAX), in, 0), 0);

    /* From machine memory that begins in the middle of a page. */
    memcpy((uint8_t *)at(module) + 5, in, bytes);
    memset(at(block), GARBAGE, MIB(2));
    assert_int_equal(
        p2m_copy_module(&dom, GADDR(0x1ff001), maddr_add(mfn_to_maddr(module), 5), bytes - 1), 0);
    assert_int_equal(p2m_copy_from(&dom, out, GADDR(0x1ff001), bytes - 1), 0);
    assert_memory_equal(out, in, bytes - 1);

    map(0x500, maddr_to_mfn(MADDR(DEVICES)), 1, P2M_DEVICE);
    assert_int_equal(p2m_copy_to(&dom, GADDR(0x500000), in, 1), -EFAULT);
    assert_int_equal(p2m_copy_from(&dom, out, GADDR(0x500000), 1), -EFAULT);
    frame_free(module, 1 << 10);
    dom.tot_pages -= 1 << 10;
}

/* Kernel and ramdisk are what the boot loader left when the guest comes to them, and around them
 * memory is clear; what was there before, or is given to another address, is not seen. */
static void filled(void **state)
{
    mfn_t block = alloc(11, FRAME_DIRTY_OK), module = alloc(10, 0);
    mfn_t small = alloc(0, FRAME_DIRTY_OK);
    uint8_t *in = at(module), *out = at(block);
    uint64_t gfn = 1 << 18, to = (gfn << 12) + 0x1234, bytes = MIB(3) + 77;
    enum p2m_type type;

    for (size_t i = 0; i < MIB(4); i++)
        in[i] = (uint8_t)unit_random(256);
    memset(out, GARBAGE, MIB(8));
    memset(at(small), GARBAGE, FRAME_SIZE);
    map(gfn, block, 1 << 11, P2M_RESERVED);
    map(gfn + (1 << 11), small, 1, P2M_RESERVED);
    assert_int_equal(p2m_fill(&dom, GADDR(to), maddr_add(mfn_to_maddr(module), 9), bytes), 0);
    assert_int_equal(
        p2m_fill(&dom, GADDR((gfn << 12) + MIB(8)), maddr_add(mfn_to_maddr(module), 1), 100), 0);

    assert_int_equal(touch(gfn + 2048), 1);
    assert_memory_equal(at(small), in + 1, 100);
    assert_int_equal(((uint8_t *)at(small))[100], 0);

    /* Two vCPUs come to different blocks at once. No step takes more than a part of a block. */
    assert_true(p2m_handle_fault(&dom, GFN(gfn + 600)));
    p2m_lookup(&dom, GFN(gfn + 600), &type, NULL);
    assert_int_equal(type, P2M_RESERVED);
    assert_int_equal(touch(gfn + 3), 3 + 4);
    assert_int_equal(touch(gfn + 600), 1); /* it was finished first */
    assert_memory_equal(out + 0x1234, in + 9, bytes);
    for (size_t i = 0; i < 0x1234; i++)
        assert_int_equal(out[i], 0);
    for (size_t i = 0x1234 + bytes; i < MIB(4); i++)
        assert_int_equal(out[i], 0);
    assert_int_equal(out[MIB(4)], GARBAGE);

    /* Nor is a whole block cleared in one step: interrupts wait for its end. */
    assert_int_equal(touch(gfn + 1536), 2);
    for (size_t i = 0; i < MIB(2); i++)
        assert_int_equal(out[MIB(6) + i], 0);

    /* What the guest has is not filled again; what the builder writes is seen over it. */
    out[MIB(1)] ^= 1;
    assert_int_equal(touch(gfn + 3), 1);
    assert_int_equal(out[MIB(1)], in[MIB(1) - 0x1234 + 9] ^ 1);
    assert_int_equal(p2m_fill(&dom, GADDR((gfn << 12) + MIB(4)), mfn_to_maddr(module), MIB(2)), 0);
    assert_int_equal(p2m_copy_to(&dom, GADDR((gfn << 12) + MIB(5)), "over", 4), 0);
    assert_memory_equal(out + MIB(5), "over", 4);
    assert_memory_equal(out + MIB(4), in, MIB(1));
    assert_memory_equal(out + MIB(5) + 4, in + MIB(1) + 4, MIB(1) - 4);

    for (uint32_t i = 3; i < P2M_FILLS; i++)
        assert_int_equal(p2m_fill(&dom, GADDR(0), MADDR(0), 1), 0);
    assert_int_equal(p2m_fill(&dom, GADDR(0), MADDR(0), 1), -ENOSPC);
    frame_free(module, 1 << 10);
    dom.tot_pages -= 1 << 10;
}

/* Without memory for a table a guest that touches its memory gets a fault; the hypervisor goes on.
 */
static void no_memory(void **state)
{
    mfn_t huge = alloc(18, FRAME_DIRTY_OK), block;
    uint8_t byte = 1;

    map(1 << 18, huge, 1 << 18, P2M_RESERVED);
    pages_left = 0;
    assert_true(p2m_handle_fault(&dom, GFN(1 << 18))); /* its first half is clear by now */
    assert_false(p2m_handle_fault(&dom, GFN(1 << 18)));
    assert_int_equal(p2m_copy_to(&dom, GADDR(GIB(1)), &byte, 1), -EFAULT);
    assert_int_equal(p2m_unmap(&dom, GFN(1 << 18), 1), -ENOMEM);
    check_frame(1 << 18, huge.v, P2M_RESERVED);
    check_frame((2 << 18) - 1, huge.v + (1 << 18) - 1, P2M_RESERVED);
    pages_left = UINT32_MAX;
    assert_true(p2m_handle_fault(&dom, GFN(1 << 18)));

    /* A range that cannot be mapped whole is not mapped at all. */
    block = alloc(10, FRAME_DIRTY_OK);
    for (uint32_t n = 0;; n++) {
        int rc;

        pages_left = n;
        rc = p2m_map(&dom, GFN((5 << 18) - 512), mfn_add(block, 1), 1023, P2M_RAM);
        pages_left = UINT32_MAX;
        if (rc == 0)
            break;
        assert_int_equal(rc, -ENOMEM);
        assert_in_range(n, 0, 10);
        for (uint64_t i = 0; i < 1024; i++)
            check_frame((5 << 18) - 512 + i, UINT64_MAX, P2M_NONE);
    }
    for (uint64_t i = 0; i < 1023; i++)
        check_frame((5 << 18) - 512 + i, block.v + 1 + i, P2M_RAM);
    frame_free(block, 1);
    dom.tot_pages--;

    struct domain other = { .id = 6 };
    uint32_t used = pages_used;
    for (uint32_t n = 0; n < 1000; n++) {
        pages_left = 0;
        assert_int_equal(p2m_init(&other), -ENOMEM);
    }
    assert_int_equal(pages_used, used);
    pages_left = UINT32_MAX;
}

/* There are only so many tags for TLB entries: one too many domain is refused, none is handed out
 * twice. */
static void tags(void **state)
{
    static struct domain many[254], one_more;
    static bool seen[256];

    seen[dom.p2m.vmid] = true;
    for (size_t i = 0; i < array_size(many); i++) {
        assert_int_equal(p2m_init(&many[i]), 0);
        assert_in_range(many[i].p2m.vmid, 1, 255);
        assert_false(seen[many[i].p2m.vmid]);
        seen[many[i].p2m.vmid] = true;
    }
    assert_int_equal(p2m_init(&one_more), -EBUSY);
    p2m_destroy(&one_more); /* as domain_create() does not, but may */
    uint16_t vmid = many[100].p2m.vmid;
    p2m_destroy(&many[100]);
    assert_int_equal(p2m_init(&one_more), 0);
    assert_int_equal(one_more.p2m.vmid, vmid);
    p2m_destroy(&one_more);
    for (size_t i = 0; i < array_size(many); i++)
        p2m_destroy(&many[i]);
}

/*
 * The hardware domain's address space has firmware's memory and devices in it, which are nobody's
 * to free. A build that fails late must not bring the machine down with it.
 */
static void not_its_own(void **state)
{
    mfn_t m = alloc(9, 0), foreign;
    uint64_t kept = KEPT >> FRAME_SHIFT;

    assert_int_equal(frame_alloc(9, 9, 0, &foreign, NULL), 0);
    map(m.v, m, 512, P2M_RAM);
    map(kept, MFN(kept), 512, P2M_RAM);                                     /* in a bank */
    map(GIB(20) >> FRAME_SHIFT, MFN(GIB(20) >> FRAME_SHIFT), 512, P2M_RAM); /* in none */
    map(DEVICES >> FRAME_SHIFT, MFN(DEVICES >> FRAME_SHIFT), 1, P2M_DEVICE);
    map(foreign.v, foreign, 512, P2M_RAM);
    while (p2m_teardown_step(&dom))
        ;
    assert_int_equal(frame_owned_count(9), 512);
    assert_int_equal(frame_of(foreign)->count, 1);
    assert_int_equal(frame_of(MFN(kept))->count, 0);
    frame_free(foreign, 512);
}

/* Frames that others still use stay theirs until they let go; each is freed once, then. */
static void users_stay(void **state)
{
    mfn_t m = alloc(9, 0);

    map(0x1000, m, 512, P2M_RAM);
    assert_int_equal(frame_get(mfn_add(m, 3), ID), 0);
    while (p2m_teardown_step(&dom))
        ;
    assert_int_equal(frame_free_count(), all_free - 1);
    assert_int_equal(frame_of(mfn_add(m, 3))->count, 1);
    assert_int_equal(frame_owner(frame_of(mfn_add(m, 3))), OWNER_NONE);
    frame_put(mfn_add(m, 3));
}

/* No step takes long, however much memory there is: others run on while a domain goes. */
static void small_steps(void **state)
{
    mfn_t huge = alloc(18, FRAME_DIRTY_OK);
    uint64_t before = frame_free_count(), most = 0;
    uint32_t steps = 0;

    map(1 << 18, huge, 1 << 18, P2M_RAM);
    for (bool more = true; more; steps++) {
        more = p2m_teardown_step(&dom);
        most = max(most, frame_free_count() - before);
        before = frame_free_count();
    }
    assert_true(most <= 4096);
    assert_in_range(steps, (1 << 18) / 4096, (1 << 18) / 4096 + 1);
    assert_false(p2m_teardown_step(&dom));
}

/* A long life: mapped in all sizes, partly unmapped, touched here and there. Everything is freed,
 * once. */
static void long_life(void **state)
{
    static struct {
        uint64_t gfn;
        mfn_t m;
        unsigned int order;
    } piece[64];
    uint64_t gfn = 0;

    for (uint32_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < array_size(piece); i++) {
            static const unsigned int orders[] = { 0, 0, 1, 3, 8, 9, 9, 11, 12 };
            unsigned int order = i == 7 ? 18 : orders[unit_random(array_size(orders))];

            gfn = align_up(gfn + unit_random(3000),
                           (uint64_t)1 << min(order, unit_random(2) ? 18u : 0u));
            piece[i].gfn = gfn;
            piece[i].order = order;
            piece[i].m = alloc(order, FRAME_DIRTY_OK);
            map(gfn, piece[i].m, (uint64_t)1 << order, unit_random(2) ? P2M_RESERVED : P2M_RAM);
            gfn += (uint64_t)1 << order;
        }
        for (uint32_t i = 0; i < 100; i++) {
            size_t n = unit_random(array_size(piece));
            uint64_t in = unit_random(1u << piece[n].order);
            enum p2m_type type;
            mfn_t m;

            if (unit_random(3) == 0) {
                assert_true(
                    p2m_handle_fault(&dom, GFN(piece[n].gfn + in)) ||
                    (p2m_lookup(&dom, GFN(piece[n].gfn + in), &type, NULL), type == P2M_NONE));
                continue;
            }
            m = p2m_lookup(&dom, GFN(piece[n].gfn + in), &type, NULL);
            if (type == P2M_NONE)
                continue;
            assert_int_equal(m.v, piece[n].m.v + in);
            assert_int_equal(frame_owner(frame_of(m)), ID);
            assert_int_equal(frame_of(m)->count, 1);
            assert_int_equal(p2m_unmap(&dom, GFN(piece[n].gfn + in), 1), 0);
            frame_free(m, 1);
            dom.tot_pages--;
        }
        assert_int_equal(frame_owned_count(ID), dom.tot_pages);
        assert_int_equal(frame_free_count(), all_free - dom.tot_pages);
        assert_int_equal(stop(NULL), 0);
        assert_int_equal(start(NULL), 0);
        gfn = 0;
    }
}

/* Who maps a guest's page for another gets what the guest would read there, and keeps it alive. */
static void acquires(void **state)
{
    mfn_t own = alloc(0, 0), reserved = alloc(9, FRAME_DIRTY_OK), other, m;

    memset(at(reserved), GARBAGE, MIB(2));
    frame_free(reserved, 512); /* dirty now */
    assert_int_equal(frame_alloc_at(reserved, 512, ID), 0);
    assert_int_equal(frame_alloc(ID + 1, 0, 0, &other, NULL), 0);
    map(0x40000, own, 1, P2M_RAM);
    map(0x40200, reserved, 512, P2M_RESERVED);
    map(0x50000, other, 1, P2M_SHARED);

    assert_int_equal(p2m_acquire(&dom, GFN(0x40000), 1u << P2M_RAM, &m), P2M_RAM);
    assert_int_equal(m.v, own.v);
    assert_int_equal(frame_of(own)->count, 2);
    frame_put(own);
    assert_int_equal(p2m_acquire(&dom, GFN(0x40234), 1u << P2M_RAM, &m), P2M_RAM);
    assert_int_equal(m.v, reserved.v + 0x34);
    assert_true(is_all(reserved, 512, 0));
    assert_int_equal(frame_of(m)->count, 2);
    frame_put(m);

    assert_int_equal(p2m_acquire(&dom, GFN(0x40000), 1u << P2M_RAM_RO, &m), -EINVAL);
    assert_int_equal(frame_of(own)->count, 1);
    assert_int_equal(p2m_acquire(&dom, GFN(0x40001), P2M_PRESENT_TYPES, &m), -EINVAL);
    assert_int_equal(p2m_acquire(&dom, GFN(0x50000), P2M_PRESENT_TYPES, &m), -EINVAL);
    assert_int_equal(frame_of(other)->count, 1);
    assert_int_equal(p2m_acquire(&dom, GFN(UINT64_MAX), P2M_PRESENT_TYPES, &m), -EINVAL);
    assert_int_equal(p2m_unmap(&dom, GFN(0x50000), 1), 0);
    if (frame_of(other)->count)
        frame_free(other, 1);
}

/* All memory that the guest could have written is in RAM when it asked for it: what it was given as
 * RAM, block or page, and nothing else; each step is short. */
static void cleans(void **state)
{
    mfn_t small = alloc(0, 0), block = alloc(11, 0), reserved = alloc(9, FRAME_DIRTY_OK);
    uint64_t first = (RAM >> FRAME_SHIFT), all = 1 + (1 << 11) + 1;
    mfn_t ro = alloc(0, 0);
    gfn_t next = GFN(0);
    uint32_t steps = 0;

    assert_false(p2m_clean_step(&dom, &next));
    assert_int_equal(next.v, 0);
    map(0x40001, small, 1, P2M_RAM);
    map(0x40800, block, 1 << 11, P2M_RAM);
    map(0x80000, reserved, 512, P2M_RESERVED);
    map(0x90000, ro, 1, P2M_RAM_RO);
    map(3, maddr_to_mfn(MADDR(DEVICES)), 1, P2M_DEVICE);
    memset(cleaned_pages, 0, sizeof(cleaned_pages));
    cleaned_bytes = 0;
    for (bool more = true; more; steps++) {
        uint64_t before = cleaned_bytes;

        more = p2m_clean_step(&dom, &next);
        assert_in_range(cleaned_bytes - before, 0, KIB(256));
        assert_int_equal(next.v != 0, more);
        assert_in_range(steps, 0, 100);
    }
    assert_int_equal(cleaned_bytes, all << FRAME_SHIFT);
    assert_int_equal(cleaned_pages[small.v - first], 1);
    assert_int_equal(cleaned_pages[ro.v - first], 1);
    for (uint64_t i = 0; i < 1 << 11; i++)
        assert_int_equal(cleaned_pages[block.v - first + i], 1);
    assert_int_equal(cleaned_pages[reserved.v - first], 0);
}

/* Else a partial device tree that asks for a device as large as the address space keeps the machine
 * from starting: found by fuzzing, where the range was looked up frame by frame. */
static void empty_ranges(void **state)
{
    gfn_t device = GFN(GIB(512) >> FRAME_SHIFT);

    assert_true(p2m_is_empty(&dom, GFN(0), UINT64_MAX >> (FRAME_SHIFT + 1)));
    assert_int_equal(p2m_map(&dom, device, maddr_to_mfn(MADDR(DEVICES)), 4, P2M_DEVICE), 0);
    assert_false(p2m_is_empty(&dom, GFN(0), UINT64_MAX >> (FRAME_SHIFT + 1)));
    assert_true(p2m_is_empty(&dom, GFN(0), device.v));
    assert_false(p2m_is_empty(&dom, GFN(0), device.v + 1));
    assert_false(p2m_is_empty(&dom, gfn_add(device, 3), 1));
    assert_true(p2m_is_empty(&dom, gfn_add(device, 4), 1));
    assert_false(p2m_is_empty(&dom, GFN(UINT64_MAX), 1)); /* there are no such addresses */
}

/* Tables that were used are remembered: else what is looked up is in one that was freed, and a
 * guest has, or loses, what it should not. */
static void remembered(void **state)
{
    gfn_t gfn = GFN(MIB(64) >> FRAME_SHIFT);
    mfn_t device = maddr_to_mfn(MADDR(DEVICES));
    struct p2m_batch b;
    enum p2m_type type;

    /* Another under the same hash, or not: all are right. */
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(
            p2m_map(&dom, gfn_add(gfn, 512 * i), mfn_add(device, i + 1), 1, P2M_DEVICE), 0);
    for (uint64_t i = 0; i < 40; i++) {
        assert_int_equal(p2m_lookup(&dom, gfn_add(gfn, 512 * i), &type, NULL).v, device.v + i + 1);
        p2m_lookup(&dom, gfn_add(gfn, 512 * i + 1), &type, NULL);
        assert_int_equal(type, P2M_NONE);
    }
    /* A block in the table's place, and nothing. */
    assert_int_equal(p2m_map(&dom, gfn, device, 512, P2M_DEVICE), 0);
    assert_int_equal(p2m_lookup(&dom, gfn_add(gfn, 7), &type, NULL).v, device.v + 7);
    assert_int_equal(p2m_unmap(&dom, gfn_add(gfn, 512), 512), 0);
    p2m_lookup(&dom, gfn_add(gfn, 512), &type, NULL);
    assert_int_equal(type, P2M_NONE);
    /* A table that goes as one, seen by the batch that takes it out. */
    assert_int_equal(p2m_map(&dom, gfn_add(gfn, 1), mfn_add(device, 2), 1, P2M_DEVICE), 0);
    p2m_batch_begin(&b, &dom);
    assert_int_equal(p2m_batch_map(&b, gfn_add(gfn, 8), mfn_add(device, 8), 1, P2M_DEVICE), 0);
    assert_int_equal(p2m_batch_unmap(&b, gfn, 512, MFN_NONE, 1u << P2M_DEVICE), 0);
    assert_int_equal(p2m_batch_unmap(&b, gfn_add(gfn, 8), 1, MFN_NONE, 1u << P2M_DEVICE), -ENOENT);
    p2m_batch_end(&b);
    p2m_lookup(&dom, gfn_add(gfn, 8), &type, NULL);
    assert_int_equal(type, P2M_NONE);
    assert_int_equal(p2m_unmap(&dom, gfn, 512 * 40), 0);
}

/* What the tree says, whatever is remembered. */
static void agrees(gfn_t gfn)
{
    struct pgtable_leaf leaf;
    unsigned int order, told;
    enum p2m_type type;
    mfn_t m = p2m_lookup(&dom, gfn, &type, &told);

    if (!pgtable_lookup(&dom.p2m.pt, gfn_to_gaddr(gfn).v, &leaf, &order)) {
        assert_int_equal(type, P2M_NONE);
        assert_true(mfn_is_none(m));
        return;
    }
    assert_int_equal(type, leaf.type);
    assert_true(told == order || (order > FRAME_ORDER_2M && told == FRAME_ORDER_2M));
    assert_int_equal(m.v, maddr_to_mfn(leaf.maddr).v + gfn.v % ((uint64_t)1 << order));
}

/* Blocks are remembered too: whatever becomes of one, in whole or in part, is seen. */
static void remembered_blocks(void **state)
{
    static const uint64_t sizes[] = { 1, 8, 512, 1024, 1 << 18 };
    static const enum p2m_type types[] = { P2M_DEVICE, P2M_RAM_RO, P2M_KEPT };
    uint64_t base = GIB(4) >> FRAME_SHIFT, device = DEVICES >> FRAME_SHIFT;

    for (uint32_t round = 0; round < 20000; round++) {
        uint64_t n = sizes[unit_random(round % 50 ? 4 : 5)];
        uint64_t at = base + unit_random(1 << 12) / n * n;
        enum p2m_type type = types[unit_random(array_size(types))];
        uint32_t what = unit_random(6);

        if (what == 0)
            assert_int_equal(p2m_map(&dom, GFN(at), MFN(device + at), n, type), 0);
        else if (what == 1)
            assert_int_equal(p2m_unmap(&dom, GFN(at), n), 0);
        else if (what == 2)
            assert_int_equal(p2m_replace(&dom, GFN(at), MFN(device + n), 1, type), 0);
        else
            (void)p2m_remove(&dom, GFN(at), 1, MFN_NONE, UINT32_MAX & ~P2M_ONLY_OWNED);
        for (uint32_t i = 0; i < 8; i++)
            agrees(GFN(i ? base + unit_random(1 << 12) : at));
    }
    assert_int_equal(p2m_unmap(&dom, GFN(base), 1 << 19), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(maps),
        TEST(bounds),
        TEST(reserved),
        TEST(faults),
        TEST(copies),
        TEST(filled),
        TEST(no_memory),
        TEST(tags),
        TEST(not_its_own),
        TEST(users_stay),
        TEST(small_steps),
        TEST(long_life),
        TEST(acquires),
        TEST(cleans),
        TEST(empty_ranges),
        TEST(remembered),
        TEST(remembered_blocks),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
