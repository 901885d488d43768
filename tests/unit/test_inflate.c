/* SPDX-License-Identifier: MIT */
/*
 * Deflate streams, of which guests' kernels are made: zlib packs, ours unpacks. One that is damaged
 * must be found out, or at least do no harm: a kernel comes from whoever wrote the boot medium.
 */
#include "unit.h"

#include <hospes/compiler.h>
#include <lib/bits.h>
#include <lib/inflate.h>
#include <zlib.h>

#define BYTES  300000u
#define BEHIND 8u /* a trailer */

static uint8_t plain[BYTES], packed[2 * BYTES], result[BYTES];
static struct inflate s;

/* Noise, text of a small alphabet, runs, repeats from far behind, by turns. */
static void write_plain(uint32_t bytes)
{
    uint32_t i = 0;

    while (i < bytes) {
        uint32_t kind = unit_random(4), n = 1 + unit_random(5000), back = 1 + unit_random(32768);
        uint8_t run = (uint8_t)unit_random(256);

        for (; n && i < bytes; n--, i++) {
            if (kind == 0)
                plain[i] = (uint8_t)unit_random(256);
            else if (kind == 1)
                plain[i] = (uint8_t)('a' + unit_random(1 + unit_random(20)));
            else
                plain[i] = kind == 2 || i < back ? run : plain[i - back];
        }
    }
}

/* How long it is packed, with what is behind it. */
static uint32_t pack(uint32_t bytes, int level, int strategy)
{
    z_stream z = {
        .next_in = plain, .avail_in = bytes, .next_out = packed, .avail_out = sizeof(packed)
    };

    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -15, 9, strategy), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(deflateEnd(&z), Z_OK);
    for (uint32_t i = 0; i < BEHIND; i++)
        packed[z.total_out + i] = (uint8_t)(0xa0 + i);
    return (uint32_t)z.total_out + BEHIND;
}

/* In pieces: 1: ended; 0: it wants more than there is; -1. */
static int unpack(uint32_t packed_bytes, uint32_t room, uint32_t piece)
{
    uint32_t given = 0;
    int rc = 0;

    memset(&s, 0, sizeof(s));
    memset(result, 0xee, sizeof(result));
    s.out = result;
    s.out_bytes = room;
    while (!rc && (s.in_bytes || given < packed_bytes)) {
        uint64_t before = s.out_done;

        if (!s.in_bytes) {
            s.in = packed + given;
            s.in_bytes = min(1 + unit_random(piece), packed_bytes - given);
            given += s.in_bytes;
        }
        rc = inflate_run(&s, before + 1 + unit_random(piece));
        assert_true(s.out_done >= before && s.out_done <= room);
    }
    return rc;
}

static void round_trips(void **state)
{
    static const int strategies[] = { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
                                      Z_FIXED };
    static const uint32_t pieces[] = { 1, 7, 100, 8192, BYTES };

    for (int level = 0; level <= 9; level++) {
        for (size_t k = 0; k < array_size(strategies); k++) {
            uint32_t bytes = unit_random(8) ? unit_random(BYTES) : unit_random(3), n, value;

            write_plain(bytes);
            n = pack(bytes, level, strategies[k]);
            assert_int_equal(unpack(n, bytes, pieces[unit_random(array_size(pieces))]), 1);
            assert_int_equal(s.out_done, bytes);
            assert_memory_equal(result, plain, bytes);
            /* What is behind it is next; not all of it need have been given by then. */
            s.in_bytes = (uint32_t)(packed + n - s.in);
            inflate_align(&s);
            assert_true(inflate_bits(&s, 32, &value));
            assert_int_equal(value, 0xa3a2a1a0);
            if (bytes) {
                assert_int_equal(unpack(n, bytes - 1, BYTES), -1);
                assert_int_equal(unpack((n - BEHIND) / 2, bytes, BYTES), 0);
            }
        }
    }
}

static void damaged(void **state)
{
    uint32_t ended = 0;

    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t bytes = 1 + unit_random(3000), n;

        write_plain(bytes);
        n = pack(bytes, (int)unit_random(10), unit_random(3) ? Z_DEFAULT_STRATEGY : Z_FIXED);
        for (uint32_t flips = 1 + unit_random(4); flips; flips--)
            packed[unit_random(unit_random(2) ? min(n, 100u) : n)] ^=
                (uint8_t)(1u << unit_random(8));
        ended += unpack(n, bytes, 1 + unit_random(2000)) == 1;
    }
    assert_true(ended < 3000);
    for (uint32_t i = 0; i < 3000; i++) {
        for (uint32_t k = 0; k < 400; k++)
            packed[k] = (uint8_t)unit_random(256);
        (void)unpack(400, BYTES, 400);
    }
}

/* What no packer writes. */
static void refuses(void **state)
{
    static const struct {
        uint8_t bytes[16];
        int rc;
    } cases[] = {
        { { 0x07 }, -1 },                         /* a block of the kind that there is not */
        { { 0x01, 0x01, 0x00, 0xff, 0xff }, -1 }, /* a stored one with a wrong complement */
        { { 0x01, 0x00, 0x00, 0xff, 0xff }, 1 },  /* and with nothing in it */
        { { 0x03, 0x00 }, 1 },                    /* fixed codes, and the end */
        { { 0x63, 0x00, 0x00 }, 1 },              /* a zero */
        { { 0x03, 0x02 }, -1 },                   /* a repeat of what is not there */
        { { 0x1b, 0x03 }, -1 },                   /* a length that does not exist */
        { { 0xfd, 0xff }, -1 },                   /* too many symbols */
        { { 0x05, 0x00, 0x00, 0x00 }, -1 },       /* no code for the code's lengths */
    };

    for (size_t i = 0; i < array_size(cases); i++) {
        memcpy(packed, cases[i].bytes, sizeof(cases[i].bytes));
        if (unpack(16, BYTES, 16) != cases[i].rc)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(damaged),
        cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
