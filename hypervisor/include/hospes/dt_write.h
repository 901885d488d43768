/* SPDX-License-Identifier: MIT */
/*
 * Writing a device tree from its beginning to its end, on libfdt's sequential writer. An error
 * sticks: whoever writes looks at it once, at the end.
 */
#ifndef HOSPES_DT_WRITE_H
#define HOSPES_DT_WRITE_H

#include <hospes/types.h>

struct dt_writer {
    void *fdt;
    int err; /* 0 or -errno of the first call that failed */
};

/* Begins a tree in `fdt`, which has `bytes`, with its root node open. */
void dt_write_begin(struct dt_writer *w, void *fdt, uint32_t bytes);

/* Opens a node, which dt_write_end() closes; _at(): with a unit address. Properties come before
 * nodes. */
void dt_write_node(struct dt_writer *w, const char *name);
void dt_write_node_at(struct dt_writer *w, const char *name, uint64_t address);
void dt_write_end(struct dt_writer *w);

void dt_write_bytes(struct dt_writer *w, const char *name, const void *value, uint32_t bytes);
void dt_write_string(struct dt_writer *w, const char *name, const char *text);
void dt_write_empty(struct dt_writer *w, const char *name);
void dt_write_u32(struct dt_writer *w, const char *name, uint32_t value);
void dt_write_u64(struct dt_writer *w, const char *name, uint64_t value);
/* An array of cells, given as numbers; at most 32. */
void dt_write_cells(struct dt_writer *w, const char *name, const uint32_t *cells, uint32_t count);

/* Closes the root. 0 and the tree's size; -ENOSPC: it did not fit; -EINVAL. */
int dt_write_finish(struct dt_writer *w, uint32_t *bytes);

/* Stores `value` as `cells` (1 or 2) big-endian cells at `p`; returns the place behind. */
uint8_t *dt_store_cells(uint8_t *p, uint64_t value, uint32_t cells);

#endif
