/* SPDX-License-Identifier: MIT */
// sources: core/gnttab.c core/gnttab_use.c core/gnttab_maptrack.c core/gnttab_map.c core/spinlock.c
// sources: core/gnttab_copy.c core/gnttab_cache.c core/gnttab_table.c core/gnttab_op.c
// sources: core/guest_access.c core/p2m.c core/p2m_batch.c core/pgtable.c core/map.c
// sources: core/frame.c core/frame_free.c
/*
 * Grant tables: copies, cache maintenance, and the operations on tables as a whole. Statuses and
 * errors are those that drivers and toolstacks know from Xen.
 */
#include "test_gnttab.h"

#include <hospes/hypercall.h>

static uint32_t stops; /* hypercall_should_stop() says yes every so many calls */
static uint32_t cleaned;

bool hypercall_should_stop(void)
{
    static uint32_t asked;

    return stops && ++asked % stops == 0;
}

/* --- copies ---------------------------------------------------------------------------------- */

static int copy(uint32_t i, struct gnttab_copy op)
{
    op.status = 77;
    assert_int_equal(CALL(i, GNTTABOP_copy, op), 0);
    return op.status;
}

static struct gnttab_copy from_grant(uint32_t ref, uint32_t granter, uint64_t gfn)
{
    return (struct gnttab_copy){ .source = { .u.ref = ref, .domid = (uint16_t)granter },
                                 .dest = { .u.gmfn = gfn, .domid = DOMID_SELF },
                                 .len = 100,
                                 .flags = GNTCOPY_source_gref };
}

/* How netback moves each packet. */
static void copies(void **state)
{
    struct gnttab_copy op = from_grant(8, 1, FIRST + 20);

    memset(page_at(1, FIRST + 9), 'a', FRAME_SIZE);
    grant(1, 8, 0, FIRST + 9, GTF_readonly);
    op.source.offset = 10;
    op.dest.offset = 4000;
    op.len = 96;
    page_at(0, FIRST + 20)[3999] = 'x';
    assert_int_equal(copy(0, op), GNTST_okay);
    assert_int_equal(page_at(0, FIRST + 20)[3999], 'x');
    assert_int_equal(page_at(0, FIRST + 20)[4000], 'a');
    assert_int_equal(page_at(0, FIRST + 20)[4095], 'a');
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_readonly);
    assert_int_equal(frame_of(frame_at(1, FIRST + 9))->count, 1);
    assert_int_equal(frame_of(frame_at(0, FIRST + 20))->count, 1);

    /* From one domain's grant to another's, by a third. */
    grant(2, 8, 0, FIRST + 3, 0);
    op = (struct gnttab_copy){ .source = { .u.ref = 8, .domid = 1 },
                               .dest = { .u.ref = 8, .domid = 2 },
                               .len = FRAME_SIZE,
                               .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref };
    assert_int_equal(copy(0, op), GNTST_okay);
    assert_memory_equal(page_at(2, FIRST + 3), page_at(1, FIRST + 9), FRAME_SIZE);
    assert_int_equal(entry(2, 8)->flags, GTF_permit_access);

    /* Its own pages, and within one, where they overlap. */
    op = (struct gnttab_copy){ .source = { .u.gmfn = FIRST + 30, .domid = DOMID_SELF },
                               .dest = { .u.gmfn = FIRST + 30, .domid = DOMID_SELF, .offset = 1 },
                               .len = 9 };
    memcpy(page_at(0, FIRST + 30), "123456789", 10);
    assert_int_equal(copy(0, op), GNTST_okay);
    assert_string_equal((char *)page_at(0, FIRST + 30), "1123456789");
    op.len = 0;
    assert_int_equal(copy(0, op), GNTST_okay);
}

