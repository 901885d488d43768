/* SPDX-License-Identifier: MIT */
// sources: core/unpack.c core/unlz4.c
/*
 * lz4 files as Linux's build makes them: what liblz4 packs comes out as it went in, what is damaged
 * or cut short is refused, and nothing is overrun.
 */
#include "unpacking.h"

#include <lz4.h>
#include <lz4hc.h>

#define BLOCK (8u << 20) /* of the format */
#define MOST  (2 * BLOCK + 12345u)

static uint8_t plain[MOST], packed[LZ4_COMPRESSBOUND(MOST) + 64], result[MOST + RESULT_GUARD];
static size_t packed_bytes;

/* Noise, repetitions from near and far, and long runs of one byte. */
static void make_plain(uint32_t bytes, uint64_t seed)
{
    unit_random_seed(seed);
    for (uint32_t i = 0; i < bytes;) {
        uint32_t way = unit_random(8), n = 1 + unit_random(way == 7 ? 100000 : 300);
        uint32_t back = way < 2 ? 0 : 1 + unit_random(way < 5 ? 60 : 65535);

        for (; n && i < bytes; n--, i++)
            plain[i] = back && back <= i ? plain[i - back] : (uint8_t)unit_random(256);
    }
}

static void put_word(uint32_t word)
{
    memcpy(packed + packed_bytes, &word, sizeof(word));
    packed_bytes += sizeof(word);
}

/* As `lz4 -l` does it; `level` 0: the quick way. */
static void pack(uint32_t bytes, int level)
{
    packed_bytes = 0;
    put_word(0x184c2102);
    for (uint32_t at = 0; at < bytes; at += BLOCK) {
        uint32_t n = bytes - at < BLOCK ? bytes - at : BLOCK;
        char *to = (char *)packed + packed_bytes + 4;
        int room = (int)(sizeof(packed) - packed_bytes - 4), got;

        got = level ? LZ4_compress_HC((char *)plain + at, to, (int)n, room, level)
                    : LZ4_compress_default((char *)plain + at, to, (int)n, room);
        assert_true(got > 0);
        put_word((uint32_t)got);
        packed_bytes += (uint32_t)got;
    }
}

static int unpack(const uint8_t *from, size_t bytes, uint64_t room)
{
    return unpack_to(&unpack_lz4, from, bytes, result, room);
}

static void test_ways(void **state)
{
    static const uint32_t sizes[] = { 1, 4, 12, 13, 70000, 300001, BLOCK, BLOCK + 1, MOST };

    for (int level = 0; level <= 9; level += 9)
        for (uint32_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
            make_plain(sizes[n], n);
            pack(sizes[n], level);
            assert_int_equal(unpack(packed, packed_bytes, sizes[n]), 0);
            assert_memory_equal(result, plain, sizes[n]);
        }
}

/* One sequence that gives millions of bytes; and one file behind another, as `cat` makes them. */
static void test_long(void **state)
{
    memset(plain, 7, BLOCK);
    pack(BLOCK, 0);
    assert_int_equal(unpack(packed, packed_bytes, BLOCK), 0);
    assert_memory_equal(result, plain, BLOCK);
    make_plain(5000, 1);
    pack(5000, 0);
    memcpy(packed + packed_bytes, packed, packed_bytes);
    assert_int_equal(unpack(packed, 2 * packed_bytes, 10000), 0);
    assert_memory_equal(result, plain, 5000);
    assert_memory_equal(result + 5000, plain, 5000);
}

/* The length is what Linux writes behind it: there is no other. */
static void test_length(void **state)
{
    uint64_t n;

    make_plain(5000, 2);
    pack(5000, 0);
    put_word(5000);
    file = packed;
    n = packed_bytes;
    assert_int_equal(unpack_lz4.length(MADDR(0), &n, true), 5000);
    assert_int_equal(n, packed_bytes - 4);
    assert_int_equal(unpack_lz4.length(MADDR(0), &n, false), 0);
    n = 4;
    assert_int_equal(unpack_lz4.length(MADDR(0), &n, true), 0);
}

