/* SPDX-License-Identifier: MIT */
// sources: core/vnuma.c
// sources: core/memory_op.c core/reservation.c core/physmap.c core/resource.c core/claim.c
// sources: core/p2m.c core/p2m_batch.c core/pgtable.c core/map.c core/frame.c core/frame_free.c
// sources: core/spinlock.c arch/arm64/stage2_format.c
/*
 * What domains may do to memory by memory_op, what they are told, and that every frame comes back
 * whatever they did.
 */
#include "memory_world.h"

#include <hospes/claim.h>

void arch_p2m_init(struct domain *d)
{
}

static uint64_t flushes;

void arch_p2m_flush(struct domain *d, gfn_t gfn, uint64_t frames)
{
    flushes++;
}

/* --- memory of one's own --------------------------------------------------------------------- */

/* A balloon goes down and up: the guest gets what it may have, not a page more, and clean. */
static void balloon(void **state)
{
    xen_pfn_t gfns[100];
    enum p2m_type type;

    domains[1].max_pages = 80;
    for (uint32_t i = 0; i < 100; i++)
        gfns[i] = 0x40000 + 3 * i;
    assert_int_equal(reserve(1, XENMEM_populate_physmap, DOMID_SELF, gfns, 100, 0, 0), 80);
    assert_int_equal(domains[1].tot_pages, 80);
    assert_int_equal(frame_owned_count(1), 81); /* shared_info is not counted */
    for (uint32_t i = 0; i < 80; i++) {
        mfn_t m = look(1, gfns[i], &type);
        assert_int_equal(type, P2M_RAM);
        assert_memory_equal(host_ram(mfn_to_maddr(m)), (uint8_t[FRAME_SIZE]){ 0 }, FRAME_SIZE);
        memset(host_ram(mfn_to_maddr(m)), 0xa5, FRAME_SIZE);
    }
    expect_type(1, gfns[80], P2M_NONE);

    /* One flush for many. */
    flushes = 0;
    assert_int_equal(reserve(1, XENMEM_decrease_reservation, 1, gfns, 32, 0, 0), 32);
    assert_int_equal(flushes, 1);
    assert_int_equal(domains[1].tot_pages, 48);
    assert_int_equal(frame_owned_count(1), 49);
    /* What is not there stops it, and what came before is done. */
    gfns[40] = 0x12345;
    assert_int_equal(reserve(1, XENMEM_decrease_reservation, 1, gfns + 32, 48, 0, 0), 8);
    assert_int_equal(reserve(1, XENMEM_decrease_reservation, 1, gfns, 1, 0, 0), 0);
    assert_int_equal(domains[1].tot_pages, 40);
    gfns[40] = 0x40000 + 3 * 40;
    assert_int_equal(reserve(1, XENMEM_populate_physmap, 1, gfns, 40, 0, 0), 40);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(*(uint8_t *)host_ram(mfn_to_maddr(look(1, gfns[i], &type))), 0);
}

/* Populating what is populated gives new memory and takes the old, which is nowhere lost. */
static void populate_again(void **state)
{
    enum p2m_type type;

    assert_int_equal(populate_one(1, 1, 0x40000, 9), 1);
    assert_int_equal(populate_one(1, 1, 0x40010, 0), 1);
    assert_int_equal(domains[1].tot_pages, 512);
    assert_int_equal(frame_owned_count(1), 513);
    assert_int_equal(populate_one(1, 1, 0x40000, 9), 1);
    assert_int_equal(domains[1].tot_pages, 512);
    assert_int_equal(frame_owned_count(1), 513);
    /* A piece out of the middle. */
    assert_int_equal(decrease_one(1, 1, 0x40101, 4), 1);
    assert_int_equal(domains[1].tot_pages, 496);
    assert_int_equal(decrease_one(1, 1, 0x40000, 9), 0);
    assert_false(mfn_is_none(look(1, 0x40111, &type)));
    assert_true(mfn_is_none(look(1, 0x40110, &type)));
}

/* A toolstack populates a guest in large pieces, quickly: they are cleared when they are touched.
 */
