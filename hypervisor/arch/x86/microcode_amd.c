/* SPDX-License-Identifier: MIT */
/*
 * AMD's file of microcode: <asm/microcode.h>. Containers one after another; in each a table that
 * gives signatures short numbers, and patches for these. BIOS and kernel developer's guides, "patch
 * loader"; PPR of family 17h, "microcode".
 */
#include <asm/microcode.h>
#include <hospes/compiler.h>
#include <hospes/errno.h>

#include <string.h>

#define CONTAINER_MAGIC 0x00414d44u
#define SECTION_TABLE   0u
#define SECTION_PATCH   1u
#define PATCH_MAX       65536u /* above any that there is */

struct section {
    uint32_t type, bytes; /* of what follows */
};

struct equivalence {
    uint32_t signature;
    uint32_t errata_mask, errata_compare;
    uint16_t number, unused;
};

struct patch_header {
    uint32_t date, revision;
    uint16_t loader;
    uint8_t data_bytes, flag;
    uint32_t sum, north_bridge, south_bridge;
    uint16_t number; /* of struct equivalence */
    uint8_t rest[38];
};

_Static_assert(sizeof(struct patch_header) == 64, "as it stands in the file");

/* A file, and how far it has been read. */
struct reader {
    const uint8_t *at;
    uint64_t left;
};

static const void *take(struct reader *r, uint64_t bytes)
{
    const uint8_t *at = r->at;

    if (bytes > r->left)
        return NULL;
    r->at += bytes;
    r->left -= bytes;
    return at;
}

static bool take_section(struct reader *r, struct section *s)
{
    const void *p = take(r, sizeof(*s));

    if (p)
        memcpy(s, p, sizeof(*s));
    return p && s->bytes <= r->left;
}

static bool begins_container(const struct reader *r)
{
    uint32_t magic = 0;

    if (r->left >= sizeof(magic))
        memcpy(&magic, r->at, sizeof(magic));
    return magic == CONTAINER_MAGIC;
}

/* The number that the table has for `signature`; 0: none. */
static uint16_t look_up(const uint8_t *table, uint32_t bytes, uint32_t signature)
{
    struct equivalence e;

    for (uint32_t at = 0; bytes - at >= sizeof(e); at += (uint32_t)sizeof(e)) {
        memcpy(&e, table + at, sizeof(e));
        if (!e.signature)
            return 0;
        if (e.signature == signature)
            return e.number;
    }
    return 0;
}

static void consider(const uint8_t *patch, uint32_t bytes, uint16_t number, struct microcode *found)
{
    struct patch_header h;

    memcpy(&h, patch, sizeof(h));
    if (h.number == number && (!found->patch || h.revision > found->revision))
        *found = (struct microcode){ .patch = patch, .bytes = bytes, .revision = h.revision };
}

/* One container, behind its magic number. */
static int read_container(struct reader *r, uint32_t signature, struct microcode *found)
{
    struct section s;
    uint16_t number;

    if (!take_section(r, &s) || s.type != SECTION_TABLE)
        return -EINVAL;
    number = look_up(take(r, s.bytes), s.bytes, signature);
    while (r->left && !begins_container(r)) {
        const uint8_t *patch;

        if (!take_section(r, &s) || s.type != SECTION_PATCH || s.bytes > PATCH_MAX ||
            s.bytes < sizeof(struct patch_header))
            return -EINVAL;
        patch = take(r, s.bytes);
        if (number)
            consider(patch, s.bytes, number, found);
    }
    return 0;
}

int microcode_amd_find(const void *file, uint64_t bytes, uint32_t signature,
                       struct microcode *found)
{
    struct reader r = { file, bytes };
    int err = bytes ? 0 : -EINVAL;

    *found = (struct microcode){ 0 };
    while (!err && r.left) {
        err = begins_container(&r) ? 0 : -EINVAL;
        if (!err)
            (void)take(&r, sizeof(uint32_t));
        if (!err)
            err = read_container(&r, signature, found);
    }
    if (err)
        *found = (struct microcode){ 0 };
    return err ? err : found->patch ? 0 : -ENOENT;
}
