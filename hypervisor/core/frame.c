/* SPDX-License-Identifier: MIT */
/*
 * The frame table, and the allocator's front: see <hospes/frame.h>. Free memory itself is
 * frame_free.c's.
 *
 * An entry's life: zeroes while free; owner and count 1 when handed out; count goes up and down
 * with users; when the owner lets go it is nobody's, and whoever then drops the last reference puts
 * the frame back among the free ones.
 */
#include "frame_free.h"

#include <hospes/cmdline.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/spinlock.h>
#include <lib/bits.h>

#define FRAMES_2M    ((uint64_t)1 << FRAME_ORDER_2M)
#define SCRUB_FRAMES 64 /* in a step: a few microseconds, by which an interrupt may come late */

_Static_assert(sizeof(struct frame) == sizeof(uint64_t), "a page of entries is 2 MiB");

/* An entry as one word: the count is in its low half, the owner above. */
#define FRAME_OWNER_SHIFT 32u
_Static_assert(offsetof(struct frame, count) == 0 &&
                   offsetof(struct frame, owner_inverse) * 8 == FRAME_OWNER_SHIFT,
               "little-endian, both architectures");

static struct spinlock lock = SPINLOCK_INIT(LOCK_FRAME);

static struct frame *table; /* constant after boot, as are these: */
static struct frame_bank
    *banks[FRAME_MAX_BANKS + 1]; /* by address; their contents under the lock */
static uint32_t nr_banks;
static struct bounds {
    uint64_t start, frames;
} bounds[FRAME_MAX_BANKS + 1]; /* of banks[], for a quick look; the first of no frames ends them */
static uint64_t nr_total;      /* constant after boot */
static uint64_t nr_free;       /* under the lock */
static uint32_t
    nr_scrubbing; /* blocks that are free, but out of the sets to be cleared; under the lock */

/* --- banks ------------------------------------------------------------------------------- */

/* Which bank it is in; nr_banks: none. */
static inline uint32_t bank_index(uint64_t mfn)
{
    uint32_t i = 0;

    while (bounds[i].frames != 0 && unlikely(mfn - bounds[i].start >= bounds[i].frames))
        i++;
    return i;
}

static inline bool is_ram(uint64_t mfn)
{
    const struct bounds *b = bounds;

    for (; unlikely(mfn - b->start >= b->frames); b++)
        if (b->frames == 0)
            return false;
    return true;
}

static inline struct frame_bank *bank_of(uint64_t mfn)
{
    return banks[bank_index(mfn)];
}

static uint64_t entries_size(uint64_t frames)
{
    return align_up(frames * sizeof(struct frame), FRAME_SIZE);
}

uint64_t frame_bank_meta_size(uint64_t frames)
{
    return entries_size(frames) + frame_free_meta_size(frames);
}

int __cold frame_bank_add(mfn_t start, mfn_t end, void *meta)
{
    uint64_t frames = end.v - start.v;
    uint32_t at = nr_banks;

    if (start.v >= end.v || ((start.v | end.v) & (FRAMES_2M - 1)) != 0 ||
        frames >= DEEPMAP_MAX_BITS / 2)
        return -EINVAL;
    if (nr_banks == FRAME_MAX_BANKS)
        return -ENOSPC;
    arch_zero_pages(meta, align_up(frame_bank_meta_size(frames), FRAME_SIZE) >> FRAME_SHIFT);
    int ret = arch_frame_table_map(start, end, meta, entries_size(frames));
    if (ret != 0)
        return ret;

    table = arch_frame_table();
    for (; at > 0 && banks[at - 1]->start > start.v; at--) {
        banks[at] = banks[at - 1];
        bounds[at] = bounds[at - 1];
    }
    bounds[at].start = start.v;
    bounds[at].frames = frames;
    banks[at] = frame_free_init((uint8_t *)meta + entries_size(frames), start.v, end.v);
    nr_banks++;
    nr_total += frames;
    return 0;
}

/* Puts frames into their banks' sets. Those that had an owner hold data; others have never been
 * clean anyway. Under the lock. */
static void put_in_sets(uint64_t start, uint64_t end, bool had_owner)
{
    while (start < end) {
        struct frame_bank *b = bank_of(start);
        uint64_t part_end = min(end, b->end);

        if (had_owner)
            frame_free_mark(b, start, part_end, false);
        frame_free_put(b, start, part_end);
        if (had_owner || options.bootscrub)
            frame_free_note(b, start, part_end);
        start = part_end;
    }
}

/*
 * Single frames that were given back last are kept at hand, outside of the sets: who gives and
 * takes frame by frame (a balloon, page tables) finds them without a search. They are put away
 * before anybody looks for more than a frame, or for a certain one, and by idle pCPUs. Under the
 * lock.
 */
