/* SPDX-License-Identifier: MIT */
/* Numbers from text: the command line's sizes and counts. */
#include "unit.h"

#include <lib/parse.h>

#define M ((uint64_t)1 << 20)

/* Reads a number; `left` is what must remain. */
static void good(const char *text, unsigned int base, uint64_t most, uint64_t value,
                 const char *left)
{
    uint64_t got = 99;

    assert_true(parse_uint(&text, base, most, &got));
    assert_int_equal(got, value);
    assert_string_equal(text, left);
}

static void bad(const char *text, unsigned int base, uint64_t most)
{
    const char *s = text;
    uint64_t got = 99;

    assert_false(parse_uint(&s, base, most, &got));
    assert_ptr_equal(s, text);
    assert_int_equal(got, 99);
}

/* A misread number is a machine with one CPU instead of ten. */
static void numbers(void **state)
{
    good("0", 0, 10, 0, "");
    good("10", 0, 10, 10, "");
    good("0x1fG", 0, UINT64_MAX, 0x1f, "G");
    good("0X1F", 16, UINT64_MAX, 0x1f, "");
    good("1f", 16, UINT64_MAX, 0x1f, "");
    good("017", 0, UINT64_MAX, 15, "");
    good("019", 0, UINT64_MAX, 1, "9");
    good("017", 10, UINT64_MAX, 17, "");
    good("0x", 0, UINT64_MAX, 0, "x");
    good("102", 2, UINT64_MAX, 2, "2");
    good("18446744073709551615", 0, UINT64_MAX, UINT64_MAX, "");
    good("0xffffffffffffffff,", 0, UINT64_MAX, UINT64_MAX, ",");
    bad("18446744073709551616", 0, UINT64_MAX);
    bad("99999999999999999999999", 0, UINT64_MAX);
    bad("0x10000000000000000", 0, UINT64_MAX);
    bad("11", 0, 10);
    bad("", 0, 10);
    bad("-1", 0, 10);
    bad(" 1", 0, 10);
    bad("f", 10, 100);
}

/* A misread size is a dom0 with 4 KiB, or one that takes all there is. */
static void sizes(void **state)
{
    static const struct {
        const char *text, *left;
        uint64_t bytes;
    } sizes[] = {
        { "512M", "", 512 * M }, { "512m", "", 512 * M },
        { "1G", "", 1024 * M },  { "2t", "", 2048 * 1024 * M },
        { "4096", "", 4 * M },   { "4096b", "", 4096 },
        { "0x10k", "", 16384 },  { "1Gx", "x", 1024 * M },
        { "1:", ":", 1024 },     { "16777215T", "", UINT64_C(16777215) << 40 },
    };
    static const char *const bad_sizes[] = {
        "", "M", "x", "-1M", "16777216T", "18446744073709551615K", "18446744073709551615"
    };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const char *s = sizes[i].text;
        uint64_t got = 0;
        assert_true(parse_size(&s, 1024, &got));
        assert_int_equal(got, sizes[i].bytes);
        assert_string_equal(s, sizes[i].left);
    }
    for (size_t i = 0; i < sizeof(bad_sizes) / sizeof(bad_sizes[0]); i++) {
        const char *s = bad_sizes[i];
        uint64_t got = 99;
        assert_false(parse_size(&s, 1024, &got));
        assert_ptr_equal(s, bad_sizes[i]);
        assert_int_equal(got, 99);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
