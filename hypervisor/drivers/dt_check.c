/* SPDX-License-Identifier: MIT */
/*
 * Is this a device tree that can be read without looking at its limits again? (Devicetree
 * Specification 0.4, chapter 5.)
 *
 * After this every tag of the structure is one of the specification's, nodes are nested, names and
 * values lie within their blocks and names end. What values say is for their readers to doubt.
 */
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <string.h>

#define MAGIC   0xd00dfeedu
#define VERSION 17u

enum tag { TAG_BEGIN_NODE = 1, TAG_END_NODE = 2, TAG_PROP = 3, TAG_NOP = 4, TAG_END = 9 };

/* The header's words. */
enum {
    HEADER_MAGIC,
    HEADER_TOTAL,
    HEADER_STRUCT,
    HEADER_STRINGS,
    HEADER_RESERVED,
    HEADER_VERSION,
    HEADER_COMPATIBLE,
    HEADER_BOOT_CPU,
    HEADER_STRINGS_BYTES,
    HEADER_STRUCT_BYTES,
    HEADER_WORDS
};

/* A block while it is checked: offsets from its start, in bytes. */
struct block {
    const uint8_t *start;
    uint32_t bytes;
    uint32_t at;
    uint32_t names; /* how many bytes of the strings block are ended by a zero */
};

static uint32_t word(const uint8_t *p)
{
    return __builtin_bswap32(*(const uint32_t *)(const void *)p);
}

static uint32_t header(const uint8_t *fdt, uint32_t n)
{
    return word(fdt + 4 * n);
}

/* Moves over `n` bytes and what they need to end at a word. */
static bool advance(struct block *b, uint64_t n)
{
    n = align_up(n, 4);
    if (n > b->bytes - b->at)
        return false;
    b->at += (uint32_t)n;
    return true;
}

static bool check_begin(struct block *b, uint32_t depth)
{
    const uint8_t *name = b->start + b->at;
    const uint8_t *end = memchr(name, 0, b->bytes - b->at);

    return end && (depth > 0 || end == name) && advance(b, (uint64_t)(end - name) + 1);
}

static bool check_property(struct block *b)
{
    const uint8_t *p = b->start + b->at;

    return advance(b, 8) && word(p + 4) < b->names && word(p) <= INT32_MAX && advance(b, word(p));
}

/* The structure block: one root, nodes nested, an end. */
static bool check_structure(struct block *b)
{
    uint32_t depth = 0, roots = 0;

    while (b->bytes - b->at >= 4) {
        uint32_t tag = word(b->start + b->at);
        b->at += 4;
        switch (tag) {
        case TAG_BEGIN_NODE:
            roots += depth == 0;
            if (roots > 1 || !check_begin(b, depth))
                return false;
            depth++;
            break;
        case TAG_PROP:
            if (depth == 0 || !check_property(b))
                return false;
            break;
        case TAG_END_NODE:
            if (depth == 0)
                return false;
            depth--;
            break;
        case TAG_NOP:
            break;
        case TAG_END:
            return depth == 0 && roots == 1;
        default:
            return false;
        }
    }
    return false;
}

/* The list of reserved places ends, within the tree, with one of no size. */
static bool check_reserved(const uint8_t *fdt, uint32_t at, uint32_t total)
{
    if (at % 8 || at < 4 * HEADER_WORDS)
        return false;
    for (; at <= total && total - at >= 16; at += 16) {
        const uint8_t *p = fdt + at;
        if ((word(p + 8) | word(p + 12)) == 0)
            return true;
    }
    return false;
}

static bool in_tree(uint32_t start, uint32_t bytes, uint32_t total)
{
    return start >= 4 * HEADER_WORDS && start <= total && bytes <= total - start;
}

int dt_check(const void *fdt, uint64_t bytes)
{
    const uint8_t *p = fdt;

    if (!fdt || (uintptr_t)fdt % 8 || bytes < 4 * HEADER_WORDS ||
        header(p, HEADER_MAGIC) != MAGIC || header(p, HEADER_VERSION) < VERSION ||
        header(p, HEADER_COMPATIBLE) > VERSION)
        return -EINVAL;

    uint32_t total = header(p, HEADER_TOTAL);
    uint32_t structure = header(p, HEADER_STRUCT), strings = header(p, HEADER_STRINGS);
    struct block b = { p + structure, header(p, HEADER_STRUCT_BYTES), 0,
                       header(p, HEADER_STRINGS_BYTES) };
    if (total > bytes || total > INT32_MAX || structure % 4 ||
        !in_tree(structure, b.bytes, total) || !in_tree(strings, b.names, total) ||
        !check_reserved(p, header(p, HEADER_RESERVED), total))
        return -EINVAL;
    while (b.names && p[strings + b.names - 1])
        b.names--;
    return check_structure(&b) ? 0 : -EINVAL;
}
