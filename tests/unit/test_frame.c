/* SPDX-License-Identifier: MIT */
// sources: core/frame_free.c core/spinlock.c
/*
 * The frame allocator. The model knows for each frame of small banks its owner, its users, and
 * whether it was written to; after each step of a long random life the allocator has to agree, and
 * its free blocks have to be as they should.
 */
#include "unit.h"

#include "../../hypervisor/core/frame_free.h"
#include <asm/host.h>
#include <hospes/cmdline.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>
#include <pthread.h>

#define META    GIB(16) /* banks' metadata lies apart, so that banks are free to the last frame */
#define MODEL   6144    /* frames in all banks */
#define LIVES   200     /* allocations at a time */
#define GARBAGE 0xa5a5a5a5a5a5a5a5

/* core/frame.c starts anew for each test: it is compiled in here, as its state is its own. */
#include "../../hypervisor/core/frame.c"

static struct {
    uint64_t start, frames;
} layout[] = {
    { GIB(1) >> FRAME_SHIFT, 3072 },            /* not a power of two: 12 MiB */
    { (GIB(4) - MIB(4)) >> FRAME_SHIFT, 2048 }, /* across 4 GiB */
    { (GIB(6) + MIB(2)) >> FRAME_SHIFT, 1024 }, /* not aligned to its size */
};

static struct {
    uint64_t mfn;
    uint16_t owner;
    uint32_t count;
    bool reserved; /* never released */
    bool data;     /* something was written to it */
} model[MODEL];

static void forget(void)
{
    memset(banks, 0, sizeof(banks));
    memset(bounds, 0, sizeof(bounds));
    nr_banks = nr_at_hand = 0;
    nr_total = nr_free = 0;
    nr_scrubbing = 0;
    host_ram_reset();
    host_pcpus_init(4);
    options.bootscrub = true;
}

static void start(void)
{
    uint64_t meta = META;
    uint32_t n = 0;

    forget();
    host_ram_add(META, MIB(256));
    memset(host_ram(MADDR(META)), 0xff, MIB(2));
    for (size_t i = 0; i < array_size(layout); i++) {
        uint64_t first = layout[i].start, end = first + layout[i].frames;

        host_ram_add(first << FRAME_SHIFT, layout[i].frames << FRAME_SHIFT);
        assert_int_equal(frame_bank_add(MFN(first), MFN(end), host_ram(MADDR(meta))), 0);
        meta += align_up(frame_bank_meta_size(layout[i].frames), FRAME_SIZE);
        for (uint64_t m = first; m < end; m++, n++) {
            model[n].mfn = m;
            model[n].owner = OWNER_NONE;
            model[n].count = 0;
            model[n].data = true;
            /* Firmware keeps some frames, in the middle and at an end. */
            model[n].reserved = (m > first + 700 && m < first + 703) || m == end - 1;
            *(uint64_t *)host_ram(MADDR(m << FRAME_SHIFT)) = GARBAGE;
        }
        frame_bank_release(MFN(first), MFN(first + 701));
        frame_bank_release(MFN(first + 703), MFN(end - 1));
    }
    assert_int_equal(n, MODEL);
}

static uint32_t model_index(uint64_t mfn)
{
    uint32_t n = 0;

    for (size_t i = 0; i < array_size(layout); i++) {
        if (mfn >= layout[i].start && mfn < layout[i].start + layout[i].frames)
            return n + (uint32_t)(mfn - layout[i].start);
        n += (uint32_t)layout[i].frames;
    }
    fail_msg("frame %#llx is not RAM", (unsigned long long)mfn);
    return 0;
}

static bool model_free(uint32_t n)
{
    return model[n].count == 0 && !model[n].reserved;
}

/* Whether an aligned free block of this order exists below `limit`. */
static bool model_has(unsigned int order, uint64_t limit)
{
    for (uint32_t n = 0, run = 0; n < MODEL; n++) {
        uint64_t m = model[n].mfn;

        if (!model_free(n) || m >= limit) {
            run = 0;
            continue;
        }
        if (run == 0 && !is_aligned(m, BIT(order)))
            continue;
        if (run > 0 && model[n - 1].mfn + 1 != m) {
            run = 0;
            n--;
            continue;
        }
        if (++run == BIT(order))
            return true;
        if (is_aligned(m + 1, BIT(order)))
            run = 0;
    }
    return false;
}

