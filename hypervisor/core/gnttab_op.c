/* SPDX-License-Identifier: MIT */
/* The hypercall grant_table_op: finds the operation, and sees to it that long ones go on. */
#include "gnttab_internal.h"

#include <lib/bits.h>

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
