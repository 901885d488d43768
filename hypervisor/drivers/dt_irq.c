/* SPDX-License-Identifier: MIT */
/*
 * Interrupts in device trees (Devicetree Specification 0.4, chapter 2.4): from a node's specifier, through
 * interrupt-map of the nexus nodes in between, to the GIC's three cells (Linux binding arm,gic*.yaml).
 */
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <libfdt.h>

#define MAX_NEXUS 8 /* interrupt controllers between a device and the GIC: a loop otherwise */
#define MAX_CELLS 8 /* of a specifier, and of a unit address before it */

/* A specifier on its way up: `cells` as `controller` reads them, `unit` the address that interrupt-maps match. */
struct specifier {
    int controller;
    uint32_t nr_unit, nr_cells;
    uint32_t unit[MAX_CELLS], cells[MAX_CELLS];
};

static const char *const gic_compatible[] = {
    "arm,gic-v3", "arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a9-gic", "arm,gic-v2",
};

static bool is_gic(const void *fdt, int node)
{
    for (uint32_t i = 0; i < sizeof(gic_compatible) / sizeof(gic_compatible[0]); i++) {
        if (dt_is_compatible(fdt, node, gic_compatible[i]))
            return true;
    }
    return false;
}

static int count_cells(const void *fdt, int node, const char *property, uint32_t otherwise,
                       uint32_t *count)
{
    uint64_t value = otherwise;
    int rc = dt_number(fdt, node, property, &value);
    if ((rc && rc != -ENOENT) || value > MAX_CELLS)
        return -EINVAL;
    *count = (uint32_t)value;
    return 0;
}

static void load_cells(uint32_t *to, const uint8_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        to[i] = load_be32(from + 4 * i);
}

/* The node that interrupt-parent names, at `w` or above it. */
static int interrupt_parent(const struct dt_walk *w)
{
    for (uint32_t d = w->depth + 1; d-- > 0;) {
        uint64_t phandle;
        if (dt_number(w->fdt, w->path[d], "interrupt-parent", &phandle) == 0)
            return dt_node_by_phandle(w->fdt, (uint32_t)phandle);
    }
    return -EINVAL;
}

static int from_interrupts(struct dt_walk *w, uint32_t index, struct specifier *s)
{
    int len;
    const uint8_t *p = fdt_getprop(w->fdt, w->node, "interrupts", &len);
    if (!p)
        return -ENOENT;
    s->controller = interrupt_parent(w);
    if (s->controller < 0 ||
        count_cells(w->fdt, s->controller, "#interrupt-cells", 0, &s->nr_cells) || s->nr_cells == 0)
        return -EINVAL;
    uint64_t at = (uint64_t)index * 4 * s->nr_cells;
    if (at >= (uint32_t)len)
        return -ENOENT;
    if (at + 4 * s->nr_cells > (uint32_t)len)
        return -EINVAL;
    load_cells(s->cells, p + at, s->nr_cells);
    return 0;
}

static int from_extended(struct dt_walk *w, const uint8_t *p, uint32_t len, uint32_t index,
                         struct specifier *s)
{
    for (;; index--) {
        if (len == 0)
            return -ENOENT;
        if (len < 4)
            return -EINVAL;
        uint32_t phandle = load_be32(p);
        p += 4;
        len -= 4;
        if (phandle == 0) { /* a place left empty */
            if (index == 0)
                return -ENOENT;
            continue;
        }
        s->controller = dt_node_by_phandle(w->fdt, phandle);
        if (s->controller < 0 ||
            count_cells(w->fdt, s->controller, "#interrupt-cells", 0, &s->nr_cells) ||
            len < 4 * s->nr_cells)
            return -EINVAL;
        if (index == 0) {
            load_cells(s->cells, p, s->nr_cells);
            return 0;
        }
        p += 4 * s->nr_cells;
        len -= 4 * s->nr_cells;
    }
}

/* The unit address that an interrupt-map wants: the first cells of the node's reg. */
static void load_unit(struct dt_walk *w, struct specifier *s)
{
    int len;
    const uint8_t *p = fdt_getprop(w->fdt, w->node, "reg", &len);
    s->nr_unit = p ? min((uint32_t)len / 4, (uint32_t)MAX_CELLS) : 0;
    if (p)
        load_cells(s->unit, p, s->nr_unit);
}

struct map_entry {
    const uint8_t *child; /* unit address and specifier, as the map has them */
    int parent;
    uint32_t nr_unit, nr_cells;     /* of the parent */
    const uint8_t *unit, *cells;
};