static void check_counts(void)
{
    uint64_t free_frames = 0;

    for (uint32_t n = 0; n < MODEL; n++)
        free_frames += model_free(n);
    assert_int_equal(frame_free_count(), free_frames);
}

/* Every free frame in one block, blocks in the set where they belong, no two that should be one. */
static void check_blocks(void)
{
    static uint32_t in_block[MODEL];

    memset(in_block, 0, sizeof(in_block));
    for (uint32_t i = 0; i < nr_banks; i++) {
        struct frame_bank *b = banks[i];
        for (unsigned int s = 0; s < FREE_SETS; s++) {
            for (unsigned int k = 0; k <= FRAME_MAX_ORDER; k++) {
                const struct deepmap *m = &b->set[s].blocks[k];
                bool any = false;

                for (uint32_t n = 0; (n = deepmap_next(m, n)) < m->bits; n++) {
                    uint64_t mfn = ((b->start >> k) + n) << k;
                    bool dirty = false;

                    any = true;
                    for (uint64_t j = 0; j < BIT(k); j++) {
                        in_block[model_index(mfn + j)]++;
                        dirty |= frame_free_next(b, mfn + j, mfn + j + 1, true) == mfn + j + 1;
                    }
                    assert_int_equal(dirty, s == FREE_DIRTY);

                    uint64_t buddy = mfn ^ BIT(k);
                    uint32_t at = (uint32_t)((buddy >> k) - (b->start >> k));
                    if (k < FRAME_MAX_ORDER && buddy >= b->start && buddy + BIT(k) <= b->end)
                        assert_false(deepmap_test(&b->set[0].blocks[k], at) ||
                                     deepmap_test(&b->set[1].blocks[k], at));
                }
                assert_int_equal((b->set[s].orders >> k) & 1, any);
            }
        }
    }
    for (uint32_t i = 0; i < nr_at_hand; i++)
        in_block[model_index(at_hand[i])]++;
    for (uint32_t n = 0; n < MODEL; n++)
        assert_int_equal(in_block[n], model_free(n));
}

static bool is_at_hand(uint64_t mfn)
{
    for (uint32_t i = 0; i < nr_at_hand; i++)
        if (at_hand[i] == mfn)
            return true;
    return false;
}

static void check_all(void)
{
    uint64_t dirty = 0;

    check_counts();
    check_blocks();
    for (uint32_t n = 0; n < MODEL; n++) {
        const struct frame *f = frame_of(MFN(model[n].mfn));

        assert_int_equal(f->count, model[n].count);
        assert_int_equal(frame_owner(f), model[n].owner);
        if (!model_free(n))
            continue;
        const struct frame_bank *b = bank_of(model[n].mfn);
        bool clean = frame_free_next(b, model[n].mfn, model[n].mfn + 1, false) != model[n].mfn &&
                     !is_at_hand(model[n].mfn);
        dirty += !clean;
        /* A frame that counts as clean is. */
        if (clean)
            assert_false(model[n].data);
    }
    assert_int_equal(frame_dirty_count(), dirty);
}

/* Our handed-out ranges. */
static struct {
    uint64_t mfn, frames;
    uint16_t owner;
} held[LIVES];

static uint32_t nr_held;

static void note_alloc(uint16_t owner, uint64_t mfn, uint64_t frames, bool clean)
{
    for (uint64_t m = mfn; m < mfn + frames; m++) {
        uint32_t n = model_index(m);
        uint64_t *p = host_ram(MADDR(m << FRAME_SHIFT));

        assert_true(model_free(n));
        model[n].owner = owner;
        model[n].count = 1;
        if (clean) {
            assert_int_equal(*p, 0);
            model[n].data = false;
        }
        assert_int_equal(*p, model[n].data ? GARBAGE : 0);
        if (unit_random(2)) {
            *p = GARBAGE;
            model[n].data = true;
        }
    }
    held[nr_held].mfn = mfn;
    held[nr_held].frames = frames;
    held[nr_held++].owner = owner;
}

