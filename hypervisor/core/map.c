/* SPDX-License-Identifier: MIT */
/* Copies that go through short mappings, block by block; <hospes/map.h> has the contract. */
#include <hospes/cpu.h>
#include <hospes/map.h>
#include <lib/bits.h>
#include <string.h>

#define BLOCK MIB(2)

/* Maps the 2 MiB block around `a`; *in is a's place in it. */
static void *map_block(maddr_t a, uint8_t **in)
{
    maddr_t start = MADDR(align_down(a.v, BLOCK));
    uint8_t *block = frame_map_2m(maddr_to_mfn(start));

    *in = block + (a.v - start.v);
    return block;
}

static uint64_t left_in_block(maddr_t a, uint64_t bytes)
{
    return min(bytes, BLOCK - a.v % BLOCK);
}

void maddr_read(void *to, maddr_t from, uint64_t bytes)
{
    uint8_t *out = to;

    while (bytes) {
        uint64_t n = left_in_block(from, bytes);
        uint8_t *in;
        void *block = map_block(from, &in);

        memcpy(out, in, n);
        frame_unmap_2m(block);
        out += n;
        from = maddr_add(from, n);
        bytes -= n;
    }
}

void maddr_write(maddr_t to, const void *from, uint64_t bytes)
{
    const uint8_t *in = from;

    while (bytes) {
        uint64_t n = left_in_block(to, bytes);
        uint8_t *out;
        void *block = map_block(to, &out);

        memcpy(out, in, n);
        arch_cache_clean(out, n);
        frame_unmap_2m(block);
        in += n;
        to = maddr_add(to, n);
        bytes -= n;
    }
}

void maddr_copy(maddr_t to, maddr_t from, uint64_t bytes)
{
    while (bytes) {
        uint64_t n = left_in_block(to, left_in_block(from, bytes));
        uint8_t *out, *in;
        void *to_block = map_block(to, &out);
        void *from_block = map_block(from, &in);

        memcpy(out, in, n);
        arch_cache_clean(out, n);
        frame_unmap_2m(from_block);
        frame_unmap_2m(to_block);
        to = maddr_add(to, n);
        from = maddr_add(from, n);
        bytes -= n;
    }
}