/* Whoever asks for more than a page, or for what is not granted, is told what was wrong. */
static void copy_errors(void **state)
{
    struct gnttab_copy op = from_grant(8, 1, FIRST + 20);
    struct gnttab_copy to = { .source = { .u.gmfn = FIRST + 20, .domid = DOMID_SELF },
                              .dest = { .u.ref = 8, .domid = 1 },
                              .len = 1,
                              .flags = GNTCOPY_dest_gref };

    grant(1, 8, 0, FIRST + 9, GTF_readonly);
    assert_int_equal(copy(0, to), GNTST_general_error);
    assert_int_equal(copy(2, op), GNTST_general_error);
    op.source.offset = FRAME_SIZE - 99;
    assert_int_equal(copy(0, op), GNTST_bad_copy_arg);
    op.source.offset = 0;
    op.dest.offset = UINT16_MAX;
    op.len = UINT16_MAX;
    assert_int_equal(copy(0, op), GNTST_bad_copy_arg);
    op = from_grant(GNTTAB_ENTRIES, 1, FIRST + 20);
    assert_int_equal(copy(0, op), GNTST_bad_gntref);
    op = from_grant(8, 9, FIRST + 20);
    assert_int_equal(copy(0, op), GNTST_bad_domain);
    op = from_grant(8, 1, HOLE);
    assert_int_equal(copy(0, op), GNTST_bad_page);
    op.dest.u.gmfn = UINT64_MAX;
    assert_int_equal(copy(0, op), GNTST_bad_page);
    op = from_grant(8, 1, FIRST + 20);
    op.dest.domid = 0; /* itself, but by number: only grants are named so */
    assert_int_equal(copy(0, op), GNTST_permission_denied);
    op.dest.domid = 1;
    assert_int_equal(copy(0, op), GNTST_permission_denied);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_readonly);
    assert_int_equal(frame_of(frame_at(1, FIRST + 9))->count, 1);
    assert_int_equal(frame_of(frame_at(0, FIRST + 20))->count, 1);
    for (uint32_t i = 0; i < DOMAINS; i++)
        assert_int_equal(dom[i]->refs, 1);
}

/* Pages mapped from others are no source and no target by their number here. */
static void copies_own_memory_only(void **state)
{
    struct gnttab_copy op = { .source = { .u.gmfn = HOLE, .domid = DOMID_SELF },
                              .dest = { .u.gmfn = FIRST + 20, .domid = DOMID_SELF },
                              .len = 1 };
    uint32_t handle;

    grant(1, 8, 0, FIRST + 9, 0);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_okay);
    assert_int_equal(copy(0, op), GNTST_bad_page);
    /* But while it is mapped it can be copied from, by its reference. */
    assert_int_equal(copy(0, from_grant(8, 1, FIRST + 20)), GNTST_okay);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);
}

/* Memory that is only reserved yet reads as the guest would find it: clear. */
static void copies_reserved(void **state)
{
    uint8_t zeroes[100] = { 0 };
    mfn_t m;

    assert_int_equal(frame_alloc(1, 0, FRAME_DIRTY_OK, &m, NULL), 0);
    assert_int_equal(p2m_map(dom[1], GFN(HOLE), m, 1, P2M_RESERVED), 0);
    dom[1]->tot_pages++;
    memset(host_ram(mfn_to_maddr(m)), 0xa5, FRAME_SIZE);
    frame_free(m, 1);
    assert_int_equal(frame_alloc_at(m, 1, 1), 0);
    memset(page_at(0, FIRST + 20), 0x5a, 100);
    grant(1, 8, 0, HOLE, 0);
    assert_int_equal(copy(0, from_grant(8, 1, FIRST + 20)), GNTST_okay);
    assert_memory_equal(page_at(0, FIRST + 20), zeroes, 100);
    assert_int_equal(type_at(1, HOLE), P2M_RAM);
}

