/* SPDX-License-Identifier: MIT */
// sources: core/vnuma.c
// sources: core/memory_op.c core/reservation.c core/physmap.c core/resource.c core/claim.c
// sources: core/p2m.c core/p2m_batch.c core/pgtable.c core/map.c core/frame.c core/frame_free.c
// sources: core/spinlock.c arch/arm64/stage2_format.c
/*
 * What domains map besides their own memory by memory_op: pages shared with Hospes, others' frames,
 * devices; and that each frame stays for as long as anybody has it mapped, and no longer.
 */
#include "memory_world.h"

void arch_p2m_init(struct domain *d)
{
}

void arch_p2m_flush(struct domain *d, gfn_t gfn, uint64_t frames)
{
}

/* --- what is mapped besides ---------------------------------------------------------------------
 */

/* The pages that guests share with Hospes, wherever they want them; their memory there comes back.
 */
static void own_pages(void **state)
{
    enum p2m_type type;
    uint64_t before;

    assert_int_equal(populate_one(1, 1, 0x40000, 9), 1);
    before = frame_free_count();
    assert_int_equal(add(1, DOMID_SELF, XENMAPSPACE_shared_info, 0, 0x40005), 0);
    assert_int_equal(look(1, 0x40005, &type).v, domains[1].shared_info_mfn.v);
    assert_int_equal(type, P2M_SHARED);
    assert_int_equal(domains[1].tot_pages, 511);
    assert_int_equal(frame_free_count(), before + 1);
    assert_int_equal(frame_of(domains[1].shared_info_mfn)->count, 2);
    /* The toolstack does that for a guest, too. */
    assert_int_equal(add(0, 1, XENMAPSPACE_grant_table, 2, 0x50000), 0);
    assert_int_equal(look(1, 0x50000, &type).v, grant_frames[1][2].v);
    /* Giving such a page back unmaps it, and no more. */
    assert_int_equal(decrease_one(1, 1, 0x40005, 0), 1);
    assert_int_equal(decrease_one(1, 1, 0x50000, 0), 1);
    assert_int_equal(domains[1].tot_pages, 511);
    assert_int_equal(frame_of(domains[1].shared_info_mfn)->count, 1);
    assert_int_equal(frame_of(grant_frames[1][2])->count, 1);

    assert_int_equal(add(1, 1, XENMAPSPACE_shared_info, 1, 0x50000), -EINVAL);
    assert_int_equal(add(1, 1, XENMAPSPACE_shared_info, 0, UINT64_MAX), -EINVAL);
    assert_int_equal(add(1, 1, XENMAPSPACE_shared_info, 0, 1ull << 28), -EINVAL);
    assert_int_equal(add(1, 1, XENMAPSPACE_grant_table, GRANT_FRAMES, 0x50000), -EINVAL);
    assert_int_equal(add(1, 1, XENMAPSPACE_grant_table, 1ull << 32, 0x50000), -EINVAL);
    assert_int_equal(add(1, 1, XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, 0x50000),
                     -EINVAL);
    assert_int_equal(add(1, 1, XENMAPSPACE_gmfn, 0x40000, 0x50000), -ENOSYS);
    assert_int_equal(add(1, 1, XENMAPSPACE_gmfn_foreign, 0x40000, 0x50000), -ENOSYS);
    assert_int_equal(add(1, 1, 17, 0x40000, 0x50000), -ENOSYS);
    assert_int_equal(add(1, 1, XENMAPSPACE_dev_mmio, 0x40000, 0x50000), -EACCES);
    assert_int_equal(add(1, 2, XENMAPSPACE_shared_info, 0, 0x50000), -EPERM);
    assert_int_equal(add(1, 9, XENMAPSPACE_shared_info, 0, 0x50000), -ESRCH);
    assert_int_equal(call(1, XENMEM_add_to_physmap, NULL), -EFAULT);
    assert_int_equal(call(1, XENMEM_add_to_physmap | 1ull << 22, NULL), -EDOM);
    expect_type(1, 0x50000, P2M_NONE);

    struct xen_add_to_physmap x = { .domid = 1, .space = XENMAPSPACE_gmfn_range, .gpfn = 5 };
    assert_int_equal(call(1, XENMEM_add_to_physmap, &x), 0);
    x.size = 1;
    assert_int_equal(call(1, XENMEM_add_to_physmap, &x), -ENOSYS);
    assert_int_equal(call(1, XENMEM_add_to_physmap | 2 << 6, &x), -EILSEQ);
    x.idx = UINT64_MAX;
    assert_int_equal(call(1, XENMEM_add_to_physmap, &x), -EOVERFLOW);
}

