/* SPDX-License-Identifier: MIT */
/* Starting CPUs: smp.c and boot.S. */
#ifndef ASM_SMP_H
#define ASM_SMP_H

#include <hospes/types.h>

/*
 * What a CPU that starts with its MMU off needs; boot.S knows the layout. Machine addresses, but
 * for stack, pcpu, start and vectors, which are used once the MMU is on. Each CPU has its own, for
 * good: one that comes long after it was given up finds its own stack.
 */
struct secondary_boot {
    uint64_t stack, pcpu; /* stack: 0 in a record that is not used */
    uint64_t root, start;
    uint64_t vectors, tcr;
    uint64_t mpidr; /* whom it is for: CPUs held in a spin table look */
    uint64_t unused;
};

#endif
