/* SPDX-License-Identifier: MIT */
/*
 * Unpacking gzip files through bounded buffers: zlib does the work, its memory comes from our heap.
 */
#define Z_SOLO /* zlib.h without C's library */
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
