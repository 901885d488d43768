/* SPDX-License-Identifier: MIT */
/*
 * Sets of small numbers: arrays of unsigned long. Bits beyond `bits` in the last word are kept zero
 * by all functions that write whole words, and are never reported.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#define BITMAP_WORD_BITS   ((unsigned int)(8 * sizeof(unsigned long)))
#define BITMAP_WORDS(bits) (((bits) + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS)

/* An array of `bits` bits, to be used in declarations of any storage class. */
#define DECLARE_BITMAP(name, bits) unsigned long name[BITMAP_WORDS(bits)]

static inline unsigned long bitmap_bit(unsigned int n)
{
    return 1ul << (n % BITMAP_WORD_BITS);
}

/* Plain: the caller has the map for itself. */
static inline bool bitmap_test(const unsigned long *map, unsigned int n)
{
    return (__atomic_load_n(&map[n / BITMAP_WORD_BITS], __ATOMIC_RELAXED) & bitmap_bit(n)) != 0;
}
static inline void bitmap_set(unsigned long *map, unsigned int n)
{
    map[n / BITMAP_WORD_BITS] |= bitmap_bit(n);
}
static inline void bitmap_clear(unsigned long *map, unsigned int n)
{
    map[n / BITMAP_WORD_BITS] &= ~bitmap_bit(n);
}

/* Atomic and ordered as acquire and release; the tests give the bit's value before. */
static inline void bitmap_atomic_set(unsigned long *map, unsigned int n)
{
    __atomic_fetch_or(&map[n / BITMAP_WORD_BITS], bitmap_bit(n), __ATOMIC_ACQ_REL);
}
static inline void bitmap_atomic_clear(unsigned long *map, unsigned int n)
{
    __atomic_fetch_and(&map[n / BITMAP_WORD_BITS], ~bitmap_bit(n), __ATOMIC_ACQ_REL);
}
static inline bool bitmap_test_and_set(unsigned long *map, unsigned int n)
{
    unsigned long old =
        __atomic_fetch_or(&map[n / BITMAP_WORD_BITS], bitmap_bit(n), __ATOMIC_ACQ_REL);
    return (old & bitmap_bit(n)) != 0;
}
static inline bool bitmap_test_and_clear(unsigned long *map, unsigned int n)
{
    unsigned long old =
        __atomic_fetch_and(&map[n / BITMAP_WORD_BITS], ~bitmap_bit(n), __ATOMIC_ACQ_REL);
    return (old & bitmap_bit(n)) != 0;
}

/* The first bit at or after `from` that is set, or clear; `bits` when there is none. */
unsigned int bitmap_find_next(const unsigned long *map, unsigned int bits, unsigned int from);
unsigned int bitmap_find_next_zero(const unsigned long *map, unsigned int bits, unsigned int from);

static inline unsigned int bitmap_find_first(const unsigned long *map, unsigned int bits)
{
    return bitmap_find_next(map, bits, 0);
}
static inline unsigned int bitmap_find_first_zero(const unsigned long *map, unsigned int bits)
{
    return bitmap_find_next_zero(map, bits, 0);
}

/* For each number `n` (unsigned int) in the set, rising. The body may change the bit it is at. */
#define bitmap_for_each_set(n, map, bits)                        \
    for ((n) = bitmap_find_next((map), (bits), 0); (n) < (bits); \
         (n) = bitmap_find_next((map), (bits), (n) + 1))

/* Whole sets of `bits` bits; `to` may be one of the others. */
void bitmap_zero(unsigned long *to, unsigned int bits);
void bitmap_fill(unsigned long *to, unsigned int bits);
void bitmap_copy(unsigned long *to, const unsigned long *from, unsigned int bits);
void bitmap_and(unsigned long *to, const unsigned long *a, const unsigned long *b,
                unsigned int bits);
void bitmap_or(unsigned long *to, const unsigned long *a, const unsigned long *b,
               unsigned int bits);
bool bitmap_is_empty(const unsigned long *map, unsigned int bits);
bool bitmap_intersects(const unsigned long *a, const unsigned long *b, unsigned int bits);
bool bitmap_equal(const unsigned long *a, const unsigned long *b, unsigned int bits);

/* The bits from `from` up to, not including, `to`. */
void bitmap_range_fill(unsigned long *map, unsigned int from, unsigned int to);
void bitmap_range_zero(unsigned long *map, unsigned int from, unsigned int to);
unsigned int bitmap_range_weight(const unsigned long *map, unsigned int from, unsigned int to);

/* How many bits are set. */
unsigned int bitmap_weight(const unsigned long *map, unsigned int bits);

#endif