/* A long batch that is interrupted copies each element once and in order. */
/* Of each of these, source or destination goes to another page while the other stays. */
static void copies_in_a_row(void **state)
{
    static const struct {
        uint16_t flags;
        uint32_t from, to; /* grants of domain 1, or pages of the caller's */
        int status;
    } rows[] = {
        { GNTCOPY_source_gref, 8, FIRST + 20, GNTST_okay },
        { GNTCOPY_source_gref, 9, FIRST + 21, GNTST_okay },
        { GNTCOPY_source_gref, 10, FIRST + 21, GNTST_general_error }, /* no such grant */
        { GNTCOPY_source_gref, 9, FIRST + 22, GNTST_okay },
        { 0, FIRST + 20, FIRST + 23, GNTST_okay },
        { GNTCOPY_dest_gref, FIRST + 20, 11, GNTST_okay },
        { GNTCOPY_dest_gref, FIRST + 21, 12, GNTST_okay },
        { GNTCOPY_source_gref | GNTCOPY_dest_gref, 12, 11, GNTST_okay },
        { GNTCOPY_source_gref | GNTCOPY_dest_gref, 11, 11, GNTST_okay },
        { GNTCOPY_dest_gref, FIRST + 21, 8, GNTST_general_error }, /* read-only */
    };
    struct gnttab_copy op[array_size(rows)];

    grant(1, 8, 0, FIRST + 8, GTF_readonly);
    grant(1, 9, 0, FIRST + 9, GTF_readonly);
    *entry(1, 10) = (struct grant_entry_v1){ 0, 0, 0 };
    grant(1, 11, 0, FIRST + 11, 0);
    grant(1, 12, 0, FIRST + 12, 0);
    memset(page_at(1, FIRST + 8), 8, 4);
    memset(page_at(1, FIRST + 9), 9, 4);
    for (uint32_t i = 0; i < array_size(rows); i++) {
        op[i] = (struct gnttab_copy){ .flags = rows[i].flags, .len = 4, .status = 77 };
        op[i].source.domid = rows[i].flags & GNTCOPY_source_gref ? 1 : DOMID_SELF;
        op[i].dest.domid = rows[i].flags & GNTCOPY_dest_gref ? 1 : DOMID_SELF;
        op[i].source.u.gmfn = rows[i].from;
        op[i].dest.u.gmfn = rows[i].to;
    }
    memcpy(page_at(0, FIRST), op, sizeof(op));
    assert_int_equal(call(0, GNTTABOP_copy, OPS, array_size(rows)), 0);
    memcpy(op, page_at(0, FIRST), sizeof(op));
    for (uint32_t i = 0; i < array_size(rows); i++)
        assert_int_equal(op[i].status, rows[i].status);
    assert_int_equal(page_at(0, FIRST + 20)[3], 8);
    assert_int_equal(page_at(0, FIRST + 21)[3], 9);
    assert_int_equal(page_at(0, FIRST + 22)[3], 9);
    assert_int_equal(page_at(0, FIRST + 23)[3], 8);
    assert_int_equal(page_at(1, FIRST + 11)[3], 9);
    assert_int_equal(page_at(1, FIRST + 12)[3], 9);
    /* Nothing is in use, or counted, any more. */
    for (uint32_t ref = 8; ref <= 12; ref++) {
        assert_int_equal(entry(1, ref)->flags & (GTF_reading | GTF_writing), 0);
        assert_int_equal(frame_of(frame_at(1, FIRST + ref))->count, 1);
    }
    for (uint32_t i = 20; i <= 23; i++)
        assert_int_equal(frame_of(frame_at(0, FIRST + i))->count, 1);
}

static void copy_batches(void **state)
{
    struct gnttab_copy op[40];

    for (stops = 0; stops < 4; stops++) {
        memset(page_at(0, FIRST + 20), 0, FRAME_SIZE);
        page_at(0, FIRST + 20)[0] = (uint8_t)(7 + stops);
        for (uint32_t i = 0; i < 40; i++)
            op[i] = (struct gnttab_copy){
                .source = { .u.gmfn = FIRST + 20, .domid = DOMID_SELF, .offset = (uint16_t)i },
                .dest = { .u.gmfn = FIRST + 20, .domid = DOMID_SELF, .offset = (uint16_t)(i + 1) },
                .len = i == 39 ? 5000 : 1,
                .status = 77
            };
        memcpy(page_at(0, FIRST), op, sizeof(op));
        assert_int_equal(call(0, GNTTABOP_copy, OPS, 40), 0);
        memcpy(op, page_at(0, FIRST), sizeof(op));
        assert_int_equal(page_at(0, FIRST + 20)[39], 7 + stops);
        assert_int_equal(page_at(0, FIRST + 20)[40], 0);
        assert_int_equal(op[38].status, GNTST_okay);
        assert_int_equal(op[39].status, GNTST_bad_copy_arg);
    }
    stops = 0;
}

