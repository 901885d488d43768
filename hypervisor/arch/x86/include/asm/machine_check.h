/* SPDX-License-Identifier: MIT */
/* Errors of the machine's own (#MC): AMD APM volume 2, chapter 9. */
#ifndef ASM_MACHINE_CHECK_H
#define ASM_MACHINE_CHECK_H

#include <stdbool.h>

/* Errors are reported from now on; those from before are told, as warnings. Each pCPU, once. */
void machine_check_init(void);

/* One is told of that was not taken. */
bool machine_check_pending(void);

/*
 * After #MC on this pCPU: tells of each bank that has an error, at most 32 lines, into the log or
 * in a panic, and empties it. True if the processor can go on: its own state is not lost.
 */
bool machine_check_take(bool panicking);

#endif
