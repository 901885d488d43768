/* SPDX-License-Identifier: MIT */
#include "trees.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 65536

static void check(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "trees.c: %s: %s\n", what, fdt_strerror(rc));
        abort();
    }
}

void *tree_load(const char *name)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "build/trees/%s.dtb", name);
    f = fopen(path, "rb");
    if (f == NULL) {
        if (system("tests/trees build/trees") != 0)
            return NULL;
        f = fopen(path, "rb");
    }
    if (f == NULL)
        return NULL;
    fseek(f, 0, SEEK_END);
    long bytes = ftell(f);
    rewind(f);
    void *file = malloc((size_t)bytes), *fdt = malloc((size_t)bytes + ROOM);
    if (fread(file, 1, (size_t)bytes, f) != (size_t)bytes)
        abort();
    fclose(f);
    check(fdt_open_into(file, fdt, (int)bytes + ROOM), path);
    free(file);
    return fdt;
}

void *tree_new(void)
{
    void *fdt = malloc(ROOM);

    check(fdt_create_empty_tree(fdt, ROOM), "create");
    tree_cells(fdt, "/", "#address-cells", 1, 2);
    tree_cells(fdt, "/", "#size-cells", 1, 2);
    return fdt;
}

static int find(void *fdt, const char *path)
{
    int node = fdt_path_offset(fdt, path);

    check(node, path);
    return node;
}

int tree_node(void *fdt, const char *parent, const char *name)
{
    int node = fdt_add_subnode(fdt, find(fdt, parent), name);

    check(node, name);
    return node;
}

void tree_cells(void *fdt, const char *path, const char *property, unsigned int count, ...)
{
    uint32_t cells[128];
    va_list args;

    va_start(args, count);
    for (unsigned int i = 0; i < count; i++)
        cells[i] = cpu_to_fdt32(va_arg(args, uint32_t));
    va_end(args);
    tree_bytes(fdt, path, property, cells, (int)count * 4);
}

void tree_string(void *fdt, const char *path, const char *property, const char *value)
{
    tree_bytes(fdt, path, property, value, (int)strlen(value) + 1);
}

void tree_bytes(void *fdt, const char *path, const char *property, const void *value, int bytes)
{
    check(fdt_setprop(fdt, find(fdt, path), property, value, bytes), property);
}

void tree_empty(void *fdt, const char *path, const char *property)
{
    tree_bytes(fdt, path, property, "", 0);
}

void tree_chosen(void *fdt)
{
    if (fdt_path_offset(fdt, "/chosen") < 0)
        tree_node(fdt, "/", "chosen");
    tree_cells(fdt, "/chosen", "#address-cells", 1, 2);
    tree_cells(fdt, "/chosen", "#size-cells", 1, 2);
}

void tree_module(void *fdt, const char *parent, const char *name, const char *kind, uint64_t start,
                 uint64_t bytes)
{
    char path[128], compatible[64];
    int n = snprintf(compatible, sizeof(compatible), "multiboot,%s", kind) + 1;

    n += snprintf(compatible + n, sizeof(compatible) - (size_t)n, "multiboot,module") + 1;
    tree_node(fdt, parent, name);
    snprintf(path, sizeof(path), "%s/%s", parent, name);
    tree_bytes(fdt, path, "compatible", compatible, n);
    if (bytes)
        tree_cells(fdt, path, "reg", 4, (uint32_t)(start >> 32), (uint32_t)start,
                   (uint32_t)(bytes >> 32), (uint32_t)bytes);
}

void tree_domain(void *fdt, const char *name, uint32_t kib, uint32_t cpus)
{
    char path[128];

    tree_node(fdt, "/chosen", name);
    snprintf(path, sizeof(path), "/chosen/%s", name);
    tree_string(fdt, path, "compatible", "xen,domain");
    tree_cells(fdt, path, "#address-cells", 1, 2);
    tree_cells(fdt, path, "#size-cells", 1, 2);
    tree_cells(fdt, path, "memory", 2, 0, kib);
    tree_cells(fdt, path, "cpus", 1, cpus);
}