/* The one that was given back last comes first, clear; with others they make a block again. */
static void at_hand_first(void **state)
{
    mfn_t m, again, block;
    bool dirty;

    start();
    assert_int_equal(frame_alloc(1, 0, 0, &m, NULL), 0);
    *(uint64_t *)host_ram(mfn_to_maddr(m)) = GARBAGE;
    frame_free(m, 1);
    assert_int_equal(nr_at_hand, 1);
    assert_int_equal(frame_alloc(2, 0, 0, &again, NULL), 0);
    assert_int_equal(again.v, m.v);
    assert_int_equal(*(uint64_t *)host_ram(mfn_to_maddr(m)), 0);
    *(uint64_t *)host_ram(mfn_to_maddr(m)) = GARBAGE;
    frame_free(m, 1);
    assert_int_equal(frame_alloc(2, 0, FRAME_DIRTY_OK, &again, &dirty), 0);
    assert_int_equal(again.v, m.v);
    assert_true(dirty);
    assert_false(frame_were_clean(again, 1));
    frame_free(m, 1);
    /* Memory in use but for what is at hand. */
    while (!frame_alloc(3, 1, 0, &block, NULL))
        ;
    while (!frame_alloc(3, 0, 0, &m, NULL))
        ;
    assert_int_equal(frame_free_count(), 0);
    for (uint64_t i = 0; i < 4 * AT_HAND; i++)
        frame_free(MFN(layout[0].start + i), 1);
    assert_int_equal(nr_at_hand, AT_HAND);
    assert_int_equal(frame_free_count(), 4 * AT_HAND);
    assert_int_equal(frame_dirty_count(), 4 * AT_HAND);
    assert_int_equal(frame_alloc(1, 0, FRAME_LOW, &m, NULL), 0);
    frame_free(m, 1);
    assert_int_equal(frame_alloc(1, 7, 0, &block, NULL), 0);
    assert_int_equal(nr_at_hand, 0);
    assert_int_equal(frame_free_count(), 0);
    frame_free(block, 128);
    for (uint64_t i = 0; i < 128; i++) {
        assert_int_equal(frame_alloc_at(MFN(layout[0].start + i), 1, 1), 0);
        frame_free(MFN(layout[0].start + i), 1);
    }
}

static void step_alloc(void)
{
    static const unsigned int all_flags[] = { 0, FRAME_DIRTY_OK, FRAME_LOW, FRAME_HIGH_FIRST };
    unsigned int flags = all_flags[unit_random(4)] | all_flags[unit_random(4)];
    uint16_t owner = unit_random(3) ? (uint16_t)unit_random(4) : (uint16_t)OWNER_HOSPES;
    unsigned int order = unit_random(4) ? unit_random(5) : unit_random(12);
    uint64_t frames = BIT(order), limit = flags & FRAME_LOW ? GIB(4) >> FRAME_SHIFT : UINT64_MAX;
    bool range = unit_random(3) == 0, dirty = false, clean;
    mfn_t m;
    int ret;

    if (nr_held == LIVES)
        return;
    if (range) {
        frames -= unit_random((uint32_t)frames / 2 + 1);
        ret = frame_alloc_range(owner, frames, flags, &m);
        order = log2_ceil(frames);
    } else {
        ret = frame_alloc(owner, order, flags, &m, &dirty);
    }
    /* Memory never fails to be found because of where dirt lies. */
    assert_int_equal(ret, model_has(order, limit) ? 0 : -ENOMEM);
    if (ret != 0)
        return;
    assert_true(is_aligned(m.v, BIT(order)));
    assert_true(m.v + frames <= limit);
    clean = !(flags & FRAME_DIRTY_OK);
    if (clean)
        assert_false(dirty);
    if (!range && !dirty)
        clean = true;
    if (!range && (flags & FRAME_DIRTY_OK))
        assert_int_equal(frame_were_clean(m, frames), !dirty);
    note_alloc(owner, m.v, frames, clean);
}

