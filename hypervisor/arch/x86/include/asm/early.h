/* SPDX-License-Identifier: MIT */
/* Between boot.S and early.c, and what both leave to the rest. */
#ifndef ASM_EARLY_H
#define ASM_EARLY_H

#include <hospes/types.h>

/* In two registers. */
struct early_result {
    uint64_t root;   /* machine address of the tables */
    uint64_t offset; /* virtual - machine address of the image */
};

/* Makes the addresses in the image, which can be written where it is, those of one at `base`. Any
 * number of times. */
void early_relocate(uint64_t base);

/* Makes identity_tables, as boot.S does in 32 bits: the first 4 GiB at their own addresses. */
void early_identity(void);

/*
 * The tables that stay, in which the image, at `load`, stands at an address chosen at random. What
 * `identity` (a root) maps in the first 512 GiB is there too, for the way on.
 */
struct early_result early_final(uint64_t load, const uint64_t *identity);

#endif
