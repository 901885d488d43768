/* SPDX-License-Identifier: MIT */
/* Values of the command line's options that only x86 has; constant once the line has been read. */
#ifndef ASM_OPTIONS_H
#define ASM_OPTIONS_H

#include <asm/com.h>
#include <asm/microcode.h>
#include <asm/speculation.h>

#define COM_PORTS 2u

struct x86_options {
    struct com_settings com[COM_PORTS]; /* com1=, com2= */
    struct spec_options spec;           /* spec-ctrl= */
    struct ucode_options ucode;         /* ucode= */
    bool vga_keep;                      /* vga=keep */
};

extern struct x86_options x86_options;

#endif
