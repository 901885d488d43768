/* SPDX-License-Identifier: MIT */
// sources: core/gnttab.c core/gnttab_use.c core/gnttab_maptrack.c core/gnttab_map.c core/spinlock.c
// sources: core/gnttab_copy.c core/gnttab_cache.c core/gnttab_table.c core/gnttab_op.c
// sources: core/guest_access.c core/p2m.c core/p2m_batch.c core/pgtable.c core/map.c
// sources: core/frame.c core/frame_free.c
/*
 * Grant tables between domains, on the real core: what a backend driver does, every way in which
 * either side can be wrong or hostile, and that whoever dies, in any state, leaves nothing behind.
 */
#include "test_gnttab.h"

#include <hospes/hypercall.h>

static uint32_t stops; /* hypercall_should_stop() says yes every so many calls */

bool hypercall_should_stop(void)
{
    static uint32_t asked;

    return stops && ++asked % stops == 0;
}

/* --- mapping --------------------------------------------------------------------------------- */

/* What a block backend does for each request: without it no disk and no network. */
static void maps(void **state)
{
    uint32_t handle, again;

    memcpy(page_at(1, FIRST + 9), "written by 1", 13);
    grant(1, 8, 0, FIRST + 9, 0);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_okay);
    assert_int_equal(type_at(0, HOLE), P2M_GRANT);
    assert_string_equal((char *)page_at(0, HOLE), "written by 1");
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(frame_of(frame_at(1, FIRST + 9))->count, 2);

    /* A second time, only to read. */
    assert_int_equal(map(0, 1, 8, HOLE + 1, GNTMAP_readonly, &again), GNTST_okay);
    assert_int_equal(type_at(0, HOLE + 1), P2M_GRANT_RO);
    assert_int_not_equal(handle, again);
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);
    assert_int_equal(type_at(0, HOLE), P2M_NONE);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_reading);
    assert_int_equal(unmap(0, again, HOLE + 1), GNTST_okay);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
    assert_int_equal(frame_of(frame_at(1, FIRST + 9))->count, 1);
    assert_int_equal(unmap(0, again, HOLE + 1), GNTST_bad_handle);
}

/* The statuses by which a guest's driver knows what was wrong; and nothing stays of a failure. */
static void map_errors(void **state)
{
    struct gnttab_map_grant_ref op = { .host_addr = (uint64_t)HOLE << FRAME_SHIFT, .dom = 1 };
    uint32_t handle;
    static const struct {
        uint32_t flags;
        int status;
    } refused[] = {
        { 0, GNTST_bad_gntref },
        { GNTMAP_readonly, GNTST_bad_gntref },
        { GNTMAP_device_map, GNTST_general_error },
        { GNTMAP_device_map | GNTMAP_host_map, GNTST_general_error },
        { GNTMAP_host_map | GNTMAP_application_map, GNTST_general_error },
        { GNTMAP_host_map | GNTMAP_contains_pte, GNTST_general_error },
        { GNTMAP_host_map | 1u << _GNTMAP_guest_avail0, GNTST_general_error },
        { GNTMAP_host_map | 1u << 7, GNTST_general_error },
    };

    grant(1, 8, 0, FIRST + 9, 0);
    op.ref = 8;
    for (uint32_t i = 0; i < array_size(refused); i++) {
        op.flags = refused[i].flags;
        assert_int_equal(CALL(0, GNTTABOP_map_grant_ref, op), 0);
        assert_int_equal(op.status, refused[i].status);
    }
    assert_int_equal(map(0, 9, 8, HOLE, 0, &handle), GNTST_bad_domain);
    assert_int_equal(map(0, DOMID_SELF, 8, HOLE, 0, &handle), GNTST_bad_domain);
    assert_int_equal(map(0, 1, GNTTAB_ENTRIES, HOLE, 0, &handle), GNTST_bad_gntref);
    assert_int_equal(map(0, 1, UINT32_MAX, HOLE, 0, &handle), GNTST_bad_gntref);
    assert_int_equal(map(2, 1, 8, HOLE, 0, &handle), GNTST_general_error); /* not to it */
    assert_int_equal(map(0, 1, 8, UINT64_MAX >> FRAME_SHIFT, 0, &handle), GNTST_general_error);
    grant(1, 8, 0, FIRST + 9, GTF_readonly);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_general_error);
    grant(1, 8, 0, FIRST + 9, GTF_sub_page);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_general_error);
    entry(1, 8)->flags = GTF_accept_transfer;
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_general_error);
    grant(1, 8, 0, HOLE, 0); /* nothing there */
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_bad_page);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
    grant(1, 8, 0, UINT32_MAX, 0);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_bad_page);
    assert_int_equal(type_at(0, HOLE), P2M_NONE);
    assert_int_equal(frame_of(frame_at(1, FIRST + 9))->count, 1);
    for (uint32_t i = 0; i < DOMAINS; i++)
        assert_int_equal(dom[i]->refs, 1);
}

