/* SPDX-License-Identifier: MIT */
/* CPUID as a vCPU gets it: cpuid.c. */
#ifndef ASM_CPUID_H
#define ASM_CPUID_H

#include <asm/cpu.h>

struct vcpu;

void cpuid_answer(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *r);

#endif
