/* SPDX-License-Identifier: MIT */
/* The hypercall grant_table_op: finds the operation, runs through lists of requests, and sees to it
 * that long ones go on. */
#include "gnttab_internal.h"

#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <lib/bits.h>
#include <string.h>

/* --- lists of requests ----------------------------------------------------------------------- */

/* One request at `uop`: 0 or -EFAULT. */
static inline int handle(struct guest_window *w, uint64_t uop, const struct gnttab_list *list,
                         void *context)
{
    uint64_t request[GNTTAB_REQUEST_MAX / sizeof(uint64_t)];
    uint32_t status = list->status, answer = list->bytes - status;
    uint8_t *bytes = (uint8_t *)request, *there = guest_window_at(w, uop, list->bytes);

    if (likely(there != NULL))
        memcpy(bytes, there, list->bytes);
    else if (guest_read(w->v, bytes, uop, list->bytes))
        return -EFAULT;
    *(int16_t *)(void *)(bytes + status) = (int16_t)list->handle(context, request);
    if (unlikely(!there))
        return guest_write(w->v, uop + status, bytes + status, answer);
    memcpy(there + status, bytes + status, answer);
    return 0;
}

int gnttab_for_each(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done,
                    const struct gnttab_list *list, void *context)
{
    struct guest_window w = { .v = v };
    int err = 0;

    for (uint32_t i = 0; i < count && likely(!err); i++, uop += list->bytes) {
        if (i && !(i & (list->together - 1)) && unlikely(hypercall_should_stop())) {
            *done = i;
            err = -ERESTART;
        } else {
            err = handle(&w, uop, list, context);
        }
    }
    guest_window_close(&w);
    return err;
}

/* --- the hypercall --------------------------------------------------------------------------- */

typedef int operation(struct vcpu *v, uint64_t uop, uint32_t count, uint32_t *done);

static const struct {
    operation *run;
    uint32_t bytes; /* of an element */
} operations[] = {
    [GNTTABOP_map_grant_ref] = { gnttab_map, sizeof(struct gnttab_map_grant_ref) },
    [GNTTABOP_unmap_grant_ref] = { gnttab_unmap, sizeof(struct gnttab_unmap_grant_ref) },
    [GNTTABOP_setup_table] = { gnttab_setup_table, 0 },
    [GNTTABOP_transfer] = { gnttab_transfer, 0 },
    [GNTTABOP_copy] = { gnttab_copy, sizeof(struct gnttab_copy) },
    [GNTTABOP_query_size] = { gnttab_query_size, 0 },
    [GNTTABOP_unmap_and_replace] = { gnttab_unmap_and_replace,
                                     sizeof(struct gnttab_unmap_and_replace) },
    [GNTTABOP_set_version] = { gnttab_set_version, 0 },
    [GNTTABOP_get_status_frames] = { gnttab_get_status_frames, 0 },
    [GNTTABOP_get_version] = { gnttab_get_version, 0 },
    [GNTTABOP_swap_grant_ref] = { gnttab_swap, sizeof(struct gnttab_swap_grant_ref) },
};

/* The command's upper bits are its own when it goes on: only GNTTABOP_cache_flush has any. */
#define COMMAND MASK(11, 0)
#define OPAQUE  MASK(31, 12)

static int64_t cache_flush(struct vcpu *v, uint64_t *arg)
{
    uint32_t from = (uint32_t)(arg[0] & OPAQUE), done = 0;
    int err = gnttab_cache_flush(v, arg[1], (uint32_t)arg[2], &done, &from);

    if (err == -ERESTART) {
        arg[0] = GNTTABOP_cache_flush | from;
        arg[1] += (uint64_t)done * sizeof(struct gnttab_cache_flush);
        arg[2] = (uint32_t)arg[2] - done;
    }
    return err;
}

/* arg: command, address of the elements, their number. */
int64_t gnttab_op(struct vcpu *v, uint64_t *arg)
{
    uint32_t command = (uint32_t)arg[0], count = (uint32_t)arg[2], done = 0;
    int err;

    if (unlikely(count > INT32_MAX))
        return -EINVAL;
    if (unlikely((command & COMMAND) == GNTTABOP_cache_flush))
        return cache_flush(v, arg);
    if (unlikely(command & OPAQUE))
        return -EINVAL;
    if (unlikely(command >= array_size(operations) || !operations[command].run))
        return -ENOSYS;
    err = operations[command].run(v, arg[1], count, &done);
    if (unlikely(err == -ERESTART)) {
        arg[1] += (uint64_t)done * operations[command].bytes;
        arg[2] = count - done;
    }
    return err;
}
