/* SPDX-License-Identifier: MIT */
/* What the parts of the guest `hypercalls` share, and what each architecture says of its own. */
#ifndef HYPERCALLS_H
#define HYPERCALLS_H

#include "hypercall.h"

/* Xen's error numbers. */
enum {
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    ENXIO = 6,
    EACCES = 13,
    EFAULT = 14,
    EBUSY = 16,
    EINVAL = 22,
    ENOSPC = 28,
    ENOSYS = 38,
    EOPNOTSUPP = 95,
    ENOBUFS = 105,
};

#define BIT32(n) (UINT32_C(1) << (n))

#define answers(call, want, ...) check_eq((uint64_t)(call), (uint64_t)(int64_t)(want), __VA_ARGS__)

extern bool control;    /* this is the hardware domain */
uint64_t nowhere(void); /* an address behind all memory */
/* Pointers that no call may believe. */
void faults(uint64_t nr, uint64_t op, const char *name);
int64_t param(uint64_t op, domid_t domid, uint32_t index, uint64_t *value); /* hvm_op */
int64_t vcpu_op(uint64_t cmd, uint64_t vcpu, void *p);
int64_t sched(uint64_t op, void *p);

/* ---- of the architecture ---- */
extern const char arch_capabilities[];
extern const uint32_t arch_features;
extern const uint64_t arch_no_calls[]; /* ends in 0 */
void arch_calls(void);                 /* what only it has, and what it has not */

#endif
