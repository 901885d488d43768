/* SPDX-License-Identifier: MIT */
/*
 * Reading a flattened device tree (Devicetree Specification 0.4), on top of libfdt.
 *
 * `fdt` is a blob of which dt_check() said yes; `node` is libfdt's offset. Whatever a malformed tree holds,
 * these return an error and never read outside the blob.
 */
#ifndef HOSPES_DT_H
#define HOSPES_DT_H

#include <hospes/types.h>

struct uart;

/* The host's tree: a copy that stays. Set by boot, then constant. */
extern const void *host_fdt;

/* 0, or -EINVAL: not a tree, or its parts do not lie within its size (which must be <= `bytes`). */
int dt_check(const void *fdt, uint64_t bytes);

/* True if `node` exists for use: its status is absent, "okay" or "ok". */
bool dt_enabled(const void *fdt, int node);

/* True if any of node's compatible strings is `compatible`. */
bool dt_is_compatible(const void *fdt, int node, const char *compatible);

/*
 * The `index`th reg entry, translated through the ranges of all buses above to a machine address.
 * 0, -ENOENT (no such entry), -EINVAL (malformed or not translatable).
 */
int dt_reg(const void *fdt, int node, uint32_t index, uint64_t *addr, uint64_t *bytes);

/* The `index`th pair of `property` read with the parent's #address-cells and #size-cells, untranslated. */
int dt_pair(const void *fdt, int node, const char *property, uint32_t index, uint64_t *first,
            uint64_t *second);

/* A property of one or two cells as a number. 0, -ENOENT, -EINVAL. */
int dt_number(const void *fdt, int node, const char *property, uint64_t *value);

/* A property that is a terminated string, else NULL. */
const char *dt_string(const void *fdt, int node, const char *property);

/* An interrupt specifier of three cells as the GIC's binding has it, resolved to the interrupt controller. */
struct dt_irq {
    uint32_t intid;
    bool edge;
    bool low;       /* active low / falling */
};

/*
 * The node's `index`th interrupt, through interrupts or interrupts-extended, and interrupt-parent upwards
 * (interrupt-maps of nexus nodes are followed for nodes that have them as parent). 0, -ENOENT, -EINVAL,
 * -ENODEV when its controller is not the GIC.
 */
int dt_irq(const void *fdt, int node, uint32_t index, struct dt_irq *irq);

/* Reads the GIC's own specifier of `count` cells. 0, -EINVAL, -ENODEV for the extended PPIs and SPIs. */
int dt_gic_irq(const uint32_t *cells, uint32_t count, struct dt_irq *irq);

/* Path for messages, cut to fit; returns buf. */
const char *dt_path(const void *fdt, int node, char *buf, uint32_t bytes);

/*
 * A property's value for messages, cut to fit: "text" in quotes if it is a string, else <cells>, else its length.
 * Returns buf.
 */
const char *dt_value(const void *value, int len, char *buf, uint32_t bytes);

/* The node with this phandle. -ENOENT. Remembers the last ones found, since libfdt looks at every node. */
int dt_node_by_phandle(const void *fdt, uint32_t phandle);

/*
 * A way through the tree in its own order. It knows the nodes above, which libfdt would have to look for from
 * the beginning each time: whoever reads many nodes goes by this and uses the dt_walk_*() forms.
 */
#define DT_MAX_DEPTH 16 /* nodes below are not seen */

struct dt_walk {
    const void *fdt;
    int node;                           /* where it is */
    uint32_t depth;                     /* 0: the root */
    int path[DT_MAX_DEPTH];             /* path[n]: the node above it at depth n; path[depth] == node */
    uint8_t address_cells[DT_MAX_DEPTH]; /* of path[n], DT_CELLS_UNKNOWN until asked for */
    uint8_t size_cells[DT_MAX_DEPTH];
    /* dt_irq.c's: interrupt-parent that rules path[n] (0: not asked for yet), the controller last met */
    uint32_t irq_parent[DT_MAX_DEPTH];
    struct dt_controller {
        uint32_t phandle; /* 0: none */
        int node;
        uint32_t cells;   /* of its specifiers */
        uint8_t kind;
    } controller;
};

#define DT_CELLS_UNKNOWN 0xff

/* dt_path() of where it is. */
const char *dt_walk_path(const struct dt_walk *w, char *buf, uint32_t bytes);

/* To the root. */
void dt_walk_start(struct dt_walk *w, const void *fdt);
/* To the next node, or to the next one that is not below this. False, and then w->node < 0, at the end. */
bool dt_walk_next(struct dt_walk *w);
bool dt_walk_skip(struct dt_walk *w);
/* To `node`. 0, -EINVAL (no such node, or too deep). */
int dt_walk_to(struct dt_walk *w, const void *fdt, int node);

/* #address-cells and #size-cells that rule the children of path[depth]: the nearest such property upwards, as
 * Linux and Xen read them. */
uint32_t dt_walk_address_cells(struct dt_walk *w, uint32_t depth);
uint32_t dt_walk_size_cells(struct dt_walk *w, uint32_t depth);

int dt_walk_reg(struct dt_walk *w, uint32_t index, uint64_t *addr, uint64_t *bytes);
int dt_walk_pair(struct dt_walk *w, const char *property, uint32_t index, uint64_t *first,
                 uint64_t *second);
int dt_walk_irq(struct dt_walk *w, uint32_t index, struct dt_irq *irq);
/* What the index-th entry of the node's own interrupt-map leads to, errors as of dt_irq(). */
int dt_walk_map_irq(struct dt_walk *w, uint32_t index, struct dt_irq *irq);

/* An address of the bus path[depth] as the machine's: through the ranges of it and of all buses above. */
int dt_walk_translate(struct dt_walk *w, uint32_t depth, uint64_t *addr, uint64_t bytes);

/* `cells` (1 or 2) big-endian cells as a number. */
uint64_t dt_cells(const void *p, uint32_t cells);

/*
 * The console's UART: /chosen/stdout-path, or `override` (path or alias, may be NULL or ""), else the first UART
 * that a driver knows. Fills in all of *u but `regs`, which the caller maps. 0, -ENODEV.
 */
int dt_find_uart(const void *fdt, const char *override, struct uart *u, int *node);

#endif
