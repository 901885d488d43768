/* SPDX-License-Identifier: MIT */
/*
 * What firmware left us: banks of RAM, what in them is taken, and the command line. Filled by the
 * architecture from the device tree (or EFI), consumed by init. Boot only, one pCPU, no locks.
 */
#ifndef HOSPES_BOOT_H
#define HOSPES_BOOT_H

#include <hospes/types.h>

#define BOOT_MAX_RANGES 128

struct boot_range {
    uint64_t start, end; /* bytes, [start, end) */
    const char *what;    /* who has it, for messages; NULL in lists of RAM */
};

/* Sorted by start, not overlapping. */
struct boot_ranges {
    struct boot_range r[BOOT_MAX_RANGES];
    uint32_t nr;
};

extern struct boot_ranges boot_ram; /* usable RAM */
extern struct boot_ranges
    boot_reserved; /* parts that nobody may be given: firmware, modules, ourselves */

/*
 * Adds those parts of [start, end) that the list does not have, merging what touches and has the
 * same `what` (which is kept by reference). -ENOSPC when the list is full, -EINVAL when end <=
 * start; then nothing was added.
 */
int boot_range_add(struct boot_ranges *list, uint64_t start, uint64_t end, const char *what);

/* Cuts [start, end) out of the list. -ENOSPC when that needs one range too many; then nothing was
 * cut. */
int boot_range_remove(struct boot_ranges *list, uint64_t start, uint64_t end);

/* True if any byte of [start, end) is in the list; *hit (may be NULL) is the first range that
 * overlaps. */
bool boot_range_overlaps(const struct boot_ranges *list, uint64_t start, uint64_t end,
                         const struct boot_range **hit);

/* True if all of it is in the list. */
bool boot_range_contains(const struct boot_ranges *list, uint64_t start, uint64_t end);

/*
 * Finds `bytes` of RAM aligned to `align`, in boot_ram and not in boot_reserved, and reserves them.
 * Takes the highest place that ends at `below` or lower. 0 when there is none.
 */
maddr_t boot_alloc(uint64_t bytes, uint64_t align, uint64_t below, const char *what);

#endif
