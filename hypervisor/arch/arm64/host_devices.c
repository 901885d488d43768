/* SPDX-License-Identifier: MIT */
/*
 * The hardware domain's devices: registers, PCI windows and interrupts of each enabled node of the
 * host's tree that Hospes does not keep (Devicetree Specification 0.4; IEEE 1275's PCI binding for
 * the windows of host bridges).
 */
#include "domain_tree.h"

#include <hospes/errno.h>
#include <lib/bits.h>
#include <string.h>

#define MAX_ENTRIES 1024u /* of one property: a malformed tree ends too */

#define PCI_SPACE_CONFIG 0u
#define PCI_SPACE_SHIFT  24u
#define PCI_SPACE_MASK   3u
#define PCI_CELLS        3u /* of a PCI address */

/* The first range of `list` that ends after `at`, or NULL. */
static const struct boot_range *range_after(const struct boot_ranges *list, uint64_t at)
{
    for (uint32_t i = 0; i < list->nr; i++) {
        if (list->r[i].end > at)
            return &list->r[i];
    }
    return NULL;
}

typedef int each_fn(void *arg, uint64_t start, uint64_t bytes);

/* Calls fn for what is left of [start, end) without `cut`, and then without `cut2`. */
static int each_rest(uint64_t start, uint64_t end, const struct boot_ranges *cut,
                     const struct boot_ranges *cut2, each_fn *fn, void *arg)
{
    while (start < end) {
        const struct boot_range *r = range_after(cut, start);
        uint64_t stop = r ? min(r->start, end) : end;
        int rc = 0;
        if (stop > start)
            rc = cut2 ? each_rest(start, stop, cut2, NULL, fn, arg) : fn(arg, start, stop - start);
        if (rc)
            return rc;
        start = r ? max(r->end, stop) : end;
    }
    return 0;
}

static int give(struct host_view *v, const struct host_devices *fns, uint64_t start, uint64_t bytes)
{
    uint64_t from = align_down(start, FRAME_SIZE), to = align_up(start + bytes, FRAME_SIZE);

    return to > from ? each_rest(from, to, &v->kept, &boot_ram, fns->registers, fns->arg) : 0;
}

static void note_clash(struct host_view *v, int node)
{
    if (v->nr_clashes < HOST_VIEW_CLASHES &&
        (v->nr_clashes == 0 || v->clash[v->nr_clashes - 1] != node))
        v->clash[v->nr_clashes++] = node;
}

static int give_registers(struct host_view *v, struct dt_walk *w, const struct host_devices *fns)
{
    uint64_t start, bytes;

    for (uint32_t i = 0; i < MAX_ENTRIES; i++) {
        int rc = dt_walk_reg(w, i, &start, &bytes);
        if (rc == -ENOENT || (rc && i == 0))
            return 0; /* no registers, or no address that a CPU can use */
        if (rc || bytes == 0)
            continue;
        if (boot_range_overlaps(&v->kept, start, start + 1, NULL))
            note_clash(v, w->node);
        rc = give(v, fns, start, bytes);
        if (rc)
            return rc;
    }
    return 0;
}

static bool is_pci(const struct dt_walk *w)
{
    const char *type = dt_string(w->fdt, w->node, "device_type");
    return type && (strcmp(type, "pci") == 0 || strcmp(type, "pciex") == 0);
}

/* A host bridge's ranges: (PCI address, address on its bus, size); memory and I/O space are windows
 * of the machine. */
static int give_windows(struct host_view *v, struct dt_walk *w, const struct host_devices *fns)
{
    int len;
    const uint8_t *p = dt_property(w->fdt, w->node, "ranges", &len);
    uint32_t parent = dt_walk_address_cells(w, w->depth - 1),
             size = dt_walk_size_cells(w, w->depth);

    if (!p || dt_walk_address_cells(w, w->depth) != PCI_CELLS || parent < 1 || parent > 2 ||
        size < 1 || size > 2)
        return 0;
    uint32_t entry = 4 * (PCI_CELLS + parent + size);
    for (uint32_t left = (uint32_t)len; left >= entry; left -= entry, p += entry) {
        uint32_t space = load_be32(p) >> PCI_SPACE_SHIFT & PCI_SPACE_MASK;
        uint64_t addr = dt_cells(p + 4 * PCI_CELLS, parent);
        uint64_t bytes = dt_cells(p + 4 * (PCI_CELLS + parent), size);
        if (space == PCI_SPACE_CONFIG || dt_walk_translate(w, w->depth - 1, &addr, bytes))
            continue;
        int rc = give(v, fns, addr, bytes);
        if (rc)
            return rc;
    }
    return 0;
}

static int give_interrupts(struct dt_walk *w, const struct host_devices *fns)
{
    struct dt_irq irq;

    for (uint32_t i = 0; i < MAX_ENTRIES; i++) {
        int rc = dt_walk_irq(w, i, &irq);
        if (rc == -ENOENT || rc == -EINVAL)
            break;
        rc = rc || irq.intid < 32 ? 0 : fns->interrupt(fns->arg, &irq);
        if (rc)
            return rc;
    }
    if (!dt_property(w->fdt, w->node, "interrupt-map", NULL))
        return 0;
    for (uint32_t i = 0; i < MAX_ENTRIES; i++) {
        int rc = dt_walk_map_irq(w, i, &irq);
        if (rc == -ENOENT || rc == -EINVAL)
            break;
        rc = rc || irq.intid < 32 ? 0 : fns->interrupt(fns->arg, &irq);
        if (rc)
            return rc;
    }
    return 0;
}

/* Regions below /reserved-memory with a fixed place. */
static int give_reserved(struct host_view *v, const struct dt_walk *parent,
                         const struct host_devices *fns)
{
    struct dt_walk w = *parent;
    uint64_t start, bytes;

    while (dt_walk_next(&w) && w.depth > parent->depth) {
        if (w.depth != parent->depth + 1 || !dt_enabled(w.fdt, w.node))
            continue;
        for (uint32_t i = 0; i < MAX_ENTRIES && dt_walk_reg(&w, i, &start, &bytes) == 0; i++) {
            uint64_t from = align_up(start, FRAME_SIZE);
            uint64_t to = align_down(start + bytes, FRAME_SIZE);
            int rc = to > from ? each_rest(from, to, &v->kept, NULL, fns->reserved, fns->arg) : 0;
            if (rc)
                return rc;
        }
    }
    return 0;
}

static int give_device(struct host_view *v, struct dt_walk *w, const struct host_devices *fns)
{
    int rc = give_registers(v, w, fns);

    if (!rc && is_pci(w))
        rc = give_windows(v, w, fns);
    return rc ? rc : give_interrupts(w, fns);
}

int host_devices_each(struct host_view *v, const struct host_devices *fns)
{
    struct dt_walk w;
    bool more;

    dt_walk_start(&w, v->fdt);
    for (more = dt_walk_next(&w); more;) {
        enum host_node node = host_view_node(v, &w);
        int rc = 0;
        if (node == HOST_NODE_DEVICE && !dt_enabled(w.fdt, w.node))
            node = HOST_NODE_HIDDEN;
        if (node == HOST_NODE_DEVICE)
            rc = give_device(v, &w, fns);
        else if (node == HOST_NODE_RESERVED)
            rc = give_reserved(v, &w, fns);
        if (rc)
            return rc;
        more = node == HOST_NODE_DEVICE ? dt_walk_next(&w) : dt_walk_skip(&w);
    }
    return 0;
}
