/* SPDX-License-Identifier: MIT */
/*
 * Interrupts in device trees (Devicetree Specification 0.4, chapter 2.4): from a node's specifier,
 * through interrupt-map of the nexus nodes in between, to the GIC's three cells (Linux binding
 * arm,gic*.yaml).
 */
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <lib/bits.h>

#define MAX_NEXUS 8 /* interrupt controllers between a device and the GIC: a loop otherwise */
#define MAX_CELLS 8 /* of a specifier, and of a unit address before it */

enum controller_kind { CONTROLLER_OTHER, CONTROLLER_GIC, CONTROLLER_NEXUS };

/* A specifier on its way up: `cells` as `at` reads them, `unit` the address that interrupt-maps
 * match. */
struct specifier {
    struct dt_controller at;
    uint32_t nr_unit;
    uint32_t unit[MAX_CELLS], cells[MAX_CELLS];
};

static const char *const gic_compatible[] = {
    "arm,gic-v3", "arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a9-gic", "arm,gic-v2",
};

static bool is_gic(const void *fdt, int node)
{
    int len;
    const char *compatible = dt_property(fdt, node, "compatible", &len);

    for (size_t i = 0; compatible && i < sizeof(gic_compatible) / sizeof(gic_compatible[0]); i++) {
        if (dt_list_has(compatible, len, gic_compatible[i]))
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

static int find_controller(struct dt_walk *w, uint32_t phandle, struct dt_controller *c)
{
    if (phandle == 0)
        return -EINVAL;
    if (w->controller.phandle == phandle) {
        *c = w->controller;
        return 0;
    }
    c->phandle = phandle;
    c->node = dt_node_by_phandle(w->fdt, phandle);
    if (c->node < 0 || count_cells(w->fdt, c->node, "#interrupt-cells", 0, &c->cells))
        return -EINVAL;
    c->kind = dt_property(w->fdt, c->node, "interrupt-map", NULL) ? CONTROLLER_NEXUS
              : is_gic(w->fdt, c->node)                           ? CONTROLLER_GIC
                                                                  : CONTROLLER_OTHER;
    w->controller = *c;
    return 0;
}

/* The interrupt-parent at path[depth] or above it, 0: none. */
static uint32_t interrupt_parent(struct dt_walk *w, uint32_t depth)
{
    uint32_t d = depth, phandle = 0;

    for (;; d--) {
        uint64_t value;
        phandle = w->irq_parent[d];
        if (!phandle && dt_number(w->fdt, w->path[d], "interrupt-parent", &value) == 0)
            phandle = (uint32_t)value;
        if (phandle || d == 0)
            break;
    }
    for (; d <= depth; d++)
        w->irq_parent[d] = phandle;
    return phandle;
}

static int from_interrupts(struct dt_walk *w, uint32_t index, struct specifier *s)
{
    int len;
    const uint8_t *p = dt_property(w->fdt, w->node, "interrupts", &len);

    if (!p)
        return -ENOENT;
    if (find_controller(w, interrupt_parent(w, w->depth), &s->at) || s->at.cells == 0)
        return -EINVAL;
    uint64_t at = (uint64_t)index * 4 * s->at.cells;
    if (at >= (uint32_t)len)
        return -ENOENT;
    if (at + 4 * s->at.cells > (uint32_t)len)
        return -EINVAL;
    load_cells(s->cells, p + at, s->at.cells);
    return 0;
}

static int from_extended(struct dt_walk *w, const uint8_t *p, uint32_t len, uint32_t index,
                         struct specifier *s)
{
    for (;; index--) {
        if (len < 4)
            return len ? -EINVAL : -ENOENT;
        uint32_t phandle = load_be32(p);
        p += 4;
        len -= 4;
        if (phandle == 0) { /* a place left empty */
            if (index == 0)
                return -EINVAL;
            continue;
        }
        if (find_controller(w, phandle, &s->at) || len < 4 * s->at.cells)
            return -EINVAL;
        if (index == 0) {
            load_cells(s->cells, p, s->at.cells);
            return 0;
        }
        p += 4 * s->at.cells;
        len -= 4 * s->at.cells;
    }
}

/* The unit address that an interrupt-map wants: the first cells of the node's reg. */
static void load_unit(struct dt_walk *w, struct specifier *s)
{
    int len;
    const uint8_t *p = dt_property(w->fdt, w->node, "reg", &len);
    s->nr_unit = p ? min((uint32_t)len / 4, (uint32_t)MAX_CELLS) : 0;
    if (p)
        load_cells(s->unit, p, s->nr_unit);
}

struct map_entry {
    const uint8_t *child; /* unit address and specifier, as the map has them */
    struct dt_controller parent;
    uint32_t nr_unit; /* of the parent */
    const uint8_t *unit, *cells;
};

/* Reads the entry at *p and moves *p behind it. `skip` is the size of its child part in cells. */
static int read_entry(struct dt_walk *w, const uint8_t **p, const uint8_t *end, uint32_t skip,
                      struct map_entry *e)
{
    if ((size_t)(end - *p) < 4 * ((size_t)skip + 1))
        return -EINVAL;
    e->child = *p;
    if (find_controller(w, load_be32(*p + 4 * skip), &e->parent) ||
        count_cells(w->fdt, e->parent.node, "#address-cells", 0, &e->nr_unit))
        return -EINVAL;
    *p += 4 * (skip + 1);
    if ((size_t)(end - *p) < 4 * ((size_t)e->nr_unit + e->parent.cells))
        return -EINVAL;
    e->unit = *p;
    e->cells = *p + 4 * e->nr_unit;
    *p += 4 * (e->nr_unit + e->parent.cells);
    return 0;
}

static void take_entry(const struct map_entry *e, struct specifier *s)
{
    s->at = e->parent;
    s->nr_unit = e->nr_unit;
    load_cells(s->unit, e->unit, e->nr_unit);
    load_cells(s->cells, e->cells, e->parent.cells);
}

static bool entry_matches(const struct map_entry *e, const struct specifier *s, uint32_t nr_unit,
                          const uint8_t *mask)
{
    for (uint32_t i = 0; i < nr_unit + s->at.cells; i++) {
        uint32_t m = mask ? load_be32(mask + 4 * i) : UINT32_MAX;
        uint32_t have = i < nr_unit ? (i < s->nr_unit ? s->unit[i] : 0) : s->cells[i - nr_unit];
        if ((have & m) != (load_be32(e->child + 4 * i) & m))
            return false;
    }
    return true;
}

/* Replaces *s by what the nexus s->at maps it to. */
static int through_map(struct dt_walk *w, struct specifier *s)
{
    int len, mask_len, nexus = s->at.node;
    uint32_t nr_unit;
    const uint8_t *p = dt_property(w->fdt, nexus, "interrupt-map", &len);
    const uint8_t *mask = dt_property(w->fdt, nexus, "interrupt-map-mask", &mask_len);

    if (!p || count_cells(w->fdt, nexus, "#address-cells", 0, &nr_unit))
        return -EINVAL;
    if (mask && (uint32_t)mask_len != 4 * (nr_unit + s->at.cells))
        return -EINVAL;
    for (const uint8_t *end = p + len; p < end;) {
        struct map_entry e;
        if (read_entry(w, &p, end, nr_unit + s->at.cells, &e))
            return -EINVAL;
        if (entry_matches(&e, s, nr_unit, mask)) {
            take_entry(&e, s);
            return 0;
        }
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
        return cells[0] > 1 ? -ENODEV : -EINVAL;
    irq->edge = (cells[2] & 3) != 0;
    irq->low = (cells[2] & 0xa) != 0;
    return 0;
}

static int resolve(struct dt_walk *w, struct specifier *s, struct dt_irq *irq)
{
    for (uint32_t step = 0; step < MAX_NEXUS; step++) {
        if (s->at.kind == CONTROLLER_GIC)
            return dt_gic_irq(s->cells, s->at.cells, irq);
        if (s->at.kind == CONTROLLER_OTHER)
            return -ENODEV;
        int rc = through_map(w, s);
        if (rc)
            return rc;
    }
    return -EINVAL;
}

int dt_walk_irq(struct dt_walk *w, uint32_t index, struct dt_irq *irq)
{
    struct specifier s;
    int len;
    const uint8_t *extended = dt_property(w->fdt, w->node, "interrupts-extended", &len);
    int rc = extended ? from_extended(w, extended, (uint32_t)len, index, &s)
                      : from_interrupts(w, index, &s);
    if (rc)
        return rc;
    if (s.at.kind == CONTROLLER_NEXUS)
        load_unit(w, &s);
    return resolve(w, &s, irq);
}

int dt_walk_map_irq(struct dt_walk *w, uint32_t index, struct dt_irq *irq)
{
    int len;
    uint32_t nr_unit, nr_cells;
    struct specifier s;
    struct map_entry e;
    const uint8_t *p = dt_property(w->fdt, w->node, "interrupt-map", &len);

    if (!p)
        return -ENOENT;
    if (count_cells(w->fdt, w->node, "#address-cells", 0, &nr_unit) ||
        count_cells(w->fdt, w->node, "#interrupt-cells", 0, &nr_cells))
        return -EINVAL;
    const uint8_t *end = p + len;
    for (;; index--) {
        if (p == end)
            return -ENOENT;
        if (read_entry(w, &p, end, nr_unit + nr_cells, &e))
            return -EINVAL;
        if (index == 0)
            break;
    }
    take_entry(&e, &s);
    return resolve(w, &s, irq);
}

int dt_irq(const void *fdt, int node, uint32_t index, struct dt_irq *irq)
{
    struct dt_walk w;
    int rc = dt_walk_to(&w, fdt, node);
    return rc ? rc : dt_walk_irq(&w, index, irq);
}
