/* SPDX-License-Identifier: MIT */
/*
 * What a domain and Hospes share by the Xen ABI for as long as the domain lives: its page of struct
 * shared_info, and a struct vcpu_info for each vCPU (<xen/xen.h>). Both are written while the guest
 * runs, and the guest may write anything to them: read once, believe nothing.
 *
 * d->shared_info is a frame of the domain's that is mapped here for good; the guest finds it
 * through XENMAPSPACE_shared_info. v->info is never NULL and stays valid while the vCPU exists: it
 * points into shared_info for the first vCPUs, else to memory that no guest sees, until the guest
 * names a place of its own (VCPUOP_register_vcpu_info). It may change under a reader's hands, who
 * then still writes to memory that is there; what it missed, vcpu_info_register() makes good.
 */
#ifndef HOSPES_VCPU_INFO_H
#define HOSPES_VCPU_INFO_H

#include <hospes/types.h>

struct domain;
struct vcpu;

/* Makes d->shared_info; d->id is set. 0 or -ENOMEM. Undone by vcpu_info_domain_destroy(), which
 * needs all vCPUs gone. */
int vcpu_info_domain_init(struct domain *d);
void vcpu_info_domain_destroy(struct domain *d);

/* Gives v its first v->info. 0 or -ENOMEM. */
int vcpu_info_vcpu_init(struct vcpu *v);
void vcpu_info_vcpu_destroy(struct vcpu *v);

/*
 * Moves v->info to guest physical address `at`, with its content, and says that events are pending,
 * so that none that came meanwhile is missed. 0, -EBUSY: it has been moved before, -ENXIO: not
 * aligned, or across the end of a page, -EINVAL, -EACCES: no RAM of the domain's that may be
 * written, -ENOMEM.
 */
int vcpu_info_register(struct vcpu *v, gaddr_t at);

/* --- contract of each architecture ----------------------------------------------------------- */

/*
 * v->info->evtchn_upcall_pending went from 0 to 1: raises the interrupt by which the guest is told,
 * and wakes the vCPU if it takes that. LOCK_EVTCHN_FIFO and what ranks before it may be held.
 */
void arch_evtchn_upcall(struct vcpu *v);

#endif
