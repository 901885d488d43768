/* SPDX-License-Identifier: MIT */
/*
 * Free memory: blocks of 2^order frames, aligned to their size, as large as they can be. Between
 * frame.c, which takes the lock around each of these, and frame_free.c.
 *
 * A bank has two sets of free blocks: CLEAN ones hold zeros only, in the others some frame is
 * DIRTY, and a bit for each frame tells which. Blocks merge whatever set they are in, so that dirt
 * never keeps memory in pieces. The bit of a frame that is not free is its owner's: it stays as it
 * was when the frame was handed out.
 */
#ifndef CORE_FRAME_FREE_H
#define CORE_FRAME_FREE_H

#include <hospes/frame.h>
#include <lib/deepmap.h>

enum frame_free_set { FREE_CLEAN, FREE_DIRTY, FREE_SETS };

struct frame_bank {
    uint64_t start, end; /* frame numbers */
    struct {
        struct deepmap
            blocks[FRAME_MAX_ORDER + 1]; /* by order; bit n: the nth such block in the bank */
        uint32_t orders;                 /* bit k: blocks[k] is not empty */
    } set[FREE_SETS];
    unsigned long *clean; /* bit n: the nth frame holds zeros */
    struct deepmap
        to_do; /* bit n: the nth 2 MiB may have dirty free frames, to be cleared by idle pCPUs */
};

/* What struct frame_bank and its maps need, in bytes; and makes them there, in zeroed memory. */
uint64_t frame_free_meta_size(uint64_t frames);
struct frame_bank *frame_free_init(void *meta, uint64_t start, uint64_t end);

/* Makes [start, end) free, each frame clean or dirty as its bit says. */
void frame_free_put(struct frame_bank *b, uint64_t start, uint64_t end);

/* Takes 2^order frames out, *mfn the first. Prefers `set`, but makes do with the other. */
bool frame_free_take(struct frame_bank *b, enum frame_free_set set, unsigned int order,
                     unsigned int flags, uint64_t *mfn);

/* True if all of [start, end) is free; takes it out, which then it must be. */
bool frame_free_has(const struct frame_bank *b, uint64_t start, uint64_t end);
void frame_free_take_at(struct frame_bank *b, uint64_t start, uint64_t end);

/* Takes a dirty block of at most 2 MiB out that idle pCPUs should clear. */
bool frame_free_take_dirty(struct frame_bank *b, uint64_t *mfn, unsigned int *order);

/* Notes that idle pCPUs should look at [start, end). */
void frame_free_note(struct frame_bank *b, uint64_t start, uint64_t end);

/* Sets the frames' bits. */
void frame_free_mark(struct frame_bank *b, uint64_t start, uint64_t end, bool clean);

/* The first frame of [start, end) that is dirty, or clean; `end` when there is none. */
uint64_t frame_free_next(const struct frame_bank *b, uint64_t start, uint64_t end, bool clean);

/* Counts a set's blocks of one order, and the dirty frames in the bank's free blocks. */
uint64_t frame_free_blocks(const struct frame_bank *b, enum frame_free_set set, unsigned int order);
uint64_t frame_free_dirty(const struct frame_bank *b);

#endif
