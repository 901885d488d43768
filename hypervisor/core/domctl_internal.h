/* SPDX-License-Identifier: MIT */
/* Between domctl.c, whose table names them, and the files of its handlers. */
#ifndef CORE_DOMCTL_INTERNAL_H
#define CORE_DOMCTL_INTERNAL_H

#include <hospes/domctl.h>

/* What a call returns to the guest, or -ERESTART to be called again. */
typedef int64_t domctl_fn(struct domctl *c);

/* domctl_create.c */
domctl_fn domctl_createdomain, domctl_max_vcpus;

/* domctl_domain.c */
domctl_fn domctl_destroydomain, domctl_pausedomain, domctl_unpausedomain, domctl_resumedomain;
domctl_fn domctl_getdomaininfo, domctl_max_mem, domctl_setdomainhandle, domctl_setdebugging;
domctl_fn domctl_set_llc_colors, domctl_no_iommu;
domctl_fn domctl_settimeoffset, domctl_subscribe, domctl_set_virq_handler;

/* domctl_vcpu.c */
domctl_fn domctl_setvcpucontext, domctl_getvcpucontext, domctl_getvcpuinfo;

/* domctl_sched.c */
domctl_fn domctl_setvcpuaffinity, domctl_getvcpuaffinity;
domctl_fn domctl_setnodeaffinity, domctl_getnodeaffinity, domctl_scheduler_op;

/* domctl_device.c */
domctl_fn domctl_iomem_permission, domctl_memory_mapping, domctl_irq_permission;

/* domctl_memory.c */
domctl_fn domctl_cacheflush, domctl_get_paging_mempool_size, domctl_set_paging_mempool_size;
domctl_fn domctl_setvnumainfo;

#endif