static void large(void **state)
{
    xen_pfn_t gfns[] = { 0x40000, 0x80000, 0xc0000 };
    mfn_t m;

    /* Something was there before. */
    assert_int_equal(frame_alloc(3, 18, FRAME_DIRTY_OK, &m, NULL), 0);
    for (uint64_t i = 0; i < GIB(1); i += MIB(2))
        *(uint8_t *)host_ram(maddr_add(mfn_to_maddr(m), i)) = 1;
    frame_free(m, 1 << 18);

    assert_int_equal(reserve(0, XENMEM_populate_physmap, 1, gfns, 1, 18, 0), 1);
    expect_type(1, 0x40000, P2M_RESERVED);
    assert_int_equal(domains[1].tot_pages, 1 << 18);
    assert_int_equal(p2m_acquire(&domains[1], GFN(0x40001), P2M_PRESENT_TYPES, &m), P2M_RAM);
    assert_int_equal(*(uint8_t *)host_ram(mfn_to_maddr(MFN(m.v - 1))), 0);
    frame_put(m);

    /* Guests themselves are kept to 2 MiB, the toolstack to what there is. */
    assert_int_equal(populate_one(1, 1, 0x80000, 10), 0);
    assert_int_equal(populate_one(1, 1, 0x80000, 9), 1);
    assert_int_equal(populate_one(0, 1, 0x80000, 19), 0);
    assert_int_equal(populate_one(0, 1, 0x80000, UINT32_MAX), 0);
    assert_int_equal(decrease_one(1, 1, 0x40000, 18), 0);
    assert_int_equal(decrease_one(0, 1, 0x40000, 18), 1);
    assert_int_equal(domains[1].tot_pages, 512);
    domains[1].max_pages = UINT64_MAX;
    assert_int_equal(populate_one(0, 1, UINT64_MAX, 18), 0);
    assert_int_equal(populate_one(0, 1, 1ull << 28, 0), 0);
    assert_int_equal(populate_one(0, 1, 1ull << 52, 0), 0);
    assert_int_equal(domains[1].tot_pages, 512);
    assert_int_equal(frame_owned_count(1), 513);
}

/* Who may: a guest for itself, the toolstack for all. Whatever is wrong, nothing is handled. */
static void refused(void **state)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = 2 };
    xen_pfn_t gfns[3] = { 1, 2, 3 };

    for (uint32_t op = 0; op <= 6; op = op ? op * 6 : 1) {
        assert_int_equal(reserve(1, op, 2, gfns, 1, 0, 0), 0);
        assert_int_equal(reserve(0, op, 9, gfns, 1, 0, 0), 0);
        assert_int_equal(call(0, op, NULL), 0);
        assert_int_equal(call(0, op | 5 << 6, NULL), 5);
        assert_int_equal(call(0, op | 1 << 6, &r), 1);
        assert_int_equal(reserve(0, op, 2, gfns, 0, 0, 0), 0);
        assert_int_equal(reserve(0, op, 2, gfns, (UINT32_MAX >> 6) + 1ull, 0, 0), 0);
        assert_int_equal(reserve(0, op, 2, NULL, 1, 0, 0), 0);
        assert_int_equal(reserve(0, op, 2, gfns, 1, 0, XENMEMF_exact_node(1)), 0);
        assert_int_equal(reserve(1, op, 1, gfns, 1, 0, XENMEMF_exact_node(0)), 0);
        assert_int_equal(reserve(0, op, 2, gfns, 1, 0, XENMEMF_address_bits(12)), 0);
    }
    assert_int_equal(reserve(0, XENMEM_populate_physmap, 2, gfns, 1, 0, XENMEMF_populate_on_demand),
                     0);
    /* There is no way to give memory without an address. */
    assert_int_equal(reserve(0, XENMEM_increase_reservation, 2, NULL, 1, 0, 0), 0);
    for (uint32_t n = 0; n < DOMAINS; n++)
        assert_int_equal(domains[n].tot_pages, 0);

    assert_int_equal(reserve(0, XENMEM_populate_physmap, 2, gfns, 1, 0, XENMEMF_exact_node(0)), 1);
    assert_int_equal(reserve(1, XENMEM_populate_physmap, 1, gfns, 1, 0, XENMEMF_node(3)), 1);
    assert_int_equal(
        reserve(1, XENMEM_populate_physmap, 1, gfns + 1, 1, 0, XENMEMF_address_bits(40)), 1);
    /* All the memory of this machine is above 4 GiB. */
    assert_int_equal(
        reserve(1, XENMEM_populate_physmap, 1, gfns + 2, 1, 0, XENMEMF_address_bits(32)), 0);

    /* A list that goes on where nothing is: what could be read is done. */
    static uint8_t pages[2 * FRAME_SIZE] __attribute__((aligned(4096)));
    xen_pfn_t *list = (xen_pfn_t *)(void *)(pages + FRAME_SIZE) - 5;
    for (uint32_t i = 0; i < 5; i++)
        list[i] = 0x100 + i;
    bad = (uint64_t)(uintptr_t)(pages + FRAME_SIZE);
    assert_int_equal(reserve(1, XENMEM_populate_physmap, 1, list, 20, 0, 0), 5);
    assert_int_equal(reserve(1, XENMEM_decrease_reservation, 1, list, 20, 0, 0), 5);
}

