/* SPDX-License-Identifier: MIT */
/* The part of C's <stdlib.h> that libfdt uses, for builds without a C library. */
#ifndef LIBC_STDLIB_H
#define LIBC_STDLIB_H

#include <stddef.h>

/* As C's, but knows bases 0 and 2 to 16 only, and sets no errno where a number overflows. */
unsigned long strtoul(const char *restrict s, char **restrict end, int base);

#endif