/* Removing gives a page of RAM back, and takes nothing that is another's business. */
static void removing(void **state)
{
    assert_int_equal(populate_one(1, 1, 0x40000, 0), 1);
    assert_int_equal(remove_page(1, 1, 0x40000), 0);
    assert_int_equal(domains[1].tot_pages, 0);
    assert_int_equal(remove_page(1, 1, 0x40000), -ENOENT);
    assert_int_equal(remove_page(1, 1, UINT64_MAX), -ENOENT);
    assert_int_equal(remove_page(1, 2, 0x40000), -EPERM);
    assert_int_equal(remove_page(1, 9, 0x40000), -ESRCH);
    assert_int_equal(call(1, XENMEM_remove_from_physmap, NULL), -EFAULT);
    assert_int_equal(call(1, XENMEM_remove_from_physmap | 1 << 6, NULL), -EINVAL);

    /* A grant is gnttab's to unmap. */
    mfn_t m;
    assert_int_equal(frame_alloc(2, 0, 0, &m, NULL), 0);
    assert_int_equal(frame_get(m, 2), 0);
    assert_int_equal(p2m_replace(&domains[1], GFN(7), m, 1, P2M_GRANT), 0);
    assert_int_equal(remove_page(1, 1, 7), -ENOENT);
    assert_int_equal(decrease_one(1, 1, 7, 0), 0);
    assert_int_equal(populate_one(1, 1, 7, 0), 0);
    assert_int_equal(populate_one(1, 1, 0, 9), 0);
    assert_int_equal(add(1, 1, XENMAPSPACE_shared_info, 0, 7), -EBUSY);
    assert_int_equal(frame_of(m)->count, 2);
    assert_int_equal(p2m_remove(&domains[1], GFN(7), 1, MFN(m.v + 1), 1 << P2M_GRANT), -ENOENT);
    assert_int_equal(p2m_remove(&domains[1], GFN(7), 1, m, 1 << P2M_GRANT), 0);
    assert_int_equal(frame_of(m)->count, 2);
    frame_put(m); /* as gnttab does, once the use has ended */
    frame_free(m, 1);
}

/* The toolstack loads a guest's kernel through such mappings, and reads its pages. */
static void foreign_frames(void **state)
{
    xen_ulong_t idxs[70];
    xen_pfn_t gfns[70];
    enum p2m_type type;
    int errs[70];
    mfn_t m;

    domains[1].max_pages = UINT64_MAX;
    assert_int_equal(frame_alloc(3, 10, FRAME_DIRTY_OK, &m, NULL), 0);
    memset(host_ram(mfn_to_maddr(m)), 0xa5, MIB(4));
    frame_free(m, 1 << 10);
    assert_int_equal(populate_one(0, 1, 0x40000, 10), 1);
    expect_type(1, 0x40000, P2M_RESERVED);
    for (uint32_t i = 0; i < 70; i++) {
        idxs[i] = 0x40000 + 2 * i;
        gfns[i] = 0x90000 - i;
        errs[i] = 77;
    }
    idxs[3] = 0x50000; /* nothing */
    gfns[5] = 1ull << 30;
    stop_after = 3;
    assert_int_equal(foreign(0, 0, 1, 70, idxs, gfns, errs), 0);
    for (uint32_t i = 0; i < 70; i++) {
        assert_int_equal(errs[i], i == 3 || i == 5 ? -EINVAL : 0);
        m = look(1, idxs[i], &type);
        if (i == 3)
            continue;
        assert_int_equal(type, P2M_RAM);
        assert_int_equal(frame_of(m)->count, i == 5 ? 1 : 2);
        if (i == 5)
            continue;
        assert_int_equal(look(0, gfns[i], &type).v, m.v);
        assert_int_equal(type, P2M_SHARED);
        assert_int_equal(*(uint8_t *)host_ram(mfn_to_maddr(m)), 0);
    }
    /* The owner gives some of them back, and goes: they stay until the mapper lets go. */
    uint64_t before = frame_free_count();
    assert_int_equal(decrease_one(1, 1, idxs[0], 0), 1);
    assert_int_equal(frame_free_count(), before);
    destroy(1);
    uint64_t held = all_free - frame_free_count();
    assert_true(held >= 68);
    m = look(0, gfns[0], &type);
    assert_int_equal(frame_owner(frame_of(m)), OWNER_NONE);
    assert_int_equal(remove_page(0, 0, gfns[0]), 0);
    assert_int_equal(all_free - frame_free_count(), held - 1);
    assert_int_equal(decrease_one(0, 0, gfns[1], 0), 0); /* it is not its own */

    /* A new domain by the same number has nothing of it. */
    create(1);
    assert_int_equal(foreign_one(0, 0, 1, idxs[1], 0x1234), -EINVAL);
}

