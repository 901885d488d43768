/* SPDX-License-Identifier: MIT */
/*
 * Xen's hypercalls from the tiny guests: number in RAX, arguments from RDI on, result in RAX
 * (<xen/arch-x86/xen-x86_64.h>), by the page that the hypervisor fills. The structures are
 * <xen/...>'s; `p` fields are flat addresses here.
 */
#ifndef HYPERCALL_H
#define HYPERCALL_H

#include "guest.h"

#include <xen/xen.h>

extern uint8_t hypercall_page[4096];
void hypercall_init(void); /* before the first one */

static inline int64_t hypercall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                                uint64_t a4)
{
    register uint64_t r10 __asm__("r10") = a3;
    register uint64_t r8 __asm__("r8") = a4;
    uint64_t result = nr; /* every entry puts its own number there */

    /* Numbers that the page has no entry for go behind the first instruction of one: MOV to EAX. */
    __asm__ volatile("call *%[entry]"
                     : "+a"(result), "+D"(a0), "+S"(a1), "+d"(a2), "+r"(r10), "+r"(r8)
                     : [entry] "r"(nr < 64 ? hypercall_page + nr * 32 : hypercall_page + 5)
                     : "rcx", "r11", "memory");
    return (int64_t)result;
}

/* Operations of memory_op that there are none of. */
#define XENMEM_NONE 40
/* What the hypervisor shares with a guest may be executed: second-stage faults on x86 are not told.
 */
#define SHARED_IS_DATA false
/* What else a new domain needs to be told: struct xen_domctl_createdomain, arch. */
#define NEW_DOMAIN_ARCH { .emulation_flags = XEN_X86_EMU_LAPIC }

/* A call of the common form: sub-operation and its structure. */
static inline int64_t hypercall_op(uint64_t nr, uint64_t op, void *structure)
{
    return hypercall(nr, op, (uint64_t)(uintptr_t)structure, 0, 0, 0);
}

#endif
