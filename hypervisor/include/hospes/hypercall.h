/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: the table of them, and what each handler may rely on. doc/hypercalls.md.
 *
 * A handler gets the calling vCPU, which is loaded, and its arguments, which are the guest's
 * registers themselves: it may rewrite them, and must where it wants to be called again. It copies
 * in once what the guest's pointers name (<hospes/guest_access.h>), checks everything, then
 * commits. What takes longer than about a millisecond asks hypercall_should_stop() between two
 * steps, writes into its arguments how far it has come, and returns -ERESTART: the guest then
 * executes the instruction again, perhaps after interrupts and other vCPUs had their turn. So
 * progress is in the guest's hands, and is checked like any argument.
 *
 * No lock is held at entry and at return.
 */
#ifndef HOSPES_HYPERCALL_H
#define HOSPES_HYPERCALL_H

#include <hospes/types.h>

struct domain;
struct vcpu;

#define HYPERCALL_ARGS 5u

/* Returns what the guest finds in its result register: 0 or more, -errno, or -ERESTART. */
typedef int64_t hypercall_fn(struct vcpu *v, uint64_t *arg);

/* The handler of __HYPERVISOR_* number `nr`; one that says -ENOSYS for those that are not there. */
hypercall_fn *hypercall_find(uint64_t nr);

/* True if this pCPU has something more urgent to do: interrupts, timers, other vCPUs. */
bool hypercall_should_stop(void);

/*
 * The domain that the caller names by `domid`, DOMID_SELF included; with a reference, to be given
 * back by domain_put(). 0, -ESRCH, or -EPERM when it is another one and the caller is no control
 * domain.
 */
int hypercall_target(struct vcpu *v, uint16_t domid, struct domain **out);

#endif