#define AT_HAND 32u
static uint64_t at_hand[AT_HAND];
static uint32_t nr_at_hand;

static void put_away(void)
{
    while (nr_at_hand > 0) {
        uint64_t mfn = at_hand[--nr_at_hand];

        put_in_sets(mfn, mfn + 1, true);
    }
}

/* Makes frames free that lie in banks. */
static void put_free(uint64_t start, uint64_t end, bool had_owner)
{
    if (start == end)
        return;
    spin_lock(&lock);
    nr_free += end - start;
    if (had_owner && end - start == 1) {
        if (unlikely(nr_at_hand == AT_HAND))
            put_away();
        at_hand[nr_at_hand++] = start;
    } else {
        put_in_sets(start, end, had_owner);
    }
    spin_unlock(&lock);
}

void frame_bank_release(mfn_t start, mfn_t end)
{
    if (bank_of(start.v) != NULL)
        put_free(start.v, end.v, false);
}

/* --- entries ----------------------------------------------------------------------------- */

/* The frames get an owner and their first reference. Written out, since a large domain has hundreds
 * of thousands. */
static void set_owner(uint64_t start, uint64_t frames, uint16_t owner)
{
    const union {
        struct frame frame;
        uint64_t word;
    } new = { .frame = { .count = 1, .owner_inverse = (uint16_t)~owner } };
    uint64_t *f = (uint64_t *)(void *)(table + start), word = new.word;

    for (; frames >= 8; frames -= 8, f += 8) {
        f[0] = word;
        f[1] = word;
        f[2] = word;
        f[3] = word;
        f[4] = word;
        f[5] = word;
        f[6] = word;
        f[7] = word;
    }
    for (; frames > 0; frames--)
        *f++ = word;
}

void frame_bank_claim(mfn_t start, mfn_t end, uint16_t owner)
{
    set_owner(start.v, end.v - start.v, owner);
}

struct frame *frame_of(mfn_t m)
{
    return table + m.v;
}

mfn_t frame_end(void)
{
    return MFN(nr_banks ? banks[nr_banks - 1]->end : 0);
}

bool frame_is_ram(mfn_t m)
{
    return is_ram(m.v);
}

bool frame_is_owned(mfn_t m, uint16_t owner)
{
    return is_ram(m.v) && frame_owner(&table[m.v]) == owner;
}

/* The owner and the count at once: it cannot change hands between a look and the next. */
inline int frame_get(mfn_t m, uint16_t owner)
{
    uint64_t *word = (uint64_t *)(void *)&table[m.v], seen;

    if (unlikely(!is_ram(m.v)))
        return -EPERM;
    seen = read_once(*word);
    do {
        if (unlikely((uint16_t)~(seen >> FRAME_OWNER_SHIFT) != owner))
            return -EPERM;
        if (unlikely((uint32_t)(seen + 1) <= 1)) /* none, or as many as there can be */
            return (uint32_t)seen == 0 ? -EPERM : -EOVERFLOW;
    } while (unlikely(!__atomic_compare_exchange_n(word, &seen, seen + 1, true, __ATOMIC_ACQUIRE,
                                                   __ATOMIC_RELAXED)));
    return 0;
}

/* Drops a reference; true if it was the last, and the frame is to be put back. */
static bool drop(struct frame *f)
{
    uint32_t before = __atomic_fetch_sub(&f->count, 1, __ATOMIC_ACQ_REL);

    assert(before != 0);
    return before == 1;
}

void frame_put(mfn_t m)
{
    struct frame *f = frame_of(m);

    if (drop(f)) {
        write_once(f->owner_inverse, 0);
        put_free(m.v, m.v + 1, true);
    }
}

void frame_free(mfn_t start, uint64_t frames)
{
    uint64_t run = start.v, end = start.v + frames;

    for (uint64_t m = start.v; m < end; m++) {
        struct frame *f = table + m;

        /* Nobody's, before the reference goes: from now on frame_get() refuses. */
        write_once(f->owner_inverse, 0);
        if (!drop(f)) {
            put_free(run, m, true);
            run = m + 1;
        }
    }
    put_free(run, end, true);
}

/* --- allocation -------------------------------------------------------------------------- */

void frame_clear(mfn_t start, uint64_t frames)
{
    uint64_t m = start.v, end = start.v + frames;

    while (m < end) {
        uint64_t in = m % FRAMES_2M;
        bool large = end - m > 1 && map_may_block(mfn_to_maddr(MFN(m)));
        uint64_t n = large ? min(end - m, FRAMES_2M - in) : 1;
        uint8_t *p = large ? frame_map_2m(MFN(m - in)) : frame_map(MFN(m));

        arch_clear_pages(large ? p + (in << FRAME_SHIFT) : p, n);
        if (large)
            frame_unmap_2m(p);
        else
            frame_unmap(p);
        m += n;
    }
}

