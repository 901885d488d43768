/* SPDX-License-Identifier: MIT */
/* Between the files of x86's part of domctl and sysctl. */
#ifndef X86_DOMCTL_INTERNAL_H
#define X86_DOMCTL_INTERNAL_H

#include <hospes/domctl.h>
#include <hospes/sysctl.h>

/*
 * None of the domain's vCPUs runs, their state is in memory: 0, to be undone by domain_unpause().
 * -EINVAL: it is the caller's own; -ERESTART: the caller itself has something more urgent to do.
 */
int domctl_stop_all(const struct domctl *c);

/* domctl_context.c: <xen/hvm/save.h> */
int64_t domctl_gethvmcontext(struct domctl *c);
int64_t domctl_sethvmcontext(struct domctl *c);
int64_t domctl_gethvmcontext_partial(struct domctl *c);

/* domctl_policy.c: CPUID */
int64_t domctl_get_cpu_policy(struct domctl *c);
int64_t domctl_set_cpu_policy(struct domctl *c);
int64_t sysctl_get_cpu_policy(struct sysctl *s);
int64_t sysctl_get_cpu_featureset(struct sysctl *s);

#endif