static void step_alloc_at(void)
{
    uint64_t start = model[unit_random(MODEL)].mfn,
             frames = 1 + unit_random(unit_random(2) ? 40 : 900);
    bool ok = true;

    if (nr_held == LIVES)
        return;
    for (uint64_t m = start; ok && m < start + frames; m++)
        ok = frame_is_ram(MFN(m)) && model_free(model_index(m));
    assert_int_equal(frame_alloc_at(MFN(start), frames, 3), ok ? 0 : -EBUSY);
    if (ok)
        note_alloc(3, start, frames, frame_were_clean(MFN(start), frames));
}

/* The owner lets go of one of its ranges, whole or its end. */
static void step_free(void)
{
    if (nr_held == 0)
        return;
    uint32_t i = unit_random(nr_held);
    uint64_t frames = unit_random(2) ? held[i].frames : 1 + unit_random((uint32_t)held[i].frames);
    uint64_t start = held[i].mfn + held[i].frames - frames;

    frame_free(MFN(start), frames);
    for (uint64_t m = start; m < start + frames; m++) {
        uint32_t n = model_index(m);
        model[n].count--;
        model[n].owner = OWNER_NONE;
    }
    held[i].frames -= frames;
    if (held[i].frames == 0)
        held[i] = held[--nr_held];
}

static void step_get_put(void)
{
    uint32_t n = unit_random(MODEL);
    uint16_t owner = unit_random(2) ? model[n].owner : (uint16_t)unit_random(4);
    bool owned = model[n].count > 0 && model[n].owner == owner && owner != OWNER_NONE;
    uint32_t others = model[n].count - (model[n].owner != OWNER_NONE);

    if (unit_random(2)) {
        assert_int_equal(frame_get(MFN(model[n].mfn), owner), owned ? 0 : -EPERM);
        model[n].count += owned;
    } else if (model[n].count > 0 && others > 0) {
        frame_put(MFN(model[n].mfn));
        model[n].count--;
    }
}

static void step_scrub(void)
{
    static uint64_t before[MODEL];
    bool any = false;

    for (uint32_t n = 0; n < MODEL; n++)
        before[n] = *(uint64_t *)host_ram(MADDR(model[n].mfn << FRAME_SHIFT));
    bool more = frame_scrub_step();
    for (uint32_t n = 0; n < MODEL; n++) {
        uint64_t now = *(uint64_t *)host_ram(MADDR(model[n].mfn << FRAME_SHIFT));
        if (now == before[n])
            continue;
        /* It cleared what was free, and nothing else. */
        assert_int_equal(now, 0);
        assert_true(model_free(n));
        model[n].data = false;
        any = true;
    }
    if (any)
        assert_true(more);
}

/*
 * A frame that two owners have is one guest reading another's memory; a frame that nobody has is
 * memory lost until the next boot; one that comes with data in it tells a guest what its neighbour
 * did.
 */
static void random_life(void **state)
{
    for (int life = 0; life < 3; life++) {
        unit_random_seed(1000 + (uint64_t)life);
        nr_held = 0;
        start();
        check_all();
        for (int step = 0; step < 1500; step++) {
            uint32_t kind = unit_random(20);
            bool growing = step % 600 < 350;

            if (kind < (growing ? 8u : 3u))
                step_alloc();
            else if (kind < (growing ? 9u : 4u))
                step_alloc_at();
            else if (kind < 13)
                step_free();
            else if (kind < 19)
                step_get_put();
            else
                step_scrub();
            if (step % 10 == 0)
                check_all();
            else
                check_counts();
        }

        /* All go; then idle pCPUs clear it; then it is as at the beginning, but clean. */
        while (nr_held > 0)
            step_free();
        for (uint32_t n = 0; n < MODEL; n++) {
            for (; model[n].count > 0; model[n].count--)
                frame_put(MFN(model[n].mfn));
            assert_int_equal(model[n].owner, OWNER_NONE);
        }
        check_all();
        uint32_t steps = 0;
        while (frame_scrub_step())
            assert_true(steps++ < MODEL);
        for (uint32_t n = 0; n < MODEL; n++) {
            uint64_t now = *(uint64_t *)host_ram(MADDR(model[n].mfn << FRAME_SHIFT));
            assert_int_equal(now, model[n].reserved && model[n].data ? GARBAGE : 0);
            model[n].data = now != 0;
        }
        check_all();
        assert_int_equal(frame_dirty_count(), 0);
        uint64_t owned = frame_owned_count(OWNER_NONE);
        assert_int_equal(owned, frame_total());
    }
}

