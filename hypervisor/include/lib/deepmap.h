/* SPDX-License-Identifier: MIT */
/*
 * A large set of small numbers in which the next member is found in a few steps however sparse it
 * is: a bitmap with summaries above it, where each bit tells whether a word of the level below has
 * any bit set.
 *
 * The caller has the set for itself. Words that are all zero are an empty set.
 */
#ifndef LIB_DEEPMAP_H
#define LIB_DEEPMAP_H

#include <stdbool.h>
#include <stdint.h>

#define DEEPMAP_MAX_LEVELS 5
#define DEEPMAP_MAX_BITS   ((uint32_t)1 << 30)

struct deepmap {
    unsigned long *level[DEEPMAP_MAX_LEVELS]; /* 0: the set itself */
    uint32_t bits;
    uint32_t levels;
};

/* Words that a set of `bits` numbers needs, 1 to DEEPMAP_MAX_BITS. */
uint64_t deepmap_words(uint32_t bits);

/* A set in `words`, which hold deepmap_words(bits) words and stay; what is in there is kept if it
 * was one. */
void deepmap_init(struct deepmap *m, uint32_t bits, unsigned long *words);

bool deepmap_test(const struct deepmap *m, uint32_t n);
bool deepmap_is_empty(const struct deepmap *m);
void deepmap_set(struct deepmap *m, uint32_t n);
void deepmap_clear(struct deepmap *m, uint32_t n);

/* The first member at or after `from`, and the last at or before it; m->bits when there is none. */
uint32_t deepmap_next(const struct deepmap *m, uint32_t from);
uint32_t deepmap_prev(const struct deepmap *m, uint32_t from);

#endif
