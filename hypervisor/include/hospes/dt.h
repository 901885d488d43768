/* SPDX-License-Identifier: MIT */
/*
 * Reading a flattened device tree (Devicetree Specification 0.4).
 *
 * `fdt` is a blob of which dt_check() said yes: what is read after that relies on it. A `node` is
 * its offset in the structure block, as libfdt has it, gained from these functions and good until
 * the tree is changed; where one may be negative (an error of a function before) that is said.
 * Whatever a tree holds, these return an error and never read outside the blob.
 */
#ifndef HOSPES_DT_H
#define HOSPES_DT_H

#include <hospes/types.h>

struct uart;

/* The host's tree: a copy that stays. Set by boot, then constant. */
extern const void *host_fdt;

/* 0, or -EINVAL: not a tree, or its parts do not lie within its size (which must be <= `bytes`). */
int dt_check(const void *fdt, uint64_t bytes);

/* --- structure ------------------------------------------------------------------------------- */

/*
 * The next node in the tree's order, *depth counting along; the first (the root) for a negative
 * one. Negative at the end. A walk (below) is often handier.
 */
int dt_next_node(const void *fdt, int node, int *depth);

/* The child of `parent` behind `child`, or its first for a negative one. -ENOENT, also for no
 * parent.
 */
int dt_next_child(const void *fdt, int parent, int child);
#define dt_for_each_child(node, fdt, parent)                   \
    for ((node) = dt_next_child(fdt, parent, -1); (node) >= 0; \
         (node) = dt_next_child(fdt, parent, node))

/* Its name with unit address. */
const char *dt_name(const void *fdt, int node);

/* A property's value and, if `len` is not NULL, length. NULL if there is none, or node is negative.
 */
const void *dt_property(const void *fdt, int node, const char *name, int *len);

/* Properties one by one: false when there is none, or no more. `node` may be negative. */
struct dt_property {
    const char *name;
    const void *value; /* aligned to 4 */
    int len;
    const uint32_t *at;
};
bool dt_property_first(const void *fdt, int node, struct dt_property *p);
bool dt_property_next(const void *fdt, struct dt_property *p);

/* The child whose name, perhaps without its unit address, is the `len` characters at `name`.
 * -ENOENT. */
int dt_child(const void *fdt, int parent, const char *name, size_t len);

/* The node of an absolute path; of its first `len` characters. -ENOENT. */
int dt_find(const void *fdt, const char *path);
int dt_find_part(const void *fdt, const char *path, size_t len);

/* The node that the alias of `len` characters stands for. -ENOENT, -EINVAL. */
int dt_find_alias(const void *fdt, const char *name, size_t len);

/* The first node behind `after` (negative: from the root) that is compatible. -ENOENT. */
int dt_find_compatible(const void *fdt, int after, const char *compatible);

/* Its phandle, 0 if it has none; and the node that has it, -ENOENT. */
uint32_t dt_phandle(const void *fdt, int node);
int dt_node_by_phandle(const void *fdt, uint32_t phandle);

/* True if a list of strings, such as compatible's value, has `text`. */
bool dt_list_has(const char *list, int len, const char *text);

/* --- values ---------------------------------------------------------------------------------- */

/* True if `node` exists for use: its status is absent, "okay" or "ok". */
bool dt_enabled(const void *fdt, int node);

/* True if any of node's compatible strings is `compatible`. */
bool dt_is_compatible(const void *fdt, int node, const char *compatible);

/*
 * The `index`th reg entry, translated through the ranges of all buses above to a machine address.
 * 0, -ENOENT (no such entry), -EINVAL (malformed or not translatable).
 */
int dt_reg(const void *fdt, int node, uint32_t index, uint64_t *addr, uint64_t *bytes);

/* The `index`th pair of `property` read with the parent's #address-cells and #size-cells,
 * untranslated. */
int dt_pair(const void *fdt, int node, const char *property, uint32_t index, uint64_t *first,
            uint64_t *second);

/* A property of one or two cells as a number. 0, -ENOENT, -EINVAL. */
int dt_number(const void *fdt, int node, const char *property, uint64_t *value);

/* A property that is a terminated string, else NULL. */
const char *dt_string(const void *fdt, int node, const char *property);

/* An interrupt specifier of three cells as the GIC's binding has it, resolved to the interrupt
 * controller. */
struct dt_irq {
    uint32_t intid;
    bool edge;
    bool low; /* active low / falling */
};

