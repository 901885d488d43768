/* SPDX-License-Identifier: MIT */
// sources: core/unpack.c core/unxz.c core/unxz_x86.c core/lzma.c
/*
 * xz files, which the kernels of Debian 12 and others are: what liblzma packs in any way comes out
 * as it went in, and what is damaged is refused.
 */
#include "unit.h"

#include "counting_heap.h"

#include <asm/host.h>
#include <hospes/errno.h>
#include <hospes/unpack.h>

#include <lzma.h>

#define MOST (3u << 20)

static uint8_t plain[MOST], packed[MOST + 65536], result[MOST + 16];
static size_t packed_bytes;
static const uint8_t *file;

void maddr_read(void *to, maddr_t from, uint64_t bytes)
{
    memcpy(to, file + from.v, bytes);
}

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

/* Of a file of this length: what unpacking says at last. */
static int unpack(const uint8_t *from, size_t bytes, uint64_t room)
{
    uint8_t *copy = malloc(bytes + 1);
    struct unpack *u;
    int rc = 1;

    memcpy(copy, from, bytes);
    file = copy;
    memset(result, 0xaa, room + 16);
    u = unpack_begin(&unpack_xz, MADDR(0), bytes, result, room);
    assert_non_null(u);
    while (rc == 1)
        rc = unpack_step(u);
    unpack_end(u);
    free(copy);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(result[room + i], 0xaa);
    return rc;
}

static uint64_t told_length(size_t bytes, bool sized)
{
    uint64_t n = bytes;

    file = packed;
    return unpack_xz.length(MADDR(0), &n, sized);
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

/* Too little or too much room, and files cut off anywhere. */
static void test_cut(void **state)
{
    const struct way w = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_CRC32, true };

    make_plain(3000, 2);
    pack(3000, &w);
    assert_int_equal(unpack(packed, packed_bytes, 2999), -EINVAL);
    assert_int_equal(unpack(packed, packed_bytes, 3001), -EINVAL);
    for (size_t n = 0; n < packed_bytes; n++)
        assert_int_equal(unpack(packed, n, 3000), -EINVAL);
}

/* Every byte of a file counts, but for the size of the dictionary, which is not asked for. */
static void test_damaged(void **state)
{
    const struct way w = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_CRC64, true };

    make_plain(2000, 4);
    pack(2000, &w);
    for (size_t n = 0; n < packed_bytes; n++)
        for (unsigned int bit = 0; bit < 8; bit++) {
            packed[n] ^= (uint8_t)(1u << bit);
            assert_int_equal(unpack(packed, packed_bytes, 2000), -EINVAL);
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

/* Checks that we do not have are not taken for good. */
static void test_other_check(void **state)
{
    const struct way w = { 6, 3, 0, 2, 1 << 20, LZMA_CHECK_SHA256, false };

    make_plain(2000, 4);
    pack(2000, &w);
    assert_int_equal(unpack(packed, packed_bytes, 2000), -EINVAL);
}

static void test_no_memory(void **state)
{
    for (uint64_t n = 0; n < 2; n++) {
        heap_left = n;
        assert_null(unpack_begin(&unpack_xz, MADDR(0), 10, result, 10));
    }
    heap_left = UINT64_MAX;
    assert_int_equal(heap_used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_blocks),      cmocka_unit_test(test_sized),
        cmocka_unit_test(test_cut),         cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_other_check), cmocka_unit_test(test_no_memory),
    };

    host_pcpus_init(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
