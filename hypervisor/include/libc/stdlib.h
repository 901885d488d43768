/* SPDX-License-Identifier: MIT */
/* Libraries include C's <stdlib.h>. All are given an allocator: there is no memory without one. */
#ifndef LIBC_STDLIB_H
#define LIBC_STDLIB_H

#include <stddef.h>

static inline void *malloc(size_t n)
{
    (void)n;
    return NULL;
}

static inline void *calloc(size_t n, size_t size)
{
    (void)n, (void)size;
    return NULL;
}

static inline void free(void *p)
{
    (void)p;
}

#endif
