/* SPDX-License-Identifier: MIT */
/*
 * Which node of the host's device tree Hospes keeps, which it replaces, and which go to the
 * hardware domain. One answer for both uses: giving devices (host_devices.c) and deriving a tree
 * (host_tree.c).
 */
#include "domain_tree.h"

#include <hospes/errno.h>
#include <hospes/log.h>
#include <lib/bits.h>
#include <string.h>

/* Top-level nodes by name; the unit address does not count. */
static const struct {
    const char *name;
    enum host_node node;
} top_level[] = {
    { "chosen", HOST_NODE_CHOSEN },
    { "aliases", HOST_NODE_ALIASES },
    { "reserved-memory", HOST_NODE_RESERVED },
    { "memory", HOST_NODE_MEMORY },
    { "cpus", HOST_NODE_HIDDEN },
    { "psci", HOST_NODE_HIDDEN },
    { "hypervisor", HOST_NODE_HIDDEN },
    { "__symbols__", HOST_NODE_HIDDEN }, /* for overlays, which were applied before */
};

static const struct {
    const char *compatible;
    enum host_node node;
} by_compatible[] = {
    { "arm,armv8-timer", HOST_NODE_TIMER }, { "arm,armv7-timer", HOST_NODE_TIMER },
    { "arm,psci", HOST_NODE_HIDDEN },       { "arm,psci-0.2", HOST_NODE_HIDDEN },
    { "arm,psci-1.0", HOST_NODE_HIDDEN },   { "arm,armv8-pmuv3", HOST_NODE_HIDDEN },
    { "arm,smmu-v1", HOST_NODE_HIDDEN },    { "arm,smmu-v2", HOST_NODE_HIDDEN },
    { "arm,smmu-v3", HOST_NODE_HIDDEN },    { "arm,mmu-400", HOST_NODE_HIDDEN },
    { "arm,mmu-401", HOST_NODE_HIDDEN },    { "arm,mmu-500", HOST_NODE_HIDDEN },
};

static bool is_top_level(const char *name, const char *word)
{
    size_t n = strlen(word);
    return strncmp(name, word, n) == 0 && (name[n] == '\0' || name[n] == '@');
}

/* Performance counters of a core, which belong to whoever runs on it. */
static bool is_core_pmu(const char *compatible, int len)
{
    size_t n = strnlen(compatible, (size_t)len);
    return n > 8 && memcmp(compatible, "arm,", 4) == 0 &&
           memcmp(compatible + n - 4, "-pmu", 4) == 0 &&
           (memcmp(compatible + 4, "cort", 4) == 0 || memcmp(compatible + 4, "neov", 4) == 0);
}

static enum host_node node_by_compatible(const void *fdt, int node)
{
    int len;
    const char *compatible = dt_property(fdt, node, "compatible", &len);

    if (!compatible || len <= 0 || !memchr(compatible, ',', (size_t)len))
        return HOST_NODE_DEVICE;
    for (size_t i = 0; i < sizeof(by_compatible) / sizeof(by_compatible[0]); i++) {
        if (dt_list_has(compatible, len, by_compatible[i].compatible))
            return by_compatible[i].node;
    }
    return is_core_pmu(compatible, len) ? HOST_NODE_HIDDEN : HOST_NODE_DEVICE;
}

enum host_node host_view_node(const struct host_view *v, const struct dt_walk *w)
{
    if (w->node == v->gic)
        return HOST_NODE_GIC;
    if (w->node == v->uart)
        return HOST_NODE_UART;
    if (w->depth == 1) {
        const char *name = dt_name(w->fdt, w->node);
        for (size_t i = 0; i < sizeof(top_level) / sizeof(top_level[0]); i++) {
            if (is_top_level(name, top_level[i].name))
                return top_level[i].node;
        }
    }
    enum host_node node = node_by_compatible(w->fdt, w->node);
    if (node == HOST_NODE_DEVICE && dt_property(w->fdt, w->node, "xen,passthrough", NULL))
        return HOST_NODE_PASSED;
    return node;
}

const char *host_cpu_compatible(const void *fdt)
{
    struct dt_walk w;

    if (dt_walk_find(&w, fdt, "/cpus") == 0) {
        while (dt_walk_next(&w) && w.depth > 1) {
            int len;
            const char *s = dt_property(fdt, w.node, "compatible", &len);
            const char *type = dt_string(fdt, w.node, "device_type");
            if (w.depth == 2 && type && strcmp(type, "cpu") == 0 && s && len > 0 &&
                memchr(s, '\0', (size_t)len))
                return s;
        }
    }
    return "arm,armv8";
}

/* --- what Hospes keeps ----------------------------------------------------------------------- */

static void keep(struct host_view *v, struct dt_walk *w, enum host_node why)
{
    uint64_t start, bytes;
    int rc = 0;

    for (uint32_t i = 0; dt_walk_reg(w, i, &start, &bytes) == 0; i++) {
        uint64_t from = align_down(start, FRAME_SIZE), to = align_up(start + bytes, FRAME_SIZE);
        if (!bytes || to <= from)
            continue;
        if (why != HOST_NODE_PASSED)
            rc |= boot_range_add(&v->own, from, to, "Hospes");
        rc |= boot_range_add(&v->kept, from, to, "not the hardware domain's");
    }
    if (rc)
        log_err("too many devices to keep from the hardware domain");
}

/* The registers of a node and of all below it. */
static void keep_subtree(struct host_view *v, const struct dt_walk *from, enum host_node why)
{
    struct dt_walk w = *from;

    do
        keep(v, &w, why);
    while (dt_walk_next(&w) && w.depth > from->depth);
}

static void find_kept(struct host_view *v)
{
    struct dt_walk w;
    bool more;

    dt_walk_start(&w, v->fdt);
    for (more = dt_walk_next(&w); more;) {
        enum host_node node = host_view_node(v, &w);
        if (node == HOST_NODE_UART)
            keep(v, &w, node);
        else if (node == HOST_NODE_GIC || node == HOST_NODE_HIDDEN || node == HOST_NODE_PASSED)
            keep_subtree(v, &w, node);
        more = node == HOST_NODE_DEVICE ? dt_walk_next(&w) : dt_walk_skip(&w);
    }
}

int host_view_init(struct host_view *v, const void *fdt, int gic, int uart, uint32_t uart_irq)
{
    struct dt_walk w;
    uint64_t bytes;

    memset(v, 0, sizeof(*v));
    v->fdt = fdt;
    v->gic = gic;
    v->uart = uart;
    v->uart_virq = uart_irq;
    if (dt_walk_to(&w, fdt, gic))
        return -ENODEV;
    v->gic_version = dt_is_compatible(fdt, gic, "arm,gic-v3") ? 3 : 2;
    v->gic_phandle = dt_phandle(fdt, gic);
    v->gic_end = dt_walk_skip(&w) ? w.node : INT32_MAX;
    if (uart >= 0) {
        if (dt_reg(fdt, uart, 0, &v->uart_addr, &bytes))
            v->uart = -1;
        v->uart_is_pl011 =
            dt_is_compatible(fdt, uart, "arm,pl011") && is_aligned(v->uart_addr, FRAME_SIZE);
    }
    find_kept(v);
    return 0;
}
