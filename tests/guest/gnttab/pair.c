/* SPDX-License-Identifier: MIT */
/*
 * Two guests: one grants, the other maps and copies, until the first one goes and the other still
 * has a page of its. They keep in step by words in the first page, `common`.
 */
#include "gnttab.h"

#define COMMON  8u /* entries of the granter's table */
#define READ    9u
#define COPY    10u
#define REVOKED 11u
#define TEXT    64u /* in each page, after the words */

enum step { NOTHING, MAPPED, USED, LET_GO, REVOKED_IT, LAST };

struct common {
    volatile uint64_t mapper, granter; /* how far each is, enum step */
};

static _Alignas(4096) volatile uint8_t pages[4][4096];

static void write_text(volatile uint8_t *to, const char *text)
{
    do
        *to++ = (uint8_t)*text;
    while (*text++);
}

static bool is_text(const volatile uint8_t *at_it, const char *text)
{
    do
        if (*at_it++ != (uint8_t)*text)
            return false;
    while (*text++);
    return true;
}

void granter(domid_t peer)
{
    struct common *common = (struct common *)(uintptr_t)pages[0];

    write_text(pages[1] + TEXT, "to be read");
    write_text(pages[2] + TEXT, "to be copied");
    grant(READ, peer, pages[1], GTF_readonly);
    grant(COPY, peer, pages[2], 0);
    grant(REVOKED, peer, pages[3], 0);
    grant(COMMON, peer, pages[0], 0);
    check(wait_until(common->mapper >= MAPPED), "the other one maps");
    check_eq(table[COMMON].flags, GTF_permit_access | GTF_reading | GTF_writing,
             "the grant is in use");
    check_eq(table[READ].flags, GTF_permit_access | GTF_readonly | GTF_reading,
             "the other grant is, to read");
    common->granter = MAPPED;
    check(wait_until(common->mapper >= USED), "the other one copies");
    check(is_text(pages[2] + 2 * TEXT, "copied back"), "a copy has arrived");
    check_eq(table[COPY].flags, GTF_permit_access, "that grant is not in use");
    check(wait_until(common->mapper >= LET_GO), "the other one unmaps");
    check_eq(table[READ].flags, GTF_permit_access | GTF_readonly, "nor is the one to read");
    table[REVOKED].flags = 0;
    barrier();
    common->granter = REVOKED_IT;
    check(wait_until(common->mapper >= REVOKED_IT), "the other one finds nothing");
    write_text(pages[0] + TEXT, "last words");
    common->granter = LAST;
    check(wait_until(common->mapper >= LAST), "the other one lets it go");
}

/* The granter's pages outlive it for as long as they are mapped. */
static void after_its_death(domid_t peer, uint32_t handle)
{
    uint32_t second;

    check(wait_until(map(peer, COMMON, hole + PAGE, GNTMAP_host_map, &second) == GNTST_bad_domain),
          "the granter goes");
    check(is_text((volatile uint8_t *)at(hole) + TEXT, "last words"), "its page is still there");
    check_eq((uint64_t)unmap(handle, hole), GNTST_okay, "unmap what was a dead one's");
    check(!is_memory(hole), "and is gone");
}

void mapper(domid_t peer)
{
    volatile struct common *common = at(hole);
    uint32_t handle, second;
    bool mapped = false; /* the macro asks once more when it is done */

    check(wait_until(mapped || (mapped = !map(peer, COMMON, hole, GNTMAP_host_map, &handle))),
          "map");
    check_eq((uint64_t)(int64_t)map(peer, READ, hole + PAGE, GNTMAP_host_map, &second),
             (uint64_t)GNTST_general_error, "map to write what may be read");
    check_eq((uint64_t)map(peer, READ, hole + PAGE, GNTMAP_host_map | GNTMAP_readonly, &second),
             GNTST_okay, "map to read");
    check(is_text((volatile uint8_t *)at(hole + PAGE) + TEXT, "to be read"), "it can be read");
    check(refuses_write(hole + PAGE), "but not written");
    common->mapper = MAPPED;
    check(wait_until(common->granter >= MAPPED), "the granter sees it");
    check_eq((uint64_t)copy_from(peer, COPY, TEXT, pages[0], TEXT), GNTST_okay, "copy");
    check(is_text(pages[0], "to be copied"), "the copy is right");
    write_text(pages[0], "copied back");
    check_eq((uint64_t)copy_to(peer, COPY, pages[0], 2 * TEXT, TEXT), GNTST_okay, "copy back");
    common->mapper = USED;
    check_eq((uint64_t)unmap(second, hole + PAGE), GNTST_okay, "unmap");
    common->mapper = LET_GO;
    check(wait_until(common->granter >= REVOKED_IT), "the granter revokes");
    check_eq((uint64_t)(int64_t)map(peer, REVOKED, hole + PAGE, GNTMAP_host_map, &second),
             (uint64_t)GNTST_general_error, "map what was revoked");
    common->mapper = REVOKED_IT;
    check(wait_until(common->granter >= LAST), "the granter's last words");
    common->mapper = LAST;
    if (!is_xen()) /* where a domain's end waits for a toolstack */
        after_its_death(peer, handle);
}
