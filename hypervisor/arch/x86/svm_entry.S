/* SPDX-License-Identifier: MIT */
/*
 * Into a guest and out of it, by VMRUN. General registers are saved to struct vcpu (struct cpu_regs is at its start;
 * svm_exit.c checks the offsets); rax, rsp, rip and rflags are in the VMCB, where C moves them. doc/exits.md has the way.
 *
 * The global interrupt flag is clear from before VMRUN until interrupts are off again: with it set, physical interrupts
 * end the guest's run only because RFLAGS.IF is set for its time (AMD APM volume 2, 15.17 and 15.21.1).
 *
 * Between VMRUN and the first C nothing branches by a prediction that the guest could have trained, returns included:
 * what is done about predictions stands there, and speculation.c takes out what the CPU does not need.
 */
#include <asm/cpu.h>
#include <asm/msr.h>
#include <asm/patch.h>

#define REGS_RCX 8
#define REGS_RDX 16
#define REGS_RBX 24
#define REGS_RBP 40
#define REGS_RSI 48
#define REGS_RDI 56
#define REGS_R8  64
#define REGS_R9  72
#define REGS_R10 80
#define REGS_R11 88
#define REGS_R12 96
#define REGS_R13 104
#define REGS_R14 112
#define REGS_R15 120

.macro fill_half
    .rept 16
    call 9f
    int3
9:
    .endr
    add $16 * 8, %rsp
.endm

    .text
data_selector:
    .word SELECTOR_DATA

    .balign 64
/* rdi = struct vcpu, rsi = machine address of its VMCB, rdx = top of the empty stack */
    .global svm_enter_first
svm_enter_first:
    lea -16(%rdx), %rsp               /* the vCPU's place, and alignment for the call */
    mov %rsi, %rax
    mov %rdi, %rdx

/* rax = machine address of the VMCB, rdx = its struct vcpu: struct svm_next, as svm_exit() returns it */
enter:
    mov %rdx, (%rsp)
    mov REGS_RCX(%rdx), %rcx
    mov REGS_RBX(%rdx), %rbx
    mov REGS_RBP(%rdx), %rbp
    mov REGS_RSI(%rdx), %rsi
    mov REGS_RDI(%rdx), %rdi
    mov REGS_R8(%rdx), %r8
    mov REGS_R9(%rdx), %r9
    mov REGS_R10(%rdx), %r10
    mov REGS_R11(%rdx), %r11
    mov REGS_R12(%rdx), %r12
    mov REGS_R13(%rdx), %r13
    mov REGS_R14(%rdx), %r14
    mov REGS_R15(%rdx), %r15
    mov REGS_RDX(%rdx), %rdx
1:  verw data_selector(%rip)          /* with microcode for it: no data of ours in the CPU's buffers */
2:  patch_skip PATCH_NO_VERW, 1b, 2b
    clgi
    sti
    vmrun %rax
    cli
    stgi
    mov (%rsp), %rax
    mov %rdi, REGS_RDI(%rax)
    mov %rcx, REGS_RCX(%rax)
    mov %rdx, REGS_RDX(%rax)
    mov %rbx, REGS_RBX(%rax)
    mov %rbp, REGS_RBP(%rax)
    mov %rsi, REGS_RSI(%rax)
    mov %r8, REGS_R8(%rax)
    mov %r9, REGS_R9(%rax)
    mov %r10, REGS_R10(%rax)
    mov %r11, REGS_R11(%rax)
    mov %r12, REGS_R12(%rax)
    mov %r13, REGS_R13(%rax)
    mov %r14, REGS_R14(%rax)
    mov %r15, REGS_R15(%rax)
    mov %rax, %rdi

3:  mov $MSR_PRED_CMD, %ecx
    mov $PRED_CMD_IBPB, %eax
    xor %edx, %edx
    wrmsr
4:  patch_skip PATCH_NO_IBPB_EXIT, 3b, 4b

    /* Each return, as deep as predictions go, is predicted to an int3 of ours. In halves, for the jump's reach. */
5:  fill_half
6:  patch_skip PATCH_NO_RSB_FILL, 5b, 6b
7:  fill_half
8:  patch_skip PATCH_NO_RSB_FILL, 7b, 8b

    /* Nothing that the guest chose stays in registers that C functions save and could speculate with. */
    xor %ebx, %ebx
    xor %ebp, %ebp                    /* a trace of the stack ends here, too */
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    call svm_exit
    jmp enter

    .section .note.GNU-stack, "", %progbits