/* Clears those of the caller's frames that were not clean when they were taken out; they lie in one
 * bank. */
static void clear_dirty(uint64_t start, uint64_t end)
{
    const struct frame_bank *b = bank_of(start);

    while ((start = frame_free_next(b, start, end, false)) < end) {
        uint64_t clean = start + 1 < end ? frame_free_next(b, start, end, true) : end;

        frame_clear(MFN(start), clean - start);
        start = clean;
    }
}

/* Takes a block out, of which the first `frames` are used. Under the lock. */
static bool take_block(unsigned int order, uint64_t frames, unsigned int flags, uint64_t *mfn)
{
    enum frame_free_set set = (flags & FRAME_DIRTY_OK) != 0 ? FREE_DIRTY : FREE_CLEAN;

    for (uint32_t i = 0; i < nr_banks; i++) {
        struct frame_bank *b = banks[(flags & FRAME_HIGH_FIRST) != 0 ? nr_banks - 1 - i : i];

        if (frame_free_take(b, set, order, flags, mfn)) {
            frame_free_put(b, *mfn + frames, *mfn + ((uint64_t)1 << order));
            nr_free -= frames;
            return true;
        }
    }
    return false;
}

/* As take_block(), and waits for blocks that are being cleared rather than to fail for the lack of
 * them. */
static bool take_or_wait(unsigned int order, uint64_t frames, unsigned int flags, uint64_t *mfn)
{
    for (;;) {
        spin_lock(&lock);
        bool taken = take_block(order, frames, flags, mfn);
        if (!taken && nr_at_hand > 0) {
            put_away();
            taken = take_block(order, frames, flags, mfn);
        }
        bool wait = !taken && nr_scrubbing > 0;
        spin_unlock(&lock);
        if (!wait)
            return taken;
        arch_cpu_relax();
    }
}

/* A single frame that is at hand, wherever it is; its last owner's data is in it. */
static bool take_at_hand(unsigned int flags, uint64_t *mfn)
{
    bool taken;

    if ((flags & (FRAME_LOW | FRAME_LASTING)) != 0)
        return false;
    spin_lock(&lock);
    taken = nr_at_hand > 0;
    if (taken) {
        *mfn = at_hand[--nr_at_hand];
        nr_free--;
        if ((flags & FRAME_DIRTY_OK) != 0)
            frame_free_mark(bank_of(*mfn), *mfn, *mfn + 1, false);
    }
    spin_unlock(&lock);
    if (taken && (flags & FRAME_DIRTY_OK) == 0)
        frame_clear(MFN(*mfn), 1);
    return taken;
}

static int alloc(uint16_t owner, unsigned int order, uint64_t frames, unsigned int flags,
                 mfn_t *out, bool *dirty)
{
    uint64_t mfn;

    if (!take_or_wait(order, frames, flags, &mfn))
        return -ENOMEM;
    /* They are in no set and have no owner: nobody else comes near them. */
    if ((flags & FRAME_DIRTY_OK) == 0)
        clear_dirty(mfn, mfn + frames);
    if (dirty != NULL)
        *dirty = (flags & FRAME_DIRTY_OK) != 0 && !frame_were_clean(MFN(mfn), frames);
    set_owner(mfn, frames, owner);
    *out = MFN(mfn);
    return 0;
}

int frame_alloc(uint16_t owner, unsigned int order, unsigned int flags, mfn_t *out, bool *dirty)
{
    uint64_t mfn;

    if (order > FRAME_MAX_ORDER)
        return -ENOMEM;
    if (order > 0 || !take_at_hand(flags, &mfn))
        return alloc(owner, order, (uint64_t)1 << order, flags, out, dirty);
    if (dirty != NULL)
        *dirty = (flags & FRAME_DIRTY_OK) != 0;
    set_owner(mfn, 1, owner);
    *out = MFN(mfn);
    return 0;
}

int frame_alloc_range(uint16_t owner, uint64_t frames, unsigned int flags, mfn_t *out)
{
    if (frames == 0 || frames > (uint64_t)1 << FRAME_MAX_ORDER)
        return -ENOMEM;
    return alloc(owner, log2_ceil(frames), frames, flags, out, NULL);
}

