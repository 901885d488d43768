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

/* Path for messages, cut to fit; returns buf. */
const char *dt_path(const void *fdt, int node, char *buf, uint32_t bytes);

/*
 * The console's UART: /chosen/stdout-path, or `override` (path or alias, may be NULL or ""), else the first UART
 * that a driver knows. *options: what follows ':' in stdout-path. 0, -ENODEV.
 */
int dt_find_uart(const void *fdt, const char *override, struct uart *u, int *node);

#endif