/* A frame that a backend still has mapped when its owner dies stays until the backend lets go, and
 * is nobody's. */
static void outlives_owner(void **state)
{
    mfn_t m;

    start();
    uint64_t before = frame_free_count();
    assert_int_equal(frame_alloc(5, 1, 0, &m, NULL), 0);
    assert_int_equal(frame_get(mfn_add(m, 1), 5), 0);
    assert_int_equal(frame_owned_count(5), 2);
    frame_free(m, 2);
    assert_int_equal(frame_free_count(), before - 1);
    assert_int_equal(frame_get(mfn_add(m, 1), 5), -EPERM);
    assert_int_equal(frame_alloc_at(mfn_add(m, 1), 1, 6), -EBUSY);
    frame_put(mfn_add(m, 1));
    assert_int_equal(frame_free_count(), before);

    /* Counts do not wrap around. */
    assert_int_equal(frame_alloc(5, 0, 0, &m, NULL), 0);
    frame_of(m)->count = UINT32_MAX;
    assert_int_equal(frame_get(m, 5), -EOVERFLOW);
    frame_of(m)->count = 1;
    frame_free(m, 1);
}

/* What a guest names need not exist. */
static void wrong_frames(void **state)
{
    mfn_t m;

    start();
    assert_false(frame_is_ram(MFN(0)));
    assert_false(frame_is_ram(MFN_NONE));
    assert_int_equal(frame_get(MFN(0), 1), -EPERM);
    assert_int_equal(frame_get(MFN_NONE, 1), -EPERM);
    assert_int_equal(frame_get(MFN(layout[0].start), OWNER_NONE), -EPERM);
    assert_int_equal(frame_alloc_at(MFN(UINT64_MAX - 1), 5, 1), -EBUSY);
    assert_int_equal(frame_alloc_at(MFN(layout[0].start + 3000), 100, 1), -EBUSY);
    assert_int_equal(frame_alloc(1, FRAME_MAX_ORDER + 1, 0, &m, NULL), -ENOMEM);
    assert_int_equal(frame_alloc(1, 200, 0, &m, NULL), -ENOMEM);
    assert_int_equal(frame_alloc_range(1, 0, 0, &m), -ENOMEM);
    assert_int_equal(frame_alloc_range(1, UINT64_MAX, 0, &m), -ENOMEM);
    check_all();
}

static void put_twice(void *arg)
{
    frame_put(*(mfn_t *)arg);
    frame_put(*(mfn_t *)arg);
}

/* A reference dropped twice is a bug of ours, and stops the machine before two owners have the
 * frame. */
static void dropped_twice(void **state)
{
    mfn_t m;

    start();
    assert_int_equal(frame_alloc(1, 0, 0, &m, NULL), 0);
    assert_true(host_stops(put_twice, &m));
}

/* Banks that firmware describes badly are refused, not half used. */
static void wrong_banks(void **state)
{
    void *meta;

    forget();
    host_ram_add(META, MIB(256));
    host_ram_add(GIB(1), MIB(512));
    meta = host_ram(MADDR(META));
    assert_int_equal(frame_bank_add(MFN(0x40000), MFN(0x40000), meta), -EINVAL);
    assert_int_equal(frame_bank_add(MFN(0x40200), MFN(0x40000), meta), -EINVAL);
    assert_int_equal(frame_bank_add(MFN(0x40001), MFN(0x40200), meta), -EINVAL);
    assert_int_equal(frame_bank_add(MFN(0x40000), MFN(0x401ff), meta), -EINVAL);
    assert_int_equal(frame_bank_add(MFN(0), MFN(BIT(40)), meta), -EINVAL);
    assert_int_equal(frame_total(), 0);
    for (uint64_t i = 0; i <= FRAME_MAX_BANKS; i++)
        assert_int_equal(frame_bank_add(MFN(0x40000 + i * 0x400), MFN(0x40200 + i * 0x400),
                                        (uint8_t *)meta + i * 0x10000),
                         i < FRAME_MAX_BANKS ? 0 : -ENOSPC);
    /* What is in no bank cannot be given away: it is left alone. */
    frame_bank_release(MFN(0x40000 + FRAME_MAX_BANKS * 0x400),
                       MFN(0x40010 + FRAME_MAX_BANKS * 0x400));
    assert_int_equal(frame_free_count(), 0);
}

