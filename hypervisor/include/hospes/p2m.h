/* SPDX-License-Identifier: MIT */
/*
 * A domain's physical address space: which machine frame stands behind each guest frame, and how
 * the guest may use it. The hardware walks the same table (arm64: stage 2; x86: NPT, EPT), written
 * by <hospes/pgtable.h> in the architecture's format.
 *
 * An entry for the domain's own memory stands for the owner's reference to the frame; one of the
 * counted types (SHARED, GRANT) for a reference of its own, to a frame whoever owns it.
 *
 * Lock: p2m->lock (LOCK_P2M) for every change and look-up. Changes that take rights away end with
 * the TLBs of all pCPUs flushed before the lock is released, and before references are dropped.
 */
#ifndef HOSPES_P2M_H
#define HOSPES_P2M_H

#include <asm/domain.h>
#include <hospes/pgtable.h>
#include <hospes/spinlock.h>
#include <hospes/types.h>

struct domain;

/* What stands behind a guest frame. Fits PGTABLE_TYPE. */
enum p2m_type {
    P2M_NONE,     /* nothing: an access is a device's, or a fault */
    P2M_RAM,      /* RAM: read, write, execute */
    P2M_RAM_RO,   /* RAM the guest may not write */
    P2M_RESERVED, /* RAM of the domain, not yet cleared: not mapped for the guest until it is
                     touched */
    P2M_DEVICE,   /* registers of a device, given to the domain */
    P2M_SHARED,   /* a counted frame: another domain's, or one that the domain shares with Hospes */
    P2M_SHARED_RO,
    P2M_GRANT, /* a counted frame granted by another domain; changed by gnttab only */
    P2M_GRANT_RO,
    P2M_KEPT, /* RAM that the domain has given back but keeps, since it may have no other: not
               * mapped
               */
    P2M_TYPES
};

/* Guest memory that, where it is reserved, gets a copy of machine memory when it is touched. */
struct p2m_fill {
    gaddr_t to;
    uint64_t bytes;
    maddr_t from;
};

#define P2M_FILLS 12 /* of a domain: its kernel's segments, and the ramdisk */

#define P2M_RECENT_SHIFT 3u
#define P2M_RECENT       (1u << P2M_RECENT_SHIFT)
#define P2M_RECENT_NONE  UINT64_MAX

struct p2m {
    struct spinlock lock;
    struct pgtable pt;
    uint16_t vmid;                    /* tag of its TLB entries; 0: torn down */
    bool dying;                       /* being torn down: nobody maps, or finds frames, any more */
    uint64_t nr_tables;               /* pages of the table itself, charged to the domain: */
    uint64_t pool;                    /* so many at most, the root not counted */
    uint64_t nr_counted;              /* entries of counted types */
    uint64_t lowest, highest;         /* bounds of gfns that were ever mapped, for teardown */
    struct p2m_fill fills[P2M_FILLS]; /* a later one lies over an earlier one */
    uint32_t nr_fills;
    gfn_t filling;   /* in the block that is being filled, */
    uint64_t filled; /* of which so many bytes are there; 0: none is */
    struct p2m_recent {
        uint64_t number;  /* of the 2 MiB that it is for; P2M_RECENT_NONE */
        uint64_t *leaves; /* their table of pages; NULL: they are a block, or part of one, */
        uint64_t block;   /* and this would be the entry of their first page */
    } recent[P2M_RECENT]; /* what was used, hashed by `number`: spares walks. <hospes/p2m_peek.h> */
};

/* An empty space. 0, -ENOMEM, or -EBUSY when no VMID is left. */
int p2m_init(struct domain *d);

/*
 * The memory for its tables beyond the root is bounded, or not (the hardware domain's): see
 * XEN_DOMCTL_set_paging_mempool_size. A new domain has P2M_POOL_FIRST pages, for what its virtual
 * devices need. 0, -EINVAL (no whole pages), -ENOMEM (more is in use). Without bound it is told as
 * 0. What needs more fails with -ENOMEM.
 */
#define P2M_POOL_FIRST     ARCH_P2M_POOL_FIRST
#define P2M_POOL_UNLIMITED UINT64_MAX
int p2m_set_pool(struct domain *d, uint64_t bytes);
uint64_t p2m_get_pool(struct domain *d);

/*
 * For building a domain. Maps `frames` guest frames from `gfn` onto machine frames from `mfn`,
 * replacing what was there, which is nothing counted. Uses the largest blocks that alignment
 * allows. Frames are counted by the caller. 0, -ENOMEM (then nothing of the range is mapped),
 * -EINVAL beyond the guest's address width.
 */
int p2m_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames, enum p2m_type type);

/* The same for removing mappings. Frames are the caller's to free. 0, -ENOMEM, -EINVAL beyond the
 * guest's address width. */
int p2m_unmap(struct domain *d, gfn_t gfn, uint64_t frames);

/*
 * For all who change a domain that was built: several changes under one lock, with one flush of the
 * TLBs at the end. What entries gave up is let go after that: references of counted frames are
 * dropped, but for a grant's, which passes to the caller; the domain's own memory is freed and
 * taken off its account. But a domain whose memory is at machine addresses, or static, keeps it: as
 * P2M_KEPT, and beneath what is mapped in its place.
 *
 * Between begin and end the p2m's lock is held: nothing that takes it, nor guest_read(). Memory of
 * the caller's.
 */
#define P2M_BATCH 32u /* entries given up between two flushes */

