/* SPDX-License-Identifier: MIT */
/* Copies that go through short mappings, block by block; <hospes/map.h> has the contract. */
#include <hospes/boot.h>
#include <hospes/cpu.h>
#include <hospes/frame.h>
#include <hospes/map.h>
#include <lib/bits.h>
#include <string.h>

#define BLOCK MIB(2)

static struct boot_ranges kept_off; /* constant after boot */

/* A piece of machine memory, mapped. */
struct window {
    void *base; /* of the block or page that is mapped */
    uint8_t *at;
    uint64_t bytes;
    bool is_block;
};

int map_keep_off(maddr_t start, uint64_t bytes)
{
    return boot_range_add(&kept_off, start.v, start.v + bytes, NULL);
}

bool map_may_block(maddr_t a)
{
    uint64_t start = align_down(a.v, BLOCK);

    return !boot_range_overlaps(&kept_off, start, start + BLOCK, NULL);
}

/* Maps what is at `a`, up to `bytes`: a block where that is possible, else a page. */
static struct window map_at(maddr_t a, uint64_t bytes)
{
    bool is_block = map_may_block(a);
    uint64_t size = is_block ? BLOCK : FRAME_SIZE, in = a.v % size;
    mfn_t m = maddr_to_mfn(MADDR(a.v - in));
    uint8_t *base = is_block ? frame_map_2m(m) : frame_map(m);

    return (struct window){ base, base + in, min(bytes, size - in), is_block };
}

static void unmap(const struct window *w)
{
    if (w->is_block)
        frame_unmap_2m(w->base);
    else
        frame_unmap(w->base);
}

void maddr_read(void *to, maddr_t from, uint64_t bytes)
{
    uint8_t *out = to;

    while (bytes) {
        struct window in = map_at(from, bytes);

        memcpy(out, in.at, in.bytes);
        unmap(&in);
        out += in.bytes;
        from = maddr_add(from, in.bytes);
        bytes -= in.bytes;
    }
}

void maddr_write(maddr_t to, const void *from, uint64_t bytes)
{
    const uint8_t *in = from;

    while (bytes) {
        struct window out = map_at(to, bytes);

        memcpy(out.at, in, out.bytes);
        arch_cache_clean(out.at, out.bytes);
        unmap(&out);
        in += out.bytes;
        to = maddr_add(to, out.bytes);
        bytes -= out.bytes;
    }
}

void maddr_clean(maddr_t start, uint64_t bytes)
{
    while (bytes) {
        struct window w = map_at(start, bytes);

        arch_cache_clean(w.at, w.bytes);
        unmap(&w);
        start = maddr_add(start, w.bytes);
        bytes -= w.bytes;
    }
}

void maddr_copy(maddr_t to, maddr_t from, uint64_t bytes)
{
    while (bytes) {
        struct window out = map_at(to, bytes), in = map_at(from, out.bytes);

        memcpy(out.at, in.at, in.bytes);
        arch_cache_clean(out.at, in.bytes);
        unmap(&in);
        unmap(&out);
        to = maddr_add(to, in.bytes);
        from = maddr_add(from, in.bytes);
        bytes -= in.bytes;
    }
}
