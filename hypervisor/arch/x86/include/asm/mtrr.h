/* SPDX-License-Identifier: MIT */
/*
 * Memory type range registers as a guest has them: it reads what it wrote. Under nested paging they
 * have no effect; memory is write-back, and the guest's PAT makes of it what it wants. AMD APM
 * volume 2, 7.7.
 */
#ifndef ASM_MTRR_H
#define ASM_MTRR_H

#include <stdbool.h>
#include <stdint.h>

#define MTRR_VARIABLE 8u  /* pairs of base and mask */
#define MTRR_FIXED    11u /* registers of eight ranges each */

struct mtrr_state {
    uint64_t def_type;
    uint64_t variable[2 * MTRR_VARIABLE];
    uint64_t fixed[MTRR_FIXED];
};

/* After a reset: on, all memory write-back, as firmware leaves it. */
void mtrr_reset(struct mtrr_state *m);

/* A register of this kind, by the number of its MSR; false: there is none, or not with that value.
 */
bool mtrr_read(const struct mtrr_state *m, uint32_t msr, uint64_t *value);
bool mtrr_write(struct mtrr_state *m, uint32_t msr, uint64_t value);

#endif