struct p2m_batch {
    struct domain *d;
    uint64_t first, end; /* gfns of which TLBs may hold what was there */
    struct pgtable_doomed doomed;
    uint32_t nr;
    struct {
        mfn_t m;
        uint32_t frames;
        bool own; /* by the domain; else it is a reference */
    } gone[P2M_BATCH];
};

void p2m_batch_begin(struct p2m_batch *b, struct domain *d);
void p2m_batch_end(struct p2m_batch *b);

/*
 * Maps frames in the place of what was there. For a counted type it is one frame, whose reference
 * passes to the entry with success. Other frames are the domain's. 0; -EBUSY: a grant is mapped
 * there; -ENOMEM: no tables, and what was there may be gone; -EINVAL: beyond the address width;
 * -ESRCH: the domain is going.
 */
int p2m_batch_map(struct p2m_batch *b, gfn_t gfn, mfn_t m, uint64_t frames, enum p2m_type type);

/*
 * Removes what is there as far as it is of `types` (1 << enum p2m_type, or'ed) and, unless m is
 * MFN_NONE, these frames. 0; -ENOENT where it is not, -ENXIO where with P2M_ONLY_OWNED the domain
 * does not own it, -ENOMEM: then what came before is removed. -EINVAL, -ESRCH as above.
 */
#define P2M_ONLY_OWNED (1u << 31)
int p2m_batch_unmap(struct p2m_batch *b, gfn_t gfn, uint64_t frames, mfn_t m, uint32_t types);

/* What stands there now. */
mfn_t p2m_batch_lookup(struct p2m_batch *b, gfn_t gfn, enum p2m_type *type);

/* Batches of one. */
int p2m_replace(struct domain *d, gfn_t gfn, mfn_t m, uint64_t frames, enum p2m_type type);
int p2m_remove(struct domain *d, gfn_t gfn, uint64_t frames, mfn_t m, uint32_t types);

/* True if nothing stands behind any of these guest frames; they may be very many. */
bool p2m_is_empty(struct domain *d, gfn_t gfn, uint64_t frames);

/*
 * Gives a domain that keeps its memory what it gave back, or mapped something else over: as RAM,
 * with what it left there. 0; -EINVAL: not all of it is its own, or with static memory not at
 * machine addresses it is more than one frame; -ENOMEM, -EBUSY, -ESRCH as p2m_batch_map().
 */
int p2m_restore(struct domain *d, gfn_t gfn, uint64_t frames);

/* The last guest frame that ever was mapped, 0 if none. */
gfn_t p2m_maximum_gfn(struct domain *d);

/*
 * What stands behind `gfn`; MFN_NONE for P2M_NONE. *order (may be NULL): the size of the block that
 * it is in, or of a part of that, of 2 MiB at least.
 */
mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned int *order);

/*
 * The frame behind `gfn` that the domain owns, with a reference for the caller, if it is one of
 * `types` (1 << enum p2m_type, or'ed); RESERVED memory is made present first, as if the guest had
 * touched it. The type that it is; -EINVAL if it is none of these, or not its own; -EAGAIN if it is
 * still being filled. *m is the caller's only where it succeeds.
 */
#define P2M_PRESENT_TYPES                                                     \
    (1u << P2M_RAM | 1u << P2M_RAM_RO | 1u << P2M_DEVICE | 1u << P2M_SHARED | \
     1u << P2M_SHARED_RO | 1u << P2M_GRANT | 1u << P2M_GRANT_RO)
int p2m_acquire(struct domain *d, gfn_t gfn, uint32_t types, mfn_t *m);

/*
 * The guest touched `gfn` and the hardware found no mapping. Clears and maps a RESERVED block (2
 * MiB at most); true if the access should be tried again, which includes that another vCPU was
 * faster, or that the block is not filled yet: at most about half a millisecond is spent on it.
 */
bool p2m_handle_fault(struct domain *d, gfn_t gfn);

/*
 * What of this range is RESERVED will be found filled from machine memory, which stays as it is
 * while the domain is there. What is RAM is left alone. 0, -ENOSPC: the domain has P2M_FILLS
 * already.
 */
int p2m_fill(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes);

/*
 * Copies between the hypervisor and the domain's memory, all of which must be RAM there: 0 or
 * -EFAULT (then an unspecified part was copied). Touches RESERVED blocks as the guest would.
 */
int p2m_copy_to(struct domain *d, gaddr_t to, const void *from, uint64_t bytes);
int p2m_copy_from(struct domain *d, void *to, gaddr_t from, uint64_t bytes);
/* Copies machine memory (a boot module) into the domain's. */
int p2m_copy_module(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes);

/*
 * Cleans some of the memory that the guest can reach to the point of coherency, and invalidates it
 * in the caches of all CPUs, from *next on; 0 to begin. True while there is more, with *next where
 * to go on; 0 again at the end. At most some tens of microseconds' work.
 */
bool p2m_clean_step(struct domain *d, gfn_t *next);

/*
 * One step of teardown: lets go of some of what is mapped, then of tables and VMID, at most about a
 * millisecond's work. True while there is more. The domain's vCPUs no longer run; from the first
 * step on nothing is mapped or acquired any more. What is left, the root, goes with the domain.
 */
bool p2m_teardown_step(struct domain *d);
void p2m_destroy(struct domain *d);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

extern struct pgtable_format arch_p2m_format; /* constant once the first domain exists */
void arch_p2m_init(struct domain *d);

/* Forgets this domain's translations of [gfn, gfn + frames) on all pCPUs; frames = UINT64_MAX: all.
 */
void arch_p2m_flush(struct domain *d, gfn_t gfn, uint64_t frames);

#endif
