/* SPDX-License-Identifier: MIT */
/* One guest that grants to itself: each operation, what it answers, and what it does. */
#include "gnttab.h"

#define REF  8u /* the first ones are reserved */
#define LAST 511u

static _Alignas(4096) volatile uint8_t page[4096], other[4096];
static domid_t me;

static void expect(int got, int want, const char *what)
{
    check_eq((uint64_t)(int64_t)got, (uint64_t)(int64_t)want, "%s", what);
}

static void try_sizes(void)
{
    gnttab_query_size_t query = { .dom = DOMID_SELF };
    gnttab_setup_table_t table_of = { .dom = DOMID_SELF, .nr_frames = 1 };
    uint64_t frame = 0;

    expect(op_status(GNTTABOP_query_size, &query, &query.status), GNTST_okay, "query_size");
    check_eq(query.nr_frames, 1, "one frame at first");
    check(query.max_nr_frames >= 4, "room for more");
    table_of.frame_list.p = &frame;
    expect(op_status(GNTTABOP_setup_table, &table_of, &table_of.status), GNTST_okay, "setup_table");
    check_eq(frame, address(table) / PAGE, "it tells where the table is mapped");
    table_of.nr_frames = query.max_nr_frames + 1;
    expect(op_status(GNTTABOP_setup_table, &table_of, &table_of.status), GNTST_general_error,
           "setup_table beyond the limit");
    if (me > 0) {
        query.dom = (domid_t)(me - 1);
        expect(op_status(GNTTABOP_query_size, &query, &query.status), GNTST_permission_denied,
               "query_size of another");
    }
    query.dom = 0x7000;
    expect(op_status(GNTTABOP_query_size, &query, &query.status), GNTST_bad_domain,
           "query_size of nobody");
}

static void try_versions(void)
{
    gnttab_set_version_t set = { .version = 2 };
    gnttab_get_version_t get = { .dom = DOMID_SELF };
    const int16_t none = 0;

    expect(op_status(GNTTABOP_set_version, &set, &none), -1000 - 38, "set_version 2: ENOSYS");
    check_eq(set.version, 1, "it tells the version there is");
    expect(op_status(GNTTABOP_set_version, &set, &none), 0, "set_version 1");
    set.version = 3;
    expect(op_status(GNTTABOP_set_version, &set, &none), -1000 - 22, "set_version 3: EINVAL");
    expect(op_status(GNTTABOP_get_version, &get, &none), 0, "get_version");
    check_eq(get.version, 1, "version 1");
}

static void try_maps(void)
{
    uint32_t handle, second;
    volatile uint8_t *there = at(hole);

    page[5] = 42;
    grant(REF, me, page, 0);
    check(!is_memory(hole), "nothing there at first");
    expect(map(me, REF, hole, GNTMAP_host_map, &handle), GNTST_okay, "map");
    check_eq(table[REF].flags, GTF_permit_access | GTF_reading | GTF_writing, "in use");
    check_eq(there[5], 42, "reads through the mapping");
    there[6] = 43;
    check_eq(page[6], 43, "writes through the mapping");
    expect(map(me, REF, hole + PAGE, GNTMAP_host_map | GNTMAP_readonly, &second), GNTST_okay,
           "map again, to read");
    check_eq(there[PAGE + 6], 43, "reads through that");
    check(refuses_write(hole + PAGE + 6), "does not write through that");
    check_eq(page[6], 43, "nothing was written");
    if (!is_xen()) /* which believes the guest, and leaves the page mapped that it counts no more */
        expect(unmap(handle, hole + PAGE), GNTST_general_error, "unmap at the wrong place");
    expect(unmap(handle + 1000, hole), GNTST_bad_handle, "unmap with a wrong handle");
    expect(unmap(handle, hole), GNTST_okay, "unmap");
    expect(unmap(handle, hole), GNTST_bad_handle, "unmap again");
    check(!is_memory(hole), "nothing there any more");
    check_eq(table[REF].flags, GTF_permit_access | GTF_reading, "in use, to read");
    expect(unmap(second, hole + PAGE), GNTST_okay, "unmap the other");
    check_eq(table[REF].flags, GTF_permit_access, "not in use");
}

