/* SPDX-License-Identifier: MIT */
/*
 * Emulated device registers: the one dispatcher for guest accesses that no mapping satisfied.
 *
 * A domain has a table of regions, sorted, filled while it is built and constant while its vCPUs
 * run: look-ups take no lock. A handler runs in the accessing vCPU's exit, takes its device's own
 * lock, and returns what the exit's caller acts on.
 */
#ifndef HOSPES_MMIO_H
#define HOSPES_MMIO_H

#include <hospes/exit.h>
#include <hospes/types.h>

struct domain;
struct vcpu;

/* One load or store, whatever instruction made it. */
struct mmio_access {
    gaddr_t addr;
    uint64_t offset; /* of addr in the region */
    uint64_t value;  /* store: what is written, zero-extended from `size`; load: filled in by the
                        handler */
    uint8_t size;    /* bytes: 1, 2, 4, 8; never crosses the region's end */
    bool write;
};

/* Decodes and performs the access. EXIT_HANDLED, or EXIT_FAULT for one that the device answers with
 * an error. */
typedef enum exit_action mmio_handler_fn(struct vcpu *v, struct mmio_access *a, void *device);

struct mmio_region {
    gaddr_t start;
    uint64_t bytes;
    mmio_handler_fn *handler;
    void *device;
};

struct mmio_space {
    struct mmio_region *regions; /* sorted by start */
    uint32_t nr, capacity;
    bool trap_unmapped; /* false: an access to nothing reads as ones and ignores writes */
};

/*
 * Adds a region of at least 8 bytes. 0, -ENOMEM, -EEXIST when it overlaps one. Building only:
 * before there are vCPUs.
 */
int mmio_add(struct domain *d, gaddr_t start, uint64_t bytes, mmio_handler_fn *handler,
             void *device);
void mmio_destroy(struct domain *d);

/* True if any byte of [start, start + bytes) is in a region. */
bool mmio_overlaps(const struct domain *d, gaddr_t start, uint64_t bytes);

/*
 * Performs v->access: finds the region and runs its handler; EXIT_FAULT when there is none (or
 * across a region's end).
 */
enum exit_action mmio_dispatch(struct vcpu *v);

/* True if `addr` is in the region that `v` accessed last: mostly it is. */
bool mmio_was_last(const struct vcpu *v, gaddr_t addr);

/* A device as a table: offset, how many bytes it spans, widths allowed (bit n: 2^n bytes), reader
 * and writer. */
struct mmio_reg {
    uint16_t offset, span;
    uint8_t widths;
    /* `index` is the offset within the span. NULL: reads as zero / ignores writes. */
    uint64_t (*read)(struct vcpu *v, void *device, uint32_t index, uint8_t size);
    void (*write)(struct vcpu *v, void *device, uint32_t index, uint8_t size, uint64_t value);
};

/* Serves an access from a table sorted by offset. What the table lacks reads as zero and ignores
 * writes. */
enum exit_action mmio_table_access(struct vcpu *v, struct mmio_access *a, void *device,
                                   const struct mmio_reg *table, uint32_t entries);

#endif
