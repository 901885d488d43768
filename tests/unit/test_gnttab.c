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
    assert_int_equal(frame_of(frame_at(1, FIRST + 9))->count, 3);

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(maps),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
