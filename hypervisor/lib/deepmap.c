/* SPDX-License-Identifier: MIT */
/* Bitmaps with summaries: see <lib/deepmap.h>. */
#include <lib/bits.h>
#include <lib/deepmap.h>

#define WORD_SHIFT (sizeof(unsigned long) == 8 ? 6u : 5u)
#define WORD_MASK  ((1u << WORD_SHIFT) - 1)

_Static_assert(DEEPMAP_MAX_LEVELS * 6 >= 30, "the top level is one word");

static uint32_t words_for(uint32_t bits)
{
    return (bits + WORD_MASK) >> WORD_SHIFT;
}

uint64_t deepmap_words(uint32_t bits)
{
    uint64_t words = 0;

    do {
        bits = words_for(bits);
        words += bits;
    } while (bits > 1);
    return words;
}

void deepmap_init(struct deepmap *m, uint32_t bits, unsigned long *words)
{
    *m = (struct deepmap){ .bits = bits };
    do {
        m->level[m->levels++] = words;
        bits = words_for(bits);
        words += bits;
    } while (bits > 1 && m->levels < DEEPMAP_MAX_LEVELS);
}

bool deepmap_test(const struct deepmap *m, uint32_t n)
{
    return (m->level[0][n >> WORD_SHIFT] >> (n & WORD_MASK) & 1) != 0;
}

void deepmap_set(struct deepmap *m, uint32_t n)
{
    for (uint32_t l = 0; l < m->levels; l++, n >>= WORD_SHIFT) {
        unsigned long *word = &m->level[l][n >> WORD_SHIFT], before = *word;

        *word |= 1ul << (n & WORD_MASK);
        if (before != 0)
            return;
    }
}

void deepmap_clear(struct deepmap *m, uint32_t n)
{
    for (uint32_t l = 0; l < m->levels; l++, n >>= WORD_SHIFT) {
        unsigned long *word = &m->level[l][n >> WORD_SHIFT];

        *word &= ~(1ul << (n & WORD_MASK));
        if (*word != 0)
            return;
    }
}

bool deepmap_is_empty(const struct deepmap *m)
{
    return *m->level[m->levels - 1] == 0;
}

uint32_t deepmap_next(const struct deepmap *m, uint32_t from)
{
    uint32_t bits = m->bits;

    /* Up, until a word has a bit from there on; then down, always to the first one. */
    for (uint32_t l = 0; l < m->levels && from < bits; l++, bits = words_for(bits)) {
        unsigned long word = m->level[l][from >> WORD_SHIFT] & (~0ul << (from & WORD_MASK));

        if (word != 0) {
            from = (from & ~WORD_MASK) + bit_lowest(word);
            while (l-- > 0)
                from = (from << WORD_SHIFT) + bit_lowest(m->level[l][from]);
            return from;
        }
        from = (from >> WORD_SHIFT) + 1;
    }
    return m->bits;
}

uint32_t deepmap_prev(const struct deepmap *m, uint32_t from)
{
    /* As above, the other way round. */
    for (uint32_t l = 0; l < m->levels; l++) {
        unsigned long word =
            m->level[l][from >> WORD_SHIFT] & (~0ul >> (WORD_MASK - (from & WORD_MASK)));

        if (word != 0) {
            from = (from & ~WORD_MASK) + bit_highest(word);
            while (l-- > 0)
                from = (from << WORD_SHIFT) + bit_highest(m->level[l][from]);
            return from;
        }
        if (from >> WORD_SHIFT == 0)
            break;
        from = (from >> WORD_SHIFT) - 1;
    }
    return m->bits;
}
