/* SPDX-License-Identifier: MIT */
/*
 * Free memory in buddy bitmaps: see frame_free.h.
 *
 * The buddy of a block is the other half of the block twice its size: their frame numbers differ in
 * bit `order` only. Whenever a block becomes free whose buddy is free too, both become one.
 */
#include "frame_free.h"

#include <hospes/log.h>
#include <lib/bitmap.h>
#include <lib/bits.h>

#define FRAMES_2M   ((uint64_t)1 << FRAME_ORDER_2M)
#define FRAMES_4G   (GIB(4) >> FRAME_SHIFT)
#define SCRUB_LOOKS 64 /* places to look for dirty frames at, before the lock is given up */

/* --- the memory of a bank's maps --------------------------------------------------------- */

static uint64_t clean_words(uint64_t frames)
{
    return div_round_up(frames, BITMAP_WORD_BITS);
}

/* Blocks of an order of which a part may lie in so many frames, wherever they begin. */
static uint32_t most_blocks(uint64_t frames, unsigned int order)
{
    return (uint32_t)(frames >> order) + 2;
}

uint64_t frame_free_meta_size(uint64_t frames)
{
    uint64_t words = clean_words(frames) + deepmap_words(most_blocks(frames, FRAME_ORDER_2M));

    for (unsigned int k = 0; k <= FRAME_MAX_ORDER; k++)
        words += FREE_SETS * deepmap_words(most_blocks(frames, k));
    return align_up(sizeof(struct frame_bank), sizeof(unsigned long)) +
           words * sizeof(unsigned long);
}

static unsigned long *map_init(struct deepmap *m, uint64_t frames, unsigned int order,
                               unsigned long *words)
{
    deepmap_init(m, most_blocks(frames, order), words);
    return words + deepmap_words(most_blocks(frames, order));
}

struct frame_bank *frame_free_init(void *meta, uint64_t start, uint64_t end)
{
    struct frame_bank *b = meta;
    unsigned long *words = (unsigned long *)(b + 1);
    uint64_t frames = end - start;

    b->start = start;
    b->end = end;
    b->clean = words;
    words += clean_words(frames);
    for (unsigned int k = 0; k <= FRAME_MAX_ORDER; k++) {
        words = map_init(&b->set[FREE_CLEAN].blocks[k], frames, k, words);
        words = map_init(&b->set[FREE_DIRTY].blocks[k], frames, k, words);
    }
    map_init(&b->to_do, frames, FRAME_ORDER_2M, words);
    return b;
}

/* --- single blocks ----------------------------------------------------------------------- */

static uint32_t index_of(const struct frame_bank *b, uint64_t mfn, unsigned int order)
{
    return (uint32_t)((mfn >> order) - (b->start >> order));
}

static uint64_t mfn_of(const struct frame_bank *b, uint32_t index, unsigned int order)
{
    return ((b->start >> order) + index) << order;
}

static void add(struct frame_bank *b, enum frame_free_set s, uint64_t mfn, unsigned int order)
{
    deepmap_set(&b->set[s].blocks[order], index_of(b, mfn, order));
    b->set[s].orders |= 1u << order;
}

static void take(struct frame_bank *b, enum frame_free_set s, uint64_t mfn, unsigned int order)
{
    struct deepmap *m = &b->set[s].blocks[order];

    deepmap_clear(m, index_of(b, mfn, order));
    if (deepmap_is_empty(m))
        b->set[s].orders &= ~(1u << order);
}

/* True if the block is in a set, *s then. It may reach out of the bank: no. */
static bool has(const struct frame_bank *b, uint64_t mfn, unsigned int order,
                enum frame_free_set *s)
{
    if (mfn < b->start || mfn + ((uint64_t)1 << order) > b->end)
        return false;
    for (*s = FREE_CLEAN; *s < FREE_SETS; (*s)++) {
        if (deepmap_test(&b->set[*s].blocks[order], index_of(b, mfn, order)))
            return true;
    }
    return false;
}

/* The set where a block belongs by its frames' bits. */
static enum frame_free_set set_of(const struct frame_bank *b, uint64_t mfn, unsigned int order)
{
    uint64_t end = mfn + ((uint64_t)1 << order);

