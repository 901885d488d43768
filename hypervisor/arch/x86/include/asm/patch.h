/* SPDX-License-Identifier: MIT */
/*
 * Places in the code that are made to fit the CPU, once, before guests run: so what is not needed
 * costs one jump and no look at a variable, past which a processor could speculate.
 *
 * Assembly says what a place becomes where a protection is not used (or is, as its name says); what
 * stands there to begin with is the careful variant.
 */
#ifndef ASM_PATCH_H
#define ASM_PATCH_H

/* Reasons to change a place. */
#define PATCH_NO_RSB_FILL  1 /* the stack of return predictions need not be filled at exits */
#define PATCH_NO_IBPB_EXIT 2 /* indirect predictions stay at exits */
#define PATCH_NO_VERW      3 /* buffers need not be cleared before entries */
#define PATCH_THUNK_JMP    4 /* indirect branches are plain ones */
#define PATCH_THUNK_LFENCE 5 /* indirect branches after a fence */

#define PATCH_BYTES 10 /* at most */

#ifdef __ASSEMBLER__
/* clang-format off */
/* For `why`, what is between `from` and `to` is jumped over: 2 to 129 bytes. */
.macro patch_skip why, from, to
    .pushsection .patches, "a"
    .balign 4
    .long \from - .
    .byte \why, 2, 0xeb, \to - \from - 2
    .skip PATCH_BYTES - 2
    .popsection
.endm

/* For `why`, the instructions at `at` become these. */
.macro patch_code why, at, first, second
    .pushsection .patches, "a"
    .balign 4
    .long \at - .
    .byte \why, 19f - 18f
18: \first
    \second
19: .skip PATCH_BYTES - (19b - 18b)
    .popsection
.endm
/* clang-format on */
#else
#include <stdint.h>

struct patch {
    int32_t at; /* relative to itself */
    uint8_t why, bytes, code[PATCH_BYTES];
};

/* Changes all places that are to be for `why`. The first pCPU, while no other runs and memory is
 * managed; the number of them. */
uint32_t patch_apply(uint8_t why);
#endif

#endif
