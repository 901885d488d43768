/* SPDX-License-Identifier: MIT */
/*
 * Xen's hypercalls from the tiny guests: number in x16, arguments from x0 on, result in x0
 * (<xen/arch-arm.h>). The structures are <xen/...>'s; `p` fields are flat addresses here.
 */
#ifndef HYPERCALL_H
#define HYPERCALL_H

#include "guest.h"

#include <xen/xen.h>

static inline int64_t hypercall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                                uint64_t a4)
{
    register uint64_t x0 __asm__("x0") = a0;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = a3;
    register uint64_t x4 __asm__("x4") = a4;
    register uint64_t x16 __asm__("x16") = nr;

    __asm__ volatile("hvc #0xea1"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x16)::"memory");
    return (int64_t)x0;
}

/* Operations of memory_op that there are none of. */
#define XENMEM_NONE                                                            \
    XENMEM_machphys_mfn_list, XENMEM_memory_map, XENMEM_machine_memory_map,    \
        XENMEM_machphys_mapping, XENMEM_set_memory_map, XENMEM_set_pod_target, \
        XENMEM_get_pod_target
/* What the hypervisor shares with a guest is not executed. */
#define SHARED_IS_DATA true
/* What else a new domain needs to be told: struct xen_domctl_createdomain, arch. */
#define NEW_DOMAIN_ARCH { .gic_version = XEN_DOMCTL_CONFIG_GIC_NATIVE }

/* A call of the common form: sub-operation and its structure. */
static inline int64_t hypercall_op(uint64_t nr, uint64_t op, void *structure)
{
    return hypercall(nr, op, (uint64_t)(uintptr_t)structure, 0, 0, 0);
}

#endif
