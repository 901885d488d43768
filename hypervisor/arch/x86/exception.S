/* SPDX-License-Identifier: MIT */
/*
 * Where exceptions and interrupts enter while the hypervisor runs. An interrupt, which comes only where a window is open
 * (irq.c), is noted for this pCPU and nothing else; so is an NMI. Exceptions go to trap.c with all registers: a bug of
 * ours, but for the instructions in .fixups, that may fault. AMD APM volume 2, chapter 8.
 *
 * All is on the stack in use, and without interrupt stacks: the task register may be a guest's.
 */
#include <asm/layout.h>

    .text

/* Interrupts: 16 bytes for each vector from 32 on. */
    .balign 16
    .global interrupt_stubs
interrupt_stubs:
vector = 32
    .rept 224
    .balign 16
    push $vector
    jmp note_interrupt
vector = vector + 1
    .endr

note_interrupt:
    push %rax
    push %rdx
    mov 16(%rsp), %eax
    mov %rsp, %rdx
    or $(STACK_SIZE - 1), %rdx
    bts %rax, 1 - STACK_TOP + STACK_TOP_NOTED(%rdx)
    pop %rdx
    pop %rax
    add $8, %rsp
    iretq

    .balign 16
    .global nmi_stub
nmi_stub:
    push %rdx
    mov %rsp, %rdx
    or $(STACK_SIZE - 1), %rdx
    incq 1 - STACK_TOP + STACK_TOP_NMIS(%rdx)
    pop %rdx
    iretq

/* Exceptions: 16 bytes for each; those that bring no error code get a 0. */
#define WITH_ERROR (1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)

    .balign 16
    .global exception_stubs
exception_stubs:
vector = 0
    .rept 32
    .balign 16
    .if !(WITH_ERROR >> vector & 1)
    push $0
    .endif
    push $vector
    jmp take_exception
vector = vector + 1
    .endr

/* struct trap_frame of trap.h, from its end on. */
take_exception:
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rdi
    push %rsi
    push %rbp
    push %rbx
    push %rdx
    push %rcx
    push %rax
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $~15, %rsp
    call trap
    mov %rbp, %rsp
    pop %rax
    pop %rcx
    pop %rdx
    pop %rbx
    pop %rbp
    pop %rsi
    pop %rdi
    pop %r8
    pop %r9
    pop %r10
    pop %r11
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    add $16, %rsp
    iretq

/* If `from` faults, execution goes on at `to`. */
.macro fixup from, to
    .pushsection .fixups, "a"
    .long \from - ., \to - .
    .popsection
.endm

/* bool rdmsr_safe(uint32_t msr, uint64_t *value) */
    .global rdmsr_safe
    .type rdmsr_safe, %function
rdmsr_safe:
    mov %edi, %ecx
1:  rdmsr
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, (%rsi)
    mov $1, %eax
    ret
2:  movq $0, (%rsi)
    xor %eax, %eax
    ret
    fixup 1b, 2b

/* bool wrmsr_safe(uint32_t msr, uint64_t value) */
    .global wrmsr_safe
    .type wrmsr_safe, %function
wrmsr_safe:
    mov %edi, %ecx
    mov %esi, %eax
    mov %rsi, %rdx
    shr $32, %rdx
3:  wrmsr
    mov $1, %eax
    ret
4:  xor %eax, %eax
    ret
    fixup 3b, 4b

    .section .note.GNU-stack, "", %progbits
