/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own memory. Grows by 2 MiB chunks taken from the frame allocator and mapped in a
 * window where virtual = physical + a constant, a multiple of 2 MiB; a chunk that becomes wholly
 * free goes back, but for one.
 *
 * Objects up to 2 KiB come from slabs of power-of-two sizes, aligned to their size class; larger
 * ones are whole pages, beyond 1 MiB whole chunks. Memory is handed out zeroed. Lock:
 * LOCK_HEAP.
 */
#ifndef HOSPES_HEAP_H
#define HOSPES_HEAP_H

#include <hospes/types.h>

void heap_init(void);

/* `size` bytes of zeros, at least 16 and aligned to that (a page above 2 KiB); NULL when there is
 * no memory. */
void *heap_alloc(uint64_t size);

/* The same for large buffers that the caller overwrites: beyond 1 MiB with whatever was there. */
void *heap_alloc_dirty(uint64_t size);

/* As above for `n` objects; NULL when n * size overflows too. */
void *heap_calloc(uint64_t n, uint64_t size);
void heap_free(void *p); /* NULL is fine */

/* 2^order pages of zeros, aligned to their size, order <= 9. */
void *heap_alloc_pages(unsigned int order);
void heap_free_pages(void *p, unsigned int order);

/* Bytes taken from the frame allocator, and of these in use. */
void heap_usage(uint64_t *taken, uint64_t *used);

/* --- contract of each architecture
 * ------------------------------------------------------------------- */

/* Maps / unmaps the 2 MiB chunk at `m` in the heap's window; returns its address, NULL without
 * memory. */
void *arch_heap_map_chunk(mfn_t m);
void arch_heap_unmap_chunk(void *chunk);

/* Between an address in the heap's window, or of the image, and the machine's. */
maddr_t arch_virt_to_maddr(const void *p);
void *arch_heap_maddr_to_virt(maddr_t a);

#endif