/* A long call lets others run, and goes on where it was. */
static void preempted(void **state)
{
    struct xen_memory_reservation r = { .nr_extents = 100, .domid = DOMID_SELF };
    static const unsigned int ops[] = { XENMEM_populate_physmap, XENMEM_decrease_reservation };
    xen_pfn_t gfns[100];

    for (uint32_t i = 0; i < 100; i++)
        gfns[i] = 0x1000 + i;
    set_xen_guest_handle(r.extent_start, gfns);
    for (uint32_t n = 0; n < array_size(ops); n++) {
        uint64_t cmd = ops[n], last = 0;
        uint32_t calls = 0;
        int64_t rc;

        for (;;) {
            stop_after = n ? 0 : 6;
            rc = call_once(1, &cmd, &r);
            if (rc != -ERESTART)
                break;
            assert_int_equal(cmd & 63, ops[n]);
            assert_true(cmd >> 6 > last);
            last = cmd >> 6;
            assert_int_equal(domains[1].tot_pages, n ? 100 - last : last);
            calls++;
        }
        assert_int_equal(rc, 100);
        assert_true(calls >= 3);
        assert_int_equal(domains[1].tot_pages, n ? 0 : 100);
    }
}

/* Tables are paid from the domain's pool: a guest that maps far and wide gets an error. */
static void pool(void **state)
{
    uint64_t n = 0;

    assert_int_equal(p2m_set_pool(&domains[1], KIB(64) + 1), -EINVAL);
    assert_int_equal(p2m_set_pool(&domains[1], KIB(64)), 0);
    assert_int_equal(p2m_get_pool(&domains[1]), KIB(64));
    while (populate_one(1, 1, n << 9, 0) == 1)
        n++;
    assert_int_equal(n, 15); /* and one table above these */
    assert_int_equal(domains[1].tot_pages, 15);
    assert_int_equal(frame_owned_count(1), 16);
    assert_int_equal(p2m_set_pool(&domains[1], KIB(60)), -ENOMEM);
    assert_int_equal(p2m_set_pool(&domains[1], KIB(68)), 0);
    assert_int_equal(populate_one(1, 1, n << 9, 0), 1);
    assert_int_equal(add(1, 1, XENMAPSPACE_shared_info, 0, 100 << 9), -ENOMEM);
    assert_int_equal(foreign_one(0, 0, 1, 0, 0x7000), 0);
    assert_int_equal(p2m_set_pool(&domains[0], P2M_POOL_UNLIMITED), 0);
    assert_int_equal(p2m_get_pool(&domains[0]), 0);
    /* A hole in a large block needs a table too. */
    assert_int_equal(p2m_set_pool(&domains[2], KIB(4)), 0);
    assert_int_equal(populate_one(2, 2, 512, 9), 1);
    assert_int_equal(decrease_one(2, 2, 513, 0), 0);
    assert_int_equal(decrease_one(2, 2, 512, 9), 1);
}

/* --- memory that a domain keeps ----------------------------------------------------------------
 */

/* Frames in a row that are the domain's at their own address, as dom0 is built. */
static uint64_t direct(uint32_t n, unsigned int order)
{
    mfn_t m;

    domains[n].direct_map = true;
    assert_int_equal(frame_alloc((uint16_t)n, order, 0, &m, NULL), 0);
    assert_int_equal(p2m_map(&domains[n], GFN(m.v), m, 1ull << order, P2M_RAM), 0);
    domains[n].tot_pages += 1ull << order;
    return m.v;
}

/* dom0's devices need its memory where it is: what it gives back is kept for it, and for no other.
 */