/* --- caches ---------------------------------------------------------------------------------- */

void arch_cache_clean(const void *p, uint64_t bytes)
{
    cleaned += (uint32_t)bytes;
}

static int64_t flush(uint32_t i, mfn_t m, uint16_t offset, uint16_t length, uint32_t op)
{
    struct gnttab_cache_flush f = {
        .a.dev_bus_addr = mfn_to_maddr(m).v, .offset = offset, .length = length, .op = op
    };

    return CALL(i, GNTTABOP_cache_flush, f);
}

/* Linux's DMA by devices that do not see caches, on pages of other domains: disks read rubbish
 * without. Nobody does it to pages that are none of its business. */
static void flushes_caches(void **state)
{
    const uint32_t both = GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL;
    uint32_t handle, again;
    mfn_t m = frame_at(1, FIRST + 9);

    cleaned = 0;
    assert_int_equal(flush(0, m, 0, 1, both), -EINVAL);
    grant(1, 400, 0, FIRST + 9, 0);
    assert_int_equal(flush(0, m, 0, 1, both), -EINVAL); /* granted is not mapped */
    assert_int_equal(map(0, 1, 400, HOLE, 0, &handle), GNTST_okay);
    assert_int_equal(flush(2, m, 0, 1, both), -EINVAL);
    assert_int_equal(cleaned, 0);
    assert_int_equal(flush(0, m, 0, FRAME_SIZE, both), 0);
    assert_int_equal(flush(0, m, 4000, 96, GNTTAB_CACHE_CLEAN), 0);
    assert_int_equal(flush(1, m, 1, 1, GNTTAB_CACHE_INVAL), 0); /* its own */
    assert_int_equal(cleaned, FRAME_SIZE + 97);
    assert_int_equal(flush(0, m, 0, 0, both), 0);
    assert_int_equal(flush(0, m, 0, 1, 0), 0);
    assert_int_equal(flush(0, m, 4000, 97, both), -EINVAL);
    assert_int_equal(flush(0, m, FRAME_SIZE, 0, both), -EINVAL);
    assert_int_equal(flush(0, m, 0, FRAME_SIZE + 1, both), -EINVAL);
    assert_int_equal(flush(0, m, 0, 1, 4), -EINVAL);
    assert_int_equal(flush(0, m, 0, 1, both | GNTTAB_CACHE_SOURCE_GREF), -EINVAL);
    assert_int_equal(flush(0, MFN(0), 0, 1, both), -EINVAL); /* no RAM */
    assert_int_equal(flush(0, maddr_to_mfn(MADDR(RAM + RAM_BYTES - MIB(1))), 0, 1, both), -EPERM);
    assert_int_equal(cleaned, FRAME_SIZE + 97);

    /* Found also far behind in a large table, by a search that lets others have their turn. */
    assert_int_equal(gnttab_frame(dom[1], 63, true, &m), 0);
    frame_put(m);
    grant(1, 64 * GNTTAB_ENTRIES - 1, 0, FIRST + 10, 0);
    assert_int_equal(map(0, 1, 64 * GNTTAB_ENTRIES - 1, HOLE + 1, 0, &again), GNTST_okay);
    for (stops = 0; stops < 4; stops++)
        assert_int_equal(flush(0, frame_at(1, FIRST + 10), 0, 1, both), 0);
    stops = 0;
    assert_int_equal(cleaned, FRAME_SIZE + 97 + 4);
    assert_int_equal(flush(0, frame_at(1, FIRST + 11), 0, 1, both), -EINVAL);
    assert_int_equal(unmap(0, again, HOLE + 1), GNTST_okay);
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);
    assert_int_equal(frame_of(frame_at(1, FIRST + 9))->count, 1);
}