/* A grant of a page that was itself granted, or is shared with the hypervisor, would make pages
 * outlive what their owner agreed to. */
static void only_own_memory(void **state)
{
    uint32_t handle, second;
    mfn_t table;

    grant(1, 8, 0, FIRST + 9, 0);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_okay);
    grant(0, 8, 2, HOLE, 0);
    assert_int_equal(map(2, 0, 8, HOLE, 0, &second), GNTST_bad_page);
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);

    assert_int_equal(gnttab_frame(dom[0], 0, false, &table), 0);
    assert_int_equal(p2m_replace(dom[0], GFN(HOLE), table, 1, P2M_SHARED), 0);
    assert_int_equal(map(2, 0, 8, HOLE, 0, &second), GNTST_bad_page);
    assert_int_equal(frame_of(table)->count, 2);
}

/* While it is in use an entry may be rewritten as its owner likes: what was mapped stays what it
 * is, another domain gets nothing, and only the owner's own grant suffers. */
static void hostile_granter(void **state)
{
    uint32_t handle, other;
    mfn_t m;

    grant(1, 8, 0, FIRST + 9, 0);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_okay);
    m = frame_at(0, HOLE);
    grant(1, 8, 2, FIRST + 10, 0);
    assert_int_equal(map(2, 1, 8, HOLE, 0, &other), GNTST_general_error);
    assert_int_equal(map(0, 1, 8, HOLE + 1, GNTMAP_readonly, &other), GNTST_okay);
    assert_int_equal(frame_at(0, HOLE + 1).v, m.v);
    assert_int_equal(unmap(0, other, HOLE + 1), GNTST_okay);
    /* It gives the page back while it is mapped: nobody else gets it until it is not. */
    assert_int_equal(p2m_remove(dom[1], GFN(FIRST + 9), 1, m, 1u << P2M_RAM), 0);
    assert_int_equal(frame_owner(frame_of(m)), OWNER_NONE);
    assert_int_equal(frame_of(m)->count, 1);
    assert_int_equal(map(0, 1, 8, HOLE + 1, 0, &other), GNTST_general_error);
    *entry(1, 8) = (struct grant_entry_v1){ 0, 0, 0 };
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);
    assert_int_equal(frame_of(m)->count, 0);
    assert_int_equal(entry(1, 8)->flags, 0);
}

/* A read-only grant is read-only, whatever else the same domain may map of it. */
static void readonly(void **state)
{
    uint32_t handle, other;

    grant(1, 8, 0, FIRST + 9, GTF_readonly);
    assert_int_equal(map(0, 1, 8, HOLE, GNTMAP_readonly, &handle), GNTST_okay);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_readonly | GTF_reading);
    assert_int_equal(map(0, 1, 8, HOLE + 1, 0, &other), GNTST_general_error);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_readonly | GTF_reading);
    /* The granter changes its mind: only for uses that begin after that. */
    entry(1, 8)->flags &= (uint16_t)~GTF_readonly;
    assert_int_equal(map(0, 1, 8, HOLE + 1, 0, &other), GNTST_okay);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(unmap(0, other, HOLE + 1), GNTST_okay);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
}