static void direct_map(void **state)
{
    uint64_t m = direct(0, 10), before = frame_free_count();
    enum p2m_type type;

    *(uint8_t *)host_ram(MADDR((m + 7) << FRAME_SHIFT)) = 42;
    assert_int_equal(decrease_one(0, 0, m + 7, 0), 1);
    assert_int_equal(decrease_one(0, 0, m + 512, 9), 1);
    assert_int_equal(frame_free_count(), before);
    assert_int_equal(domains[0].tot_pages, 1024);
    expect_type(0, m + 7, P2M_KEPT);
    expect_type(0, m + 513, P2M_KEPT);
    expect_type(0, m + 8, P2M_RAM);
    assert_false(p2m_handle_fault(&domains[0], GFN(m + 7)));
    assert_int_equal(decrease_one(0, 0, m + 7, 0), 0);
    assert_int_equal(foreign_one(0, 0, 0, m + 7, 5), -EPERM);
    assert_int_equal(p2m_acquire(&domains[0], GFN(m + 7), P2M_PRESENT_TYPES, &(mfn_t){ 0 }),
                     -EINVAL);

    /* It is the same again, at this address only. */
    assert_int_equal(populate_one(0, 0, m + 7, 0), 1);
    assert_int_equal(look(0, m + 7, &type).v, m + 7);
    assert_int_equal(type, P2M_RAM);
    assert_int_equal(*(uint8_t *)host_ram(MADDR((m + 7) << FRAME_SHIFT)), 42);
    assert_int_equal(populate_one(0, 0, m + 512, 9), 1);
    assert_int_equal(look(0, m + 600, &type).v, m + 600);
    assert_int_equal(type, P2M_RAM);
    assert_int_equal(populate_one(0, 0, m, 10), 1); /* as it is */
    assert_int_equal(populate_one(0, 0, 5, 0), 0);
    assert_int_equal(populate_one(0, 0, m + 1024, 0), 0);
    assert_int_equal(populate_one(0, 0, m + 1, 10), 0);
    assert_int_equal(populate_one(0, 0, domains[0].shared_info_mfn.v, 0), 0);
    assert_int_equal(populate_one(0, 0, domains[1].shared_info_mfn.v, 0), 0);
    assert_int_equal(frame_free_count(), before);
}

/* What is mapped over dom0's memory hides it; it is there again when that goes. */
static void beneath(void **state)
{
    uint64_t m = direct(0, 9), before = frame_free_count();
    enum p2m_type type;

    assert_int_equal(populate_one(1, 1, 0x40000, 0), 1);
    before--;
    assert_int_equal(add(0, 0, XENMAPSPACE_shared_info, 0, m + 1), 0);
    assert_int_equal(look(0, m + 1, &type).v, domains[0].shared_info_mfn.v);
    assert_int_equal(type, P2M_SHARED);
    assert_int_equal(decrease_one(0, 0, m + 2, 0), 1);
    assert_int_equal(foreign_one(0, 0, 1, 0x40000, m + 2), 0);
    assert_int_equal(foreign_one(0, 0, 1, 0x40000, m + 3), 0);
    assert_int_equal(frame_free_count(), before);
    assert_int_equal(frame_of(look(1, 0x40000, &type))->count, 3);

    assert_int_equal(remove_page(0, 0, m + 2), 0);
    expect_type(0, m + 2, P2M_KEPT);
    assert_int_equal(remove_page(0, 0, m + 2), -ENOENT);
    assert_int_equal(populate_one(0, 0, m + 2, 0), 1);
    /* Straight over what is mapped there. */
    assert_int_equal(populate_one(0, 0, m, 9), 1);
    for (uint32_t i = 0; i < 512; i++) {
        assert_int_equal(look(0, m + i, &type).v, m + i);
        assert_int_equal(type, P2M_RAM);
        assert_int_equal(frame_of(MFN(m + i))->beneath, 0);
    }
    assert_int_equal(frame_of(look(1, 0x40000, &type))->count, 1);
    assert_int_equal(frame_of(domains[0].shared_info_mfn)->count, 1);
    assert_int_equal(frame_free_count(), before);

    /* The end finds it too. */
    assert_int_equal(foreign_one(0, 0, 1, 0x40000, m + 9), 0);
    assert_int_equal(decrease_one(0, 0, m + 10, 0), 1);
    destroy(0);
    assert_int_equal(frame_owned_count(0), 0);
    assert_int_equal(frame_of(MFN(m + 9))->beneath, 0); /* or its next owner would get it twice */
}

