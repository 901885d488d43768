/* SPDX-License-Identifier: MIT */
/*
 * The hardware domain's device tree: the host's, copied node by node, less what Hospes keeps. CPUs,
 * memory, PSCI and /chosen are the domain's own; interrupt controller and timer stay where they are
 * but lose what is for hypervisors.
 */
#include "domain_tree.h"

#include <lib/bits.h>
#include <string.h>

#define LEVEL_HIGH 4u

/* Properties that would lead to what is not there: IOMMUs, and who is told of what on which CPU. */
static const char *const dropped[] = {
    "iommus",          "iommu-map",          "iommu-map-mask",
    "iommu-addresses", "interrupt-affinity", "xen,passthrough",
};

static const char *const gic_dropped[] = {
    "reg",
    "interrupts",
    "interrupts-extended",
    "#redistributor-regions",
    "redistributor-stride",
    "ranges",
    "msi-controller",
    "mbi-ranges",
};

static const char *const timer_dropped[] = {
    "interrupts",
    "interrupts-extended",
    "interrupt-names",
    "arm,cpu-registers-not-fw-configured",
};

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, list[i]) == 0)
            return true;
    }
    return false;
}
#define IS_ONE_OF(name, list) is_one_of(name, list, sizeof(list) / sizeof((list)[0]))

/* msi-parent and msi-map: dropped where they lead to the interrupt controller, whose MSI parts are
 * not there. */
static bool is_gic_msi(const struct host_view *v, const char *name, const uint8_t *value, int len)
{
    uint32_t at = 0;

    if (strncmp(name, "msi-", 4) != 0)
        return false;
    if (strcmp(name, "msi-map") == 0)
        at = 4; /* behind the requester ID */
    else if (strcmp(name, "msi-parent") != 0)
        return strcmp(name, "msi-map-mask") == 0;
    if ((uint32_t)len < at + 4)
        return true;
    int node = dt_node_by_phandle(v->fdt, load_be32(value + at));
    return node < 0 || (node >= v->gic && node < v->gic_end);
}

static bool is_clash(const struct host_view *v, int node)
{
    for (uint32_t i = 0; i < v->nr_clashes; i++) {
        if (v->clash[i] == node)
            return true;
    }
    return false;
}

static void copy_properties(const struct host_view *v, const struct dt_walk *from,
                            struct dt_writer *w)
{
    bool off = is_clash(v, from->node);
    struct dt_property p;

    for (bool more = dt_property_first(from->fdt, from->node, &p); more;
         more = dt_property_next(from->fdt, &p)) {
        if (IS_ONE_OF(p.name, dropped) || is_gic_msi(v, p.name, p.value, p.len) ||
            (off && strcmp(p.name, "status") == 0))
            continue;
        dt_write_bytes(w, p.name, p.value, (uint32_t)p.len);
    }
    if (off)
        dt_write_string(w, "status", "disabled");
}

static void copy_but(const struct dt_walk *from, struct dt_writer *w, const char *const *list,
                     size_t count)
{
    struct dt_property p;

    for (bool more = dt_property_first(from->fdt, from->node, &p); more;
         more = dt_property_next(from->fdt, &p)) {
        if (!is_one_of(p.name, list, count))
            dt_write_bytes(w, p.name, p.value, (uint32_t)p.len);
    }
}

/*
 * The interrupt controller as the domain finds it: distributor and redistributors, or CPU
 * interface, at the host's addresses. What is below it (ITS, MSI frames) is left out.
 */
static void write_gic(const struct host_view *v, struct dt_walk *from, struct dt_writer *w)
{
    int len;
    const uint8_t *reg = dt_property(from->fdt, from->node, "reg", &len);
    uint32_t entry = 4 * (dt_walk_address_cells(from, from->depth - 1) +
                          dt_walk_size_cells(from, from->depth - 1));

    copy_but(from, w, gic_dropped, sizeof(gic_dropped) / sizeof(gic_dropped[0]));
    if (reg)
        dt_write_bytes(w, "reg", reg, min((uint32_t)len, 2 * entry));
    if (v->gic_version == 3)
        dt_write_u32(w, "#redistributor-regions", 1);
}

static uint32_t gic_specifier_cells(const struct host_view *v)
{
    uint64_t cells;
    return dt_number(v->fdt, v->gic, "#interrupt-cells", &cells) || cells < 3 || cells > 4
               ? 3
               : (uint32_t)cells;
}

/* The timer's interrupts a guest has: secure and non-secure physical, virtual. */
static void write_timer(const struct host_view *v, const struct dt_walk *from, struct dt_writer *w)
{
    static const uint32_t ppi[] = { 13, 14, 11 };
    uint32_t cells = gic_specifier_cells(v), interrupts[3 * 4] = { 0 };

    for (uint32_t i = 0; i < 3; i++) {
        interrupts[i * cells] = 1;
        interrupts[i * cells + 1] = ppi[i];
        interrupts[i * cells + 2] = 0xf08;
    }
    copy_but(from, w, timer_dropped, sizeof(timer_dropped) / sizeof(timer_dropped[0]));
    dt_write_cells(w, "interrupts", interrupts, 3 * cells);
}

