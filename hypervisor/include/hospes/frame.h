/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator and the frame table: who owns each 4 KiB frame of RAM, and how many use it.
 *
 * The table is an array indexed by frame number in a window of virtual addresses that is mapped
 * only where there is RAM (arch_frame_table_map()), so finding a frame's entry is one addition.
 * Free memory is kept in buddy bitmaps per bank of memory, one set for clean blocks and one for
 * those in which a frame still holds its last owner's data; nothing is linked through free memory,
 * because free memory is not mapped.
 *
 * A frame is handed out with owner set and one reference. frame_put() of the last reference frees
 * it: it becomes dirty-free, and is cleared before it can be handed to anybody who did not ask for
 * FRAME_DIRTY_OK.
 *
 * Lock: one (LOCK_FRAME) for the allocator; entries are atomic.
 */
#ifndef HOSPES_FRAME_H
#define HOSPES_FRAME_H

#include <hospes/compiler.h>
#include <hospes/types.h>

#define FRAME_MAX_ORDER 18 /* 1 GiB blocks */
#define FRAME_ORDER_2M  9

/* Owners that are not domains; domain numbers are below (DOMID_FIRST_RESERVED of <xen/xen.h>). */
#define OWNER_NONE \
    0xffffu /* free, or never given to the allocator, or given up while others still use it */
#define OWNER_HOSPES 0xfffeu /* the hypervisor itself */
#define OWNER_MODULE 0xfffdu /* boot modules, kept while a domain may start again from them */

/* All zeroes is a frame that nobody owns or uses, so that memory which is never touched needs no
 * set-up. */
struct frame {
    uint32_t count; /* references: one of the owner, one for each mapping or grant; 0 when free */
    uint16_t owner_inverse; /* ~owner: frame_owner() */
    uint16_t beneath; /* its owner, who keeps it, has something else mapped in its place; under
                         the owner's p2m lock */
};

/* A domain number or OWNER_*. */
static inline uint16_t frame_owner(const struct frame *f)
{
    return (uint16_t)~read_once(f->owner_inverse);
}

/* Options of frame_alloc(). */
enum frame_alloc_flags {
    FRAME_DIRTY_OK = 1u << 0,   /* the caller overwrites or clears it before the owner can see it */
    FRAME_LOW = 1u << 1,        /* below 4 GiB */
    FRAME_HIGH_FIRST = 1u << 2, /* prefer high addresses: keeps low ones for 1:1 domains */
    FRAME_LASTING = 1u << 3,    /* one that stays: from among small pieces, not out of a block that
                                   was just given back, which it would keep from growing whole */
};

/*
 * Boot only. Announces a bank of RAM [start, end), of which nothing is free at first, then gives
 * parts of it to the allocator. Start and end are multiples of 2 MiB; what in it is no RAM is never
 * released. Banks do not overlap; at most FRAME_MAX_BANKS. The metadata of a bank comes out of the
 * bank itself, or another: `meta`, mapped, whole pages for frame_bank_meta_size(frames in the bank)
 * bytes, which frame_bank_add() clears. 0, -EINVAL, -ENOSPC, or what
 * arch_frame_table_map() says.
 *
 * What is released, in one bank (else it is not used), counts as dirty, and is cleared by
 * frame_scrub_step() where options.bootscrub says so. frame_bank_claim() gives a part that was not
 * released an owner, who may free it later.
 */
#define FRAME_MAX_BANKS 64
uint64_t frame_bank_meta_size(uint64_t frames);
int frame_bank_add(mfn_t start, mfn_t end, void *meta);
void frame_bank_release(mfn_t start, mfn_t end);
void frame_bank_claim(mfn_t start, mfn_t end, uint16_t owner);

/*
 * Allocates 2^order frames aligned to their size for `owner`. Unless FRAME_DIRTY_OK they are clear,
 * and clean in the caches to the point of coherency: clearing happens here, outside the lock, so a
 * caller that must be quick asks for small orders. 0 or -ENOMEM. *dirty (may be NULL) tells whether
 * any frame holds data.
 */
int frame_alloc(uint16_t owner, unsigned int order, unsigned int flags, mfn_t *out, bool *dirty);

/*
 * Allocates exactly these frames, e.g. for xen,static-mem or 1:1 domains, as they are: not cleared.
 * 0, -EBUSY if any is not free.
 */
int frame_alloc_at(mfn_t start, uint64_t frames, uint16_t owner);

/* Like frame_alloc() for any number of frames in a row, 2^FRAME_MAX_ORDER at most. */
int frame_alloc_range(uint16_t owner, uint64_t frames, unsigned int flags, mfn_t *out);

/* True if none of these frames, which the caller owns, held data when it got them as they were. */
bool frame_were_clean(mfn_t start, uint64_t frames);

/*
 * Drops the owner's reference of each; those without other users are free at once, the others are
 * nobody's until their last user lets go.
 */
void frame_free(mfn_t start, uint64_t frames);

/* The table's entry; `m` must be in a bank (frame_is_ram()). */
struct frame *frame_of(mfn_t m);

/* The frame after the last bank's. */
mfn_t frame_end(void);

/* True if `m` is in a bank. */
bool frame_is_ram(mfn_t m);

/* True if it also is `owner`'s. */
bool frame_is_owned(mfn_t m, uint16_t owner);

/*
 * Takes a reference if `owner`, not OWNER_NONE, owns it: 0, -EPERM when not, or no RAM; -EOVERFLOW
 * when it has 2^32 - 1.
 */
int frame_get(mfn_t m, uint16_t owner);
void frame_put(mfn_t m);

/* Clears frames: zeroes, and cleans them to the point of coherency. */
void frame_clear(mfn_t start, uint64_t frames);

/*
 * Clears some dirty free frames, 256 KiB at most, and makes them clean-free. False when there is
 * nothing left to clear. Called by idle pCPUs. With `bootscrub=0` what was dirty at boot, and has
 * had no owner since, is left alone.
 */
bool frame_scrub_step(void);

/* Counts in frames, for the user and for tests that nothing leaks. */
uint64_t frame_total(void); /* in banks */
mfn_t frame_highest(void);  /* the last one in a bank */
uint64_t frame_free_count(void);
uint64_t frame_dirty_count(void); /* of the free ones; walks free blocks: for debug keys */
uint64_t frame_owned_count(uint16_t owner); /* walks the table: for tests and debug keys */
void frame_dump(void);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

/* Maps the frame table's entries for [start, end) onto `meta`, which frame_bank_add() lays out. */
int arch_frame_table_map(mfn_t start, mfn_t end, void *meta, uint64_t bytes);

/* The window of the frame table: entry of frame 0 would stand here. */
struct frame *arch_frame_table(void);

#endif