/* What a mapping by another guest, of another's, or of what is going gives. */
static void foreign_refused(void **state)
{
    xen_ulong_t idx = 0x40000;
    xen_pfn_t gfn = 0x60000;
    int err = 77;

    assert_int_equal(populate_one(2, 2, 0x40000, 0), 1);
    assert_int_equal(populate_one(0, 0, 0x40000, 0), 1);
    assert_int_equal(foreign_one(1, 1, 2, 0x40000, 0x60000), -EPERM);
    assert_int_equal(foreign_one(1, 2, 1, 0x40000, 0x60000), -EPERM);
    assert_int_equal(foreign_one(1, 9, 1, 0x40000, 0x60000), -ESRCH);
    assert_int_equal(foreign_one(1, 1, 9, 0x40000, 0x60000), -ESRCH);
    assert_int_equal(foreign_one(1, 1, 1, 0x40000, 0x60000), -EPERM);
    /* Not even the toolstack makes one guest see another's memory. */
    assert_int_equal(foreign_one(0, 1, 2, 0x40000, 0x60000), -EPERM);
    assert_int_equal(foreign_one(0, 1, DOMID_SELF, 0x40000, 0x60000), -ESRCH);
    assert_int_equal(foreign_one(0, 0, DOMID_SELF, 0x40000, 0x60000), -ESRCH);
    assert_int_equal(foreign_one(0, 0, 2, 0x40000, 0x60000), 0);
    /* Mapped memory is not its mapper's. */
    assert_int_equal(foreign_one(0, 0, 2, 0x40000, 0x60001), 0);
    domains[3].control = true;
    assert_int_equal(foreign_one(3, 3, 0, 0x60001, 0x60000), -EINVAL);
    /* But what it shares with Hospes is. */
    assert_int_equal(add(2, 2, XENMAPSPACE_shared_info, 0, 0x41000), 0);
    assert_int_equal(foreign_one(0, 0, 2, 0x41000, 0x60002), 0);
    assert_int_equal(frame_of(domains[2].shared_info_mfn)->count, 3);

    assert_int_equal(foreign(0, 0, 2, 1, NULL, &gfn, &err), -EFAULT);
    assert_int_equal(foreign(0, 0, 2, 1, &idx, NULL, &err), -EFAULT);
    assert_int_equal(foreign(0, 0, 2, 1, &idx, &gfn, NULL), -EFAULT);
    assert_int_equal(remove_page(0, 0, gfn), 0);
    assert_int_equal(foreign(0, 0, 2, 0, NULL, NULL, NULL), 0);
    gfn = UINT64_MAX;
    assert_int_equal(foreign(0, 0, 2, 1, &idx, &gfn, &err), -EINVAL);
    struct xen_add_to_physmap_batch x = { .space = XENMAPSPACE_gmfn_range };
    assert_int_equal(call(0, XENMEM_add_to_physmap_batch, &x), -EOPNOTSUPP);
    x = (struct xen_add_to_physmap_batch){ .space = XENMAPSPACE_gmfn_foreign, .size = 3 };
    assert_int_equal(call(0, XENMEM_add_to_physmap_batch | 3 << 6, &x), -EILSEQ);
    assert_int_equal(call(0, XENMEM_add_to_physmap_batch | 4 << 6, &x), -EILSEQ);
    assert_int_equal(call(0, XENMEM_add_to_physmap_batch | 1ull << 22, &x), -EDOM);
    assert_int_equal(call(0, XENMEM_add_to_physmap_batch, NULL), -EFAULT);

    /* On its way out, but not out. */
    (void)p2m_teardown_step(&domains[2]);
    assert_int_equal(foreign_one(0, 0, 2, 0x40000, 0x70000), -EINVAL);
    assert_int_equal(populate_one(0, 2, 0x99999, 0), 0);
    assert_int_equal(add(0, 2, XENMAPSPACE_shared_info, 0, 0x41000), -ESRCH);
    assert_int_equal(decrease_one(0, 2, 0x40000, 0), 0);
}

