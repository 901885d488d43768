/* SPDX-License-Identifier: MIT */
/*
 * The addresses and interrupts of a guest, as <xen/arch-arm.h> has them for toolstacks: GUEST_*.
 * Include it before any other of Xen's headers.
 */
#ifndef ASM_GUEST_LAYOUT_H
#define ASM_GUEST_LAYOUT_H

#define __XEN_TOOLS__ 1
#include <stdint.h>

/* As <xen/xen.h> has it, which would be the build machine's in a unit test. */
#define __xen_mk_ullong(x) x##ULL
#define xen_mk_ullong(x)   __xen_mk_ullong(x)
#include <xen/arch-arm.h>

#endif
