/* SPDX-License-Identifier: MIT */
/* The format of AMD's nested page tables: npt.c. */
#ifndef ASM_NPT_H
#define ASM_NPT_H

#include <hospes/pgtable.h>

/* With blocks of 1 GiB, which not every CPU has. */
extern const struct pgtable_format npt_format;

#endif
