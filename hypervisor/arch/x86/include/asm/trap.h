/* SPDX-License-Identifier: MIT */
/* Exceptions of the hypervisor's own, and the tables by which the CPU finds who takes them. */
#ifndef ASM_TRAP_H
#define ASM_TRAP_H

#include <stdbool.h>
#include <stdint.h>

struct pcpu;

/* As exception.S leaves it on the stack. */
struct trap_frame {
    uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss; /* pushed by the CPU */
};

/* GDT, TSS, IDT of this pCPU; each once, as early as can be. */
void trap_pcpu_init(void);

/* For pCPU `p`, not the first: memory for its GDT and TSS. 0 or -ENOMEM. */
int trap_pcpu_prepare(struct pcpu *p);

/*
 * The task register is the hypervisor's, so that a double fault on this pCPU has a stack of its
 * own; or it is about to be a guest's, and the fault comes on the stack in use.
 */
void trap_use_last_stack(bool use);

#endif
