/* SPDX-License-Identifier: MIT */
/*
 * What the CPUs are, and what of it guests are told; the registers that set EL2 up on each. Arm ARM
 * D24.2 (ID registers).
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <hospes/types.h>

/* Reads this CPU's ID registers; those of the first, then what all have in common. Before any
 * domain exists. */
void cpu_init_features(void);

/* EL2's configuration of this CPU: traps, stage 2 control, timers. Each CPU, once. */
void cpu_init_traps(void);

/* An ID register (op0 3, op1 0, CRn 0) as guests see it; crm 1..7, else 0. */
uint64_t cpu_id_register(uint32_t crm, uint32_t op2);

/* HCR_EL2 that a new vCPU starts with. */
uint64_t cpu_guest_hcr(void);

bool cpu_has_pauth(void);

#endif
