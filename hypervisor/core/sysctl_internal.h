/* SPDX-License-Identifier: MIT */
/* Between sysctl.c, whose table names them, and the files of its handlers. */
#ifndef CORE_SYSCTL_INTERNAL_H
#define CORE_SYSCTL_INTERNAL_H

#include <hospes/sysctl.h>

struct xenctl_bitmap;

/* What a call returns to the guest. */
typedef int64_t sysctl_fn(struct sysctl *s);

/* sysctl_console.c */
sysctl_fn sysctl_readconsole, sysctl_debug_keys;

/* sysctl_machine.c */
sysctl_fn sysctl_physinfo, sysctl_availheap, sysctl_cputopoinfo, sysctl_numainfo;
sysctl_fn sysctl_getdomaininfolist, sysctl_page_offline_op;

/* sysctl_sched.c */
sysctl_fn sysctl_sched_id, sysctl_getcpuinfo, sysctl_cpupool_op, sysctl_scheduler_op;

/* sysctl.c */
sysctl_fn sysctl_not_built_in;

/* XEN_SCHEDULER_*: the one of Xen's whose settings and behaviour come closest to ours. */
uint32_t sysctl_scheduler(void);

/* Writes the first `nr` bits of a map into a caller's, and 0 behind them. 0, -EFAULT, or -E2BIG:
 * more than 65,536 bits. */
int sysctl_write_bits(struct vcpu *v, const struct xenctl_bitmap *to, const unsigned long *from,
                      uint32_t nr);

#endif