/* --- unmapping ------------------------------------------------------------------------------- */

/* What a mapping says decides, not what the guest tells of it. */
static void unmap_errors(void **state)
{
    struct gnttab_unmap_grant_ref op = { 0 };
    struct gnttab_unmap_and_replace replace = { .new_addr = 1 };
    uint32_t handle, other;

    grant(1, 8, 0, FIRST + 9, 0);
    grant(1, 9, 0, FIRST + 10, 0);
    assert_int_equal(unmap(0, 0, HOLE), GNTST_bad_handle);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_okay);
    assert_int_equal(map(0, 1, 9, HOLE + 1, 0, &other), GNTST_okay);
    assert_int_equal(unmap(0, handle + 77, HOLE), GNTST_bad_handle);
    assert_int_equal(unmap(0, UINT32_MAX, HOLE), GNTST_bad_handle);
    assert_int_equal(unmap(1, handle, HOLE), GNTST_bad_handle); /* its own only */
    assert_int_equal(unmap(0, handle, HOLE + 1), GNTST_general_error);

    op.handle = handle; /* asks for nothing */
    assert_int_equal(CALL(0, GNTTABOP_unmap_grant_ref, op), 0);
    assert_int_equal(op.status, GNTST_okay);
    op.dev_bus_addr = mfn_to_maddr(frame_at(0, HOLE)).v;
    assert_int_equal(CALL(0, GNTTABOP_unmap_grant_ref, op), 0);
    assert_int_equal(op.status, GNTST_okay);
    assert_int_equal(type_at(0, HOLE), P2M_GRANT);
    op.dev_bus_addr++;
    op.host_addr = (uint64_t)HOLE << FRAME_SHIFT;
    assert_int_equal(CALL(0, GNTTABOP_unmap_grant_ref, op), 0);
    assert_int_equal(op.status, GNTST_general_error);

    replace.handle = handle;
    replace.host_addr = op.host_addr;
    assert_int_equal(CALL(0, GNTTABOP_unmap_and_replace, replace), 0);
    assert_int_equal(replace.status, GNTST_general_error);
    assert_int_equal(type_at(0, HOLE), P2M_GRANT);
    replace.new_addr = 0;
    assert_int_equal(CALL(0, GNTTABOP_unmap_and_replace, replace), 0);
    assert_int_equal(replace.status, GNTST_okay);
    assert_int_equal(type_at(0, HOLE), P2M_NONE);
    assert_int_equal(unmap(0, other, HOLE + 1), GNTST_okay);
}

/* Nobody but its handle takes a mapping away: else the granter would believe a page to be free that
 * is still mapped, or a frame would be mapped that is not counted. */
static void stays_mapped(void **state)
{
    uint32_t handle, other;
    mfn_t m;

    grant(1, 8, 0, FIRST + 9, 0);
    grant(1, 9, 0, FIRST + 10, 0);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_okay);
    m = frame_at(0, HOLE);
    assert_int_equal(map(0, 1, 9, HOLE, 0, &other), GNTST_general_error); /* over it */
    assert_int_equal(entry(1, 9)->flags, GTF_permit_access);
    assert_int_equal(p2m_replace(dom[0], GFN(HOLE), frame_at(0, FIRST + 1), 1, P2M_RAM), -EBUSY);
    assert_int_equal(frame_at(0, HOLE).v, m.v);
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);
}

/* A mapping over the guest's own page: that page is given back, as it would be on Xen once the
 * domain is gone. */
static void over_own_memory(void **state)
{
    uint64_t free = frame_free_count();
    uint32_t handle;

    grant(1, 8, 0, FIRST + 9, 0);
    assert_int_equal(map(0, 1, 8, FIRST + 20, 0, &handle), GNTST_okay);
    assert_int_equal(frame_at(0, FIRST + 20).v, frame_at(1, FIRST + 9).v);
    assert_int_equal(frame_free_count(), free + 1);
    assert_int_equal(dom[0]->tot_pages, PAGES - 1);
    assert_int_equal(unmap(0, handle, FIRST + 20), GNTST_okay);
    assert_int_equal(type_at(0, FIRST + 20), P2M_NONE);
}

