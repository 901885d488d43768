/* SPDX-License-Identifier: MIT */
/* Control registers of a vCPU, which is loaded or does not run: control.c. */
#ifndef ASM_CONTROL_H
#define ASM_CONTROL_H

#include <hospes/types.h>

struct vcpu;

/* Sets all three, as they are to be: for who builds a vCPU's state. EFER with LMA. */
void control_set(struct vcpu *v, uint64_t cr0, uint64_t cr4, uint64_t efer);

/* As the guest's instructions; false: #GP. */
bool control_write_cr0(struct vcpu *v, uint64_t value);
bool control_write_cr4(struct vcpu *v, uint64_t value);
bool control_write_efer(struct vcpu *v, uint64_t value);

#endif
