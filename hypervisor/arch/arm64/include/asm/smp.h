/* SPDX-License-Identifier: MIT */
/* Starting CPUs: smp.c and boot.S. */
#ifndef ASM_SMP_H
#define ASM_SMP_H

#include <hospes/types.h>

/*
 * What a CPU that starts with its MMU off needs; boot.S knows the layout. Machine addresses, but
 * for stack, pcpu, start and vectors, which are used once the MMU is on.
 */
struct secondary_boot {
    uint64_t stack, pcpu;
    uint64_t root, start;
    uint64_t vectors, tcr;
    uint64_t mpidr; /* whom it is for: CPUs held in a spin table look */
};

#endif
