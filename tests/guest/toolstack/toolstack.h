/* SPDX-License-Identifier: MIT */
/* What the parts of the guest `toolstack` share: a new vCPU's first state, and the architecture's
 * own calls. */
#ifndef TOOLSTACK_H
#define TOOLSTACK_H

#include "control.h"

#define ESRCH      3
#define EFAULT     14
#define ENODEV     19
#define EINVAL     22
#define ENOSYS     38
#define EOPNOTSUPP 95

#define NOWHERE (UINT64_C(300) << 30) /* an address that is not mapped */

/* Gives vCPU 0 of a new domain the state that it starts with. */
int64_t set_state(uint16_t id);
/* The same with all checks, what must be refused first. */
void first_state(uint16_t id);
/* The frame that it begins in, and code for there: a jump to itself. */
extern const uint64_t entry_gfn;
extern const uint32_t endless_loop;
/* Devices of the machine for domains that are made; the hardware domain does not have them. */
void devices(void);

#endif