/* Too little or too much room, and files cut off anywhere: which of these it is is told. */
static void test_cut(void **state)
{
    make_plain(9000, 2);
    pack(9000, 0);
    assert_int_equal(unpack(packed, packed_bytes, 8999), -E2BIG);
    assert_int_equal(unpack(packed, packed_bytes, 9001), -EMSGSIZE);
    for (size_t n = 0; n < packed_bytes; n++)
        assert_int_equal(unpack(packed, n, 9000), n == 4 ? -EMSGSIZE : -ENODATA);
}

/* There is no check in the format: what can be told is told. */
static void test_damaged(void **state)
{
    static uint8_t copy[20000];

    make_plain(9000, 4);
    pack(9000, 9);
    assert_true(packed_bytes < sizeof(copy));
    for (uint32_t i = 0; i < 20000; i++) {
        memcpy(copy, packed, packed_bytes);
        for (uint32_t n = 0; n < 1 + i % 5; n++)
            copy[4 + unit_random((uint32_t)packed_bytes - 4)] = (uint8_t)unit_random(256);
        (void)unpack(copy, packed_bytes, 9000);
    }
    memcpy(copy, packed, packed_bytes);
    copy[0] ^= 1; /* no magic */
    assert_int_equal(unpack(copy, packed_bytes, 9000), -EINVAL);
    copy[0] ^= 1;
    memset(copy + 4, 0, 4); /* an empty block */
    assert_int_equal(unpack(copy, packed_bytes, 9000), -EINVAL);
    memset(copy + 4, 0xff, 4); /* one that is larger than there are */
    assert_int_equal(unpack(copy, packed_bytes, 9000), -EINVAL);
}

/* A block whose only bytes are these. */
static int unpack_block(const char *bytes, uint32_t n, uint64_t room)
{
    packed_bytes = 0;
    put_word(0x184c2102);
    put_word(n);
    memcpy(packed + packed_bytes, bytes, n);
    return unpack(packed, packed_bytes + n, room);
}

static void test_sequences(void **state)
{
    assert_int_equal(unpack_block("\x30"
                                  "abc",
                                  4, 3),
                     0);
    assert_memory_equal(result, "abc", 3);
    assert_int_equal(unpack_block("\x30"
                                  "ab",
                                  3, 3),
                     -EINVAL);                                   /* its bytes are missing */
    assert_int_equal(unpack_block("\xf0", 1, 30), -EINVAL);      /* the rest of a length */
    assert_int_equal(unpack_block("\xf0\xff", 2, 300), -EINVAL); /* the same */
    assert_int_equal(unpack_block("\x11"
                                  "a\x01",
                                  3, 30),
                     -EINVAL); /* half a distance */
    assert_int_equal(unpack_block("\x11"
                                  "a\x02\0\x10"
                                  "b",
                                  6, 7),
                     -EINVAL); /* before the block */
    assert_int_equal(unpack_block("\x11"
                                  "a\0\0\x10"
                                  "b",
                                  6, 7),
                     -EINVAL); /* to itself */
    assert_int_equal(unpack_block("\x1f"
                                  "a\x01\0\xff",
                                  5, 999),
                     -EINVAL);
    /* More than a block may give. */
    memset(plain, 0xff, 40000); /* a length of 10,199,775 */
    memcpy(plain,
           "\x1f"
           "a\x01\0",
           4);
    plain[39999] = 0;
    assert_int_equal(unpack_block((char *)plain, 40000, MOST), -EINVAL);
}

static void test_no_memory(void **state)
{
    make_plain(3000, 2);
    pack(3000, 0);
    assert_int_equal(unpack_without_memory(&unpack_lz4, packed, packed_bytes, result, 3000), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),      cmocka_unit_test(test_long),
        cmocka_unit_test(test_length),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_damaged),   cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_no_memory),
    };

    host_pcpus_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
