/* SPDX-License-Identifier: MIT */
/* What arm64 adds to a domain. */
#ifndef ASM_DOMAIN_H
#define ASM_DOMAIN_H

#include <asm/pv_time.h>
#include <asm/vgic.h>
#include <stdint.h>

/* P2M_POOL_FIRST of <hospes/p2m.h>, as on Xen. */
#define ARCH_P2M_POOL_FIRST 16u

struct arch_domain {
    struct vgic vgic;
    uint64_t cntvoff; /* CNTVOFF_EL2 of its vCPUs: ticks */
    struct pv_time pv_time;
    struct vpl011 *vuart; /* one that another domain's console daemon serves, or NULL; release */
    uint32_t evtchn_ppi;  /* by which it is told of events: INTID */
    uint64_t vttbr;       /* root of stage 2 and VMID */
};

#endif