static void try_map_errors(void)
{
    uint32_t handle;

    expect(map(me, REF, hole, 0, &handle), GNTST_bad_gntref, "map with no kind of mapping");
    expect(map(me, REF, hole, GNTMAP_host_map | GNTMAP_device_map, &handle), GNTST_general_error,
           "map for a device");
    expect(map(me, REF, hole, GNTMAP_host_map | GNTMAP_contains_pte, &handle), GNTST_general_error,
           "map by a table entry");
    expect(map(me, 1u << 30, hole, GNTMAP_host_map, &handle), GNTST_bad_gntref,
           "map beyond the table");
    expect(map(0x7000, REF, hole, GNTMAP_host_map, &handle), GNTST_bad_domain, "map of nobody's");
    expect(map(DOMID_SELF, REF, hole, GNTMAP_host_map, &handle), GNTST_bad_domain,
           "map of DOMID_SELF");
    expect(map(me, LAST, hole, GNTMAP_host_map, &handle), GNTST_general_error,
           "map of an empty entry");
    grant(LAST, (domid_t)(me + 1), page, 0);
    expect(map(me, LAST, hole, GNTMAP_host_map, &handle), GNTST_general_error,
           "map of a grant to another");
    grant(LAST, me, page, GTF_readonly);
    expect(map(me, LAST, hole, GNTMAP_host_map, &handle), GNTST_general_error,
           "map to write what may be read");
    grant(LAST, me, at(hole), 0);
    expect(map(me, LAST, hole, GNTMAP_host_map, &handle), GNTST_bad_page,
           "map of a page that is not there");
    check_eq(table[LAST].flags, GTF_permit_access, "no use is left of any of these");
}

static void try_copies(void)
{
    grant(REF, me, page, GTF_readonly);
    for (unsigned int i = 0; i < PAGE; i++)
        page[i] = (uint8_t)(i * 7);
    expect(copy_from(me, REF, 1000, other + 3000, 1096), GNTST_okay, "copy from a grant");
    for (unsigned int i = 0; i < 1096; i++)
        if (other[3000 + i] != (uint8_t)((1000 + i) * 7)) {
            check(false, "copied bytes: byte %u", i);
            break;
        }
    check_eq(other[2999], 0, "no byte before");
    expect(copy_to(me, REF, other, 0, 1), GNTST_general_error, "copy to a read-only grant");
    expect(copy_from(me, REF, 4000, other, 97), GNTST_bad_copy_arg, "copy across a page's end");
    expect(copy_from(me, LAST - 1, 0, other, 1), GNTST_general_error, "copy from an empty entry");
    expect(copy_from(0x7000, REF, 0, other, 1), GNTST_bad_domain, "copy from nobody");
    expect(copy_from(me, REF, 0, at(hole), 1), GNTST_bad_page, "copy to nowhere");
    grant(REF, me, page, 0);
    other[0] = 99;
    expect(copy_to(me, REF, other, 4095, 1), GNTST_okay, "copy to a grant");
    check_eq(page[4095], 99, "it is there");
    check_eq(table[REF].flags, GTF_permit_access, "not in use after copies");
}