/* True if all of [start, end) is free. Under the lock. */
static bool all_free(uint64_t start, uint64_t end)
{
    while (start < end) {
        const struct frame_bank *b = bank_of(start);

        if (b == NULL || !frame_free_has(b, start, min(end, b->end)))
            return false;
        start = b->end;
    }
    return true;
}

int frame_alloc_at(mfn_t start, uint64_t frames, uint16_t owner)
{
    uint64_t end = start.v + frames;

    if (end < start.v)
        return -EBUSY;
    for (;;) {
        spin_lock(&lock);
        put_away();
        bool free = all_free(start.v, end);
        bool wait = !free && nr_scrubbing > 0;
        for (uint64_t m = start.v; free && m < end;) {
            struct frame_bank *b = bank_of(m);

            frame_free_take_at(b, m, min(end, b->end));
            m = b->end;
        }
        nr_free -= free ? frames : 0;
        spin_unlock(&lock);
        if (free)
            break;
        if (!wait)
            return -EBUSY;
        arch_cpu_relax();
    }
    set_owner(start.v, frames, owner);
    return 0;
}

bool frame_were_clean(mfn_t start, uint64_t frames)
{
    uint64_t m = start.v, end = start.v + frames;

    /*
     * The bits of frames that are not free change with their owner only. Others' bits in the same
     * words may change while this looks, which does not matter.
     */
    while (m < end) {
        const struct frame_bank *b = bank_of(m);
        uint64_t part_end = min(end, b->end);

        if (frame_free_next(b, m, part_end, false) < part_end)
            return false;
        m = part_end;
    }
    return true;
}

/* --- scrubbing --------------------------------------------------------------------------- */

bool frame_scrub_step(void)
{
    struct frame_bank *b = NULL;
    unsigned int order = 0;
    uint64_t mfn = 0;

    spin_lock(&lock);
    put_away();
    for (uint32_t i = 0; i < nr_banks && b == NULL; i++) {
        if (frame_free_take_dirty(banks[i], &mfn, &order))
            b = banks[i];
    }
    nr_scrubbing += b != NULL;
    spin_unlock(&lock);
    if (b == NULL)
        return false;

    uint64_t end = mfn + ((uint64_t)1 << order);
    uint64_t from = frame_free_next(b, mfn, end, false), to = min(end, from + SCRUB_FRAMES);
    clear_dirty(from, to);

    spin_lock(&lock);
    frame_free_mark(b, from, to, true);
    frame_free_put(b, mfn, end);
    nr_scrubbing--;
    spin_unlock(&lock);
    return true;
}

/* --- counts ------------------------------------------------------------------------------ */

mfn_t frame_highest(void)
{
    return MFN(banks[nr_banks - 1]->end - 1);
}

uint64_t frame_total(void)
{
    return nr_total;
}

uint64_t frame_free_count(void)
{
    return read_once(nr_free);
}

uint64_t frame_dirty_count(void)
{
    uint64_t dirty = read_once(nr_at_hand);

    for (uint32_t i = 0; i < nr_banks; i++) {
        spin_lock(&lock);
        dirty += frame_free_dirty(banks[i]);
        spin_unlock(&lock);
    }
    return dirty;
}

uint64_t frame_owned_count(uint16_t owner)
{
    uint64_t owned = 0;

    for (uint32_t i = 0; i < nr_banks; i++) {
        for (uint64_t m = banks[i]->start; m < banks[i]->end; m++)
            owned += frame_owner(&table[m]) == owner;
    }
    return owned;
}

static unsigned long long mib(uint64_t frames)
{
    return frames >> (20 - FRAME_SHIFT);
}

void __cold frame_dump(void)
{
    log_info("memory: %llu MiB, %llu MiB free, of which %llu MiB are to be cleared", mib(nr_total),
             mib(frame_free_count()), mib(frame_dirty_count()));
    spin_lock(&lock);
    put_away();
    spin_unlock(&lock);
    for (uint32_t i = 0; i < nr_banks; i++) {
        log_info("bank %#llx-%#llx: free blocks, clean and dirty:",
                 (unsigned long long)mfn_to_maddr(MFN(banks[i]->start)).v,
                 (unsigned long long)mfn_to_maddr(MFN(banks[i]->end)).v);
        for (unsigned int k = 0; k <= FRAME_MAX_ORDER; k++) {
            spin_lock(&lock);
            uint64_t clean = frame_free_blocks(banks[i], FREE_CLEAN, k);
            uint64_t dirty = frame_free_blocks(banks[i], FREE_DIRTY, k);
            spin_unlock(&lock);
            if (clean + dirty != 0)
                log_info("  %7llu KiB: %6llu %6llu", 4ull << k, (unsigned long long)clean,
                         (unsigned long long)dirty);
        }
    }
}
