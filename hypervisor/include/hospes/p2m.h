/* SPDX-License-Identifier: MIT */
/*
 * A domain's physical address space: which machine frame stands behind each guest frame, and how
 * the guest may use it. The hardware walks the same table (arm64: stage 2; x86: NPT, EPT), written
 * by <hospes/pgtable.h> in the architecture's format.
 *
 * Lock: p2m->lock (LOCK_P2M) for every change and look-up. Changes that take rights away end with
 * the TLBs of all pCPUs flushed before the lock is released.
 */
#ifndef HOSPES_P2M_H
#define HOSPES_P2M_H

#include <hospes/pgtable.h>
#include <hospes/spinlock.h>
#include <hospes/types.h>

struct domain;

/* What stands behind a guest frame. Fits PGTABLE_TYPE_BITS. */
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
    P2M_TYPES
};

/* Guest memory that, where it is reserved, gets a copy of machine memory when it is touched. */
struct p2m_fill {
    gaddr_t to;
    uint64_t bytes;
    maddr_t from;
};

#define P2M_FILLS 12 /* of a domain: its kernel's segments, and the ramdisk */

struct p2m {
    struct spinlock lock;
    struct pgtable pt;
    uint16_t vmid;                    /* tag of its TLB entries */
    uint64_t nr_tables;               /* pages of the table itself, charged to the domain */
    uint64_t lowest, highest;         /* bounds of gfns that were ever mapped, for teardown */
    struct p2m_fill fills[P2M_FILLS]; /* a later one lies over an earlier one */
    uint32_t nr_fills;
    gfn_t filling;   /* in the block that is being filled, */
    uint64_t filled; /* of which so many bytes are there; 0: none is */
};

/* An empty space. 0, -ENOMEM, or -EBUSY when no VMID is left. */
int p2m_init(struct domain *d);

/*
 * Maps `frames` guest frames from `gfn` onto machine frames from `mfn`, replacing what was there.
 * Uses the largest blocks that alignment allows. Frames are counted by the caller. 0, -ENOMEM (then
 * nothing of the range is mapped), -EINVAL beyond the guest's address width.
 */
int p2m_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames, enum p2m_type type);

/* Removes mappings. Frames are the caller's to free. 0, -ENOMEM, -EINVAL beyond the guest's address
 * width. */
int p2m_unmap(struct domain *d, gfn_t gfn, uint64_t frames);

/*
 * What stands behind `gfn`; MFN_NONE for P2M_NONE. *order (may be NULL): the block's size.
 */
mfn_t p2m_lookup(struct domain *d, gfn_t gfn, enum p2m_type *type, unsigned int *order);

/*
 * The frame behind `gfn` that the domain owns, with a reference for the caller; RESERVED memory is
 * made present first, as if the guest had touched it. 0; -EINVAL if it is none of its own, with
 * *type telling what it is; -EAGAIN if it is still being filled.
 */
int p2m_acquire(struct domain *d, gfn_t gfn, mfn_t *m, enum p2m_type *type);

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
 * One step of teardown: unmaps some, frees the frames of RAM that were mapped, at most about a
 * millisecond's work. True while there is more. The domain's vCPUs no longer run.
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
