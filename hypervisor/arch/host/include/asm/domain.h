/* SPDX-License-Identifier: MIT */
/* What the stand-in adds to a domain: counts of what was asked of it. */
#ifndef ASM_DOMAIN_H
#define ASM_DOMAIN_H

#include <stdint.h>

/* P2M_POOL_FIRST of <hospes/p2m.h>. */
#define ARCH_P2M_POOL_FIRST 16u

struct arch_domain {
    struct vpl011 *vuart; /* as arm64, whose UART is tested here */
    uint32_t flushes;     /* of its translations */
    uint32_t injected;    /* interrupts */
    uint32_t last_virq;
};

#endif