    return frame_free_next(b, mfn, end, false) == end ? FREE_CLEAN : FREE_DIRTY;
}

/* The free block that `mfn` is in. */
static bool find_around(const struct frame_bank *b, uint64_t mfn, uint64_t *block,
                        unsigned int *order, enum frame_free_set *s)
{
    for (*order = 0; *order <= FRAME_MAX_ORDER; (*order)++) {
        *block = align_down(mfn, (uint64_t)1 << *order);
        if (has(b, *block, *order, s))
            return true;
    }
    return false;
}

/* --- giving and taking ------------------------------------------------------------------- */

static void put_block(struct frame_bank *b, uint64_t mfn, unsigned int order)
{
    enum frame_free_set s = set_of(b, mfn, order), other;

    for (; order < FRAME_MAX_ORDER; order++) {
        uint64_t buddy = mfn ^ ((uint64_t)1 << order);

        if (!has(b, buddy, order, &other))
            break;
        take(b, other, buddy, order);
        mfn = min(mfn, buddy);
        s = max(s, other);
    }
    add(b, s, mfn, order);
}

void frame_free_put(struct frame_bank *b, uint64_t start, uint64_t end)
{
    while (start < end) {
        unsigned int order = min(bit_highest(end - start), (unsigned int)FRAME_MAX_ORDER);

        if (start != 0)
            order = min(order, bit_lowest(start));
        put_block(b, start, order);
        start += (uint64_t)1 << order;
    }
}

/*
 * Cuts a block, which is in no set any more, down to `order`. Of two halves where only one is clean
 * it keeps the one that suits `set`; else the upper one if `high`.
 */
static uint64_t cut(struct frame_bank *b, uint64_t mfn, unsigned int from, unsigned int order,
                    enum frame_free_set in, enum frame_free_set set, bool high)
{
    while (from > order) {
        uint64_t upper = mfn + ((uint64_t)1 << --from);
        enum frame_free_set lower_set = in == FREE_CLEAN ? in : set_of(b, mfn, from);
        enum frame_free_set upper_set = in == FREE_CLEAN ? in : set_of(b, upper, from);
        bool keep_upper = lower_set != upper_set ? upper_set == set : high;

        add(b, keep_upper ? lower_set : upper_set, keep_upper ? mfn : upper, from);
        in = keep_upper ? upper_set : lower_set;
        mfn = keep_upper ? upper : mfn;
    }
    return mfn;
}

/* A block of the set, of this order: the lowest or the highest, below `limit`. */
static bool find_block(const struct frame_bank *b, enum frame_free_set s, unsigned int order,
                       uint64_t limit, bool high, uint64_t *mfn)
{
    const struct deepmap *m = &b->set[s].blocks[order];
    uint32_t n =
        high ? deepmap_prev(m, index_of(b, min(limit, b->end) - 1, order)) : deepmap_next(m, 0);

    if (n == m->bits)
        return false;
    *mfn = mfn_of(b, n, order);
    return *mfn < limit;
}

static bool take_from(struct frame_bank *b, enum frame_free_set s, enum frame_free_set wanted,
                      unsigned int order, unsigned int flags, uint64_t *mfn)
{
    bool high = (flags & FRAME_HIGH_FIRST) != 0;
    uint64_t limit = (flags & FRAME_LOW) != 0 ? FRAMES_4G : UINT64_MAX;
    uint32_t orders = b->set[s].orders & (~0u << order);

    /* The smallest that is large enough. */
    for (; b->start < limit && orders != 0; orders &= orders - 1) {
        unsigned int from = bit_lowest(orders);

        if (find_block(b, s, from, limit, high, mfn)) {
            take(b, s, *mfn, from);
            *mfn = cut(b, *mfn, from, order, s, wanted, high);
            return true;
        }
    }
    return false;
}

bool frame_free_take(struct frame_bank *b, enum frame_free_set set, unsigned int order,
                     unsigned int flags, uint64_t *mfn)
{
    enum frame_free_set other = set == FREE_CLEAN ? FREE_DIRTY : FREE_CLEAN;

    return take_from(b, set, set, order, flags, mfn) || take_from(b, other, set, order, flags, mfn);
}

