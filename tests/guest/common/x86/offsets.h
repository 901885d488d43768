/* SPDX-License-Identifier: MIT */
/* What assembly and C must agree on; runtime.c asserts it. */
#ifndef GUEST_OFFSETS_H
#define GUEST_OFFSETS_H

#define STACK_BYTES 16384
#define CPU_SELF    0
#define CPU_STACK   8
#define CPU_PROBE   16
#define CPU_WHEN    24
#define CODE32      0x08
#define CODE64      0x10
#define DATA        0x18
/* Where further CPUs start, below 1 MiB. */
#define TRAMPOLINE 0x8000

#endif
