/* SPDX-License-Identifier: MIT */
/*
 * The structure of a flattened device tree (Devicetree Specification 0.4, chapter 5): nodes,
 * properties, paths.
 *
 * libfdt writes trees here but does not read them. It goes through a node's name byte by byte,
 * checking each against the tree's end, whenever it passes or looks into the node, and it passes
 * all nodes before one to find it: reading QEMU's tree took it 7 million instructions of the 9 from
 * entry to the first guest. What dt_check() found good can be read without.
 */
#include <hospes/compiler.h>
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <string.h>

enum tag { TAG_BEGIN_NODE = 1, TAG_END_NODE = 2, TAG_PROP = 3, TAG_NOP = 4, TAG_END = 9 };

/* The header, in 32-bit words of the highest byte first. */
#define HEADER_STRUCT  2
#define HEADER_STRINGS 3

/* Words of the tree are aligned. */
static uint32_t word(const uint32_t *p)
{
    return __builtin_bswap32(*p);
}

static const uint32_t *at(const void *fdt, uint32_t offset)
{
    return (const uint32_t *)(const void *)((const uint8_t *)fdt + offset);
}

static const uint32_t *structure(const void *fdt)
{
    return at(fdt, word(at(fdt, 4 * HEADER_STRUCT)));
}

/* From a node's tag to what is behind its name: the first word that holds a zero byte ends it. */
static const uint32_t *enter(const uint32_t *node)
{
    uint32_t w;

    do
        w = *++node;
    while (!((w - 0x01010101u) & ~w & 0x80808080u));
    return node + 1;
}

static const uint32_t *behind_property(const uint32_t *p)
{
    return p + 3 + (word(p + 1) + 3) / 4;
}

int dt_next_node(const void *fdt, int node, int *depth)
{
    const uint32_t *base = structure(fdt), *p = base;

    if (node >= 0)
        p = enter(at(base, (uint32_t)node));
    for (;;) {
        switch (word(p)) {
        case TAG_BEGIN_NODE:
            ++*depth;
            return (int)((p - base) * 4);
        case TAG_PROP:
            p = behind_property(p);
            break;
        case TAG_END_NODE:
            --*depth;
            p++;
            break;
        case TAG_NOP:
            p++;
            break;
        default:
            return -ENOENT;
        }
    }
}

int dt_next_child(const void *fdt, int parent, int child)
{
    int depth = child < 0 ? 0 : 1, node = child < 0 ? parent : child;

    if (parent < 0)
        return -ENOENT;
    while ((node = dt_next_node(fdt, node, &depth)) >= 0 && depth > 0) {
        if (depth == 1)
            return node;
    }
    return -ENOENT;
}

/* The property at *p, or behind it the next one of the same node. */
static bool load(const void *fdt, const uint32_t *p, struct dt_property *out)
{
    while (word(p) == TAG_NOP)
        p++;
    if (word(p) != TAG_PROP)
        return false;
    out->name = (const char *)at(fdt, word(at(fdt, 4 * HEADER_STRINGS))) + word(p + 2);
    out->value = p + 3;
    out->len = (int)word(p + 1);
    out->at = p;
    return true;
}

bool dt_property_first(const void *fdt, int node, struct dt_property *p)
{
    return node >= 0 && load(fdt, enter(at(structure(fdt), (uint32_t)node)), p);
}

bool dt_property_next(const void *fdt, struct dt_property *p)
{
    return load(fdt, behind_property(p->at), p);
}

const void *dt_property(const void *fdt, int node, const char *name, int *len)
{
    struct dt_property p;

    for (bool more = dt_property_first(fdt, node, &p); more; more = dt_property_next(fdt, &p)) {
        if (p.name[0] == name[0] && strcmp(p.name, name) == 0) {
            if (len)
                *len = p.len;
            return p.value;
        }
    }
    return NULL;
}

const char *dt_name(const void *fdt, int node)
{
    return (const char *)(at(structure(fdt), (uint32_t)node) + 1);
}

/* Is `name` what a path's part of `len` characters means? A unit address may be left out. */
static bool name_is(const char *name, const char *part, size_t len)
{
    if (strncmp(name, part, len) != 0)
        return false;
    return name[len] == '\0' || (name[len] == '@' && !memchr(part, '@', len));
}

int dt_child(const void *fdt, int parent, const char *name, size_t len)
{
    int node;

    dt_for_each_child (node, fdt, parent) {
        if (name_is(dt_name(fdt, node), name, len))
            return node;
    }
    return -ENOENT;
}

int dt_find_part(const void *fdt, const char *path, size_t len)
{
    const char *end = path + len;
    int node = 0;

    while (path < end && node >= 0) {
        if (*path == '/') {
            path++;
            continue;
        }
        const char *slash = memchr(path, '/', (size_t)(end - path));
        size_t n = (size_t)((slash ? slash : end) - path);
        node = dt_child(fdt, node, path, n);
        path += n;
    }
    return node;
}

int dt_find(const void *fdt, const char *path)
{
    return *path == '/' ? dt_find_part(fdt, path, strlen(path)) : -ENOENT;
}

int dt_find_alias(const void *fdt, const char *name, size_t len)
{
    struct dt_property p;
    int aliases = dt_find(fdt, "/aliases");

    for (bool more = dt_property_first(fdt, aliases, &p); more; more = dt_property_next(fdt, &p)) {
        const char *path = p.value;
        if (strncmp(p.name, name, len) != 0 || p.name[len] != '\0')
            continue;
        if (p.len <= 0 || path[p.len - 1] != '\0' || path[0] != '/')
            return -EINVAL;
        return dt_find(fdt, path);
    }
    return -ENOENT;
}

uint32_t dt_phandle(const void *fdt, int node)
{
    struct dt_property p;

    for (bool more = dt_property_first(fdt, node, &p); more; more = dt_property_next(fdt, &p)) {
        if ((p.name[0] == 'p' && strcmp(p.name, "phandle") == 0) ||
            (p.name[0] == 'l' && strcmp(p.name, "linux,phandle") == 0))
            return p.len == 4 ? word(p.value) : 0;
    }
    return 0;
}

int dt_node_by_phandle(const void *fdt, uint32_t phandle)
{
    int depth = 0;

    if (phandle == 0 || phandle == UINT32_MAX)
        return -ENOENT;
    for (int node = 0; node >= 0; node = dt_next_node(fdt, node, &depth)) {
        if (dt_phandle(fdt, node) == phandle)
            return node;
    }
    return -ENOENT;
}

bool dt_list_has(const char *list, int len, const char *text)
{
    size_t n = strlen(text) + 1, left = len > 0 ? (size_t)len : 0;

    while (left >= n) {
        size_t one = strnlen(list, left) + 1;
        if (one == n && memcmp(list, text, n) == 0)
            return true;
        if (one >= left)
            break;
        list += one;
        left -= one;
    }
    return false;
}

bool dt_is_compatible(const void *fdt, int node, const char *compatible)
{
    int len;
    const char *list = dt_property(fdt, node, "compatible", &len);

    return list && dt_list_has(list, len, compatible);
}

int dt_find_compatible(const void *fdt, int after, const char *compatible)
{
    int depth = 0, node = after;

    while ((node = dt_next_node(fdt, node, &depth)) >= 0) {
        if (dt_is_compatible(fdt, node, compatible))
            return node;
    }
    return -ENOENT;
}