/* A domain with static memory that is not at machine addresses gets it back page by page. */
static void static_memory(void **state)
{
    enum p2m_type type;
    mfn_t m;

    assert_int_equal(populate_one(0, 1, 0x40000, 9), 1);
    domains[1].static_memory = true;
    m = look(1, 0x40003, &type);
    assert_int_equal(decrease_one(1, 1, 0x40000, 9), 1);
    assert_int_equal(domains[1].tot_pages, 512);
    assert_int_equal(populate_one(1, 1, 0x40003, 0), 1);
    assert_int_equal(look(1, 0x40003, &type).v, m.v);
    assert_int_equal(type, P2M_RAM);
    assert_int_equal(populate_one(1, 1, 0x40000, 9), 0);
    assert_int_equal(populate_one(1, 1, 0x41000, 0), 0);
}

/* --- questions, and what is not there -------------------------------------------------------- */

static void told(void **state)
{
    struct xen_memory_domain self = { DOMID_SELF }, two = { 2 }, nobody = { 9 };
    struct xen_vnuma_topology_info topology = { .domid = 1 };
    struct xen_reserved_device_memory_map map = { .flags = XENMEM_RDM_ALL, .nr_entries = 3 };
    static const unsigned int none[] = { XENMEM_machphys_mfn_list,
                                         XENMEM_memory_map,
                                         XENMEM_machine_memory_map,
                                         XENMEM_machphys_mapping,
                                         XENMEM_set_memory_map,
                                         XENMEM_set_pod_target,
                                         XENMEM_get_pod_target,
                                         XENMEM_paging_op,
                                         XENMEM_access_op,
                                         22,
                                         XENMEM_machphys_compat_mfn_list,
                                         29,
                                         63 };

    assert_int_equal(populate_one(2, 2, 0x1234, 0), 1);
    domains[2].max_pages = 99;
    assert_int_equal(call(1, XENMEM_maximum_ram_page, NULL), (RAM + RAM_BYTES) >> 12);
    assert_int_equal(call(1, XENMEM_maximum_gpfn, &self), 0);
    assert_int_equal(call(2, XENMEM_current_reservation, &self), 1);
    assert_int_equal(call(0, XENMEM_current_reservation, &two), 1);
    assert_int_equal(call(0, XENMEM_maximum_reservation, &two), 99);
    assert_int_equal(call(0, XENMEM_maximum_gpfn, &two), 0x1234);
    for (unsigned int op = XENMEM_current_reservation; op <= XENMEM_maximum_gpfn; op++) {
        if (op > XENMEM_maximum_reservation && op < XENMEM_maximum_gpfn)
            continue;
        assert_int_equal(call(1, op, &two), -EPERM);
        assert_int_equal(call(1, op, &nobody), -ESRCH);
        assert_int_equal(call(1, op, NULL), -EFAULT);
        assert_int_equal(call(1, op | 1 << 6, &self), -EINVAL);
    }
    for (size_t i = 0; i < array_size(none); i++)
        assert_int_equal(call(0, none[i], &map), -ENOSYS);
    assert_int_equal(call(1, XENMEM_get_sharing_freed_pages, NULL), 0);
    assert_int_equal(call(1, XENMEM_get_sharing_shared_pages, NULL), 0);
    assert_int_equal(call(1, XENMEM_get_vnumainfo, &topology), -EOPNOTSUPP);
    topology.pad = 1;
    assert_int_equal(call(1, XENMEM_get_vnumainfo, &topology), -EINVAL);
    assert_int_equal(call(0, XENMEM_reserved_device_memory_map, &map), 0);
    assert_int_equal(map.nr_entries, 0);
    map.flags = 2;
    assert_int_equal(call(0, XENMEM_reserved_device_memory_map, &map), -EINVAL);
}

static void exchange(void **state)
{
    xen_pfn_t gfn = 0x40000;
    struct xen_memory_exchange e = { .in = { .nr_extents = 1, .domid = 1 },
                                     .out = { .nr_extents = 1, .domid = 1 } };

    set_xen_guest_handle(e.in.extent_start, &gfn);
    assert_int_equal(populate_one(1, 1, gfn, 0), 1);
    assert_int_equal(call(1, XENMEM_exchange, NULL), -EFAULT);
    assert_int_equal(call(1, XENMEM_exchange, &e), -EOPNOTSUPP);
    gfn++;
    assert_int_equal(call(1, XENMEM_exchange, &e), -EINVAL);
    assert_int_equal(call(2, XENMEM_exchange, &e), -EPERM);
    e.in.domid = 2;
    assert_int_equal(call(1, XENMEM_exchange, &e), -EINVAL);
    e.in.domid = 1;
    e.nr_exchanged = 1;
    assert_int_equal(call(1, XENMEM_exchange, &e), 0);
    e.in.extent_order = 10;
    assert_int_equal(call(1, XENMEM_exchange, &e), -EPERM);
}

