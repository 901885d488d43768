/* SPDX-License-Identifier: MIT */
/* What the parts of <hospes/memory_op.h> share. */
#ifndef MEMORY_INTERNAL_H
#define MEMORY_INTERNAL_H

#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/memory_op.h>
#include <hospes/vcpu.h>

/* The command is an operation and, above it, how many extents of it are done. */
#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK     (((uint64_t)1 << MEMOP_EXTENT_SHIFT) - 1)
#define MEMOP_EXTENTS_MAX  (UINT32_MAX >> MEMOP_EXTENT_SHIFT)

#define MEMORY_CHUNK 32u /* elements of a guest's list handled at a time */

/* Says that `done` extents are done, and that the guest is to call again. */
static inline int64_t memory_continue(uint64_t *arg, uint64_t done)
{
    arg[0] = (arg[0] & MEMOP_CMD_MASK) | done << MEMOP_EXTENT_SHIFT;
    return -ERESTART;
}

/* True if `d` may do to `target` what is a domain's own and the toolstack's business. */
static inline bool memory_may_change(const struct domain *d, const struct domain *target)
{
    return d == target || d->control;
}

/*
 * Elements of a list of the guest's, 8 bytes each, at most MEMORY_CHUNK: how many there are up to
 * the first that cannot be read.
 */
uint32_t memory_read_list(struct guest_window *w, uint64_t from, uint64_t n, uint64_t *to);

/* The largest extent that the caller may ask for. */
unsigned int memory_max_order(const struct domain *caller);

/* Operations: the guest's pointer is arg[1], `done` extents were handled before. */
int64_t reservation_op(struct vcpu *v, uint64_t *arg, unsigned int op, uint64_t done);
int64_t reservation_exchange(struct vcpu *v, const uint64_t *arg);
int64_t physmap_add(struct vcpu *v, uint64_t *arg, uint64_t done);
int64_t physmap_add_batch(struct vcpu *v, uint64_t *arg, uint64_t done);
int64_t physmap_remove(struct vcpu *v, const uint64_t *arg);
int64_t resource_acquire(struct vcpu *v, uint64_t *arg, uint64_t done);

#endif
