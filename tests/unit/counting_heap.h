/* SPDX-License-Identifier: MIT */
/* A heap over calloc() that counts what is taken, and runs out when told. */
#ifndef COUNTING_HEAP_H
#define COUNTING_HEAP_H

#include "unit.h"

#include <hospes/heap.h>
#include <hospes/types.h>

static uint64_t heap_left = UINT64_MAX; /* allocations that shall succeed yet */
static int64_t heap_used;               /* of all, not freed yet */
static uint64_t heap_largest;           /* bytes, of heap_alloc_dirty() */
static void (*heap_freed)(void);        /* is called by each heap_free() */

static void *heap_count(void *p)
{
    heap_used += p != NULL;
    return p;
}

static bool heap_is_out(void)
{
    return heap_left == 0 || heap_left-- == 0;
}

void *heap_alloc(uint64_t size)
{
    return heap_is_out() ? NULL : heap_count(calloc(1, size));
}

void *heap_alloc_dirty(uint64_t size)
{
    heap_largest = size > heap_largest ? size : heap_largest;
    return heap_is_out() ? NULL : heap_count(malloc(size));
}

void *heap_calloc(uint64_t n, uint64_t size)
{
    return heap_is_out() ? NULL : heap_count(calloc(n, size));
}

void heap_free(void *p)
{
    heap_used -= p != NULL;
    free(p);
    if (heap_freed)
        heap_freed();
}

void *heap_alloc_pages(unsigned int order)
{
    void *p = heap_is_out() ? NULL : aligned_alloc(FRAME_SIZE << order, FRAME_SIZE << order);

    return p ? heap_count(memset(p, 0, FRAME_SIZE << order)) : NULL;
}

void heap_free_pages(void *p, unsigned int order)
{
    heap_used -= p != NULL;
    free(p);
}

#endif
