/* SPDX-License-Identifier: MIT */
/* The decoder of LZMA; lzma.h has the contract. */
#include "lzma.h"

#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <string.h>

#define PROBABILITY_BITS 11u
#define EVEN             (1u << (PROBABILITY_BITS - 1))
#define MOVE_BITS        5u
#define RANGE_LEAST      (1u << 24)
#define CODER_BYTES      5u /* with which a chunk begins */

#define MATCH_LEAST   2u
#define LITERAL_LAST  7u  /* states below: a literal was the last */
#define SPECIAL_FIRST 4u  /* slots from here on have bits behind them, */
#define ALIGNED_FIRST 14u /* from here on some that are not modelled */
#define ALIGN_BITS    4u

/* --- the range coder -------------------------------------------------------------------------- */

static inline void normalize(struct lzma *l)
{
    if (l->range >= RANGE_LEAST)
        return;
    l->range <<= 8;
    l->code <<= 8;
    if (likely(l->in < l->in_end))
        l->code |= *l->in++;
    else
        l->short_of = true;
}

static inline uint32_t take_bit(struct lzma *l, uint16_t *p)
{
    uint32_t bound;

    normalize(l);
    bound = (l->range >> PROBABILITY_BITS) * *p;
    if (l->code < bound) {
        l->range = bound;
        *p = (uint16_t)(*p + (((1u << PROBABILITY_BITS) - *p) >> MOVE_BITS));
        return 0;
    }
    l->range -= bound;
    l->code -= bound;
    *p = (uint16_t)(*p - (*p >> MOVE_BITS));
    return 1;
}

/* The highest bit first; models are numbered by the bits before, behind a 1. */
static uint32_t take_tree(struct lzma *l, uint16_t *p, unsigned int bits)
{
    uint32_t node = 1;

    for (unsigned int i = 0; i < bits; i++)
        node = node << 1 | take_bit(l, &p[node]);
    return node - (1u << bits);
}

static uint32_t take_tree_reversed(struct lzma *l, uint16_t *p, unsigned int bits)
{
    uint32_t node = 1, value = 0;

    for (unsigned int i = 0; i < bits; i++) {
        uint32_t bit = take_bit(l, &p[node]);

        node = node << 1 | bit;
        value |= bit << i;
    }
    return value;
}

static uint32_t take_plain(struct lzma *l, unsigned int bits)
{
    uint32_t value = 0;

    for (unsigned int i = 0; i < bits; i++) {
        uint32_t bit;

        normalize(l);
        l->range >>= 1;
        bit = l->code >= l->range;
        l->code -= bit ? l->range : 0;
        value = value << 1 | bit;
    }
    return value;
}

/* --- symbols ---------------------------------------------------------------------------------- */

static void take_literal(struct lzma *l)
{
    uint32_t before = l->at ? l->dict[l->at - 1] : 0, node = 1;
    uint32_t which = (uint32_t)(l->at & ((1u << l->lp) - 1)) << l->lc | before >> (8 - l->lc);
    uint16_t *p = &l->m.literal[LZMA_LITERAL * which];

    if (l->state >= LITERAL_LAST) {
        /* Behind a match: what would have gone on with it tells something, as long as it is right.
         */
        uint32_t guess = l->dict[l->at - l->rep[0] - 1], bit, guessed;

        do {
            guessed = guess >> 7 & 1;
            guess <<= 1;
            bit = take_bit(l, &p[((1 + guessed) << 8) + node]);
            node = node << 1 | bit;
        } while (bit == guessed && node < 0x100);
    }
    while (node < 0x100)
        node = node << 1 | take_bit(l, &p[node]);
    l->dict[l->at++] = (uint8_t)node;
    l->state = l->state < 4 ? 0 : l->state < 10 ? l->state - 3 : l->state - 6;
}

static uint32_t take_length(struct lzma *l, uint16_t *p, uint32_t position)
{
    uint16_t *low = p + 2, *middle = low + LZMA_POSITIONS * 8, *high = middle + LZMA_POSITIONS * 8;

    if (!take_bit(l, &p[0]))
        return MATCH_LEAST + take_tree(l, low + position * 8, 3);
    if (!take_bit(l, &p[1]))
        return MATCH_LEAST + 8 + take_tree(l, middle + position * 8, 3);
    return MATCH_LEAST + 16 + take_tree(l, high, 8);
}