/*
 * The node's `index`th interrupt, through interrupts or interrupts-extended, and interrupt-parent
 * upwards (interrupt-maps of nexus nodes are followed for nodes that have them as parent). 0,
 * -ENOENT, -EINVAL, -ENODEV when its controller is not the GIC.
 */
int dt_irq(const void *fdt, int node, uint32_t index, struct dt_irq *irq);

/* Reads the GIC's own specifier of `count` cells. 0, -EINVAL, -ENODEV for the extended PPIs and
 * SPIs. */
int dt_gic_irq(const uint32_t *cells, uint32_t count, struct dt_irq *irq);

/* Path for messages, cut to fit; returns buf. */
const char *dt_path(const void *fdt, int node, char *buf, uint32_t bytes);

/*
 * A property's value for messages, cut to fit: "text" in quotes if it is a string, else <cells>,
 * else its length. Returns buf.
 */
const char *dt_value(const void *value, int len, char *buf, uint32_t bytes);

/* --- walks ----------------------------------------------------------------------------------- */

/*
 * A way through the tree in its own order. It knows the nodes above, which otherwise have to be
 * looked for from the beginning: whoever reads many nodes goes by this and uses the dt_walk_*()
 * forms.
 */
#define DT_MAX_DEPTH 16 /* nodes below are not seen */

struct dt_walk {
    const void *fdt;
    int node;               /* where it is */
    uint32_t depth;         /* 0: the root */
    int path[DT_MAX_DEPTH]; /* path[n]: the node above it at depth n; path[depth] == node */
    uint8_t address_cells[DT_MAX_DEPTH]; /* of path[n], DT_CELLS_UNKNOWN until asked for */
    uint8_t size_cells[DT_MAX_DEPTH];
    /* dt_irq.c's: interrupt-parent that rules path[n] (0: not asked for yet), the controller last
     * met */
    uint32_t irq_parent[DT_MAX_DEPTH];
    struct dt_controller {
        uint32_t phandle; /* 0: none */
        int node;
        uint32_t cells; /* of its specifiers */
        uint8_t kind;
    } controller;
};

#define DT_CELLS_UNKNOWN 0xff

/* dt_path() of where it is. */
const char *dt_walk_path(const struct dt_walk *w, char *buf, uint32_t bytes);

/* To the root. */
void dt_walk_start(struct dt_walk *w, const void *fdt);
/* To the next node, or to the next one that is not below this. False, and then w->node < 0, at the
 * end. */
bool dt_walk_next(struct dt_walk *w);
bool dt_walk_skip(struct dt_walk *w);
/* To `node`. 0, -EINVAL (no such node, or too deep). */
int dt_walk_to(struct dt_walk *w, const void *fdt, int node);
/* To the node of an absolute path, as dt_find() has it. 0, -ENOENT (also if too deep). */
int dt_walk_find(struct dt_walk *w, const void *fdt, const char *path);

/* #address-cells and #size-cells that rule the children of path[depth]: the nearest such property
 * upwards, as Linux and Xen read them. */
uint32_t dt_walk_address_cells(struct dt_walk *w, uint32_t depth);
uint32_t dt_walk_size_cells(struct dt_walk *w, uint32_t depth);

int dt_walk_reg(struct dt_walk *w, uint32_t index, uint64_t *addr, uint64_t *bytes);
int dt_walk_pair(struct dt_walk *w, const char *property, uint32_t index, uint64_t *first,
                 uint64_t *second);
int dt_walk_irq(struct dt_walk *w, uint32_t index, struct dt_irq *irq);
/* What the index-th entry of the node's own interrupt-map leads to, errors as of dt_irq(). */
int dt_walk_map_irq(struct dt_walk *w, uint32_t index, struct dt_irq *irq);

/* An address of the bus path[depth] as the machine's: through the ranges of it and of all buses
 * above. */
int dt_walk_translate(struct dt_walk *w, uint32_t depth, uint64_t *addr, uint64_t bytes);

/* `cells` (1 or 2) big-endian cells as a number. */
uint64_t dt_cells(const void *p, uint32_t cells);

/*
 * The console's UART: /chosen/stdout-path, or `override` (path or alias, may be NULL or ""), else
 * the first UART that a driver knows. Fills in all of *u but `regs`, which the caller maps. 0,
 * -ENODEV.
 */
int dt_find_uart(const void *fdt, const char *override, struct uart *u, int *node);

#endif
