/* SPDX-License-Identifier: MIT */
// sources: core/gnttab.c core/gnttab_use.c core/gnttab_maptrack.c core/gnttab_map.c core/spinlock.c
// sources: core/gnttab_copy.c core/gnttab_cache.c core/gnttab_table.c core/gnttab_op.c
// sources: core/guest_access.c core/p2m.c core/p2m_batch.c core/pgtable.c core/map.c
// sources: core/frame.c core/frame_free.c
/*
 * Grant tables when domains come and go: whoever dies, in any state and in any order, leaves
 * nothing behind and takes nothing from others. And long random lives, after each step of which the
 * count of every frame and of every use is what it has to be.
 */
#include "test_gnttab.h"

#include <hospes/hypercall.h>

static void (*meanwhile)(void); /* what happens between two of a call's requests; once */

bool hypercall_should_stop(void)
{
    void (*happens)(void) = meanwhile;

    meanwhile = NULL;
    if (happens)
        happens();
    return false;
}

/* --- one death ------------------------------------------------------------------------------- */

/* A guest is destroyed while a backend has its pages mapped: the backend goes on to see them until
 * it lets go, and only then are they another's. */
static void granter_dies(void **state)
{
    uint64_t free = frame_free_count();
    uint32_t handle, second, third;
    mfn_t m = frame_at(1, FIRST + 9);

    grant(1, 8, 0, FIRST + 9, 0);
    memcpy(page_at(1, FIRST + 9), "kept", 5);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_okay);
    assert_int_equal(map(0, 1, 8, HOLE + 1, GNTMAP_readonly, &second), GNTST_okay);
    domain_end(1);
    assert_int_equal(frame_free_count(), free + PAGES); /* its table's frame in place of this one */
    assert_string_equal((char *)page_at(0, HOLE), "kept");
    assert_int_equal(frame_of(m)->count, 2);
    assert_int_equal(frame_owner(frame_of(m)), OWNER_NONE);
    assert_int_equal(map(0, 1, 8, HOLE + 2, 0, &third), GNTST_bad_domain);
    /* Its number is given to another, which has nothing to do with that. */
    domain_add(1);
    grant(1, 8, 0, FIRST + 9, 0);
    assert_int_equal(map(0, 1, 8, HOLE + 2, 0, &third), GNTST_okay);
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(frame_of(m)->count, 1);
    assert_int_equal(unmap(0, second, HOLE + 1), GNTST_okay);
    assert_int_equal(frame_of(m)->count, 0);
    assert_int_equal(unmap(0, third, HOLE + 2), GNTST_okay);
    assert_int_equal(frame_free_count(), free);
}

/* A granter that is going begins no use, but what there is ends as ever. */
static void granter_is_dying(void **state)
{
    struct gnttab_copy op = { .source = { .u.ref = 8, .domid = 1 },
                              .dest = { .u.gmfn = FIRST, .domid = DOMID_SELF },
                              .len = 1,
                              .flags = GNTCOPY_source_gref };
    uint32_t handle, second;
    mfn_t m;

    grant(1, 8, 0, FIRST + 9, 0);
    assert_int_equal(map(0, 1, 8, HOLE, 0, &handle), GNTST_okay);
    while (gnttab_release_step(dom[1]))
        ;
    assert_int_equal(map(0, 1, 8, HOLE + 1, 0, &second), GNTST_bad_domain);
    assert_int_equal(CALL(0, GNTTABOP_copy, op), 0);
    assert_int_equal(op.status, GNTST_bad_domain);
    assert_int_equal(gnttab_frame(dom[1], 0, true, &m), -EINVAL);
    assert_int_equal(gnttab_nr_frames(dom[1]), 0);
    assert_int_equal(unmap(0, handle, HOLE), GNTST_okay);
    assert_false(gnttab_release_step(dom[1]));
}

/* A driver domain crashes with pages of many mapped: its guests get them back. */
static void mapper_dies(void **state)
{
    uint32_t handle;

    grant(1, 8, 0, FIRST + 9, 0);
    grant(2, 8, 0, FIRST + 9, GTF_readonly);
    for (uint32_t i = 0; i < 700; i++)
        assert_int_equal(map(0, 1, 8, HOLE + i, 0, &handle), GNTST_okay);
    assert_int_equal(map(0, 2, 8, HOLE + 1000, GNTMAP_readonly, &handle), GNTST_okay);
    assert_int_equal(dom[1]->refs, 701);
    assert_true(gnttab_release_step(dom[0])); /* in steps */
    domain_end(0);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
    assert_int_equal(entry(2, 8)->flags, GTF_permit_access | GTF_readonly);
    assert_int_equal(frame_of(frame_at(1, FIRST + 9))->count, 1);
    assert_int_equal(frame_of(frame_at(2, FIRST + 9))->count, 1);
    assert_int_equal(dom[1]->refs, 1);
}

