/* SPDX-License-Identifier: MIT */
// sources: core/unpack.c core/unxz.c
/*
 * xz files, which the kernels of Debian 12 and others are, and lzma files: what is packed in any
 * way comes out as it went in, what is damaged is refused, and none takes more memory than its
 * result.
 */
#include "unpacking.h"

#include <lzma.h>

#define MOST         (3u << 20)
#define WINDOW_EXTRA 65536u /* what liblzma's window has besides; its models, for a small one */

static uint8_t plain[MOST], packed[MOST + 65536], result[MOST + RESULT_GUARD];
static size_t packed_bytes;
static const struct unpacker *format = &unpack_xz;

/* Half of it has the look of code: calls, near each other. */
static void make_plain(uint32_t bytes, uint64_t seed)
{
    unit_random_seed(seed);
    for (uint32_t i = 0; i < bytes; i++) {
        uint32_t way = unit_random(16);

        if (way < 4 && i > 300)
            for (uint32_t n = unit_random(100), back = 1 + unit_random(300); n && i < bytes;
                 n--, i++)
                plain[i] = plain[i - back];
        if (i >= bytes)
            break;
        plain[i] = (uint8_t)(way < 6    ? 0xe8 + unit_random(2)
                             : way < 10 ? 0
                             : way < 12 ? 0xff
                                        : unit_random(256));
    }
}

struct way {
    uint32_t preset, lc, lp, pb, dict;
    lzma_check check;
    bool branches;
};

static void pack(uint32_t bytes, const struct way *w)
{
    lzma_options_lzma o;
    lzma_filter filters[] = { { LZMA_FILTER_X86, NULL },
                              { LZMA_FILTER_LZMA2, &o },
                              { LZMA_VLI_UNKNOWN, NULL } };

    assert_false(lzma_lzma_preset(&o, w->preset));
    o.lc = w->lc;
    o.lp = w->lp;
    o.pb = w->pb;
    o.dict_size = w->dict;
    packed_bytes = 0;
    assert_int_equal(lzma_stream_buffer_encode(w->branches ? filters : filters + 1, w->check, NULL,
                                               plain, bytes, packed, &packed_bytes, sizeof(packed)),
                     LZMA_OK);
}

/* As unpack_to(), in bounded memory. */
static int unpack(const uint8_t *from, size_t bytes, uint64_t room)
{
    int rc;

    heap_largest = 0;
    rc = unpack_to(format, from, bytes, result, room);
    assert_true(heap_largest <= room + WINDOW_EXTRA);
    return rc;
}

static uint64_t told_length(size_t bytes, bool sized)
{
    uint64_t n = bytes;

    file = packed;
    return format->length(MADDR(0), &n, sized);
}

/* A kernel unpacks, whichever way its distribution packs. */
static void test_ways(void **state)
{
    static const struct way ways[] = {
        { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_CRC32, true }, /* Linux */
        { 6, 3, 0, 2, 1 << 23, LZMA_CHECK_CRC64, false },
        { 0, 0, 4, 4, 4096, LZMA_CHECK_NONE, true },
        { 9, 4, 0, 0, 1 << 16, LZMA_CHECK_CRC32, false },
        { 1, 0, 0, 0, 1 << 20, LZMA_CHECK_CRC64, true },
        { 3, 1, 3, 1, 1 << 18, LZMA_CHECK_CRC32, true },
        { 3, 3, 0, 2, 1u << 30, LZMA_CHECK_CRC32, true }, /* more than there is memory */
    };
    static const uint32_t sizes[] = { 0, 1, 4, 5, 6, 255, 4096, 70000, 300001, MOST };

    for (uint32_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        for (uint32_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
            make_plain(sizes[n], 1 + i);
            pack(sizes[n], &ways[i]);
            assert_int_equal(told_length(packed_bytes, false), sizes[n]);
            assert_int_equal(unpack(packed, packed_bytes, sizes[n]), 0);
            assert_memory_equal(result, plain, sizes[n]);
        }
}

/* What cannot be packed is in chunks as it is, between others. */
static void test_noise(void **state)
{
    const struct way w = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_CRC32, false };

    make_plain(MOST, 3);
    for (uint32_t i = 200000; i < 600000; i++)
        plain[i] = (uint8_t)unit_random(256);
    pack(MOST, &w);
    assert_int_equal(unpack(packed, packed_bytes, MOST), 0);
    assert_memory_equal(result, plain, MOST);
}