/* Modules are reserved at first, have an owner while a domain may start again from them, and are
 * memory after. */
static void claimed(void **state)
{
    uint64_t first = layout[0].start + 701;

    start();
    uint64_t before = frame_free_count();
    frame_bank_claim(MFN(first), MFN(first + 2), OWNER_MODULE);
    assert_int_equal(frame_owned_count(OWNER_MODULE), 2);
    assert_int_equal(frame_free_count(), before);
    frame_free(MFN(first), 2);
    assert_int_equal(frame_free_count(), before + 2);
    assert_int_equal(frame_alloc_at(MFN(first - 10), 20, 1), 0);
}

/* With bootscrub=0 idle pCPUs clear what domains left, and only that; what is handed out is clear
 * all the same. */
static void no_bootscrub(void **state)
{
    mfn_t m;
    bool dirty;

    /* start() switches it on; the machine's own order is options first. */
    forget();
    options.bootscrub = false;
    host_ram_add(META, MIB(256));
    host_ram_add(GIB(1), MIB(8));
    assert_int_equal(frame_bank_add(MFN(0x40000), MFN(0x40800), host_ram(MADDR(META))), 0);
    memset(host_ram(MADDR(GIB(1))), 0xa5, MIB(8));
    frame_bank_release(MFN(0x40000), MFN(0x40800));

    assert_false(frame_scrub_step());
    assert_int_equal(frame_dirty_count(), 2048);
    assert_int_equal(frame_alloc(1, 3, 0, &m, NULL), 0);
    for (size_t i = 0; i < 8 * FRAME_SIZE; i++)
        assert_int_equal(((uint8_t *)host_ram(mfn_to_maddr(m)))[i], 0);
    frame_free(m, 8);
    assert_true(frame_scrub_step());
    /* An interrupt that comes in a step waits for its end: a step is short. */
    assert_in_range(frame_dirty_count(), 2048 - 64 - 8, 2048 - 8);
    while (frame_scrub_step())
        ;
    /* The 2 MiB around it at most. */
    assert_in_range(frame_dirty_count(), 2048 - 512, 2048 - 8);

    /* Who takes frames as they are is told, and clears what he must. */
    assert_int_equal(frame_alloc(1, 9, FRAME_DIRTY_OK, &m, &dirty), 0);
    assert_true(dirty);
    assert_false(frame_were_clean(m, 512));
}

/* 64 GiB: bounded work at boot, blocks of 1 GiB, and both ends of memory. */
static void large_machine(void **state)
{
    mfn_t a, b, c;

    forget();
    host_ram_add(GIB(1), GIB(3));
    host_ram_add(GIB(8), GIB(61));
    host_ram_add(GIB(80), MIB(256));
    assert_true(frame_bank_meta_size(GIB(64) >> FRAME_SHIFT) <= 9 * (GIB(64) >> FRAME_SHIFT));
    assert_int_equal(
        frame_bank_add(MFN(GIB(8) >> 12), MFN(GIB(69) >> 12), host_ram(MADDR(GIB(80)))), 0);
    assert_int_equal(
        frame_bank_add(MFN(GIB(1) >> 12), MFN(GIB(4) >> 12), host_ram(MADDR(GIB(80) + MIB(192)))),
        0);
    frame_bank_release(MFN(GIB(8) >> 12), MFN(GIB(69) >> 12));
    frame_bank_release(MFN(GIB(1) >> 12), MFN(GIB(4) >> 12));
    assert_int_equal(frame_free_count(), GIB(64) >> 12);
    assert_int_equal(frame_dirty_count(), GIB(64) >> 12);

    assert_int_equal(frame_alloc(1, FRAME_MAX_ORDER, FRAME_DIRTY_OK, &a, NULL), 0);
    assert_int_equal(a.v, GIB(1) >> 12);
    assert_int_equal(frame_alloc(1, 18, FRAME_DIRTY_OK | FRAME_HIGH_FIRST, &b, NULL), 0);
    assert_int_equal(b.v, GIB(68) >> 12);
    assert_int_equal(frame_alloc(1, 18, FRAME_DIRTY_OK | FRAME_LOW | FRAME_HIGH_FIRST, &c, NULL),
                     0);
    assert_int_equal(c.v, GIB(3) >> 12);
    assert_int_equal(frame_alloc_at(MFN(GIB(20) >> 12), GIB(40) >> 12, 2), 0);
    assert_int_equal(frame_alloc_at(MFN(GIB(59) >> 12), GIB(2) >> 12, 2), -EBUSY);
    frame_dump();
    assert_contains(host_log, "memory: 65536 MiB, 21504 MiB free");
    frame_free(a, BIT(18));
    frame_free(b, BIT(18));
    frame_free(c, BIT(18));
    frame_free(MFN(GIB(20) >> 12), GIB(40) >> 12);
    assert_int_equal(frame_free_count(), GIB(64) >> 12);
    assert_int_equal(bit_count(banks[0]->set[FREE_DIRTY].orders), 1);
    assert_int_equal(frame_free_blocks(banks[1], FREE_DIRTY, FRAME_MAX_ORDER), 61);
}