/* --- tables ---------------------------------------------------------------------------------- */

/* The frontend's start: how large its table may be, and its growth. */
static void sizes(void **state)
{
    struct gnttab_query_size query = { .dom = DOMID_SELF, .status = 77 };
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 3, .status = 77 };
    uint64_t *list = (uint64_t *)(void *)page_at(1, FIRST + 1);
    mfn_t m;

    assert_int_equal(CALL(1, GNTTABOP_query_size, query), 0);
    assert_int_equal(query.status, GNTST_okay);
    assert_int_equal(query.nr_frames, 1);
    assert_int_equal(query.max_nr_frames, 64);
    setup.frame_list.p = (xen_pfn_t *)(uintptr_t)(OPS + FRAME_SIZE);
    gnttab_frame_mapped(dom[1], 0, GFN(HOLE + 5));
    assert_int_equal(CALL(1, GNTTABOP_setup_table, setup), 0);
    assert_int_equal(setup.status, GNTST_okay);
    assert_int_equal(gnttab_nr_frames(dom[1]), 3);
    assert_int_equal(list[0], HOLE + 5);
    assert_int_equal(list[1], UINT64_MAX);
    setup.nr_frames = 65;
    assert_int_equal(CALL(1, GNTTABOP_setup_table, setup), 0);
    assert_int_equal(setup.status, GNTST_general_error);
    setup.nr_frames = UINT32_MAX;
    assert_int_equal(CALL(1, GNTTABOP_setup_table, setup), 0);
    assert_int_equal(setup.status, GNTST_general_error);
    setup.nr_frames = 2;
    setup.frame_list.p = NULL;
    assert_int_equal(CALL(1, GNTTABOP_setup_table, setup), 0);
    assert_int_equal(setup.status, GNTST_bad_virt_addr);
    setup.dom = 2; /* another's is the toolstack's business only */
    assert_int_equal(CALL(1, GNTTABOP_setup_table, setup), 0);
    assert_int_equal(setup.status, GNTST_permission_denied);
    query.dom = 9;
    assert_int_equal(CALL(1, GNTTABOP_query_size, query), 0);
    assert_int_equal(query.status, GNTST_bad_domain);
    query.dom = 1;
    assert_int_equal(CALL(2, GNTTABOP_query_size, query), 0);
    assert_int_equal(query.status, GNTST_permission_denied);
    assert_int_equal(CALL(0, GNTTABOP_query_size, query), 0);
    assert_int_equal(query.status, GNTST_okay);
    assert_int_equal(query.nr_frames, 3);
    assert_int_equal(call(1, GNTTABOP_query_size, OPS, 2), -EINVAL);
    assert_int_equal(call(1, GNTTABOP_setup_table, OPS, 0), -EINVAL);
    assert_int_equal(gnttab_frame(dom[1], 63, true, &m), 0);
    frame_put(m);
    assert_int_equal(gnttab_frame(dom[1], 64, true, &m), -EINVAL);
    assert_int_equal(gnttab_frame(dom[2], 1, false, &m), -EINVAL);
}