/*
 * The console's UART: a PL011 stays as it is, which an emulated one then looks like. Anything else
 * becomes the SBSA subset of a PL011, in the same page, with the same interrupt.
 */
static void write_uart(const struct host_view *v, struct dt_walk *from, struct dt_writer *w)
{
    uint32_t address_cells = dt_walk_address_cells(from, from->depth - 1);
    uint32_t size_cells = dt_walk_size_cells(from, from->depth - 1);
    uint32_t interrupts[5] = { v->gic_phandle, 0, v->uart_virq - 32, LEVEL_HIGH, 0 };
    uint64_t addr, bytes;
    uint8_t reg[16], *p;

    if (v->uart_is_pl011) {
        copy_properties(v, from, w);
        return;
    }
    if (dt_walk_pair(from, "reg", 0, &addr, &bytes))
        return;
    p = dt_store_cells(reg, addr - (v->uart_addr & FRAME_MASK), address_cells);
    p = dt_store_cells(p, FRAME_SIZE, size_cells);
    dt_write_string(w, "compatible", "arm,sbsa-uart");
    if (dt_phandle(from->fdt, from->node))
        dt_write_u32(w, "phandle", dt_phandle(from->fdt, from->node));
    dt_write_bytes(w, "reg", reg, (uint32_t)(p - reg));
    dt_write_cells(w, "interrupts-extended", interrupts, 1 + gic_specifier_cells(v));
    dt_write_u32(w, "current-speed", 115200);
}

static void write_chosen(const struct host_tree *t, struct dt_writer *w)
{
    char path[128];

    tree_write_chosen(w, t->c->bootargs, t->l, t->seed);
    if (t->v->uart >= 0)
        dt_write_string(w, "stdout-path", dt_path(t->v->fdt, t->v->uart, path, sizeof(path)));
    dt_write_end(w);
}

/* Opens and fills the node's copy; false: it is left out, with all below. *leaf: what is below is
 * left out. */
static bool write_node(const struct host_view *v, struct dt_walk *from, struct dt_writer *w,
                       bool *leaf)
{
    enum host_node node = host_view_node(v, from);

    *leaf = false;
    if (node == HOST_NODE_HIDDEN || node == HOST_NODE_PASSED || node == HOST_NODE_MEMORY ||
        node == HOST_NODE_CHOSEN)
        return false;
    dt_write_node(w, dt_name(from->fdt, from->node));
    *leaf = true;
    switch (node) {
    case HOST_NODE_GIC:
        write_gic(v, from, w);
        break;
    case HOST_NODE_TIMER:
        write_timer(v, from, w);
        break;
    case HOST_NODE_UART:
        write_uart(v, from, w);
        break;
    case HOST_NODE_DEVICE:
    case HOST_NODE_RESERVED:
    case HOST_NODE_ALIASES:
    case HOST_NODE_CHOSEN:
    case HOST_NODE_MEMORY:
    case HOST_NODE_HIDDEN:
    case HOST_NODE_PASSED:
        copy_properties(v, from, w);
        *leaf = false;
        break;
    }
    return true;
}

static void copy_nodes(const struct host_view *v, struct dt_writer *w)
{
    struct dt_walk from;
    uint32_t open = 0; /* depth of the node that is open in the copy */
    bool more, leaf;

    dt_walk_start(&from, v->fdt);
    copy_properties(v, &from, w);
    for (more = dt_walk_next(&from); more;) {
        for (; open >= from.depth; open--)
            dt_write_end(w);
        bool copied = write_node(v, &from, w, &leaf);
        if (copied)
            open = from.depth;
        more = copied && !leaf ? dt_walk_next(&from) : dt_walk_skip(&from);
    }
    for (; open > 0; open--)
        dt_write_end(w);
}

int host_tree_write(const struct host_tree *t, void *fdt, uint32_t room, uint32_t *bytes)
{
    struct hypervisor_cells cells = { .interrupt_parent = t->v->gic_phandle };
    struct dt_walk root;
    struct dt_writer w;

    dt_walk_start(&root, t->v->fdt);
    cells.address = dt_walk_address_cells(&root, 0) == 1 ? 1 : 2;
    cells.size = dt_walk_size_cells(&root, 0) == 1 ? 1 : 2;
    cells.interrupt = gic_specifier_cells(t->v);
    dt_write_begin(&w, fdt, room);
    copy_nodes(t->v, &w);
    write_chosen(t, &w);
    tree_write_psci(&w);
    tree_write_cpus(&w, t->c->vcpus, host_cpu_compatible(t->v->fdt));
    tree_write_memory(&w, t->l, cells.address, cells.size);
    if (t->hypervisor)
        tree_write_hypervisor(&w, t->hypervisor, &cells);
    return dt_write_finish(&w, bytes);
}
