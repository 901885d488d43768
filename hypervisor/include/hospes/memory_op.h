/* SPDX-License-Identifier: MIT */
/*
 * __HYPERVISOR_memory_op of <xen/memory.h>: how much memory a domain has, where it is in its
 * address space, and what of others' is there. doc/memory-map.md.
 *
 * A domain may change its own memory, a control domain anybody's. What is not finished is told in
 * the command's upper bits, in extents, as the interface has it.
 */
#ifndef HOSPES_MEMORY_OP_H
#define HOSPES_MEMORY_OP_H

#include <hospes/types.h>

struct vcpu;

int64_t memory_op(struct vcpu *v, uint64_t *arg);

#endif