/* Kernels ask for version 2 first, and go on with 1 when they are told that there is none. */
static void versions(void **state)
{
    struct gnttab_set_version set = { .version = 2 };
    struct gnttab_get_version get = { .dom = DOMID_SELF };
    struct gnttab_get_status_frames status = { .dom = DOMID_SELF, .nr_frames = 1 };

    assert_int_equal(CALL(1, GNTTABOP_set_version, set), -ENOSYS);
    assert_int_equal(set.version, 1);
    assert_int_equal(CALL(1, GNTTABOP_set_version, set), 0);
    set.version = 3;
    assert_int_equal(CALL(1, GNTTABOP_set_version, set), -EINVAL);
    assert_int_equal(CALL(1, GNTTABOP_get_version, get), 0);
    assert_int_equal(get.version, 1);
    get.dom = 2;
    assert_int_equal(CALL(1, GNTTABOP_get_version, get), -EPERM);
    assert_int_equal(CALL(0, GNTTABOP_get_version, get), 0);
    get.dom = 9;
    assert_int_equal(CALL(0, GNTTABOP_get_version, get), -ESRCH);
    assert_int_equal(CALL(1, GNTTABOP_get_status_frames, status), 0);
    assert_int_equal(status.status, GNTST_general_error);
    status.nr_frames = 0;
    assert_int_equal(CALL(1, GNTTABOP_get_status_frames, status), 0);
    assert_int_equal(status.status, GNTST_okay);
    assert_int_equal(call(1, GNTTABOP_get_status_frames, OPS, 2), -EINVAL);
}

/* Two entries change places only while nobody uses them. */
static void swaps(void **state)
{
    struct gnttab_swap_grant_ref op = { .ref_a = 8, .ref_b = 9 };
    uint32_t handle;

    grant(1, 8, 0, FIRST + 9, 0);
    grant(1, 9, 2, FIRST + 10, GTF_readonly);
    assert_int_equal(CALL(1, GNTTABOP_swap_grant_ref, op), 0);
    assert_int_equal(op.status, GNTST_okay);
    assert_int_equal(entry(1, 9)->frame, FIRST + 9);
    assert_int_equal(entry(1, 8)->domid, 2);
    assert_int_equal(map(0, 1, 9, HOLE, 0, &handle), GNTST_okay);
    assert_int_equal(CALL(1, GNTTABOP_swap_grant_ref, op), 0);
    assert_int_equal(op.status, GNTST_eagain);
    op.ref_a = op.ref_b;
    assert_int_equal(CALL(1, GNTTABOP_swap_grant_ref, op), 0);
    assert_int_equal(op.status, GNTST_okay);
    op.ref_a = GNTTAB_ENTRIES;
    assert_int_equal(CALL(1, GNTTABOP_swap_grant_ref, op), 0);
    assert_int_equal(op.status, GNTST_bad_gntref);
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);
}

/* Pages are not given away so by guests that do not know machine addresses, on Xen neither. */
static void transfers(void **state)
{
    struct gnttab_transfer op = { .mfn = FIRST + 9, .domid = 0, .ref = 8, .status = 77 };

    assert_int_equal(CALL(1, GNTTABOP_transfer, op), -EOPNOTSUPP);
    assert_int_equal(op.status, 77);
    assert_int_equal(type_at(1, FIRST + 9), P2M_RAM);
}

/* Limits that a toolstack gives a domain it makes. */
static void limits(void **state)
{
    struct domain d = { .id = 5,
                        .gnttab = { .lock = SPINLOCK_INIT(LOCK_GNTTAB),
                                    .maptrack.lock = SPINLOCK_INIT(LOCK_MAPTRACK) } };

    assert_int_equal(gnttab_domain_init(&d, 65, -1, 1), -EINVAL);
    assert_int_equal(gnttab_domain_init(&d, -1, 1025, 1), -EINVAL);
    assert_int_equal(gnttab_domain_init(&d, 0, -1, 1), -EINVAL);
    assert_int_equal(gnttab_domain_init(&d, -1, -1, 2), -EINVAL);
    assert_int_equal(gnttab_domain_init(&d, -1, -1, 0), -EINVAL);
    assert_int_equal(gnttab_domain_init(&d, 4, 0, 1), 0);
    assert_int_equal(d.gnttab.max_frames, 4);
    assert_int_equal(d.gnttab.maptrack.max, 0);
    gnttab_destroy(&d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(copies),          TEST(copy_errors),     TEST(copies_own_memory_only),
        TEST(copies_reserved), TEST(copies_in_a_row), TEST(copy_batches),
        TEST(flushes_caches),  TEST(sizes),           TEST(versions),
        TEST(swaps),           TEST(transfers),       TEST(limits),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