/* Reads the entry at *p and moves *p behind it. `skip` is the size of its child part in cells. */
static int read_entry(const void *fdt, const uint8_t **p, const uint8_t *end, uint32_t skip,
                      struct map_entry *e)
{
    if ((size_t)(end - *p) < 4 * ((size_t)skip + 1))
        return -EINVAL;
    e->child = *p;
    e->parent = dt_node_by_phandle(fdt, load_be32(*p + 4 * skip));
    *p += 4 * (skip + 1);
    if (e->parent < 0 || count_cells(fdt, e->parent, "#interrupt-cells", 0, &e->nr_cells) ||
        count_cells(fdt, e->parent, "#address-cells", 0, &e->nr_unit))
        return -EINVAL;
    if ((size_t)(end - *p) < 4 * ((size_t)e->nr_unit + e->nr_cells))
        return -EINVAL;
    e->unit = *p;
    e->cells = *p + 4 * e->nr_unit;
    *p += 4 * (e->nr_unit + e->nr_cells);
    return 0;
}

static bool entry_matches(const struct map_entry *e, const struct specifier *s, uint32_t nr_unit,
                          const uint8_t *mask)
{
    for (uint32_t i = 0; i < nr_unit + s->nr_cells; i++) {
        uint32_t m = mask ? load_be32(mask + 4 * i) : UINT32_MAX;
        uint32_t have = i < nr_unit ? (i < s->nr_unit ? s->unit[i] : 0) : s->cells[i - nr_unit];
        if ((have & m) != (load_be32(e->child + 4 * i) & m))
            return false;
    }
    return true;
}

/* Replaces *s by what the nexus s->controller maps it to. */
static int through_map(const void *fdt, struct specifier *s)
{
    int len, mask_len;
    uint32_t nr_unit;
    const uint8_t *p = fdt_getprop(fdt, s->controller, "interrupt-map", &len);
    const uint8_t *mask = fdt_getprop(fdt, s->controller, "interrupt-map-mask", &mask_len);

    if (!p || count_cells(fdt, s->controller, "#address-cells", 0, &nr_unit))
        return -EINVAL;
    if (mask && (uint32_t)mask_len != 4 * (nr_unit + s->nr_cells))
        return -EINVAL;
    for (const uint8_t *end = p + len; p < end;) {
        struct map_entry e;
        if (read_entry(fdt, &p, end, nr_unit + s->nr_cells, &e))
            return -EINVAL;
        if (!entry_matches(&e, s, nr_unit, mask))
            continue;
        s->controller = e.parent;
        s->nr_unit = e.nr_unit;
        s->nr_cells = e.nr_cells;
        load_cells(s->unit, e.unit, e.nr_unit);
        load_cells(s->cells, e.cells, e.nr_cells);
        return 0;
    }
    return -EINVAL;
}

int dt_gic_irq(const uint32_t *cells, uint32_t count, struct dt_irq *irq)
{
    if (count < 3)
        return -EINVAL;
    if (cells[0] == 0 && cells[1] < 988)
        irq->intid = 32 + cells[1];
    else if (cells[0] == 1 && cells[1] < 16)
        irq->intid = 16 + cells[1];
    else
        return -EINVAL;
    irq->edge = (cells[2] & 3) != 0;
    irq->low = (cells[2] & 0xa) != 0;
    return 0;
}

static int resolve(const void *fdt, struct specifier *s, struct dt_irq *irq)
{
    for (uint32_t step = 0; step < MAX_NEXUS; step++) {
        if (fdt_getprop(fdt, s->controller, "interrupt-map", NULL)) {
            int rc = through_map(fdt, s);
            if (rc)
                return rc;
        } else if (is_gic(fdt, s->controller)) {
            return dt_gic_irq(s->cells, s->nr_cells, irq);
        } else {
            return -ENODEV;
        }
    }
    return -EINVAL;
}

int dt_walk_irq(struct dt_walk *w, uint32_t index, struct dt_irq *irq)
{
    struct specifier s = { .controller = -1 };
    int len;
    const uint8_t *extended = fdt_getprop(w->fdt, w->node, "interrupts-extended", &len);
    int rc = extended ? from_extended(w, extended, (uint32_t)len, index, &s)
                      : from_interrupts(w, index, &s);
    if (rc)
        return rc;
    load_unit(w, &s);
    return resolve(w->fdt, &s, irq);
}

int dt_irq(const void *fdt, int node, uint32_t index, struct dt_irq *irq)
{
    struct dt_walk w;
    int rc = dt_walk_to(&w, fdt, node);
    return rc ? rc : dt_walk_irq(&w, index, irq);
}
