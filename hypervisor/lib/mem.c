/* SPDX-License-Identifier: MIT */
/*
 * memcpy, memmove and memset in C: a word at a time where both sides are aligned. Weak, so that an
 * architecture's own assembly takes their place. C11 section 7.24.
 */
#include <stdint.h>
#include <string.h>

#define WORD sizeof(uint64_t)
#define WEAK __attribute__((weak))

/* Bytes are accessed as words whatever was stored there. */
typedef uint64_t __attribute__((may_alias)) word_t;

/* Keeps the compiler from replacing the loop around it by a call to the very function it is in. */
#define keep_loop(p) __asm__("" : "+r"(p))

WEAK void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    unsigned char *d = to;
    const unsigned char *s = from;

    if ((((uintptr_t)d | (uintptr_t)s) % WORD) == 0) {
        for (; n >= WORD; n -= WORD, d += WORD, s += WORD) {
            *(word_t *)(void *)d = *(const word_t *)(const void *)s;
            keep_loop(d);
        }
    }
    for (; n > 0; n--) {
        *d++ = *s++;
        keep_loop(d);
    }
    return to;
}

WEAK void *memmove(void *to, const void *from, size_t n)
{
    unsigned char *d = to;
    const unsigned char *s = from;

    if ((uintptr_t)d - (uintptr_t)s >= n) {
        /* `to` does not begin inside `from`: ascending order overwrites nothing unread. */
        for (; n > 0; n--) {
            *d++ = *s++;
            keep_loop(d);
        }
        return to;
    }
    d += n;
    s += n;
    if ((((uintptr_t)d | (uintptr_t)s) % WORD) == 0) {
        for (; n >= WORD; n -= WORD) {
            d -= WORD;
            s -= WORD;
            *(word_t *)(void *)d = *(const word_t *)(const void *)s;
            keep_loop(d);
        }
    }
    for (; n > 0; n--) {
        *--d = *--s;
        keep_loop(d);
    }
    return to;
}

WEAK void *memset(void *to, int c, size_t n)
{
    unsigned char *d = to;
    uint64_t word = (unsigned char)c * (uint64_t)0x0101010101010101u;

    for (; n > 0 && (uintptr_t)d % WORD != 0; n--) {
        *d++ = (unsigned char)c;
        keep_loop(d);
    }
    for (; n >= WORD; n -= WORD, d += WORD) {
        *(word_t *)(void *)d = word;
        keep_loop(d);
    }
    for (; n > 0; n--) {
        *d++ = (unsigned char)c;
        keep_loop(d);
    }
    return to;
}
