/* SPDX-License-Identifier: MIT */
/*
 * What is measured, to the instruction. The emulator counts one tick of the counter for each instruction that any CPU
 * executes, so the difference of two readings by RDTSC is the number of instructions between them.
 */
#include "offsets.h"

#define X2APIC_EOI 0x80b

    .macro now to
    rdtsc
    shl     $32, %rdx
    or      %rax, %rdx
    mov     %rdx, \to
    .endm

    .macro enter
    push    %rbx
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    .endm

    .macro leave_with_time                 /* since R15 */
    now     %rax
    sub     %r15, %rax
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbx
    ret
    .endm

/*
 * uint64_t time_NAME(uint64_t value, uint64_t rounds, uint64_t addr): instructions of so many rounds of one instruction
 * with `value` in EAX, `addr` in RDX and in RCX. Those of time_nothing() are the loop's own.
 */
    .macro rounds name, insn:vararg
    .text
    .balign 64
    .global time_\name
time_\name:
    enter
    mov     %rdi, %r12
    mov     %rsi, %r13
    mov     %rdx, %r14
    now     %r15
1:  mov     %r12d, %eax
    mov     %r14, %rdx
    mov     %r14, %rcx
    \insn
    dec     %r13
    jnz     1b
    leave_with_time
    .endm

    rounds nothing, nop
    rounds cpuid, cpuid
    rounds in, inl %dx, %eax
    rounds out, outb %al, %dx
    rounds load, movl (%rdx), %eax
    rounds rdmsr, rdmsr

/*
 * uint64_t time_calls(const uint64_t call[6], uint64_t rounds): Xen's hypercall of number call[0] with arguments
 * call[1..5]. time_no_calls(): the same without.
 */
    .macro calls name, insn:vararg
    .balign 64
    .global \name
\name:
    enter
    mov     %rdi, %r12
    mov     %rsi, %r13
    mov     (%r12), %rbx
    shl     $5, %rbx
    lea     hypercall_page(%rip), %rax
    add     %rax, %rbx
    now     %r15
1:  mov     8(%r12), %rdi
    mov     16(%r12), %rsi
    mov     24(%r12), %rdx
    mov     32(%r12), %r10
    mov     40(%r12), %r8
    \insn
    dec     %r13
    jnz     1b
    leave_with_time
    .endm

    calls time_calls, call *%rbx
    calls time_no_calls, nop

/* The handler of all that is measured: notes the time of its first instruction in this CPU's `when`. */
    .balign 64
    .global bench_handler
bench_handler:
    push    %rax
    push    %rdx
    push    %rcx
    now     %gs:CPU_WHEN
    mov     $X2APIC_EOI, %ecx
    xor     %eax, %eax
    xor     %edx, %edx
    wrmsr
    pop     %rcx
    pop     %rdx
    pop     %rax
    iretq

    .section .note.GNU-stack, "", @progbits
