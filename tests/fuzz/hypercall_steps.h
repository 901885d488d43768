/* SPDX-License-Identifier: MIT */
/* What a guest does when it is its turn, as an input says (hypercall_requests.h). */
#ifndef HYPERCALL_STEPS_H
#define HYPERCALL_STEPS_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* It may not wait for another vCPU to leave its guest: calls that do are left out. */
extern _Thread_local bool vcpu_steps_short;

/* Makes a call, goes on with one that was interrupted, or writes to memory that it has. */
void vcpu_step(struct vcpu *v, uint32_t what);

/* What was interrupted does not go on: of a vCPU that does not run, of all. */
void vcpu_forget(uint16_t domid, uint32_t vcpu);
void vcpu_forget_all(void);

#endif
