/* SPDX-License-Identifier: MIT */
/*
 * Devices' registers that domains other than the hardware domain are given: which domain has which
 * frames of the machine that are not RAM, and how many of them it has mapped.
 *
 * A frame is one domain's at a time, until that gives it up with nothing mapped, or is gone. (The
 * hardware domain has the machine's devices besides: a user hides from it what others are to have.)
 * Lock: LOCK_IOMEM for the list of all ranges. It ranks after LOCK_DOMAIN and before LOCK_P2M.
 */
#ifndef HOSPES_IOMEM_H
#define HOSPES_IOMEM_H

#include <hospes/types.h>

struct boot_ranges;
struct domain;

/* Of one domain. */
#define IOMEM_MAX_RANGES 64u

/* What Hospes keeps, constant from now on. Before, nothing can be given. */
void iomem_init(const struct boot_ranges *own);

/*
 * `d` may map these frames; again and overlapping is allowed. 0; -EINVAL: none, or beyond the end
 * of addresses, or `d` is going; -EPERM: RAM, or kept by Hospes; -EBUSY: another domain's; -ENOSPC,
 * -ENOMEM.
 */
int iomem_permit(struct domain *d, mfn_t mfn, uint64_t frames);

/*
 * Or no longer: all its ranges within these frames. 0, also if there is none; -EINVAL, also where
 * only a part of a range is meant; -EBUSY: some are mapped; nothing was changed.
 */
int iomem_deny(struct domain *d, mfn_t mfn, uint64_t frames);

/*
 * Maps frames, all in one range that it was permitted, where it has nothing. 0; -EINVAL: none, or
 * too far up; -EPERM; -EEXIST: there is something; -ENOMEM; -ESRCH: it is going.
 */
int iomem_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames);

/* And removes them from there. The same errors; -ENOENT: it has not mapped these there. */
int iomem_unmap(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames);

/* Of a domain whose mappings are gone already. */
void iomem_take_all(struct domain *d);

#endif
