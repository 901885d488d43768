/* SPDX-License-Identifier: MIT */
/*
 * The time of day, as a control domain sets it: every guest finds in its shared_info what it was
 * when system time (clock_ns()) was 0. 0 until somebody has set it.
 */
#ifndef HOSPES_WALLCLOCK_H
#define HOSPES_WALLCLOCK_H

#include <hospes/types.h>

struct domain;

/* It was `ns` after the epoch when system time was 0. All guests are told. No lock held. */
void wallclock_set(uint64_t ns);

/* Tells `d`: when it is made, and when d->time_offset changed. No lock held. */
void wallclock_tell(struct domain *d);

#endif
