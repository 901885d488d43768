/* SPDX-License-Identifier: MIT */
/*
 * Paravirtualized time (Arm DEN 0057A): a guest finds how long each of its vCPUs could have run and
 * did not in memory that it may read. That is made when it first asks where.
 */
#ifndef ASM_PV_TIME_H
#define ASM_PV_TIME_H

#include <hospes/types.h>

struct domain;
struct vcpu;

#define PV_TIME_FEATURES 0xc5000020u
#define PV_TIME_ST       0xc5000021u

#define PV_TIME_PAGES 2u /* 64 bytes for each vCPU */

struct pv_time {
    gaddr_t at;                   /* where it is shown, PV_TIME_PAGES long; 0: nowhere */
    uint8_t *page[PV_TIME_PAGES]; /* under domain->lock; NULL: not made yet */
    mfn_t mfn[PV_TIME_PAGES];
};

/* The answer to PV_TIME_FEATURES about `function`, and to PV_TIME_ST. */
int64_t pv_time_features(const struct domain *d, uint32_t function);
int64_t pv_time_stolen(struct vcpu *v);

/* The domain's vCPUs are gone. */
void pv_time_destroy(struct domain *d);

#endif
