/* SPDX-License-Identifier: MIT */
/*
 * Short mappings of frames that the hypervisor has no lasting address for, and lasting ones of
 * devices.
 */
#ifndef HOSPES_MAP_H
#define HOSPES_MAP_H

#include <hospes/types.h>

struct domain;

/*
 * Maps frame `m`, RAM, for this pCPU until frame_unmap() of the same pointer, before the pCPU
 * leaves the hypervisor. Slots are few (8). Does not fail.
 */
void *frame_map(mfn_t m);
void frame_unmap(void *page);

/* frame_unmap() and frame_map() in one: where `m` is, which may be the same address. */
void *frame_map_instead(void *page, mfn_t m);

/*
 * The same for the 2 MiB-aligned block that begins at `m`: 4 slots. All of it must be RAM that may
 * be mapped, since a CPU may read what is mapped cached before anybody asks for it.
 */
void *frame_map_2m(mfn_t m);
void frame_unmap_2m(void *block);

/*
 * No block around any of these bytes is mapped from now on: they are not RAM, or firmware's, which
 * may keep them from us. Boot only. 0, -EINVAL or -ENOSPC as boot_range_add().
 */
int map_keep_off(maddr_t start, uint64_t bytes);

/* True if the block of 2 MiB around `a`, RAM, may be mapped. */
bool map_may_block(maddr_t a);

/*
 * Maps frame `m` for good, on all pCPUs, until frame_unpin() of the pointer: for pages that a guest
 * and the hypervisor share by its interface (shared info, event words, grant tables). The caller
 * has counted the frame. NULL when there is no memory, or FRAME_PINS pages are mapped already.
 * Locks ranked before LOCK_PIN may be held.
 */
#define FRAME_PINS 65536u
void *frame_pin(mfn_t m);
void frame_unpin(void *page);

/* Copies between the hypervisor and machine memory, mapping piece by piece. Any alignment and
 * length. */
void maddr_read(void *to, maddr_t from, uint64_t bytes);
void maddr_write(maddr_t to, const void *from, uint64_t bytes);
/* Cleans machine memory to the point of coherency, and invalidates it. */
void maddr_clean(maddr_t start, uint64_t bytes);
/* Copies machine to machine; the target is clean to the point of coherency afterwards. */
void maddr_copy(maddr_t to, maddr_t from, uint64_t bytes);

/*
 * Maps a device's registers (uncached, not executable) for good; NULL without memory. Any
 * alignment. device_unmap() takes what device_map() gave.
 */
volatile void *device_map(maddr_t start, uint64_t bytes);
void device_unmap(volatile void *p, uint64_t bytes);

/* The same for a screen's memory: what is written may come there later, in another order and
 * several writes in one. */
volatile void *screen_map(maddr_t start, uint64_t bytes);

/* Maps RAM that stays where firmware put it, e.g. the boot device tree: cached, read-only. NULL
 * without memory, or where the machine cannot have any. */
const void *ram_map_readonly(maddr_t start, uint64_t bytes);
void ram_unmap(const void *p, uint64_t bytes);

#endif
