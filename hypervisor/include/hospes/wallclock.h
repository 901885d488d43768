/* SPDX-License-Identifier: MIT */
/*
 * The time of day, as a control domain sets it: every guest finds in its shared_info what it was
 * when the clock that it counts from was 0, which is system time (clock_ns()), or on Arm its own
 * (began_ns of struct domain). Nobody has set it: that began in 1970.
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