/* The hardware domain's devices are there anyway; others' are passed over as in Xen. */
static void device_pages(void **state)
{
    enum p2m_type type;

    domains[0].hardware = true;
    assert_int_equal(p2m_map(&domains[0], GFN(0x9000), MFN(0x9000), 2, P2M_DEVICE), 0);
    assert_int_equal(add(0, 0, XENMAPSPACE_dev_mmio, 0x9001, 0x9001), 0);
    assert_int_equal(add(0, 0, XENMAPSPACE_dev_mmio, 0x9001, 0x80000), 0);
    assert_int_equal(look(0, 0x80000, &type).v, 0x9001);
    assert_int_equal(type, P2M_DEVICE);
    assert_int_equal(add(0, 0, XENMAPSPACE_dev_mmio, RAM >> 12, 0x80001), 0);
    expect_type(0, 0x80001, P2M_NONE);
    assert_int_equal(add(0, 1, XENMAPSPACE_dev_mmio, 0x9001, 0x80001), -EACCES);
    assert_int_equal(remove_page(0, 0, 0x80000), -ENOENT);
}

/* xl gives a guest its console and xenstore pages through the table's own frames. */
static void resources(void **state)
{
    struct xen_mem_acquire_resource x = { .domid = 1, .type = XENMEM_resource_grant_table };
    xen_pfn_t gfns[] = { 0x100, 0x101, 0x102, 0x103 };
    enum p2m_type type;

    assert_int_equal(call(0, XENMEM_acquire_resource, &x), 0);
    assert_int_equal(x.nr_frames, GRANT_FRAMES);
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EINVAL);
    set_xen_guest_handle(x.frame_list, gfns);
    x.nr_frames = 3;
    x.frame = 2;
    stop_after = 0;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(look(0, gfns[i], &type).v, grant_frames[1][2 + i].v);
        assert_int_equal(type, P2M_SHARED);
        assert_int_equal(frame_of(grant_frames[1][2 + i])->count, 2);
    }
    x.frame = GRANT_FRAMES - 2;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EINVAL);
    gfns[1] = 1ull << 40;
    x.frame = 0;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EIO);
    gfns[0] = 1ull << 40;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EINVAL);
    x.nr_frames = 0;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EINVAL);
    x.nr_frames = 1;
    assert_int_equal(call(0, XENMEM_acquire_resource | 1 << 6, &x), -EINVAL);
    assert_int_equal(call(1, XENMEM_acquire_resource, &x), -EPERM);
    assert_int_equal(call(2, XENMEM_acquire_resource, &x), -EPERM);
    x.pad = 1;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EINVAL);
    x.pad = 0;
    x.frame = UINT32_MAX;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EINVAL);
    x.frame = 0;
    x.domid = DOMID_SELF;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EPERM);
    x.domid = 9;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -ESRCH);
    x.domid = 1;
    x.id = XENMEM_resource_grant_table_id_status;
    assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EINVAL);
    x.id = 0;
    for (x.type = 0; x.type < 5; x.type++)
        if (x.type != XENMEM_resource_grant_table)
            assert_int_equal(call(0, XENMEM_acquire_resource, &x), -EINVAL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(own_pages),       TEST(removing),     TEST(foreign_frames),
        TEST(foreign_refused), TEST(device_pages), TEST(resources),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
