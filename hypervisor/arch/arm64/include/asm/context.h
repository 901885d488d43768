/* SPDX-License-Identifier: MIT */
/* What a vCPU leaves in the hardware while it is loaded: context.c, behind arch_vcpu_save() and
 * arch_vcpu_load(). */
#ifndef ASM_CONTEXT_H
#define ASM_CONTEXT_H

#include <asm/vcpu.h>

/* fp.S: FPSIMD registers, FPSR and FPCR. */
void fp_save(struct vcpu_fp *fp);
void fp_load(const struct vcpu_fp *fp);

#endif
