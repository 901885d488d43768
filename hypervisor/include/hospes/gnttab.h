/* SPDX-License-Identifier: MIT */
/*
 * Grant tables, version 1: a domain lets another one map, or copy from and to, single frames of its
 * memory. <xen/grant_table.h> is the interface to guests, doc/grant-tables.md explains.
 *
 * A domain is a granter: it shares the frames of its table with Hospes (`shared`), and Hospes keeps
 * a record (`use`) of each entry for as long as somebody uses it. What the guest wrote is looked at
 * when a use begins; how it ends is decided by the record alone.
 *
 * And it is a mapper: each grant that it has mapped is a struct grant_mapping, known to it by a
 * number, the handle. A mapping keeps the granter's struct domain, and the frame, for as long as it
 * lasts: longer than the granter itself, if need be.
 *
 * Locks: gnttab->lock (LOCK_GNTTAB) for what the domain is as a granter; gnttab->maptrack.lock
 * (LOCK_MAPTRACK) for its free handles. A mapping is owned by who moved its `state`, atomically.
 * The two locks are not nested, nor are those of two domains; p2m locks are taken inside.
 */
#ifndef HOSPES_GNTTAB_H
#define HOSPES_GNTTAB_H

#include <hospes/spinlock.h>
#include <hospes/types.h>

struct domain;
struct grant_entry_v1;
struct vcpu;

#define GNTTAB_ENTRIES 512u /* in a frame of the table */

/* Who uses an entry now. All zeroes: nobody. */
struct grant_use {
    mfn_t frame;       /* counted by each of its users, for as long as there are any */
    struct domain *by; /* the one domain that may; alive, since it has the uses */
    uint32_t readers;  /* uses that only read, */
    uint32_t writers;  /* and that write too */
};

/* One frame of the table. */
struct gnttab_frame {
    struct grant_entry_v1 *shared; /* GNTTAB_ENTRIES; the guest writes there at any time */
    struct grant_use *uses;        /* GNTTAB_ENTRIES */
    mfn_t mfn;                     /* of `shared`; owned by the domain, not in tot_pages */
    gfn_t gfn;                     /* where the domain mapped it last, UINT64_MAX: nowhere */
};

enum grant_mapping_state {
    MAPPING_FREE,
    MAPPING_BUSY, /* being made, or being undone */
    MAPPING_THERE,
};

/* One grant mapped by the domain. */
struct grant_mapping {
    struct domain *granter; /* with a reference, while not free */
    mfn_t frame;            /* counted by the p2m entry, for the use too */
    gfn_t gfn;              /* where it was mapped */
    uint32_t ref;           /* the granter's entry; while free: the next free handle */
    uint16_t state;         /* enum grant_mapping_state, atomic */
    bool readonly;
};

struct maptrack {
    struct spinlock lock;
    uint32_t max;                  /* handles; constant */
    uint32_t made;                 /* handles there are, free or not; only grows, release */
    uint32_t free;                 /* the first free one */
    struct grant_mapping **chunks; /* allocated with the first handle; then constant */
};

struct gnttab {
    struct spinlock lock;
    bool closed;                 /* the domain is going: nobody begins a use any more */
    uint32_t max_frames;         /* 0: the domain has no table (yet) */
    uint32_t nr_frames;          /* only grows, until it is closed */
    struct gnttab_frame *frames; /* [max_frames] */
    uint32_t released;           /* gnttab_release_step(): how far it is */
    struct maptrack maptrack;
};

/*
 * Gives a new domain its table, of one frame, before it runs. -1: the limit of the command line
 * (gnttab_max_frames=, gnttab_max_maptrack_frames=). `max_version` is the highest version that the
 * domain may ask for: 1. 0, -EINVAL (limits above those of the command line, no frame, another
 * version), -ENOMEM. domain_destroy() undoes it.
 */
int gnttab_domain_init(struct domain *d, int max_frames, int max_maptrack_frames,
                       unsigned int max_version);

/*
 * Part of a domain's end; its vCPUs no longer run. Gives up what it had mapped, then what others
 * use of it: they keep the frames. At most about half a millisecond's work; true while there is
 * more. Its p2m is torn down after that, which drops its mappings' references.
 */
bool gnttab_release_step(struct domain *d);

/* Frees the table; what gnttab_release_step() left is done first. */
void gnttab_destroy(struct domain *d);

/*
 * Frame `idx` of the table of `d`, for mapping it into a guest, with a reference for the caller.
 * With `grow` the table is made that large if it may be. 0, -EINVAL beyond the table (or its limit)
 * or when the domain is going, -ENOMEM.
 */
int gnttab_frame(struct domain *d, uint32_t idx, bool grow, mfn_t *out);

/* Says where the domain has mapped that frame, for GNTTABOP_setup_table's answer. */
void gnttab_frame_mapped(struct domain *d, uint32_t idx, gfn_t gfn);

/* Frames the table has. */
uint32_t gnttab_nr_frames(struct domain *d);

/* grant_table_op, for hypercall.c. */
int64_t gnttab_op(struct vcpu *v, uint64_t *arg);

#endif