bool frame_free_has(const struct frame_bank *b, uint64_t start, uint64_t end)
{
    enum frame_free_set s;
    unsigned int order;
    uint64_t block;

    for (; start < end; start = block + ((uint64_t)1 << order)) {
        if (!find_around(b, start, &block, &order, &s))
            return false;
    }
    return true;
}

void frame_free_take_at(struct frame_bank *b, uint64_t start, uint64_t end)
{
    while (start < end) {
        enum frame_free_set s;
        unsigned int order;
        uint64_t block;

        bool found = find_around(b, start, &block, &order, &s);
        assert(found);
        uint64_t block_end = block + ((uint64_t)1 << order);
        take(b, s, block, order);
        frame_free_put(b, block, start);
        if (block_end > end)
            frame_free_put(b, end, block_end);
        start = block_end;
    }
}

/* --- clean and dirty --------------------------------------------------------------------- */

void frame_free_note(struct frame_bank *b, uint64_t start, uint64_t end)
{
    uint32_t last = index_of(b, end - 1, FRAME_ORDER_2M);

    for (uint32_t n = index_of(b, start, FRAME_ORDER_2M); n <= last; n++)
        deepmap_set(&b->to_do, n);
}

/* A dirty free block in the 2 MiB from `start` on, cut down to them and taken out. */
static bool take_dirty_in(struct frame_bank *b, uint64_t start, uint64_t *mfn, unsigned int *order)
{
    enum frame_free_set s;
    uint64_t block;

    if (find_around(b, start, &block, order, &s) && *order >= FRAME_ORDER_2M) {
        if (frame_free_next(b, start, start + FRAMES_2M, false) == start + FRAMES_2M)
            return false;
        frame_free_take_at(b, start, start + FRAMES_2M);
        *mfn = start;
        *order = FRAME_ORDER_2M;
        return true;
    }
    for (*order = FRAME_ORDER_2M; (*order)-- > 0;) {
        const struct deepmap *m = &b->set[FREE_DIRTY].blocks[*order];
        uint32_t n = deepmap_next(m, index_of(b, start, *order));

        *mfn = mfn_of(b, n, *order);
        if (n < m->bits && *mfn < start + FRAMES_2M) {
            take(b, FREE_DIRTY, *mfn, *order);
            return true;
        }
    }
    return false;
}

bool frame_free_take_dirty(struct frame_bank *b, uint64_t *mfn, unsigned int *order)
{
    for (uint32_t looks = 0; looks < SCRUB_LOOKS; looks++) {
        uint32_t n = deepmap_next(&b->to_do, 0);

        if (n == b->to_do.bits)
            return false;
        if (take_dirty_in(b, mfn_of(b, n, FRAME_ORDER_2M), mfn, order))
            return true;
        deepmap_clear(&b->to_do, n);
    }
    return false;
}

void frame_free_mark(struct frame_bank *b, uint64_t start, uint64_t end, bool clean)
{
    if (clean)
        bitmap_range_fill(b->clean, index_of(b, start, 0), index_of(b, end, 0));
    else
        bitmap_range_zero(b->clean, index_of(b, start, 0), index_of(b, end, 0));
}

uint64_t frame_free_next(const struct frame_bank *b, uint64_t start, uint64_t end, bool clean)
{
    uint32_t from = index_of(b, start, 0), to = index_of(b, end, 0);

    return b->start + (clean ? bitmap_find_next(b->clean, to, from)
                             : bitmap_find_next_zero(b->clean, to, from));
}

/* --- counts ------------------------------------------------------------------------------ */

uint64_t frame_free_blocks(const struct frame_bank *b, enum frame_free_set set, unsigned int order)
{
    const struct deepmap *m = &b->set[set].blocks[order];

    return bitmap_weight(m->level[0], m->bits);
}

uint64_t frame_free_dirty(const struct frame_bank *b)
{
    uint64_t dirty = 0;

    for (unsigned int k = 0; k <= FRAME_MAX_ORDER; k++) {
        const struct deepmap *m = &b->set[FREE_DIRTY].blocks[k];
        for (uint32_t n = 0; (n = deepmap_next(m, n)) < m->bits; n++) {
            uint32_t first = index_of(b, mfn_of(b, n, k), 0), frames = 1u << k;
            dirty += frames - bitmap_range_weight(b->clean, first, first + frames);
        }
    }
    return dirty;
}
