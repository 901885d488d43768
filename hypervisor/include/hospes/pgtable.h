/* SPDX-License-Identifier: MIT */
/*
 * Page tables with 512 entries of 8 bytes to a page: one walker for all formats (arm64 EL2 and
 * stage 2, x86 long mode, NPT, EPT). What an entry looks like is the format's business, the shape
 * of the tree is ours:
 *
 *   level 0 (512 GiB an entry) -> level 1 (1 GiB) -> level 2 (2 MiB) -> level 3 (4 KiB)
 *
 * The tree begins at format->top_level with 2^top_order concatenated pages. Entries are written
 * with single stores so that hardware may walk at any time. Where a valid entry gives way to a
 * different valid one, the walker breaks before it makes: writes 0, calls flush(), writes the new
 * one. New tables are complete, and visible to the hardware walker (arch_pgtable_publish()), before
 * they are linked.
 *
 * An entry that is not valid to hardware may still carry a frame and a type (P2M_RESERVED): that is
 * what `type` is for, kept in bits that hardware ignores.
 *
 * Locks: the owner's. Memory: alloc() and free() of pages that the caller counts.
 */
#ifndef HOSPES_PGTABLE_H
#define HOSPES_PGTABLE_H

#include <hospes/types.h>
#include <lib/bits.h>

#define PGTABLE_LEVELS  4 /* numbered 0..3, 3 the pages */
#define PGTABLE_ENTRIES 512u

/*
 * Of a leaf with a type, in every format: the owner's type, in bits that no hardware uses, and the
 * address. So these can be read without the format.
 */
#define PGTABLE_TYPE    MASK(58, 55)
#define PGTABLE_ADDRESS MASK(51, 12)

enum pgtable_flags {
    PG_R = 1u << 0,
    PG_W = 1u << 1,
    PG_X = 1u << 2,
    PG_DEVICE = 1u << 3,  /* uncached, ordered */
    PG_VALID = 1u << 4,   /* seen by hardware; else only kept */
    PG_COMBINE = 1u << 5, /* with PG_DEVICE: its writes may be late, and combined, where hardware
                             can; not kept */
};

/* What an entry that maps memory says. */
struct pgtable_leaf {
    maddr_t maddr;
    uint32_t flags; /* enum pgtable_flags */
    uint32_t type;  /* owner's, which fits PGTABLE_TYPE; 0: it needs none */
};

struct pgtable;

struct pgtable_format {
    unsigned int top_level;
    unsigned int top_order;     /* of concatenated root pages */
    unsigned int largest_block; /* lowest level number that may hold a leaf */
    uint64_t (*encode_leaf)(const struct pgtable_leaf *leaf, unsigned int level);
    uint64_t (*encode_table)(maddr_t table, unsigned int level); /* of the entry */
    /* True if `entry` is a leaf (valid or kept), which then is decoded. */
    bool (*decode_leaf)(uint64_t entry, unsigned int level, struct pgtable_leaf *leaf);
    /* True if `entry` points to a table of the next level, whose address is stored. */
    bool (*decode_table)(uint64_t entry, unsigned int level, maddr_t *table);
};

/* Tables that a change made superfluous: a pCPU may still be walking them. All zeroes: none. */
struct pgtable_doomed {
    uint64_t *first; /* chained through their first entry (aligned, so never valid) */
};

struct pgtable {
    const struct pgtable_format *format;
    uint64_t *root;
    void *(*alloc)(struct pgtable *pt); /* a zeroed page, or NULL */
    void (*free)(struct pgtable *pt, void *page);
    void (*flush)(struct pgtable *pt, uint64_t addr, uint64_t bytes); /* input addresses */
    /*
     * For who keeps a copy, or NULL: what is at these addresses now, `leaf` from the first on, or
     * nothing. Before the flush, where there is one.
     */
    void (*changed)(struct pgtable *pt, uint64_t addr, uint64_t bytes,
                    const struct pgtable_leaf *leaf);
};

/* Allocates the root. 0 or -ENOMEM. */
int pgtable_init(struct pgtable *pt, const struct pgtable_format *format);

/*
 * Maps [addr, addr + bytes) to leaf->maddr onwards with the largest blocks that fit. Everything 4
 * KiB aligned. 0, -EINVAL (out of the tree's range or not aligned), -ENOMEM: then the range may be
 * partly mapped and the caller unmaps it.
 */
int pgtable_map(struct pgtable *pt, uint64_t addr, uint64_t bytes, const struct pgtable_leaf *leaf);

/* Removes what is mapped there, splitting blocks at the edges, freeing tables that become empty. 0,
 * -ENOMEM. */
int pgtable_unmap(struct pgtable *pt, uint64_t addr, uint64_t bytes);

/* The leaf behind `addr`: its block's order (frames = 2^order) and the leaf for that block's start.
 */
bool pgtable_lookup(const struct pgtable *pt, uint64_t addr, struct pgtable_leaf *leaf,
                    unsigned int *order);
/* And the table that pgtable_leaves() would find, found or not. */
bool pgtable_find(const struct pgtable *pt, uint64_t addr, struct pgtable_leaf *leaf,
                  unsigned int *order, uint64_t **leaves);

/*
 * The first leaf at or after `addr` and below `end`: its input address in *found. False when there
 * is none. Skips empty tables whole.
 */
bool pgtable_next(const struct pgtable *pt, uint64_t addr, uint64_t end, uint64_t *found,
                  struct pgtable_leaf *leaf, unsigned int *order);

/*
 * As pgtable_unmap(), for callers that change much at once: neither flushes nor frees what became
 * superfluous, but for blocks that are split. They flush what they changed, then call
 * pgtable_free_doomed().
 */
int pgtable_clear(struct pgtable *pt, uint64_t addr, uint64_t bytes, struct pgtable_doomed *doomed);
void pgtable_free_doomed(struct pgtable *pt, struct pgtable_doomed *doomed);

/* True if the tree reaches that far, and all is aligned to pages. */
bool pgtable_covers(const struct pgtable *pt, uint64_t addr, uint64_t bytes);

/*
 * Page by page, for callers that change many near each other. pgtable_leaves() finds the table of
 * the 2 MiB around `addr`, which stays in the tree until pgtable_clear() takes some out, or
 * pt->free is given one; it is made, or the block that stands for it split, if `make`. NULL: out of
 * range, not there, no memory. It has PGTABLE_ENTRIES leaves, by page, of the owner's to read.
 */
uint64_t *pgtable_leaves(struct pgtable *pt, uint64_t addr, bool make);
/*
 * Writes a leaf, or nothing where it is NULL. `seen`: what is there is valid to hardware. Then it
 * is to be flushed by the caller before it is used for anything else; but if hardware can see the
 * new leaf, it has been.
 */
void pgtable_leaf_set(struct pgtable *pt, uint64_t *leaves, uint64_t addr, bool seen,
                      const struct pgtable_leaf *leaf);

/*
 * Frees up to `most` tables, not the root; true while there are more. Leaves are not looked at.
 * Nothing walks the tree any more, nor is any of it in a TLB.
 */
bool pgtable_destroy_step(struct pgtable *pt, uint64_t most);

/* Frees every table, the root included; leaves are not looked at. */
void pgtable_destroy(struct pgtable *pt);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

/* Makes [p, p + bytes) of a table visible to hardware walkers, before what is written after it. */
void arch_pgtable_publish(const void *p, uint64_t bytes);

#endif
