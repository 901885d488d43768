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

#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/types.h>

struct domain;
struct vcpu;

#define HYPERCALL_ARGS 5u

/* Returns what the guest finds in its result register: 0 or more, -errno, or -ERESTART. */
typedef int64_t hypercall_fn(struct vcpu *v, uint64_t *arg);

/* One line a call, in the order of their numbers; NULL: not there. */
#define HYPERCALLS 64u
extern hypercall_fn *const hypercalls[HYPERCALLS];

/* Calls the handler of __HYPERVISOR_* number `nr`; -ENOSYS where there is none. */
static inline int64_t hypercall_do(uint64_t nr, struct vcpu *v, uint64_t *arg)
{
    hypercall_fn *fn = likely(nr < HYPERCALLS) ? hypercalls[nr] : NULL;

    return likely(fn != NULL) ? fn(v, arg) : -ENOSYS;
}

/* True if this pCPU has something more urgent to do: interrupts, timers, other vCPUs. */
bool hypercall_should_stop(void);

/*
 * The domain that the caller names by `domid`, DOMID_SELF included; with a reference, to be given
 * back by domain_put(). 0, -ESRCH, or -EPERM when it is another one and the caller is no control
 * domain.
 */
int hypercall_target(struct vcpu *v, uint16_t domid, struct domain **out);

#endif
