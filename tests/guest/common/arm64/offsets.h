/* SPDX-License-Identifier: MIT */
/* What assembly and C must agree on; runtime.c asserts it. */
#ifndef GUEST_OFFSETS_H
#define GUEST_OFFSETS_H

#define FRAME_BYTES 288
#define PROBE_BYTES 112
#define STACK_BYTES 16384
#define CPU_STACK   0
#define CPU_PROBE   8

#endif
