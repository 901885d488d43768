/* SPDX-License-Identifier: MIT */
/* gzip files (RFC 1952) of one member, around <lib/inflate.h>. <hospes/unpack.h> has the contract.
 */
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/unpack.h>
#include <lib/bits.h>
#include <lib/inflate.h>

#define SHORTEST    18u     /* header and trailer */
#define PIECE_BYTES KIB(16) /* up to some thirty instructions a byte */

#define MAGIC    0x8b1fu
#define DEFLATED 8u

/* Parts of the header that may follow the fixed one, and are of no interest. */
#define HAS_CRC     BIT(1)
#define HAS_EXTRA   BIT(2)
#define HAS_NAME    BIT(3)
#define HAS_COMMENT BIT(4)
#define HAS_UNKNOWN MASK(7, 5)

enum part { FIXED, EXTRA_LENGTH, EXTRA, NAME, COMMENT, HEADER_CRC, BODY, CRC, LENGTH, ENDED };

struct gunzip {
    struct inflate inflate;
    enum part part;
    uint32_t flags, left; /* of the header, and of its part */
    uint32_t crc;         /* so far */
};

/* --- CRC-32: RFC 1952, chapter 8 ---------------------------------------------------------------
 */

#define CRC32_POLYNOMIAL 0xedb88320u

static uint32_t crc_table[256];

/* The last entry comes last: who sees it sees all. Others may be at the same, and write the same.
 */
static void make_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (uint32_t bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ CRC32_POLYNOMIAL : c >> 1;
        store_release(crc_table[i], c);
    }
}

static uint32_t crc_of(uint32_t crc, const uint8_t *p, uint64_t bytes)
{
    crc = ~crc;
    for (; bytes; bytes--)
        crc = crc >> 8 ^ crc_table[(uint8_t)crc ^ *p++];
    return ~crc;
}

/* --- parts of the file -------------------------------------------------------------------------
 */

/* The file's last word is its length. */
static uint64_t length(maddr_t from, uint64_t *bytes, bool sized)
{
    uint8_t w[4];

    (void)sized;
    if (*bytes < SHORTEST)
        return 0;
    maddr_read(w, maddr_add(from, *bytes - sizeof(w)), sizeof(w));
    return w[0] | (uint32_t)w[1] << 8 | (uint32_t)w[2] << 16 | (uint32_t)w[3] << 24;
}

/* Bytes up to a zero, or `left` of them. False: there are more. */
static bool skip(struct gunzip *g, bool text)
{
    uint32_t byte = 1;

    while (text ? byte != 0 : g->left != 0) {
        if (!inflate_bits(&g->inflate, 8, &byte))
            return false;
        g->left -= !text;
    }
    return true;
}

/* The first words, of which each is looked at when it is there. 1: done; 0: more; -EINVAL. */
static int fixed_header(struct gunzip *g)
{
    uint32_t word;

    while (g->left < 10) {
        if (!inflate_bits(&g->inflate, 16, &word))
            return 0;
        if (g->left == 0 && word != MAGIC)
            return -EINVAL;
        if (g->left == 2) {
            g->flags = word >> 8;
            if ((word & 0xff) != DEFLATED || g->flags & HAS_UNKNOWN)
                return -EINVAL;
        }
        g->left += 2;
    }
    return 1;
}

/* A number of the header's or the trailer's. */
static int number(struct gunzip *g, uint32_t bits, uint32_t *value)
{
    return inflate_bits(&g->inflate, bits, value) ? 1 : 0;
}

static int body(struct gunzip *g)
{
    struct inflate *s = &g->inflate;
    uint64_t before = s->out_done;
    int rc = inflate_run(s, before + PIECE_BYTES);

    g->crc = crc_of(g->crc, s->out + before, s->out_done - before);
    if (rc > 0)
        inflate_align(s);
    return rc < 0 ? -EINVAL : rc;
}

/* The part that is next. 1: it is done; 0: it needs more input, or time; -EINVAL. */
static int run_part(struct gunzip *g)
{
    uint32_t value;
    int rc = 1;

    switch (g->part) {
    case FIXED:
        return fixed_header(g);
    case EXTRA_LENGTH:
        return g->flags & HAS_EXTRA ? number(g, 16, &g->left) : 1;
    case EXTRA:
        return g->flags & HAS_EXTRA ? skip(g, false) : 1;
    case NAME:
        return g->flags & HAS_NAME ? skip(g, true) : 1;
    case COMMENT:
        return g->flags & HAS_COMMENT ? skip(g, true) : 1;
    case HEADER_CRC:
        return g->flags & HAS_CRC ? number(g, 16, &value) : 1;
    case BODY:
        return body(g);
    case CRC:
        rc = number(g, 32, &value);
        return rc && value != g->crc ? -EINVAL : rc;
    case LENGTH:
        rc = number(g, 32, &value);
        return rc && value != (uint32_t)g->inflate.out_done ? -EINVAL : rc;
    case ENDED:
        break;
    }
    return rc;
}

static void *begin(void)
{
    if (!load_acquire(crc_table[255]))
        make_crc_table();
    return heap_alloc(sizeof(struct gunzip));
}

static int run(void *state, struct unpack_io *io)
{
    struct gunzip *g = state;
    struct inflate *s = &g->inflate;
    int rc = 1;

    s->in = io->in;
    s->in_bytes = io->in_bytes;
    s->out = io->out;
    s->out_bytes = io->out_bytes;
    while (rc > 0 && g->part != ENDED) {
        rc = run_part(g);
        if (rc > 0)
            g->part++;
    }
    io->in = s->in;
    io->in_bytes = s->in_bytes;
    io->out_done = s->out_done;
    return rc;
}

static void end(void *state)
{
    heap_free(state);
}

const struct unpacker unpack_gzip = {
    .name = "gzip",
    .magic = "\x1f\x8b",
    .magic_bytes = 2,
    .length = length,
    .begin = begin,
    .run = run,
    .end = end,
};
