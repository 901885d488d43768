/* SPDX-License-Identifier: MIT */
/* Output by put_char(), and the counting of checks. */
#include "guest.h"

#include <stdarg.h>

static bool lock;
static unsigned int passed, failed;

static void put_padded(const char *s, size_t len, unsigned int width, bool left, char pad)
{
    for (size_t n = len; !left && n < width; n++)
        put_char(pad);
    for (size_t i = 0; i < len; i++)
        put_char(s[i]);
    for (size_t n = len; left && n < width; n++)
        put_char(' ');
}

static size_t digits(char buf[24], uint64_t v, unsigned int base, bool minus)
{
    char rev[24];
    size_t n = 0, len = 0;

    do {
        rev[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v != 0);
    if (minus)
        buf[len++] = '-';
    while (n > 0)
        buf[len++] = rev[--n];
    return len;
}

static void put_v(const char *fmt, va_list args)
{
    char buf[24];

    for (; *fmt; fmt++) {
        bool left = false, is_long = false;
        unsigned int width = 0;
        char pad = ' ';

        if (*fmt != '%') {
            if (*fmt == '\n')
                put_char('\r');
            put_char(*fmt);
            continue;
        }
        for (fmt++; *fmt == '-' || *fmt == '0'; fmt++) {
            left |= *fmt == '-';
            pad = *fmt == '0' ? '0' : pad;
        }
        for (; *fmt >= '0' && *fmt <= '9'; fmt++)
            width = width * 10 + (unsigned int)(*fmt - '0');
        for (; *fmt == 'l' || *fmt == 'z'; fmt++)
            is_long = true;
        switch (*fmt) {
        case 'd': {
            int64_t v = is_long ? va_arg(args, int64_t) : va_arg(args, int);
            uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
            put_padded(buf, digits(buf, u, 10, v < 0), width, left, pad);
            break;
        }
        case 'u':
        case 'x': {
            uint64_t v = is_long ? va_arg(args, uint64_t) : va_arg(args, unsigned int);
            put_padded(buf, digits(buf, v, *fmt == 'u' ? 10 : 16, false), width, left, pad);
            break;
        }
        case 's': {
            const char *s = va_arg(args, const char *);
            size_t len = 0;
            while (s[len])
                len++;
            put_padded(s, len, width, left, ' ');
            break;
        }
        case 'c':
            put_char((char)va_arg(args, int));
            break;
        default:
            put_char(*fmt);
            break;
        }
    }
}

static void print_lock(void)
{
    while (__atomic_exchange_n(&lock, true, __ATOMIC_ACQUIRE))
        relax();
}

static void print_unlock(void)
{
    __atomic_store_n(&lock, false, __ATOMIC_RELEASE);
}

#define PUT_ARGS(fmt)        \
    do {                     \
        va_list args;        \
        va_start(args, fmt); \
        put_v(fmt, args);    \
        va_end(args);        \
    } while (0)

static void put_unlocked(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void put_unlocked(const char *fmt, ...)
{
    PUT_ARGS(fmt);
}

void put(const char *fmt, ...)
{
    print_lock();
    PUT_ARGS(fmt);
    print_unlock();
}

void note(const char *fmt, ...)
{
    print_lock();
    put_unlocked("note ");
    PUT_ARGS(fmt);
    put_unlocked("\n");
    print_unlock();
}

bool check(bool good, const char *name, ...)
{
    print_lock();
    *(good ? &passed : &failed) += 1;
    put_unlocked(good ? "ok " : "FAIL ");
    PUT_ARGS(name);
    put_unlocked("\n");
    print_unlock();
    return good;
}

bool check_eq(uint64_t got, uint64_t want, const char *name, ...)
{
    print_lock();
    *(got == want ? &passed : &failed) += 1;
    put_unlocked(got == want ? "ok " : "FAIL ");
    PUT_ARGS(name);
    if (got != want)
        put_unlocked(": got 0x%lx expected 0x%lx", got, want);
    put_unlocked("\n");
    print_unlock();
    return got == want;
}

void finish(void)
{
    put("guest %s: %u passed, %u failed\n", guest_name, passed, failed);
    system_off();
}
