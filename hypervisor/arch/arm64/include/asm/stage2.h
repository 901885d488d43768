/* SPDX-License-Identifier: MIT */
/* Stage 2 of arm64: what of it is not behind <hospes/p2m.h>. Arm ARM D8. */
#ifndef ASM_STAGE2_H
#define ASM_STAGE2_H

#include <hospes/types.h>

/* Chooses the guests' address width for this machine; before the first domain. */
void stage2_init(void);

/* How wide guests' addresses are. After stage2_init(). */
unsigned int stage2_address_bits(void);

/* VTCR_EL2 for every pCPU. */
uint64_t stage2_vtcr(void);

#endif
