/* SPDX-License-Identifier: MIT */
/* Searching and combining bitmaps, a word at a time: see <lib/bitmap.h>. */
#include <lib/bitmap.h>
#include <lib/bits.h>

/* Bits of the last word that belong to a map of `bits` bits. */
static unsigned long tail_mask(unsigned int bits)
{
    unsigned int used = bits % BITMAP_WORD_BITS;

    return used == 0 ? ~0ul : (1ul << used) - 1;
}

/* The first bit from `from` on that differs from those of `same` (0 or ~0). */
static unsigned int find_next(const unsigned long *map, unsigned int bits, unsigned int from,
                              unsigned long same)
{
    if (from >= bits)
        return bits;

    unsigned int i = from / BITMAP_WORD_BITS;
    unsigned long word = (map[i] ^ same) & (~0ul << (from % BITMAP_WORD_BITS));

    while (word == 0) {
        if (++i >= BITMAP_WORDS(bits))
            return bits;
        word = map[i] ^ same;
    }
    return min(i * BITMAP_WORD_BITS + bit_lowest(word), bits);
}

unsigned int bitmap_find_next(const unsigned long *map, unsigned int bits, unsigned int from)
{
    return find_next(map, bits, from, 0);
}

unsigned int bitmap_find_next_zero(const unsigned long *map, unsigned int bits, unsigned int from)
{
    return find_next(map, bits, from, ~0ul);
}

void bitmap_zero(unsigned long *to, unsigned int bits)
{
    for (unsigned int i = 0; i < BITMAP_WORDS(bits); i++)
        to[i] = 0;
}

void bitmap_fill(unsigned long *to, unsigned int bits)
{
    if (bits == 0)
        return;
    for (unsigned int i = 0; i < BITMAP_WORDS(bits); i++)
        to[i] = ~0ul;
    to[BITMAP_WORDS(bits) - 1] = tail_mask(bits);
}

void bitmap_copy(unsigned long *to, const unsigned long *from, unsigned int bits)
{
    bitmap_and(to, from, from, bits);
}

void bitmap_and(unsigned long *to, const unsigned long *a, const unsigned long *b,
                unsigned int bits)
{
    if (bits == 0)
        return;
    for (unsigned int i = 0; i < BITMAP_WORDS(bits); i++)
        to[i] = a[i] & b[i];
    to[BITMAP_WORDS(bits) - 1] &= tail_mask(bits);
}

void bitmap_or(unsigned long *to, const unsigned long *a, const unsigned long *b, unsigned int bits)
{
    if (bits == 0)
        return;
    for (unsigned int i = 0; i < BITMAP_WORDS(bits); i++)
        to[i] = a[i] | b[i];
    to[BITMAP_WORDS(bits) - 1] &= tail_mask(bits);
}

bool bitmap_is_empty(const unsigned long *map, unsigned int bits)
{
    return bitmap_find_next(map, bits, 0) == bits;
}

bool bitmap_intersects(const unsigned long *a, const unsigned long *b, unsigned int bits)
{
    for (unsigned int i = 0; i < BITMAP_WORDS(bits); i++) {
        bool last = i == BITMAP_WORDS(bits) - 1;
        if ((a[i] & b[i] & (last ? tail_mask(bits) : ~0ul)) != 0)
            return true;
    }
    return false;
}

bool bitmap_equal(const unsigned long *a, const unsigned long *b, unsigned int bits)
{
    for (unsigned int i = 0; i < BITMAP_WORDS(bits); i++) {
        bool last = i == BITMAP_WORDS(bits) - 1;
        if (((a[i] ^ b[i]) & (last ? tail_mask(bits) : ~0ul)) != 0)
            return false;
    }
    return true;
}

unsigned int bitmap_weight(const unsigned long *map, unsigned int bits)
{
    unsigned int weight = 0;

    for (unsigned int i = 0; i < BITMAP_WORDS(bits); i++) {
        bool last = i == BITMAP_WORDS(bits) - 1;
        weight += bit_count(map[i] & (last ? tail_mask(bits) : ~0ul));
    }
    return weight;
}

/* The bits of word `i` that lie in [from, to). */
static unsigned long range_mask(unsigned int i, unsigned int from, unsigned int to)
{
    unsigned int start = i * BITMAP_WORD_BITS;
    unsigned long mask = ~0ul;

    if (from > start)
        mask &= ~0ul << (from - start);
    if (to - start < BITMAP_WORD_BITS)
        mask &= ~(~0ul << (to - start));
    return mask;
}

/* Gives [from, to) the value `all`, 0 or ~0: the first and last word in part, those between whole.
 */
static void range_write(unsigned long *map, unsigned int from, unsigned int to, unsigned long all)
{
    unsigned int i = from / BITMAP_WORD_BITS, last = (to - 1) / BITMAP_WORD_BITS;

    if (from >= to)
        return;
    map[i] ^= (map[i] ^ all) & range_mask(i, from, to);
    if (i == last)
        return;
    while (++i < last)
        map[i] = all;
    map[last] ^= (map[last] ^ all) & range_mask(last, from, to);
}

void bitmap_range_fill(unsigned long *map, unsigned int from, unsigned int to)
{
    range_write(map, from, to, ~0ul);
}

void bitmap_range_zero(unsigned long *map, unsigned int from, unsigned int to)
{
    range_write(map, from, to, 0);
}

unsigned int bitmap_range_weight(const unsigned long *map, unsigned int from, unsigned int to)
{
    unsigned int weight = 0;

    for (unsigned int i = from / BITMAP_WORD_BITS; i * BITMAP_WORD_BITS < to; i++)
        weight += bit_count(map[i] & range_mask(i, from, to));
    return weight;
}