/* Each has pages of the other mapped, and both go: neither waits for the other. */
static void both_die(void **state)
{
    uint32_t handle;

    grant(1, 8, 2, FIRST + 9, 0);
    grant(2, 8, 1, FIRST + 9, 0);
    assert_int_equal(map(1, 2, 8, HOLE, 0, &handle), GNTST_okay);
    assert_int_equal(map(2, 1, 8, HOLE, 0, &handle), GNTST_okay);
    domain_end(1);
    domain_end(2);
}

static void granter_goes(void)
{
    domain_end(1);
}

/* The page that is held stays until another is asked for; then neither it nor its granter is there.
 */
static void granter_goes_meanwhile(void **state)
{
    struct gnttab_copy op[40];
    uint64_t free;

    domain_end(1);
    free = frame_free_count();
    domain_add(1);
    grant(1, 8, 0, FIRST + 9, 0);
    memcpy(page_at(1, FIRST + 9), "kept", 5);
    for (uint32_t i = 0; i < array_size(op); i++)
        op[i] = (struct gnttab_copy){ .source = { .u.ref = 8, .domid = i == 36 ? 9 : 1 },
                                      .dest = { .u.gmfn = FIRST + 1 + i, .domid = DOMID_SELF },
                                      .len = 5,
                                      .flags = GNTCOPY_source_gref };
    memcpy(page_at(0, FIRST), op, sizeof(op));
    meanwhile = granter_goes;
    assert_int_equal(call(0, GNTTABOP_copy, OPS, array_size(op)), 0);
    assert_null(meanwhile);
    memcpy(op, page_at(0, FIRST), sizeof(op));
    for (uint32_t i = 0; i < array_size(op); i++) {
        assert_int_equal(op[i].status, i < 36 ? GNTST_okay : GNTST_bad_domain);
        if (i < 36)
            assert_string_equal((char *)page_at(0, FIRST + 1 + i), "kept");
    }
    assert_int_equal(frame_free_count(), free);
    domain_add(1);
}

/* --- many lives ------------------------------------------------------------------------------ */

#define REFS    6u /* entries used, from REF on */
#define REF     8u
#define PLACES  24u /* gfns from HOLE on where grants are mapped */
#define HANDLES 64u

static uint32_t wanted[RAM_BYTES >> FRAME_SHIFT]; /* references to each frame */

static void want(mfn_t m)
{
    if (!mfn_is_none(m))
        wanted[m.v - (RAM >> FRAME_SHIFT)]++;
}

/* The uses of an entry, by what is mapped of it. */
static void check_use(uint32_t granter, uint32_t ref)
{
    const struct grant_use *use = &dom[granter]->gnttab.frames[0].uses[ref];
    uint32_t readers = 0, writers = 0;

    for (uint32_t i = 0; i < DOMAINS; i++)
        for (uint32_t h = 0; dom[i] && h < dom[i]->gnttab.maptrack.made; h++) {
            const struct grant_mapping *m = &dom[i]->gnttab.maptrack.chunks[0][h];

            if (m->state == MAPPING_FREE || m->granter != dom[granter] || m->ref != ref)
                continue;
            assert_ptr_equal(use->by, dom[i]);
            assert_int_equal(use->frame.v, m->frame.v);
            *(m->readonly ? &readers : &writers) += 1;
        }
    assert_int_equal(use->readers, readers);
    assert_int_equal(use->writers, writers);
}

/* Each mapping is where it says, and each place that has one has a mapping. */
static void check_mappings(uint32_t i)
{
    uint32_t mapped = 0, handles = 0;

    for (uint32_t n = 0; n < PLACES + PAGES; n++) {
        uint64_t gfn = n < PLACES ? HOLE + n : FIRST + n - PLACES;
        enum p2m_type type = type_at(i, gfn);

        want(frame_at(i, gfn));
        mapped += type == P2M_GRANT || type == P2M_GRANT_RO;
    }
    for (uint32_t h = 0; h < dom[i]->gnttab.maptrack.made; h++) {
        const struct grant_mapping *m = &dom[i]->gnttab.maptrack.chunks[0][h];

        if (m->state == MAPPING_FREE)
            continue;
        handles++;
        assert_int_equal(m->state, MAPPING_THERE);
        assert_int_equal(frame_at(i, m->gfn.v).v, m->frame.v);
        assert_int_equal(type_at(i, m->gfn.v), m->readonly ? P2M_GRANT_RO : P2M_GRANT);
    }
    assert_int_equal(mapped, handles);
}

