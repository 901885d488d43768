/* SPDX-License-Identifier: MIT */
/* Values of the command line's options that only x86 has; constant once the line has been read. */
#ifndef ASM_OPTIONS_H
#define ASM_OPTIONS_H

#include <asm/com.h>
#include <stdbool.h>

#define COM_PORTS 2u

struct x86_options {
    struct com_settings com[COM_PORTS]; /* com1=, com2= */
    bool ucode_scan;                    /* ucode=scan: the ramdisk may begin with microcode */
    int ucode_module; /* ucode=<n>: module number n has it; < 0: from the last; 0: none */
};

extern struct x86_options x86_options;

#endif
