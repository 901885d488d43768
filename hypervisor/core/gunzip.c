/* SPDX-License-Identifier: MIT */
/* gzip files (RFC 1952): zlib does the work, its memory comes from our heap. <hospes/unpack.h>. */
#define Z_SOLO     /* zlib.h without C's library */
#define ZLIB_CONST /* input is not written */
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/unpack.h>
#include <lib/bits.h>
#include <zlib.h>

#define GZIP_ONLY   (16 + MAX_WBITS) /* inflateInit2(): a gzip header, the largest window */
#define SHORTEST    18u              /* header and trailer */
#define PIECE_BYTES KIB(16)          /* up to 33 instructions a byte */

static void *allocate(void *unused, unsigned items, unsigned size)
{
    (void)unused;
    return heap_calloc(items, size);
}

static void release(void *unused, void *p)
{
    (void)unused;
    heap_free(p);
}

/*
 * The checksums, in place of zlib's own, whose tables are larger than what we need of zlib besides.
 * CRC-32 is RFC 1952's chapter 8; Adler-32 (RFC 1950) is for streams that we do not accept.
 */
#define CRC32_POLYNOMIAL 0xedb88320u
#define ADLER_BASE       65521u

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

uLong crc32(uLong crc, const Bytef *buf, uInt len)
{
    uint32_t c = ~(uint32_t)crc;

    if (!buf)
        return 0;
    if (!load_acquire(crc_table[255]))
        make_crc_table();
    for (; len; len--)
        c = c >> 8 ^ crc_table[(uint8_t)c ^ *buf++];
    return (uint32_t)~c;
}

uLong adler32(uLong adler, const Bytef *buf, uInt len)
{
    uint32_t a = (uint32_t)adler & 0xffff, b = (uint32_t)adler >> 16;

    if (!buf)
        return 1;
    for (; len; len--) {
        a = (a + *buf++) % ADLER_BASE;
        b = (b + a) % ADLER_BASE;
    }
    return b << 16 | a;
}

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

static void *begin(void)
{
    z_stream *z = heap_alloc(sizeof(*z));

    if (!z)
        return NULL;
    z->zalloc = allocate;
    z->zfree = release;
    if (inflateInit2(z, GZIP_ONLY) != Z_OK) {
        heap_free(z);
        return NULL;
    }
    return z;
}

static int run(void *state, struct unpack_io *io)
{
    uint32_t room = (uint32_t)min(io->out_bytes - io->out_done, PIECE_BYTES);
    z_stream *z = state;
    int rc;

    z->next_in = io->in;
    z->avail_in = io->in_bytes;
    z->next_out = io->out + io->out_done;
    z->avail_out = room;
    rc = inflate(z, Z_NO_FLUSH);
    io->in = z->next_in;
    io->in_bytes = z->avail_in;
    io->out_done += room - z->avail_out;
    if (rc == Z_STREAM_END)
        return 1;
    return rc == Z_OK || rc == Z_BUF_ERROR ? 0 : -EINVAL;
}

static void end(void *state)
{
    (void)inflateEnd(state);
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
