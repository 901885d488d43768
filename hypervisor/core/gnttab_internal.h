/* SPDX-License-Identifier: MIT */
/* What the files gnttab*.c share: uses of grants, handles of mappings, the operations. */
#ifndef GNTTAB_INTERNAL_H
#define GNTTAB_INTERNAL_H

#include <hospes/domain.h>
#include <hospes/gnttab.h>
#include <hospes/types.h>
#include <xen/xen.h>

#include <xen/grant_table.h>

struct vcpu;

_Static_assert(GNTTAB_ENTRIES * sizeof(struct grant_entry_v1) == FRAME_SIZE,
               "a frame of the table");

/* Where a new use must find nothing else set: copies take entries that no mapping may. */
#define GTF_MAPPABLE (GTF_type_mask | GTF_sub_page)
#define GTF_COPYABLE GTF_type_mask

/* --- uses: gnttab_use.c ---------------------------------------------------------------------- */

/*
 * `by`, a live domain, begins to use entry `ref` of `granter`. Flags of the entry in `mask` have to
 * be GTF_permit_access alone. On GNTST_okay *m has a reference for the caller. Else GNTST_*, and
 * nothing has changed. Takes the granter's LOCK_GNTTAB and LOCK_P2M.
 */
int gnttab_use_begin(struct domain *granter, uint32_t ref, struct domain *by, bool readonly,
                     uint16_t mask, mfn_t *m);

/* Ends what began so; the caller's own reference is its own matter. */
void gnttab_use_end(struct domain *granter, uint32_t ref, bool readonly);

/* --- handles: gnttab_maptrack.c -------------------------------------------------------------- */

/* A free handle, its mapping BUSY; NULL if there is none left, or no memory. */
struct grant_mapping *maptrack_take(struct domain *d, uint32_t *handle);
void maptrack_give(struct domain *d, uint32_t handle);

/* The mapping of a handle, in any state; NULL where there has never been one. */
struct grant_mapping *maptrack_find(struct domain *d, uint32_t handle);

/* THERE -> BUSY, by one caller only; and BUSY -> THERE. */
bool maptrack_claim(struct grant_mapping *m);
void maptrack_publish(struct grant_mapping *m);

void maptrack_destroy(struct maptrack *t);

/* --- operations ------------------------------------------------------------------------------ */

/*
 * Each works on `count` requests from `uop` on and says in *done how many it has finished when it
 * returns -ERESTART. 0, -errno.
 */
int gnttab_map(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_unmap(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_unmap_and_replace(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_copy(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_swap(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_transfer(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_setup_table(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_query_size(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_set_version(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_get_version(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);
int gnttab_get_status_frames(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);

/* Its search for a grant may be interrupted too: *from is the entry at which it goes on. */
int gnttab_cache_flush(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done,
                       uint32_t *from);

/*
 * What is done with each request of a list: GNTST_*, which becomes its status. What comes from
 * there on is the answer to the guest.
 */
struct gnttab_list {
    int (*handle)(void *context, void *request);
    uint32_t bytes, status; /* of a request, GNTTAB_REQUEST_MAX at most, and where its status is */
    uint32_t together;      /* a power of two: so many are handled before any thought of stopping */
};

#define GNTTAB_REQUEST_MAX 40u

/* An operation of that kind. */
int gnttab_for_each(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done,
                    const struct gnttab_list *list, void *context);

/* Domain numbers repeat from one element to the next: *last keeps the one found, referenced. */
static inline struct domain *domain_get_again(struct domain **last, uint16_t id)
{
    if (!*last || (*last)->id != id) {
        if (*last)
            domain_put(*last);
        *last = domain_get(id);
    }
    return *last;
}

#endif