/* Several blocks, as packing with several threads makes them; lengths in their headers. */
static void test_blocks(void **state)
{
    lzma_mt mt = { .threads = 2, .block_size = 100000, .preset = 6, .check = LZMA_CHECK_CRC64 };
    lzma_stream s = LZMA_STREAM_INIT;

    make_plain(1000000, 8);
    assert_int_equal(lzma_stream_encoder_mt(&s, &mt), LZMA_OK);
    s.next_in = plain;
    s.avail_in = 1000000;
    s.next_out = packed;
    s.avail_out = sizeof(packed);
    while (lzma_code(&s, LZMA_FINISH) != LZMA_STREAM_END)
        ;
    packed_bytes = s.total_out;
    lzma_end(&s);
    assert_int_equal(told_length(packed_bytes, false), 1000000);
    assert_int_equal(unpack(packed, packed_bytes, 1000000), 0);
    assert_memory_equal(result, plain, 1000000);
}

/* The length that Linux writes behind it. */
static void test_sized(void **state)
{
    const struct way w = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_CRC32, true };
    uint32_t bytes = 5000;

    make_plain(bytes, 2);
    pack(bytes, &w);
    memcpy(packed + packed_bytes, &bytes, 4);
    assert_int_equal(told_length(packed_bytes + 4, true), bytes);
    assert_int_equal(told_length(10, false), 0);
}

/* Too little or too much room, and files cut off anywhere: which of these it is is told. */
static void test_cut(void **state)
{
    const struct way w = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_CRC32, true };

    make_plain(3000, 2);
    pack(3000, &w);
    assert_int_equal(unpack(packed, packed_bytes, 2999), -E2BIG);
    assert_int_equal(unpack(packed, packed_bytes, 3001), -EMSGSIZE);
    for (size_t n = 0; n < packed_bytes; n++)
        assert_int_equal(unpack(packed, n, 3000), -ENODATA);
}

/* Every byte of a file counts. */
static void test_damaged(void **state)
{
    const struct way w = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_CRC64, true };

    make_plain(2000, 4);
    pack(2000, &w);
    for (size_t n = 0; n < packed_bytes; n++)
        for (unsigned int bit = 0; bit < 8; bit++) {
            packed[n] ^= (uint8_t)(1u << bit);
            assert_true(unpack(packed, packed_bytes, 2000) < 0);
            packed[n] ^= (uint8_t)(1u << bit);
        }
    /* Several of them. */
    unit_random_seed(5);
    for (uint32_t i = 0; i < 3000; i++) {
        static uint8_t copy[4096];

        memcpy(copy, packed, packed_bytes);
        for (uint32_t n = 0; n < 1 + i % 5; n++)
            copy[12 + unit_random((uint32_t)packed_bytes - 12)] = (uint8_t)unit_random(256);
        if (!unpack(copy, packed_bytes, 2000))
            assert_memory_equal(result, plain, 2000);
    }
}

/* What is asked for and is not here is not taken for good, nor for damage. */
static void test_options(void **state)
{
    const struct way sha = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_SHA256, false };
    const struct way plain_way = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_CRC32, false };
    static const uint8_t lzma2[] = { 0x21, 1 };
    uint8_t *header = packed + LZMA_STREAM_HEADER_SIZE, *properties;
    size_t bytes;

    make_plain(2000, 4);
    pack(2000, &sha);
    assert_int_equal(unpack(packed, packed_bytes, 2000), -EOPNOTSUPP);
    /* A window beyond the largest that there is. */
    pack(2000, &plain_way);
    bytes = lzma_block_header_size_decode(header[0]) - 4;
    properties = memmem(header, bytes, lzma2, sizeof(lzma2));
    assert_non_null(properties);
    properties[2] = 41;
    memcpy(header + bytes, &(uint32_t){ lzma_crc32(header, bytes, 0) }, 4);
    assert_int_equal(unpack(packed, packed_bytes, 2000), -EOPNOTSUPP);
}

