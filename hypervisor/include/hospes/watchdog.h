/* SPDX-License-Identifier: MIT */
/*
 * Watchdogs of a domain: unless it comes back in time, it is stopped (SHUTDOWN_watchdog). It has
 * two, numbered from 1, made when it first asks for one.
 */
#ifndef HOSPES_WATCHDOG_H
#define HOSPES_WATCHDOG_H

#include <hospes/types.h>

struct domain;

#define WATCHDOGS 2u

/*
 * SCHEDOP_watchdog: id 0: a new one that waits `seconds`, its number is returned; else sets that
 * one anew, or ends it (0 seconds). -EINVAL: there is no such; -ENOSPC: all are in use; -ENOMEM.
 */
int watchdog_op(struct domain *d, uint32_t id, uint32_t seconds);

/* The domain's vCPUs do not run, and it is no longer in the list of domains. */
void watchdog_destroy(struct domain *d);

#endif
