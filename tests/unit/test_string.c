/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own part of C's string functions, against this machine's. They are compiled
 * right here, under other names, since a program has room for one memcpy() only.
 */
#include "unit.h"

#define memcpy  our_memcpy
#define memmove our_memmove
#define memset  our_memset
#define memcmp  our_memcmp
#define memchr  our_memchr
#define strlen  our_strlen
#define strnlen our_strnlen
#define strcmp  our_strcmp
#define strncmp our_strncmp
#define strchr  our_strchr
#define strrchr our_strrchr
#define strstr  our_strstr
#include "../../hypervisor/include/libc/string.h"

#include "../../hypervisor/lib/mem.c"
#include "../../hypervisor/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr

#define BYTES 96

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

/* Guests' memory is copied with these: every alignment, every length, not a byte more. */
static void memory(void **state)
{
    unsigned char from[BYTES], want[BYTES], got[BYTES];

    for (size_t i = 0; i < BYTES; i++)
        from[i] = (unsigned char)unit_random(256);
    for (size_t to_at = 0; to_at < 17; to_at++) {
        for (size_t from_at = 0; from_at < 17; from_at++) {
            for (size_t n = 0; n < BYTES - 17; n++) {
                memset(want, 0xee, BYTES);
                memset(got, 0xee, BYTES);
                memcpy(want + to_at, from + from_at, n);
                assert_ptr_equal(our_memcpy(got + to_at, from + from_at, n), got + to_at);
                assert_memory_equal(want, got, BYTES);

                memcpy(want, from, BYTES);
                memcpy(got, from, BYTES);
                memmove(want + to_at, want + from_at, n);
                assert_ptr_equal(our_memmove(got + to_at, got + from_at, n), got + to_at);
                assert_memory_equal(want, got, BYTES);
            }
        }
        for (size_t n = 0; n < BYTES - 17; n++) {
            memset(want, 0xee, BYTES);
            memset(got, 0xee, BYTES);
            memset(want + to_at, 0x1c3, n);
            assert_ptr_equal(our_memset(got + to_at, 0x1c3, n), got + to_at);
            assert_memory_equal(want, got, BYTES);
        }
    }
}

/* The device tree's names are compared and searched with these. */
static void strings(void **state)
{
    char a[8], b[8];

    for (int step = 0; step < 20000; step++) {
        for (size_t i = 0; i < 7; i++) {
            a[i] = "\0ab\xff"[unit_random(4)];
            b[i] = "\0ab\xff"[unit_random(4)];
        }
        a[7] = b[7] = '\0';
        size_t n = unit_random(9);
        int c = (unsigned char)"\0ab\xff"[unit_random(4)];

        assert_int_equal(our_strlen(a), strlen(a));
        assert_int_equal(our_strnlen(a, n), strnlen(a, n));
        assert_int_equal(our_strcmp(a, b), sign(strcmp(a, b)));
        assert_int_equal(our_strncmp(a, b, n), sign(strncmp(a, b, n)));
        assert_int_equal(our_memcmp(a, b, n < 8 ? n : 8), sign(memcmp(a, b, n < 8 ? n : 8)));
        assert_ptr_equal(our_memchr(a, c, n < 8 ? n : 8), memchr(a, c, n < 8 ? n : 8));
        assert_ptr_equal(our_strchr(a, c), strchr(a, c));
        assert_ptr_equal(our_strrchr(a, c), strrchr(a, c));
        b[unit_random(3)] = '\0';
        assert_ptr_equal(our_strstr(a, b), strstr(a, b));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory),
        cmocka_unit_test(strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
