/* SPDX-License-Identifier: MIT */
/* The interrupt by which a guest is told of events. */
#ifndef ASM_EVTCHN_H
#define ASM_EVTCHN_H

#include <stdint.h>

struct domain;

/*
 * Makes it GUEST_EVTCHN_PPI of <xen/arch-arm.h>, or the next one below that is neither `taken1` nor
 * `taken2` (INTIDs of the domain's other PPIs; 0: none). HVM_PARAM_CALLBACK_IRQ says the same.
 * Before the domain runs.
 */
void evtchn_set_ppi(struct domain *d, uint32_t taken1, uint32_t taken2);

#endif