static void try_rest(void)
{
    gnttab_swap_grant_ref_t swap = { .ref_a = REF, .ref_b = REF + 1 };
    gnttab_get_status_frames_t status = { .dom = DOMID_SELF, .nr_frames = 1 };
    uint32_t handle;

    grant(REF + 1, me, other, GTF_readonly);
    expect(op_status(GNTTABOP_swap_grant_ref, &swap, &swap.status), GNTST_okay, "swap");
    check_eq(table[REF].frame, address(other) / PAGE, "entries have changed places");
    check_eq(table[REF].flags, GTF_permit_access | GTF_readonly, "with their flags");
    expect(map(me, REF, hole, GNTMAP_host_map | GNTMAP_readonly, &handle), GNTST_okay, "map");
    expect(op_status(GNTTABOP_swap_grant_ref, &swap, &swap.status), GNTST_eagain,
           "swap of one in use");
    expect(unmap(handle, hole), GNTST_okay, "unmap");
    check_eq((uint64_t)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_transfer, 0, 1, 0, 0),
             (uint64_t)-95, "transfer: EOPNOTSUPP");
    expect(op_status(GNTTABOP_get_status_frames, &status, &status.status), GNTST_general_error,
           "get_status_frames");
    check_eq((uint64_t)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_dump_table, 0, 1, 0, 0),
             (uint64_t)-38, "dump_table: ENOSYS");
    check_eq((uint64_t)hypercall(__HYPERVISOR_grant_table_op, 4000, 0, 1, 0, 0), (uint64_t)-38,
             "no such command: ENOSYS");
    check_eq(
        (uint64_t)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, hole, 1, 0, 0),
        (uint64_t)-14, "nothing where the request is: EFAULT");
    check_eq((uint64_t)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, hole,
                                 UINT32_MAX, 0, 0),
             (uint64_t)-22, "too many of them: EINVAL");
}

static void try_cache(void)
{
    gnttab_map_grant_ref_t map_it = {
        .host_addr = hole, .flags = GNTMAP_host_map, .ref = REF, .dom = me
    };
    gnttab_cache_flush_t op = { .length = PAGE, .op = GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL };
    const int16_t none = 0;

    grant(REF, me, page, 0);
    expect(op_status(GNTTABOP_map_grant_ref, &map_it, &map_it.status), GNTST_okay, "map");
    op.a.dev_bus_addr = map_it.dev_bus_addr;
    page[77] = 77;
    expect(op_status(GNTTABOP_cache_flush, &op, &none), 0, "cache_flush");
    check_eq(page[77], 77, "nothing is lost");
    op.offset = 1;
    expect(op_status(GNTTABOP_cache_flush, &op, &none), -1000 - 22, "cache_flush beyond a page");
    op.offset = 0;
    op.a.dev_bus_addr = UINT64_C(1) << 46;
    expect(op_status(GNTTABOP_cache_flush, &op, &none), -1000 - 22, "cache_flush of no memory");
    expect(unmap(map_it.handle, hole), GNTST_okay, "unmap");
}

#define MANY 300u

/* More than a call can do at once, perhaps: it goes on where it was interrupted. */
static void try_many(void)
{
    static gnttab_map_grant_ref_t maps[MANY];
    static gnttab_unmap_grant_ref_t unmaps[MANY];
    unsigned int good = 0;

    for (unsigned int i = 0; i < 4; i++) /* Xen counts to 127 */
        grant(REF + i, me, page, 0);
    for (unsigned int i = 0; i < MANY; i++)
        maps[i] = (gnttab_map_grant_ref_t){ .host_addr = hole + i * PAGE,
                                            .flags = GNTMAP_host_map,
                                            .ref = REF + i % 4,
                                            .dom = me,
                                            .status = 1 };
    check_eq((uint64_t)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, address(maps),
                                 MANY, 0, 0),
             0, "map many");
    for (unsigned int i = 0; i < MANY; i++) {
        good += !maps[i].status && *(volatile uint8_t *)at(hole + i * PAGE + 77) == 77;
        unmaps[i] = (gnttab_unmap_grant_ref_t){ .host_addr = maps[i].host_addr,
                                                .handle = maps[i].handle,
                                                .status = 1 };
    }
    check_eq(good, MANY, "all are mapped");
    check_eq((uint64_t)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                                 address(unmaps), MANY, 0, 0),
             0, "unmap many");
    for (unsigned int i = 0; i < MANY; i++)
        good -= !unmaps[i].status && !is_memory(hole + i * PAGE);
    check_eq(good, 0, "all are unmapped");
    check_eq(table[REF].flags, GTF_permit_access, "none is in use");
}

void loopback(domid_t self)
{
    me = self;
    try_sizes();
    try_versions();
    try_maps();
    try_map_errors();
    try_copies();
    try_rest();
    try_cache();
    try_many();
}