/* A guest may grant to itself: what tests, and Linux's loopback, do. */
static void loopback(void **state)
{
    uint32_t handle;

    grant(1, 8, 1, FIRST + 9, 0);
    assert_int_equal(map(1, 1, 8, HOLE, 0, &handle), GNTST_okay);
    memcpy(page_at(1, HOLE), "to myself", 10);
    assert_string_equal((char *)page_at(1, FIRST + 9), "to myself");
    assert_int_equal(frame_of(frame_at(1, HOLE))->count, 2);
    /* Over the very page that is granted: it is the domain's no more, but still there. */
    grant(1, 9, 1, FIRST + 10, 0);
    assert_int_equal(map(1, 1, 9, FIRST + 10, 0, &handle), GNTST_okay);
    assert_int_equal(type_at(1, FIRST + 10), P2M_GRANT);
    assert_int_equal(unmap(1, handle, FIRST + 10), GNTST_okay);
    assert_int_equal(type_at(1, FIRST + 10), P2M_NONE);
    /* stop(): it dies with one of its own pages mapped. */
}

/* --- handles --------------------------------------------------------------------------------- */

/* A backend with many guests needs many handles; one that takes them all harms itself only. */
static void handles(void **state)
{
    uint32_t handle, n = 0;

    domain_end(0);
    options.gnttab_max_maptrack_frames = 2;
    domain_add(0);
    grant(1, 8, 0, FIRST + 9, 0);
    while (!map(0, 1, 8, HOLE + n, 0, &handle))
        assert_int_equal(handle, n++);
    assert_int_equal(n, 512);
    assert_int_equal(map(0, 1, 8, HOLE + n, 0, &handle), GNTST_no_space);
    assert_int_equal(unmap(0, 300, HOLE + 300), GNTST_okay);
    assert_int_equal(map(0, 1, 8, HOLE + n, 0, &handle), GNTST_okay);
    assert_int_equal(handle, 300);
    assert_int_equal(map(0, 1, 8, HOLE + n + 1, 0, &handle), GNTST_no_space);
    assert_int_equal(dom[1]->refs, 513);
    options.gnttab_max_maptrack_frames = 1024;
    domain_end(0);
    assert_int_equal(dom[1]->refs, 1);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
}

/* --- batches --------------------------------------------------------------------------------- */

#define BATCH 100u

/* Puts a batch at the end of the guest's first page, so that it goes over into the second. */
static void put_batch(const void *ops, size_t bytes, uint64_t *at)
{
    size_t first = 1000;

    *at = OPS + FRAME_SIZE - first;
    memcpy(page_at(0, FIRST) + FRAME_SIZE - first, ops, first);
    for (size_t done = first; done < bytes; done += FRAME_SIZE)
        memcpy(page_at(0, FIRST + 1 + done / FRAME_SIZE), (const uint8_t *)ops + done,
               min(bytes - done, (size_t)FRAME_SIZE));
}

static void fetch_batch(void *ops, size_t bytes)
{
    size_t first = 1000;

    memcpy(ops, page_at(0, FIRST) + FRAME_SIZE - first, first);
    for (size_t done = first; done < bytes; done += FRAME_SIZE)
        memcpy((uint8_t *)ops + done, page_at(0, FIRST + 1 + done / FRAME_SIZE),
               min(bytes - done, (size_t)FRAME_SIZE));
}

/* Long batches, cut up by whatever is more urgent, do each of their elements once; and unmapping
 * flushes TLBs once for many. */
