/* SPDX-License-Identifier: MIT */
/*
 * Indirect calls and jumps, of compiled code too (-mindirect-branch=thunk-extern): the target is in the register that the
 * thunk is named for. As it stands, a return whose prediction is a loop that goes nowhere, so that no trained prediction
 * is ever used ("retpoline": AMD, Software techniques for managing speculation, 2; Intel, Retpoline). speculation.c
 * changes it where the CPU needs less.
 */
#include <asm/patch.h>

    .text
.macro thunk reg
    .balign 16
    .global __x86_indirect_thunk_\reg
    .type __x86_indirect_thunk_\reg, %function
__x86_indirect_thunk_\reg:
    call 2f
1:  pause
    lfence
    jmp 1b
2:  mov %\reg, (%rsp)
    ret
    int3
    patch_code PATCH_THUNK_JMP, __x86_indirect_thunk_\reg, "jmp *%\reg", "int3"
    patch_code PATCH_THUNK_LFENCE, __x86_indirect_thunk_\reg, "lfence", "jmp *%\reg"
.endm

    .irp reg, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    thunk \reg
    .endr

    .section .note.GNU-stack, "", %progbits
