/* SPDX-License-Identifier: MIT */
/* What the parts of the guest `toolstack` share: domctls, and a new vCPU's first state. */
#ifndef TOOLSTACK_H
#define TOOLSTACK_H

#include "hypercall.h"

#include <xen/domctl.h>

#define EINVAL 22
#define ENOSYS 38

extern struct xen_domctl op;
int64_t domctl(uint32_t cmd, uint16_t id);

/* Gives vCPU 0 of a new domain the state that it starts with. */
int64_t set_state(uint16_t id);
/* The same with all checks, what must be refused first. */
void first_state(uint16_t id);

#endif