/* lzma: with its length in the header, or with the mark behind it that `lzma` writes into a pipe.
 */
static void pack_alone(uint32_t bytes, uint32_t dict, bool told)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_options_lzma o;

    assert_false(lzma_lzma_preset(&o, 6));
    o.dict_size = dict;
    assert_int_equal(lzma_alone_encoder(&s, &o), LZMA_OK);
    s.next_in = plain;
    s.avail_in = bytes;
    s.next_out = packed;
    s.avail_out = sizeof(packed);
    assert_int_equal(lzma_code(&s, LZMA_FINISH), LZMA_STREAM_END);
    packed_bytes = s.total_out;
    lzma_end(&s);
    if (told)
        memcpy(packed + 5, &(uint64_t){ bytes }, 8);
}

static void test_alone(void **state)
{
    static const uint32_t sizes[] = { 0, 1, 6, 255, 4096, 70000, MOST };

    format = &unpack_lzma;
    for (uint32_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t bytes = sizes[i / 2];

        make_plain(bytes, i);
        pack_alone(bytes, i % 4 < 2 ? 1 << 23 : 1u << 30, i % 2);
        assert_memory_equal(packed, unpack_lzma.magic, unpack_lzma.magic_bytes);
        assert_int_equal(told_length(packed_bytes, false), i % 2 ? bytes : 0);
        memcpy(packed + packed_bytes, &bytes, 4);
        assert_int_equal(told_length(packed_bytes + 4, true), bytes);
        assert_int_equal(unpack(packed, packed_bytes, bytes), 0);
        assert_memory_equal(result, plain, bytes);
    }
}

/* There is no check: what can be told is told, and nothing is overrun. */
static void test_alone_damaged(void **state)
{
    format = &unpack_lzma;
    make_plain(3000, 2);
    pack_alone(3000, 1 << 20, false);
    assert_int_equal(unpack(packed, packed_bytes, 2999), -E2BIG);
    assert_int_equal(unpack(packed, packed_bytes, 3001), -EMSGSIZE);
    for (size_t n = 0; n < packed_bytes; n++)
        assert_int_equal(unpack(packed, n, 3000), -ENODATA);
    for (size_t n = 0; n < packed_bytes; n++)
        for (unsigned int bit = 0; bit < 8; bit++) {
            packed[n] ^= (uint8_t)(1u << bit);
            (void)unpack(packed, packed_bytes, 3000);
            packed[n] ^= (uint8_t)(1u << bit);
        }
    packed[0] = 225; /* options that are none */
    assert_int_equal(unpack(packed, packed_bytes, 3000), -EOPNOTSUPP);
    packed[0] = 0x5d;
    packed[13] = 1; /* with which nothing begins */
    assert_int_equal(unpack(packed, packed_bytes, 3000), -EINVAL);
}

static void test_no_memory(void **state)
{
    const struct way w = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_CRC32, true };
    make_plain(3000, 2);
    pack(3000, &w);
    assert_true(unpack_without_memory(&unpack_xz, packed, packed_bytes, result, 3000) > 5);
}

static int setup(void **state)
{
    format = &unpack_xz;
    return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(test_##f, setup)
    const struct CMUnitTest tests[] = {
        TEST(ways),    TEST(noise),   TEST(blocks), TEST(sized),         TEST(cut),
        TEST(damaged), TEST(options), TEST(alone),  TEST(alone_damaged), TEST(no_memory),
    };

    host_pcpus_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
