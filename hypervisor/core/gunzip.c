/* SPDX-License-Identifier: MIT */
/*
 * Unpacking gzip files through bounded buffers: zlib does the work, its memory comes from our heap.
 */
#define Z_SOLO /* zlib.h without C's library */
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/gunzip.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <lib/bits.h>
#include <zlib.h>

#define INPUT_BYTES 8192u

#define GZIP_ONLY (16 + MAX_WBITS) /* inflateInit2(): a gzip header, the largest window */

struct gunzip {
    z_stream z;
    maddr_t next; /* what is still to be read of the file */
    uint64_t left;
    bool ended;
    uint8_t input[INPUT_BYTES];
};

/*
 * What zlib takes when it is given no allocator. It always is given one: these keep the linker from
 * bringing in malloc().
 */
voidpf zcalloc(voidpf opaque, unsigned items, unsigned size);
void zcfree(voidpf opaque, voidpf p);

voidpf zcalloc(voidpf opaque, unsigned items, unsigned size)
{
    (void)opaque;
    return heap_calloc(items, size);
}

void zcfree(voidpf opaque, voidpf p)
{
    (void)opaque;
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

struct gunzip *gunzip_begin(maddr_t from, uint64_t bytes)
{
    struct gunzip *g = heap_alloc(sizeof(*g));

    if (!g)
        return NULL;
    g->z.zalloc = zcalloc;
    g->z.zfree = zcfree;
    g->next = from;
    g->left = bytes;
    if (inflateInit2(&g->z, GZIP_ONLY) != Z_OK) {
        heap_free(g);
        return NULL;
    }
    return g;
}

static void refill(struct gunzip *g)
{
    uint32_t n = (uint32_t)min(g->left, (uint64_t)INPUT_BYTES);

    maddr_read(g->input, g->next, n);
    g->next = maddr_add(g->next, n);
    g->left -= n;
    g->z.next_in = g->input;
    g->z.avail_in = n;
}

int gunzip_read(struct gunzip *g, void *to, uint32_t bytes, uint32_t *got)
{
    g->z.next_out = to;
    g->z.avail_out = bytes;
    while (!g->ended && g->z.avail_out) {
        if (g->z.avail_in == 0)
            refill(g);
        int rc = inflate(&g->z, Z_NO_FLUSH);
        if (rc == Z_STREAM_END)
            g->ended = true;
        else if (rc != Z_OK)
            return -EINVAL; /* Z_BUF_ERROR: the file ended too early */
    }
    *got = bytes - g->z.avail_out;
    return 0;
}

void gunzip_end(struct gunzip *g)
{
    if (!g)
        return;
    (void)inflateEnd(&g->z);
    heap_free(g);
}
