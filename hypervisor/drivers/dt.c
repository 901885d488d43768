/* SPDX-License-Identifier: MIT */
/*
 * Reading device trees: numbers, and addresses as the machine has them (Devicetree
 * Specification 0.4, chapters 2.2 and 2.3). The structure is in dt_flat.c, interrupts are in
 * dt_irq.c.
 */
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <string.h>

const void *host_fdt;

uint64_t dt_cells(const void *p, uint32_t cells)
{
    return cells == 1 ? load_be32(p) : load_be64(p);
}

bool dt_enabled(const void *fdt, int node)
{
    const char *status = dt_string(fdt, node, "status");
    if (!status)
        return !dt_property(fdt, node, "status", NULL);
    return strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

int dt_number(const void *fdt, int node, const char *property, uint64_t *value)
{
    int len;
    const void *p = dt_property(fdt, node, property, &len);
    if (!p)
        return -ENOENT;
    if (len != 4 && len != 8)
        return -EINVAL;
    *value = dt_cells(p, (uint32_t)len / 4);
    return 0;
}

const char *dt_string(const void *fdt, int node, const char *property)
{
    int len;
    const char *s = dt_property(fdt, node, property, &len);
    if (!s || len <= 0 || strnlen(s, (size_t)len) != (size_t)len - 1)
        return NULL;
    return s;
}

/* --- walks ----------------------------------------------------------------------------------- */

void dt_walk_start(struct dt_walk *w, const void *fdt)
{
    w->fdt = fdt;
    w->node = 0;
    w->depth = 0;
    w->path[0] = 0;
    w->address_cells[0] = w->size_cells[0] = DT_CELLS_UNKNOWN;
    w->irq_parent[0] = 0;
    w->controller.phandle = 0;
}

/* To the next node whose depth is at most `deepest`. */
static bool walk_on(struct dt_walk *w, uint32_t deepest)
{
    int depth = (int)w->depth;
    do {
        w->node = dt_next_node(w->fdt, w->node, &depth);
        if (w->node < 0 || depth <= 0) {
            w->node = -1;
            return false;
        }
    } while ((uint32_t)depth > deepest);
    w->depth = (uint32_t)depth;
    w->path[depth] = w->node;
    w->address_cells[depth] = w->size_cells[depth] = DT_CELLS_UNKNOWN;
    w->irq_parent[depth] = 0;
    return true;
}

bool dt_walk_next(struct dt_walk *w)
{
    return w->node >= 0 && walk_on(w, DT_MAX_DEPTH - 1);
}

bool dt_walk_skip(struct dt_walk *w)
{
    return w->node >= 0 && walk_on(w, w->depth);
}

int dt_walk_to(struct dt_walk *w, const void *fdt, int node)
{
    dt_walk_start(w, fdt);
    while (w->node >= 0 && w->node < node)
        dt_walk_next(w);
    return w->node == node ? 0 : -EINVAL;
}

static bool enter_child(struct dt_walk *w, const char *name, size_t len)
{
    int node = w->depth + 1 < DT_MAX_DEPTH ? dt_child(w->fdt, w->node, name, len) : -ENOENT;

    if (node < 0)
        return false;
    w->node = w->path[++w->depth] = node;
    w->address_cells[w->depth] = w->size_cells[w->depth] = DT_CELLS_UNKNOWN;
    w->irq_parent[w->depth] = 0;
    return true;
}

int dt_walk_find(struct dt_walk *w, const void *fdt, const char *path)
{
    dt_walk_start(w, fdt);
    if (*path != '/')
        return -ENOENT;
    for (;;) {
        while (*path == '/')
            path++;
        const char *slash = strchr(path, '/');
        size_t len = slash ? (size_t)(slash - path) : strlen(path);
        if (len == 0)
            return 0;
        if (!enter_child(w, path, len))
            return -ENOENT;
        path += len;
    }
}

static uint32_t cells_property(struct dt_walk *w, uint32_t depth, uint8_t *cache, const char *name,
                               uint32_t otherwise)
{
    uint32_t d = depth, value = otherwise;
    for (;; d--) {
        int len;
        if (cache[d] != DT_CELLS_UNKNOWN) {
            value = cache[d];
            break;
        }
        const void *p = dt_property(w->fdt, w->path[d], name, &len);
        if (p && len == 4) {
            value = min(load_be32(p), (uint32_t)DT_CELLS_UNKNOWN - 1);
            break;
        }
        if (d == 0)
            break;
    }
    for (; d <= depth; d++)
        cache[d] = (uint8_t)value;
    return value;
}

uint32_t dt_walk_address_cells(struct dt_walk *w, uint32_t depth)
{
    return cells_property(w, depth, w->address_cells, "#address-cells", 2);
}

uint32_t dt_walk_size_cells(struct dt_walk *w, uint32_t depth)
{
    return cells_property(w, depth, w->size_cells, "#size-cells", 1);
}

/* --- addresses ------------------------------------------------------------------------------- */

/* One step up: from addresses of the bus path[depth] to those of the bus above. */
static int translate_once(struct dt_walk *w, uint32_t depth, uint64_t *addr, uint64_t bytes)
{
    int len;
    const uint8_t *p = dt_property(w->fdt, w->path[depth], "ranges", &len);
    if (!p)
        return -EINVAL;
    if (len == 0)
        return 0;

    uint32_t child = dt_walk_address_cells(w, depth), size = dt_walk_size_cells(w, depth);
    uint32_t parent = dt_walk_address_cells(w, depth - 1);
    if (child < 1 || child > 2 || parent < 1 || parent > 2 || size < 1 || size > 2)
        return -EINVAL;

    uint32_t entry = 4 * (child + parent + size);
    for (uint32_t left = (uint32_t)len; left >= entry; left -= entry, p += entry) {
        uint64_t from = dt_cells(p, child), to = dt_cells(p + 4 * child, parent);
        uint64_t span = dt_cells(p + 4 * (child + parent), size);
        if (*addr < from || *addr - from > span || span - (*addr - from) < bytes)
            continue;
        *addr = *addr - from + to;
        return *addr < to ? -EINVAL : 0;
    }
    return -EINVAL;
}

int dt_walk_translate(struct dt_walk *w, uint32_t depth, uint64_t *addr, uint64_t bytes)
{
    for (; depth > 0; depth--) {
        int rc = translate_once(w, depth, addr, bytes);
        if (rc)
            return rc;
    }
    return *addr + bytes < *addr ? -EINVAL : 0;
}

int dt_walk_pair(struct dt_walk *w, const char *property, uint32_t index, uint64_t *first,
                 uint64_t *second)
{
    int len;
    const uint8_t *p = dt_property(w->fdt, w->node, property, &len);
    if (!p)
        return -ENOENT;
    if (w->depth == 0)
        return -EINVAL;

    uint32_t a = dt_walk_address_cells(w, w->depth - 1), s = dt_walk_size_cells(w, w->depth - 1);
    if (a < 1 || a > 2 || s > 2)
        return -EINVAL;
    uint32_t entry = 4 * (a + s);
    if ((uint64_t)index * entry >= (uint32_t)len)
        return -ENOENT;
    if (((uint64_t)index + 1) * entry > (uint32_t)len)
        return -EINVAL;
    p += (size_t)index * entry;
    *first = dt_cells(p, a);
    *second = s ? dt_cells(p + 4 * a, s) : 0;
    return 0;
}

int dt_walk_reg(struct dt_walk *w, uint32_t index, uint64_t *addr, uint64_t *bytes)
{
    int rc = dt_walk_pair(w, "reg", index, addr, bytes);
    return rc ? rc : dt_walk_translate(w, w->depth - 1, addr, *bytes);
}

int dt_pair(const void *fdt, int node, const char *property, uint32_t index, uint64_t *first,
            uint64_t *second)
{
    struct dt_walk w;
    int rc = dt_walk_to(&w, fdt, node);
    return rc ? rc : dt_walk_pair(&w, property, index, first, second);
}

int dt_reg(const void *fdt, int node, uint32_t index, uint64_t *addr, uint64_t *bytes)
{
    struct dt_walk w;
    int rc = dt_walk_to(&w, fdt, node);
    return rc ? rc : dt_walk_reg(&w, index, addr, bytes);
}

/* --- for messages ---------------------------------------------------------------------------- */

const char *dt_walk_path(const struct dt_walk *w, char *buf, uint32_t bytes)
{
    uint32_t at = 0;

    if (bytes == 0)
        return "";
    if (w->depth == 0 && bytes > 1)
        buf[at++] = '/';
    for (uint32_t d = 1; d <= w->depth; d++) {
        const char *name = dt_name(w->fdt, w->path[d]);
        if (at + 1 < bytes)
            buf[at++] = '/';
        uint32_t room = bytes - 1 - at, n = (uint32_t)min(strlen(name), (size_t)room);
        memcpy(buf + at, name, n);
        at += n;
    }
    buf[at] = '\0';
    return buf;
}

const char *dt_path(const void *fdt, int node, char *buf, uint32_t bytes)
{
    struct dt_walk w;
    if (bytes)
        buf[0] = '\0';
    return dt_walk_to(&w, fdt, node) ? buf : dt_walk_path(&w, buf, bytes);
}

static bool is_text(const char *s, uint32_t len)
{
    if (len < 2 || s[len - 1] != '\0')
        return false;
    for (uint32_t i = 0; i < len - 1; i++) {
        if (s[i] < ' ' || s[i] > '~')
            return false;
    }
    return true;
}

const char *dt_value(const void *value, int len, char *buf, uint32_t bytes)
{
    const uint8_t *p = value;
    size_t at;

    if (len <= 0) {
        format(buf, bytes, "<>");
    } else if (is_text(value, (uint32_t)len)) {
        format(buf, bytes, "\"%s\"", (const char *)value);
    } else if (len % 4) {
        format(buf, bytes, "(%d bytes)", len);
    } else {
        at = format(buf, bytes, "<");
        for (uint32_t i = 0; i < (uint32_t)len / 4 && at < bytes; i++) {
            uint32_t cell = load_be32(p + 4 * i);
            at +=
                format(buf + at, bytes - at, cell < 65536 ? "%s%u" : "%s0x%x", i ? " " : "", cell);
        }
        if (at < bytes)
            format(buf + at, bytes - at, ">");
    }
    return buf;
}
