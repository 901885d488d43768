/* SPDX-License-Identifier: MIT */
/* What the files gnttab*.c share: uses of grants, handles of mappings, the operations. */
#ifndef GNTTAB_INTERNAL_H
#define GNTTAB_INTERNAL_H

#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/gnttab.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
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

/* Who uses one grant after the other, all in the same way. */
struct grant_user {
    struct domain *by, *granter; /* kept by the caller */
    uint32_t ref;                /* the granter's entry that is used now; GRANT_NONE */
    /* Constant: of an entry's flags and domain, what is looked at, what it has to be, and which of
     * them the use sets. */
    uint32_t relevant, needed, set;
    bool readonly; /* constant */
};

#define GRANT_NONE        UINT32_MAX
#define GRANT_DOMID_SHIFT 16u

/* Of flags in `mask` a grant has to have GTF_permit_access alone. */
static inline struct grant_user grant_user(struct domain *by, struct domain *granter, uint16_t mask,
                                           bool readonly)
{
    return (struct grant_user){
        .by = by,
        .granter = granter,
        .ref = GRANT_NONE,
        .relevant = 0xffffu << GRANT_DOMID_SHIFT | mask | (readonly ? 0 : GTF_readonly),
        .needed = (uint32_t)by->id << GRANT_DOMID_SHIFT | GTF_permit_access,
        .set = readonly ? GTF_reading : GTF_reading | GTF_writing,
        .readonly = readonly,
    };
}

/*
 * Begins to use entry `ref`. On GNTST_okay the use of the one before has ended, and *m has a
 * reference, which is the use's, and may pass to an entry that maps the frame: it is to be dropped
 * after the use has ended, not before, so that nobody else gets the frame while the record names
 * it. Else GNTST_*, and but for *m nothing has changed. Takes the granter's LOCK_GNTTAB and
 * LOCK_P2M.
 */
int gnttab_use_begin(struct grant_user *u, uint32_t ref, mfn_t *m);

/* Ends what began so; nothing, if the granter is going. */
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

/* One request at `uop`: 0 or -EFAULT. */
static __force_inline int gnttab_handle(struct guest_window *w, uint64_t uop,
                                        const struct gnttab_list *list, void *context)
{
    uint64_t request[GNTTAB_REQUEST_MAX / sizeof(uint64_t)];
    uint32_t status = list->status, answer = list->bytes - status;
    uint8_t *bytes = (uint8_t *)request, *there = guest_window_at(w, uop, list->bytes);

    if (likely(there != NULL))
        __builtin_memcpy(bytes, there, list->bytes);
    else if (guest_read(w->v, bytes, uop, list->bytes))
        return -EFAULT;
    *(int16_t *)(void *)(bytes + status) = (int16_t)list->handle(context, request);
    if (unlikely(!there))
        return guest_write(w->v, uop + status, bytes + status, answer);
    __builtin_memcpy(there + status, bytes + status, answer);
    return 0;
}

/*
 * An operation of that kind. Inline: each has a loop of its own, which knows sizes and calls what
 * it has to by name.
 */
static __force_inline int gnttab_for_each(struct vcpu *v, uint64_t uop, uint32_t count,
                                          uint32_t *done, const struct gnttab_list *list,
                                          void *context)
{
    struct guest_window w = { .v = v };
    int err = 0;

    for (uint32_t i = 0; i < count && likely(!err); i++, uop += list->bytes) {
        if (i && !(i & (list->together - 1)) && unlikely(hypercall_should_stop())) {
            *done = i;
            err = -ERESTART;
        } else {
            err = gnttab_handle(&w, uop, list, context);
        }
    }
    guest_window_close(&w);
    return err;
}

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
