/* SPDX-License-Identifier: MIT */
/* What the files of the machine's side tell one another at boot. */
#ifndef ASM_MACHINE_H
#define ASM_MACHINE_H

#include <hospes/types.h>

/* Takes the page below 1 MiB in which other CPUs start. boot_ram is known. */
void smp_reserve(void);

/* A number that nobody can guess, by the CPU itself. False: it has none. */
bool cpu_random(uint64_t *number);

#endif