static bool stop_scrubbing;

static void *scrub(void *arg)
{
    host_set_pcpu((uint32_t)(uintptr_t)arg);
    while (!read_once(stop_scrubbing)) {
        frame_scrub_step();
        arch_cpu_relax();
    }
    return NULL;
}

static void *use(void *arg)
{
    uint16_t owner = (uint16_t)(uintptr_t)arg;
    mfn_t m;

    host_set_pcpu(owner);
    for (int i = 0; i < 400; i++) {
        unsigned int order = (unsigned int)i % 7;

        if (frame_alloc(owner, order, i % 3 ? 0 : FRAME_DIRTY_OK, &m, NULL) != 0)
            continue;
        for (uint64_t n = 0; n < BIT(order); n++) {
            uint64_t *p = host_ram(mfn_to_maddr(mfn_add(m, n)));
            if (i % 3 != 0)
                assert_int_equal(*p, 0);
            *p = GARBAGE;
            assert_int_equal(frame_get(mfn_add(m, n), owner), 0);
            assert_int_equal(frame_get(mfn_add(m, n), (uint16_t)(owner + 10)), -EPERM);
        }
        frame_free(m, BIT(order));
        for (uint64_t n = 0; n < BIT(order); n++)
            frame_put(mfn_add(m, n));
    }
    return NULL;
}

/* Several pCPUs allocate, free and scrub at once. A machine that is full but for a block being
 * cleared is not out of memory. */
static void many_pcpus(void **state)
{
    pthread_t threads[4];
    mfn_t m;

    start();
    uint64_t before = frame_free_count();
    stop_scrubbing = false;
    pthread_create(&threads[3], NULL, scrub, (void *)3);
    for (uintptr_t i = 1; i < 3; i++)
        pthread_create(&threads[i], NULL, use, (void *)i);
    use((void *)0);
    for (int i = 1; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(frame_free_count(), before);

    /* The largest blocks, again and again, while the scrubber holds pieces of them. */
    host_set_pcpu(0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(frame_alloc_at(MFN(layout[2].start), 512, 1), 0);
        memset(host_ram(MADDR(layout[2].start << FRAME_SHIFT)), 1, FRAME_SIZE);
        frame_free(MFN(layout[2].start), 512);
        assert_int_equal(frame_alloc(1, 10, FRAME_DIRTY_OK, &m, NULL), 0);
        frame_free(m, 1024);
    }
    write_once(stop_scrubbing, true);
    pthread_join(threads[3], NULL);
    for (uint32_t n = 0; n < MODEL; n++)
        model[n].data = false;
    check_all();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_life),  cmocka_unit_test(outlives_owner),
        cmocka_unit_test(wrong_frames), cmocka_unit_test(dropped_twice),
        cmocka_unit_test(wrong_banks),  cmocka_unit_test(claimed),
        cmocka_unit_test(no_bootscrub), cmocka_unit_test(large_machine),
        cmocka_unit_test(many_pcpus),   cmocka_unit_test(at_hand_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