/* Two guests that are started at once do not take each other's memory away half-way. */
static void claims(void **state)
{
    struct xen_memory_reservation r = { .nr_extents = 1 << 19, .domid = 1 };
    uint64_t most = frame_free_count();

    for (uint32_t n = 1; n < DOMAINS; n++)
        domains[n].max_pages = 2 << 20;
    assert_int_equal(call(1, XENMEM_claim_pages, &r), -EPERM);
    assert_int_equal(call(0, XENMEM_claim_pages, &r), 0);
    assert_int_equal(call(0, XENMEM_claim_pages, &r), -EINVAL);
    assert_int_equal(claim_total(), 1 << 19);
    r.domid = 2;
    r.nr_extents = most - (1 << 19) + 1;
    assert_int_equal(call(0, XENMEM_claim_pages, &r), -ENOMEM);
    assert_int_equal(claim_total(), 1 << 19);
    r.domid = 9;
    assert_int_equal(call(0, XENMEM_claim_pages, &r), -EINVAL);
    r = (struct xen_memory_reservation){ .nr_extents = 3 << 20, .domid = 2 };
    assert_int_equal(call(0, XENMEM_claim_pages, &r), -EINVAL);
    r.extent_order = 1;
    assert_int_equal(call(0, XENMEM_claim_pages, &r), -EINVAL);
    assert_int_equal(call(0, XENMEM_claim_pages, NULL), -EFAULT);

    /* 4 GiB less shared pages are free, 2 of them claimed: the other gets one block. */
    assert_int_equal(populate_one(0, 2, 0x40000, 18), 1);
    assert_int_equal(populate_one(0, 2, 0x80000, 18), 0);
    assert_int_equal(populate_one(0, 1, 0x40000, 18), 1);
    assert_int_equal(claim_total(), 1 << 18);
    assert_int_equal(populate_one(0, 1, 0x80000, 18), 1);
    assert_int_equal(claim_total(), 0);
    r = (struct xen_memory_reservation){ .nr_extents = (1 << 19) + 5, .domid = 1 };
    assert_int_equal(call(0, XENMEM_claim_pages, &r), 0);
    assert_int_equal(claim_total(), 5);
    r.nr_extents = 0;
    assert_int_equal(call(0, XENMEM_claim_pages, &r), 0);
    assert_int_equal(claim_total(), 0);
}

/* --- everything at once ------------------------------------------------------------------------
 */

/* Each frame that a domain's entries stand for has an owner's reference or one of theirs. */
static void check_all(void)
{
    static uint32_t refs[RAM_BYTES >> FRAME_SHIFT];
    uint64_t first = RAM >> FRAME_SHIFT;

    memset(refs, 0, sizeof(refs));
    for (uint32_t n = 0; n < DOMAINS; n++) {
        struct domain *d = &domains[n];
        uint64_t own = 0, counted = 0, at = 0, end = 1ull << 40;
        struct pgtable_leaf leaf;
        unsigned int order;

        refs[d->shared_info_mfn.v - first]++;
        for (uint32_t i = 0; i < nr_grant_frames[n]; i++)
            refs[grant_frames[n][i].v - first]++;
        while (pgtable_next(&d->p2m.pt, at, end, &at, &leaf, &order)) {
            uint64_t m = leaf.maddr.v >> FRAME_SHIFT;

            for (uint64_t i = 0; i < 1ull << order; i++)
                refs[m + i - first]++;
            if (leaf.type >= P2M_SHARED && leaf.type <= P2M_GRANT_RO) {
                counted++;
                if (frame_is_ram(MFN(at >> FRAME_SHIFT)) &&
                    frame_of(MFN(at >> FRAME_SHIFT))->beneath) {
                    own++;
                    refs[(at >> FRAME_SHIFT) - first]++;
                }
            } else {
                own += 1ull << order;
                assert_int_equal(frame_owner(frame_of(MFN(m))), n);
            }
            at += FRAME_SIZE << order;
        }
        assert_int_equal(own, d->tot_pages);
        assert_int_equal(counted, d->p2m.nr_counted);
    }
    uint64_t used = 0;
    for (uint64_t i = 0; i < array_size(refs); i++) {
        assert_int_equal(frame_of(MFN(first + i))->count, refs[i]);
        used += refs[i] != 0;
    }
    assert_int_equal(frame_free_count(), all_free - used);
}

