/* SPDX-License-Identifier: MIT */
/*
 * The text screen that firmware leaves on a PC, as the hypervisor's console: `console=vga`. It is
 * the hardware domain's from its start on, unless the user says `vga=keep`. doc/console.md.
 */
#ifndef ASM_VGA_H
#define ASM_VGA_H

/* Shows the lines so far and from here on, if console= names it and it is in text mode. The first
 * pCPU, once memory is managed. */
void vga_init(void);

#endif
