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

struct domain;
struct vcpu;

int64_t memory_op(struct vcpu *v, uint64_t *arg);

/*
 * The domain named `domid`, if the caller may change its memory: 0, -ESRCH, -EPERM. The caller's
 * own is not counted, it cannot go meanwhile.
 */
int memory_target(struct vcpu *v, uint16_t domid, struct domain **out);
void memory_target_put(struct vcpu *v, struct domain *d);

/* --- contract of each architecture ----------------------------------------------------------- */

/* Operations that only some architectures have, done at once: arg[1] is the guest's pointer. What
 * <xen/memory.h> says, -ENOSYS. */
int64_t arch_memory_op(struct vcpu *v, const uint64_t *arg, unsigned int op);

#endif