/* A gibibyte as one extent: given back, and had again, in steps that are short; put nowhere but
 * where nothing is. */
static void gibibytes(void **state)
{
    xen_pfn_t at = 1 << 18;
    struct xen_memory_reservation r = { .nr_extents = 1, .extent_order = 18, .domid = 1 };
    uint64_t cmd = XENMEM_decrease_reservation, before, rounds = 0, gfn;
    int64_t rc;

    set_xen_guest_handle(r.extent_start, &at);
    assert_int_equal(populate_one(0, 1, at + 1000, 0), 1);
    assert_int_equal(populate_one(0, 1, at, 18), 0);
    expect_type(1, at + 1000, P2M_RAM);
    assert_int_equal(decrease_one(0, 1, at + 1000, 0), 1);
    assert_int_equal(populate_one(0, 1, at, 18), 1);
    assert_int_equal(domains[1].tot_pages, 1 << 18);
    do {
        before = frame_free_count();
        stop_after = 0;
        rc = call_once(0, &cmd, &r);
        assert_in_range(frame_free_count() - before, 512, 512);
        rounds++;
    } while (rc == -ERESTART);
    assert_int_equal(rc, 1);
    assert_int_equal(rounds, 512);
    assert_int_equal(domains[1].tot_pages, 0);
    assert_int_equal(decrease_one(0, 1, at, 18), 0);

    /* Of one that has it for good. */
    gfn = at = direct(0, 18);
    stop_after = UINT32_MAX;
    assert_int_equal(decrease_one(0, 0, gfn, 18), 1);
    expect_type(0, gfn + 4711, P2M_KEPT);
    r.domid = 0;
    for (cmd = XENMEM_populate_physmap, rounds = 0, rc = -ERESTART; rc == -ERESTART; rounds++) {
        stop_after = 0;
        rc = call_once(0, &cmd, &r);
    }
    assert_int_equal(rc, 1);
    assert_int_equal(rounds, 512);
    expect_type(0, gfn + 4711, P2M_RAM);
    stop_after = UINT32_MAX;
}

/* Domains come and go while they map, take and give memory in any order: no frame is lost, freed
 * twice or seen by who lost it. */
static void long_life(void **state)
{
    uint64_t base = direct(0, 9);

    for (uint32_t round = 0; round < 6000; round++) {
        uint32_t caller = unit_random(3) ? 0 : unit_random(DOMAINS), target = unit_random(DOMAINS);
        uint64_t room = target ? 0x40000 : base;
        uint64_t gfn = room + unit_random(1200),
                 idx = (target ? base : 0x40000) + unit_random(1200);
        unsigned int order = unit_random(4) ? 0 : unit_random(11);

        if (unit_random(3) == 0)
            stop_after = unit_random(3);
        switch (unit_random(9)) {
        case 0:
        case 1:
            (void)populate_one(caller, (uint16_t)target, gfn, order);
            break;
        case 2:
            (void)decrease_one(caller, (uint16_t)target, gfn, order);
            break;
        case 3:
            (void)remove_page(caller, (uint16_t)target, gfn);
            break;
        case 4:
            (void)add(caller, (uint16_t)target, unit_random(2), unit_random(2) * unit_random(9),
                      gfn);
            break;
        case 5:
        case 6:
            (void)foreign_one(caller, (uint16_t)unit_random(2) * (uint16_t)target,
                              (uint16_t)unit_random(DOMAINS), idx, gfn);
            break;
        case 7: {
            mfn_t m;
            if (p2m_acquire(&domains[target], GFN(gfn), P2M_PRESENT_TYPES, &m) >= 0)
                frame_put(m);
            break;
        }
        default:
            if (unit_random(20) == 0 && target) {
                destroy(target);
                create(target);
            }
            break;
        }
        if (round % 50 == 0)
            check_all();
    }
    check_all();
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(balloon),   TEST(populate_again), TEST(large), TEST(refused),
        TEST(preempted), TEST(gibibytes),      TEST(pool),  TEST(direct_map),
        TEST(beneath),   TEST(static_memory),  TEST(told),  TEST(exchange),
        TEST(claims),    TEST(long_life),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
