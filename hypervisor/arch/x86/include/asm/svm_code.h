/* SPDX-License-Identifier: MIT */
/*
 * Where the code of a vCPU that exited is, as its VMCB tells: for hvm_ops, and inline for the exits
 * of single instructions. AMD APM volume 2, 4.12 and 15.7.1. svm*.c only.
 */
#ifndef ASM_SVM_CODE_H
#define ASM_SVM_CODE_H

#include <asm/cpu.h>
#include <asm/hvm.h>
#include <asm/vmcb.h>
#include <hospes/compiler.h>
#include <hospes/vcpu.h>

static inline bool svm_code_is_64(const struct vmcb *c)
{
    return likely(c->cs.attributes & SEG_L && c->efer & EFER_LMA);
}

/* The processor says where the instruction ends that exited. */
static inline bool svm_tells_next(const struct vmcb *c)
{
    return cpu_has(CPU_SVM_NRIPS) && c->next_rip - c->rip - 1 < 15;
}

/* rip behind an instruction of `length` bytes. */
static inline uint64_t svm_code_behind(const struct vcpu *v, bool is_64, uint32_t length)
{
    uint64_t rip = v->regs.rip + length;

    return likely(is_64) ? rip : (uint32_t)rip;
}

#endif
