/* SPDX-License-Identifier: MIT */
/*
 * Claims: frames that a toolstack keeps free for a domain that it is about to populate, so that
 * others who do the same do not take them away half-way. Only populating respects them.
 *
 * No lock: domain->claim and the sum of all are atomic.
 */
#ifndef HOSPES_CLAIM_H
#define HOSPES_CLAIM_H

#include <hospes/types.h>

struct domain;

/*
 * Claims what the domain lacks to `pages` in all; 0 gives up what is left of its claim, which its
 * end does too. 0, -EINVAL (there is a claim, or the domain has that much, or may not have it),
 * -ENOMEM.
 */
int claim_set(struct domain *d, uint64_t pages);

/* Takes frames out of the domain's claim as it gets them. */
void claim_use(struct domain *d, uint64_t frames);

/* True if there are that many for the domain, beside what others claimed. */
bool claim_allows(const struct domain *d, uint64_t frames);

/* Frames claimed and not yet populated, by all domains. */
uint64_t claim_total(void);

#endif
