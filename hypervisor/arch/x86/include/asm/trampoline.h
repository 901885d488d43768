/* SPDX-License-Identifier: MIT */
/* Words in the page of trampoline.S, as offsets into it. */
#ifndef ASM_TRAMPOLINE_H
#define ASM_TRAMPOLINE_H

#define TRAMPOLINE_ROOT  0xfe0 /* machine address of page tables, 32 bits */
#define TRAMPOLINE_STACK 0xfe8 /* stack pointer of the CPU that starts */
#define TRAMPOLINE_ENTRY 0xff0 /* where it goes */

#endif
