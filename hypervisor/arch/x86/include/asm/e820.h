/* SPDX-License-Identifier: MIT */
/*
 * Memory maps as firmware, boot loaders and guests have them: ACPI 6.5, chapter 15, "System Address
 * Map Interfaces". Multiboot, PVH and XENMEM_memory_map use the same numbers.
 */
#ifndef ASM_E820_H
#define ASM_E820_H

#include <stdbool.h>
#include <stdint.h>

#define E820_MAX 128u

enum e820_type {
    E820_RAM = 1,
    E820_RESERVED = 2,
    E820_ACPI = 3, /* tables; RAM for who has read them */
    E820_NVS = 4,
    E820_UNUSABLE = 5,
    E820_PMEM = 7,
};

struct e820_range {
    uint64_t start, end; /* bytes, [start, end) */
    uint32_t type;       /* enum e820_type, or another number of firmware's */
};

/* Sorted by start, not overlapping, not empty; what touches and has one type is one range. */
struct e820 {
    uint32_t nr;
    struct e820_range r[E820_MAX];
};

/* The machine's. Filled by what starts the hypervisor, constant after boot. */
extern struct e820 host_e820;

/*
 * Takes one range of a firmware's map, in any order: what is not RAM counts where ranges overlap.
 * 0; -ENOSPC: no room; empty ranges and those that wrap around are passed over.
 */
int e820_add_firmware(struct e820 *m, uint64_t start, uint64_t bytes, uint32_t type);

/* [start, end) becomes `type`, whatever was there; e820_fill(): where nothing was. 0, -ENOSPC. */
int e820_set(struct e820 *m, uint64_t start, uint64_t end, uint32_t type);
int e820_fill(struct e820 *m, uint64_t start, uint64_t end, uint32_t type);

/* True if any byte of [start, end) is of that type. */
bool e820_overlaps(const struct e820 *m, uint64_t start, uint64_t end, uint32_t type);

#endif