static void batches(void **state)
{
    static struct gnttab_map_grant_ref maps[BATCH];
    static struct gnttab_unmap_grant_ref unmaps[BATCH];
    uint64_t at;
    uint32_t flushes;

    grant(1, 8, 0, FIRST + 9, 0);
    for (stops = 0; stops < 5; stops++) {
        for (uint32_t i = 0; i < BATCH; i++)
            maps[i] =
                (struct gnttab_map_grant_ref){ .host_addr = (uint64_t)(HOLE + i) << FRAME_SHIFT,
                                               .flags = GNTMAP_host_map,
                                               .ref = i == 50 ? 9 : 8,
                                               .dom = 1,
                                               .status = 77 };
        put_batch(maps, sizeof(maps), &at);
        assert_int_equal(call(0, GNTTABOP_map_grant_ref, at, BATCH), 0);
        fetch_batch(maps, sizeof(maps));
        for (uint32_t i = 0; i < BATCH; i++) {
            assert_int_equal(maps[i].status, i == 50 ? GNTST_general_error : GNTST_okay);
            unmaps[i] = (struct gnttab_unmap_grant_ref){ .host_addr = maps[i].host_addr,
                                                         .handle = i == 50 ? 4000 : maps[i].handle,
                                                         .status = 77 };
        }
        assert_int_equal(dom[0]->gnttab.maptrack.made, 128);
        put_batch(unmaps, sizeof(unmaps), &at);
        flushes = dom[0]->arch.flushes;
        assert_int_equal(call(0, GNTTABOP_unmap_grant_ref, at, BATCH), 0);
        assert_in_range(dom[0]->arch.flushes - flushes, 1, div_round_up(BATCH, P2M_BATCH));
        fetch_batch(unmaps, sizeof(unmaps));
        for (uint32_t i = 0; i < BATCH; i++)
            assert_int_equal(unmaps[i].status, i == 50 ? GNTST_bad_handle : GNTST_okay);
        assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
    }
    stops = 0;
}

/* Requests in memory that is not there: an error, and what came before them is done. */
static void bad_addresses(void **state)
{
    uint64_t last = ((uint64_t)(FIRST + PAGES) << FRAME_SHIFT);
    struct gnttab_map_grant_ref op = { .host_addr = (uint64_t)HOLE << FRAME_SHIFT,
                                       .flags = GNTMAP_host_map,
                                       .ref = 8,
                                       .dom = 1,
                                       .status = 77 };
    struct gnttab_unmap_grant_ref undo = { .host_addr = op.host_addr };

    grant(1, 8, 0, FIRST + 9, 0);
    for (uint32_t command = 0; command < 16; command++) {
        int64_t got = call(0, command, last, 1);

        if (command == GNTTABOP_transfer)
            assert_int_equal(got, -EOPNOTSUPP);
        else
            assert_int_equal(got,
                             command == GNTTABOP_dump_table || command > 12 ? -ENOSYS : -EFAULT);
        assert_int_equal(call(0, command | 1u << 12, last, 1),
                         command == GNTTABOP_cache_flush ? -EFAULT : -EINVAL);
        assert_int_equal(call(0, command, last, (uint64_t)INT32_MAX + 1), -EINVAL);
    }
    memcpy(page_at(0, FIRST + PAGES - 1) + FRAME_SIZE - sizeof(op), &op, sizeof(op));
    assert_int_equal(call(0, GNTTABOP_map_grant_ref, last - sizeof(op), 2), -EFAULT);
    memcpy(&op, page_at(0, FIRST + PAGES - 1) + FRAME_SIZE - sizeof(op), sizeof(op));
    assert_int_equal(op.status, GNTST_okay);
    assert_int_equal(type_at(0, HOLE), P2M_GRANT);
    undo.handle = op.handle;
    memcpy(page_at(0, FIRST + PAGES - 1) + FRAME_SIZE - sizeof(undo), &undo, sizeof(undo));
    assert_int_equal(call(0, GNTTABOP_unmap_grant_ref, last - sizeof(undo), 2), -EFAULT);
    assert_int_equal(type_at(0, HOLE), P2M_NONE);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(maps),     TEST(map_errors),   TEST(only_own_memory), TEST(hostile_granter),
        TEST(readonly), TEST(unmap_errors), TEST(stays_mapped),    TEST(over_own_memory),
        TEST(loopback), TEST(handles),      TEST(batches),         TEST(bad_addresses),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
