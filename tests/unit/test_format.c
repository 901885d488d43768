/* SPDX-License-Identifier: MIT */
/* Formats: every message that a user reads. The C library on this machine is the model. */
#include "unit.h"

#include <lib/format.h>

/* Formats with both, into every size of buffer, and wants the same from both. */
#define check(...)                                                      \
    do {                                                                \
        char want[200], got[200];                                       \
        int want_len = snprintf(want, sizeof(want), __VA_ARGS__);       \
        for (size_t size = 0; size < (size_t)want_len + 3; size++) {    \
            memset(got, '#', sizeof(got));                              \
            assert_int_equal(format(got, size, __VA_ARGS__), want_len); \
            if (size == 0) {                                            \
                assert_int_equal(got[0], '#');                          \
                continue;                                               \
            }                                                           \
            snprintf(want, size, __VA_ARGS__);                          \
            assert_string_equal(got, want);                             \
            assert_int_equal(got[size], '#');                           \
        }                                                               \
    } while (0)

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-zero-length"

/* A wrong number in a crash report sends its reader to the wrong place. */
static void numbers(void **state)
{
    static const char *const flags[] = { "", "0", "-", "+", " ", "#", "-#", "0#", "+0", "- " };
    static const char *const widths[] = { "", "1", "7", "20", ".0", ".3", "12.5", "3.12" };
    static const char *const lengths[] = { "hh", "h", "", "l", "ll", "z", "j", "t" };
    static const uint64_t values[] = { 0,          1,          127,       128,
                                       0xffff8000, 0xdeadbeef, INT64_MAX, (uint64_t)INT64_MIN,
                                       UINT64_MAX, UINT32_MAX, 100,       07777777 };
    char fmt[32];

    for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++) {
        for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
            for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
                for (const char *c = "diuxXo"; *c != '\0'; c++) {
                    /* C prints an octal zero for %#.0o of 0, which nobody here wants. */
                    if (*c == 'o' && strchr(flags[f], '#') != NULL)
                        continue;
                    snprintf(fmt, sizeof(fmt), "<%%%s%s%s%c>", flags[f], widths[w], lengths[l], *c);
                    for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
                        check(fmt, values[v]);
                }
            }
        }
    }
    check("%*d|%-*d|%.*d", 6, 42, 6, 42, 6, 42);
    check("%*d|%.*d", -6, 42, -1, 42);
}

/* Names come from the device tree: they may be absent, or not terminated where a precision cuts
 * them. */
static void texts(void **state)
{
    const char open[3] = { 'a', 'b', 'c' };
    char got[20];

    check("%s and %10s and %-10s and %.2s", "one", "two", "three", "four");
    format(got, sizeof(got), "%.3s|%.*s|%.0s|", open, 2, open, open);
    assert_string_equal(got, "abc|ab||");
    check("%c%5c%-5c%%", 'a', 'b', 'c');
    check("%s", (const char *)NULL);
    check("%p", (void *)0x1234abcd);
    check("");
}

/* What it does not know it shows as it is, and takes no wrong argument for a pointer after it. */
static void unknown(void **state)
{
    char got[40];

    assert_int_equal(format(got, sizeof(got), "%u %f %s", 1, 2.0, "x"), 7);
    assert_string_equal(got, "1 %f %s");
    format(got, sizeof(got), "50%");
    assert_string_equal(got, "50%");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(texts),
        cmocka_unit_test(unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