static uint32_t take_distance(struct lzma *l, uint32_t length)
{
    uint32_t slot = take_tree(l, l->m.slot[min(length - MATCH_LEAST, 3u)], 6), distance;
    unsigned int bits;

    if (slot < SPECIAL_FIRST)
        return slot;
    bits = (slot >> 1) - 1;
    distance = (2 | (slot & 1)) << bits;
    if (slot < ALIGNED_FIRST)
        return distance + take_tree_reversed(l, &l->m.special[distance - slot], bits);
    distance += take_plain(l, bits - ALIGN_BITS) << ALIGN_BITS;
    return distance + take_tree_reversed(l, l->m.align, ALIGN_BITS);
}

/* One of the last four distances becomes the last. */
static void repeat(struct lzma *l, unsigned int which)
{
    uint32_t distance = l->rep[which];

    for (; which; which--)
        l->rep[which] = l->rep[which - 1];
    l->rep[0] = distance;
}

/* Length of the match; its distance is in rep[0]. */
static uint32_t take_match(struct lzma *l, uint32_t position)
{
    bool literal = l->state < LITERAL_LAST;
    uint32_t length, state = l->state;

    if (!take_bit(l, &l->m.is_rep[state])) {
        length = take_length(l, l->m.length[0], position);
        repeat(l, 3);
        l->rep[0] = take_distance(l, length);
        l->state = literal ? 7 : 10;
        return length;
    }
    if (!take_bit(l, &l->m.is_rep0[state])) {
        if (!take_bit(l, &l->m.is_long[state][position])) {
            l->state = literal ? 9 : 11;
            return 1;
        }
    } else if (!take_bit(l, &l->m.is_rep1[state])) {
        repeat(l, 1);
    } else {
        repeat(l, 2 + take_bit(l, &l->m.is_rep2[state]));
    }
    l->state = literal ? 8 : 11;
    return take_length(l, l->m.length[1], position);
}

/* False: there is nothing so far back, or no room. */
static bool copy(struct lzma *l, uint32_t length)
{
    uint64_t distance = (uint64_t)l->rep[0] + 1;

    if (distance > l->at || length > l->end - l->at)
        return false;
    for (uint8_t *to = l->dict + l->at, *last = to + length; to < last; to++)
        *to = *(to - distance);
    l->at += length;
    return true;
}

/* --- chunks ----------------------------------------------------------------------------------- */

bool lzma_set_properties(struct lzma *l, uint8_t properties)
{
    if (properties >= 9 * 5 * 5)
        return false;
    l->lc = properties % 9;
    l->lp = properties / 9 % 5;
    l->pb = properties / 45;
    return l->lc + l->lp <= 4;
}

void lzma_reset(struct lzma *l)
{
    uint16_t *p = (uint16_t *)(void *)&l->m;

    for (uint32_t i = 0; i < sizeof(l->m) / sizeof(*p); i++)
        p[i] = EVEN;
    l->state = 0;
    l->rep[0] = l->rep[1] = l->rep[2] = l->rep[3] = 0;
}

bool lzma_begin(struct lzma *l, const uint8_t *in, uint32_t bytes, uint64_t unpacked)
{
    if (bytes < CODER_BYTES || in[0])
        return false;
    l->in = in + CODER_BYTES;
    l->in_end = in + bytes;
    l->range = UINT32_MAX;
    l->code = (uint32_t)in[1] << 24 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 8 | in[4];
    l->short_of = false;
    l->end = l->at + unpacked;
    return true;
}

int lzma_run(struct lzma *l, uint64_t limit)
{
    while (l->at < l->end && l->at < limit) {
        uint32_t position = (uint32_t)l->at & ((1u << l->pb) - 1);

        if (l->state >= LITERAL_LAST && l->rep[0] >= l->at)
            return -EINVAL;
        if (!take_bit(l, &l->m.is_match[l->state][position]))
            take_literal(l);
        else if (!copy(l, take_match(l, position)))
            return -EINVAL;
        if (unlikely(l->short_of))
            return -EINVAL;
    }
    if (l->at < l->end)
        return 0;
    /* All of the chunk was for something. */
    normalize(l);
    return !l->short_of && l->in == l->in_end && l->code == 0 ? 1 : -EINVAL;
}
