/* SPDX-License-Identifier: MIT */
/*
 * The frame allocator and the frame table: who owns each 4 KiB frame of RAM, and how many use it.
 *
 * The table is an array indexed by frame number in a window of virtual addresses that is mapped only where
 * there is RAM (arch_frame_table_map()), so finding a frame's entry is one addition. Free memory is kept in
 * buddy bitmaps per bank of memory, one set for clean frames and one for frames that still hold their last
 * owner's data; nothing is linked through free memory, because free memory is not mapped.
 *
 * A frame is handed out with owner set and one reference. frame_put() of the last reference frees it: it
 * becomes dirty-free, and is cleared before it can be handed to anybody who did not ask for FRAME_DIRTY_OK.
 *
 * Lock: one (LOCK_FRAME) for the allocator; `count` is atomic.
 */
#ifndef HOSPES_FRAME_H
#define HOSPES_FRAME_H

#include <hospes/compiler.h>
#include <hospes/types.h>

#define FRAME_MAX_ORDER 18 /* 1 GiB blocks */
#define FRAME_ORDER_2M  9

/* Owners that are not domains; domain numbers are below (DOMID_FIRST_RESERVED of <xen/xen.h>). */
#define OWNER_FREE     0xffffu
#define OWNER_HOSPES   0xfffeu /* the hypervisor itself */
#define OWNER_RESERVED 0xfffdu /* firmware's, or not RAM */
#define OWNER_MODULE   0xfffcu /* boot modules, kept while a domain may start again from them */

enum frame_flags {
    FRAME_DIRTY = 1u << 0, /* holds a past owner's data */
    FRAME_HEAD = 1u << 1,  /* first of a free block of `order` */
};

struct frame {
    uint32_t count; /* references: one of the owner, one for each mapping or grant; 0 when free */
    uint16_t owner; /* domain number or OWNER_* */
    uint8_t flags;  /* enum frame_flags */
    uint8_t order;  /* of the free block that it heads */
};

/* Options of frame_alloc(). */
enum frame_alloc_flags {
    FRAME_DIRTY_OK = 1u << 0, /* the caller overwrites or clears it before the owner can see it */
    FRAME_LOW = 1u << 1,      /* below 4 GiB */
    FRAME_HIGH_FIRST = 1u << 2, /* prefer high addresses: keeps low ones for 1:1 domains */
};

/*
 * Boot only. Announces a bank of RAM [start, end), all OWNER_RESERVED at first, then gives parts of it to the
 * allocator. Banks do not overlap; at most FRAME_MAX_BANKS. The metadata of a bank comes out of the bank
 * itself, from `meta`, which has frame_bank_meta_size(end - start) bytes and is already mapped.
 */
#define FRAME_MAX_BANKS 64
uint64_t frame_bank_meta_size(uint64_t frames);
int frame_bank_add(mfn_t start, mfn_t end, void *meta);
void frame_bank_release(mfn_t start, mfn_t end);

/*
 * Allocates 2^order frames aligned to their size for `owner`. Unless FRAME_DIRTY_OK they are clear, and
 * clean in the caches to the point of coherency: clearing happens here, outside the lock, so a caller that
 * must be quick asks for small orders. 0 or -ENOMEM. *dirty (may be NULL) tells whether the frames hold data.
 */
int frame_alloc(uint16_t owner, unsigned int order, unsigned int flags, mfn_t *out, bool *dirty);

/* Allocates exactly these frames, e.g. for xen,static-mem or 1:1 domains. 0, -EBUSY if any is not free. */
int frame_alloc_at(mfn_t start, uint64_t frames, uint16_t owner);

/* Like frame_alloc() for any number of frames not more than 2^order; the rest of the block stays free. */
int frame_alloc_range(uint16_t owner, uint64_t frames, unsigned int flags, mfn_t *out);

/* Drops the owner's reference of each; those without other users are free at once. */
void frame_free(mfn_t start, uint64_t frames);

/* The table's entry; `m` must be RAM (frame_is_ram()). */
struct frame *frame_of(mfn_t m);
bool frame_is_ram(mfn_t m);

/* Takes a reference if `owner` owns it: 0, -EPERM when not, -EOVERFLOW never to be relied upon (2^32 - 1). */
int frame_get(mfn_t m, uint16_t owner);
void frame_put(mfn_t m);

/* Clears frames: zeroes, and cleans them to the point of coherency. */
void frame_clear(mfn_t start, uint64_t frames);

/*
 * Clears one dirty free block of up to 2 MiB and makes it clean-free. False when there is none. Called by
 * idle pCPUs, unless `bootscrub=0` leaves what was dirty at boot alone: see frame_scrub_enable().
 */
bool frame_scrub_step(void);

/* Counts in frames, for the user and for tests that nothing leaks. */
uint64_t frame_total(void);
uint64_t frame_free_count(void);
uint64_t frame_dirty_count(void);
uint64_t frame_owned_count(uint16_t owner); /* walks the table: for tests and debug keys */
void frame_dump(void);

/* --- contract of each architecture ------------------------------------------------------------------- */

/* Maps the frame table's entries for [start, end) onto `meta`, which frame_bank_add() lays out. */
int arch_frame_table_map(mfn_t start, mfn_t end, void *meta, uint64_t bytes);

/* The window of the frame table: entry of frame 0 would stand here. */
struct frame *arch_frame_table(void);

#endif