static void check_all(void)
{
    memset(wanted, 0, sizeof(wanted));
    for (uint32_t i = 0; i < DOMAINS; i++) {
        if (!dom[i])
            continue;
        want(dom[i]->gnttab.frames[0].mfn);
        check_mappings(i);
        for (uint32_t ref = REF; ref < REF + REFS; ref++)
            check_use(i, ref);
    }
    for (uint64_t m = 0; m < array_size(wanted); m++)
        if (frame_of(MFN((RAM >> FRAME_SHIFT) + m))->count != wanted[m])
            fail_msg("frame %#llx: %u references, not %u", (unsigned long long)m,
                     frame_of(MFN((RAM >> FRAME_SHIFT) + m))->count, wanted[m]);
}

static uint64_t any_place(void)
{
    return unit_random(4) ? HOLE + unit_random(PLACES) : FIRST + 1 + unit_random(PAGES - 1);
}

/* What a guest writes into its table, now and then nonsense. */
static void any_entry(uint32_t i)
{
    static const uint16_t flags[] = { 0, 0, 0, GTF_readonly, GTF_sub_page, GTF_reading };

    grant(i, REF + unit_random(REFS), unit_random(DOMAINS), any_place(),
          flags[unit_random(array_size(flags))]);
    if (!unit_random(8))
        entry(i, REF + unit_random(REFS))->flags = (uint16_t)unit_random64();
}

#define COPIES 6u

/* Some in a row, so that one side or the other goes from page to page, and from domain to domain.
 */
static void any_copies(uint32_t i)
{
    struct gnttab_copy op[COPIES];
    uint32_t n = 1 + unit_random(COPIES);

    for (uint32_t k = 0; k < n; k++) {
        struct gnttab_copy_ptr *side[] = { &op[k].source, &op[k].dest };

        op[k] = (struct gnttab_copy){ .len = (uint16_t)unit_random(5000),
                                      .source.offset = (uint16_t)unit_random(300),
                                      .dest.offset = (uint16_t)unit_random(300),
                                      .flags = (uint16_t)unit_random(4) };
        for (uint32_t s = 0; s < 2; s++) {
            if (op[k].flags & 1u << s)
                side[s]->u.ref = REF + unit_random(REFS);
            else
                side[s]->u.gmfn = FIRST + 1 + unit_random(PAGES - 1);
            side[s]->domid = op[k].flags & 1u << s ? (uint16_t)unit_random(DOMAINS) : DOMID_SELF;
        }
    }
    memcpy(page_at(i, FIRST), op, sizeof(op));
    assert_int_equal(call(i, GNTTABOP_copy, OPS, n), 0);
}

/* A page that goes, or comes back. */
static void balloon(uint32_t i)
{
    gfn_t gfn = GFN(FIRST + 1 + unit_random(PAGES - 1));
    enum p2m_type type = type_at(i, gfn.v);
    mfn_t m;

    if (type == P2M_RAM)
        assert_int_equal(p2m_remove(dom[i], gfn, 1, MFN_NONE, 1u << P2M_RAM), 0);
    if (type == P2M_NONE && domain_charge(dom[i], 1)) {
        assert_int_equal(frame_alloc(dom[i]->id, 0, 0, &m, NULL), 0);
        assert_int_equal(p2m_map(dom[i], gfn, m, 1, P2M_RAM), 0);
    }
}

static void any_step(uint32_t i)
{
    struct gnttab_swap_grant_ref swap = { REF + unit_random(REFS), REF + unit_random(REFS), 0 };
    uint32_t handle, what = unit_random(1000);
    const struct grant_mapping *m;

    if (what < 250) {
        any_entry(i);
    } else if (what < 600) {
        (void)map(i, unit_random(DOMAINS), REF + unit_random(REFS), any_place(),
                  unit_random(3) ? 0 : GNTMAP_readonly, &handle);
    } else if (what < 850 && dom[i]->gnttab.maptrack.made) {
        handle = unit_random(HANDLES);
        m = &dom[i]->gnttab.maptrack.chunks[0][handle];
        (void)unmap(i, handle, unit_random(8) ? m->gfn.v : any_place());
    } else if (what < 930) {
        any_copies(i);
    } else if (what < 950) {
        assert_int_equal(CALL(i, GNTTABOP_swap_grant_ref, swap), 0);
    } else if (what < 990) {
        balloon(i);
    } else {
        domain_end(i);
    }
}

/* Whatever domains do to each other: no frame is lost, none is free that is in use. */
static void long_lives(void **state)
{
    unit_random_seed(20);
    for (uint32_t n = 0; n < 40000; n++) {
        uint32_t i = unit_random(DOMAINS);

        if (!dom[i])
            domain_add(i);
        /* Requests are made in the first page, which stays. */
        assert_int_equal(type_at(i, FIRST), P2M_RAM);
        any_step(i);
        if (n % 4 == 0)
            check_all();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(granter_dies), TEST(granter_is_dying), TEST(granter_goes_meanwhile),
        TEST(mapper_dies),  TEST(both_die),         TEST(long_lives),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
