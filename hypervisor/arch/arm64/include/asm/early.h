/* SPDX-License-Identifier: MIT */
/* Between boot.S and early.c; boot only. All addresses are machine addresses. */
#ifndef ASM_EARLY_H
#define ASM_EARLY_H

#include <hospes/types.h>

struct early_result {
    uint64_t root;   /* of the tables that stay */
    uint64_t offset; /* virtual - machine address of the image */
};

/* Makes the addresses in the image, which can be written where it is, those of one at `base`. Any
 * number of times. */
void early_relocate(uint64_t base);

/* The image is at `load`, the device tree at `fdt`. Returns the root of the identity tables. */
uint64_t early_identity(uint64_t load, uint64_t fdt);

/* Relocates the image to its virtual address and makes the tables for it. */
struct early_result early_final(uint64_t load, uint64_t fdt);

/* Entered at EL1 or EL3: says so on the UART that the tree names, else on those of known machines.
 */
void early_wrong_level(uint64_t fdt);

extern uint64_t early_tcr; /* TCR_EL2 of every CPU */

#endif
