/* SPDX-License-Identifier: MIT */
/*
 * Zstandard files (RFC 8878): libzstd does the work, its memory comes from our heap.
 * <hospes/unpack.h>.
 */
#define ZSTD_STATIC_LINKING_ONLY /* the library's functions that take an allocator */
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/unpack.h>
#include <lib/bits.h>
#include <zstd.h>

/* A block is 128 KiB at most when it is unpacked, and comes whole with its last byte of input. */
#define PIECE_BYTES 2048u

#define HEADER_BYTES ZSTD_FRAMEHEADERSIZE_MAX

static void *allocate(void *unused, size_t bytes)
{
    (void)unused;
    return heap_alloc(bytes);
}

static void release(void *unused, void *p)
{
    (void)unused;
    heap_free(p);
}

static uint64_t length(maddr_t from, uint64_t *bytes, bool sized)
{
    uint8_t b[HEADER_BYTES] = { 0 };
    uint64_t n = min(*bytes, (uint64_t)sizeof(b));
    unsigned long long says;

    if (sized)
        return unpack_sized_length(from, bytes);
    maddr_read(b, from, n);
    says = ZSTD_getFrameContentSize(b, n);
    return says == ZSTD_CONTENTSIZE_UNKNOWN || says == ZSTD_CONTENTSIZE_ERROR ? 0 : says;
}

static void *begin(void)
{
    const ZSTD_customMem ours = { .customAlloc = allocate, .customFree = release };
    ZSTD_DCtx *d = ZSTD_createDCtx_advanced(ours);

    /* It may look back in the output itself: no window of its own. */
    if (d && ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_stableOutBuffer, 1))) {
        (void)ZSTD_freeDCtx(d);
        return NULL;
    }
    return d;
}

static int run(void *state, struct unpack_io *io)
{
    ZSTD_outBuffer out = { .dst = io->out, .size = io->out_bytes, .pos = io->out_done };
    ZSTD_inBuffer in = { .src = io->in, .size = min(io->in_bytes, PIECE_BYTES) };
    size_t rc = ZSTD_decompressStream(state, &out, &in);

    if (ZSTD_isError(rc))
        return -EINVAL;
    io->in += in.pos;
    io->in_bytes -= (uint32_t)in.pos;
    io->out_done = out.pos;
    return rc == 0;
}

static void end(void *state)
{
    (void)ZSTD_freeDCtx(state);
}

const struct unpacker unpack_zstd = {
    .name = "zstd",
    .magic = "\x28\xb5\x2f\xfd",
    .magic_bytes = 4,
    .length = length,
    .begin = begin,
    .run = run,
    .end = end,
};
