/* SPDX-License-Identifier: MIT */
/* Real device trees for tests, and making trees of one's own. */
#ifndef UNIT_TREES_H
#define UNIT_TREES_H

#include <stdint.h>

/*
 * The tree build/trees/NAME.dtb in memory of its own, to be freed, with room to be changed;
 * tests/trees makes it if need be. NULL where QEMU or the kernel package are not there: the test is
 * skipped then.
 */
void *tree_load(const char *name);

/* Loads *fdt or skips the test. */
#define LOAD_OR_SKIP(fdt, name)  \
    do {                         \
        (fdt) = tree_load(name); \
        if ((fdt) == NULL)       \
            skip();              \
    } while (0)

/* A tree with a root of two and two cells and nothing else. */
void *tree_new(void);

/* Adds a node below `parent` (a path); returns its offset. These end the test if there is no room.
 */
int tree_node(void *fdt, const char *parent, const char *name);
void tree_cells(void *fdt, const char *path, const char *property, unsigned int count, ...);
void tree_string(void *fdt, const char *path, const char *property, const char *value);
void tree_bytes(void *fdt, const char *path, const char *property, const void *value, int bytes);
void tree_empty(void *fdt, const char *path, const char *property);

/* A boot module below `parent`, of `kind` ("kernel", "ramdisk", "device-tree"); bytes = 0: without
 * reg. */
void tree_module(void *fdt, const char *parent, const char *name, const char *kind, uint64_t start,
                 uint64_t bytes);

/* A xen,domain below /chosen with memory and cpus. */
void tree_domain(void *fdt, const char *name, uint32_t kib, uint32_t cpus);

/* /chosen with two and two cells, made if it is not there. */
void tree_chosen(void *fdt);

#endif
