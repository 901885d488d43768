/* SPDX-License-Identifier: MIT */
/*
 * The page through which a guest calls: it names a page of its memory in an MSR that CPUID tells,
 * and finds 32 bytes of code there for each hypercall. <xen/arch-x86/cpuid.h>.
 */
#ifndef ASM_HYPERCALL_PAGE_H
#define ASM_HYPERCALL_PAGE_H

#include <stdint.h>

struct domain;

#define HYPERCALL_PAGE_MSR 0x40000000u

/* What the guest wrote to the MSR: the page's address, and its number (0) in the low bits. 0,
 * -EINVAL or -EFAULT: there is no memory of its own that may be written. */
int hypercall_page_write(struct domain *d, uint64_t value);

#endif
