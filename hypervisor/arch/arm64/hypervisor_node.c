/* SPDX-License-Identifier: MIT */
/*
 * /hypervisor: how a guest knows that it runs on a hypervisor with the Xen ABI, and where in its
 * address space nothing is: room for its grant table first, then "extended regions", into which it
 * maps pages of others. Linux, Documentation/devicetree/bindings/arm/xen.txt.
 */
#include "domain_tree.h"

#include <asm/guest_layout.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <lib/bits.h>
#include <string.h>

#define GIC_PPI   1u
#define FIRST_PPI 16u
#define ALL_CPUS  0xf00u /* GICv2: a PPI's CPUs */
#define LEVEL_LOW 8u

#define ALIGN      MIB(2)
#define REGION_MIN MIB(64) /* smaller ones are not worth an entry */
#define GNTTAB_MIN KIB(256)
#define MAX_CELLS  4u

static void add_region(struct hypervisor_node *h, uint64_t start, uint64_t bytes)
{
    h->region[h->nr].start = start;
    h->region[h->nr++].bytes = bytes;
}

/* Everything in `space` that is large enough, after the first region. */
static void add_regions(struct hypervisor_node *h, const struct boot_ranges *space)
{
    for (uint32_t i = 0; i < space->nr && h->nr < HYPERVISOR_REGIONS; i++) {
        uint64_t start = align_up(space->r[i].start, ALIGN);
        uint64_t end = align_down(space->r[i].end, ALIGN);

        if (start < end && end - start >= REGION_MIN)
            add_region(h, start, end - start);
    }
}

static int remove_banks(struct boot_ranges *space, const struct domain_layout *l)
{
    int rc = 0;

    for (uint32_t i = 0; i < l->nr_banks && !rc; i++)
        rc = boot_range_remove(space, l->bank[i].start.v, l->bank[i].start.v + l->bank[i].bytes);
    return rc;
}

/* --- a guest of the usual layout ------------------------------------------------------------- */

int hypervisor_node_guest(struct hypervisor_node *h, const struct domain_layout *l,
                          uint64_t address_end, bool has_devices)
{
    struct boot_ranges *space;
    int rc;

    h->nr = 0;
    add_region(h, GUEST_GNTTAB_BASE, GUEST_GNTTAB_SIZE);
    h->private_at = GUEST_MAGIC_BASE + GUEST_MAGIC_SIZE;
    if (has_devices) /* they may stand anywhere */
        return 0;
    space = heap_alloc(sizeof(*space));
    if (!space)
        return -ENOMEM;
    rc = boot_range_add(space, GUEST_RAM0_BASE, GUEST_RAM0_BASE + GUEST_RAM0_SIZE, NULL);
    if (!rc)
        rc = boot_range_add(space, GUEST_RAM1_BASE, GUEST_RAM1_BASE + GUEST_RAM1_SIZE, NULL);
    if (!rc)
        rc = boot_range_remove(space, address_end, UINT64_MAX);
    if (!rc)
        rc = remove_banks(space, l);
    if (!rc)
        add_regions(h, space);
    heap_free(space);
    return rc;
}

/* --- a domain at machine addresses ----------------------------------------------------------- */

/* The place that leaves the others whole: the smallest that is large enough, else the largest. */
static struct boot_range *choose(struct boot_ranges *space, uint64_t bytes)
{
    struct boot_range *best = NULL;

    for (uint32_t i = 0; i < space->nr; i++) {
        struct boot_range *r = &space->r[i];
        uint64_t have = r->end - r->start, most = best ? best->end - best->start : 0;

        if (!best || (most < bytes ? have > most : have >= bytes && have < most))
            best = r;
    }
    return best;
}

static int place_gnttab(struct hypervisor_node *h, struct boot_ranges *space)
{
    const struct boot_range *r = choose(space, GUEST_GNTTAB_SIZE + 2 * ALIGN);
    uint64_t start, end, want = GUEST_GNTTAB_SIZE + HYPERVISOR_PRIVATE_BYTES;

    if (!r || r->end - r->start < GNTTAB_MIN + HYPERVISOR_PRIVATE_BYTES)
        return -ENOSPC;
    start = align_up(r->start, FRAME_SIZE);
    end = min(r->end, start + want);
    h->private_at = align_down(end, FRAME_SIZE) - HYPERVISOR_PRIVATE_BYTES;
    add_region(h, start, h->private_at - start);
    return boot_range_remove(space, start, end);
}

/* Memory that the machine has, but not this domain: no device stands there, and nothing is mapped
 * unless the domain maps it. */
int hypervisor_node_host(struct hypervisor_node *h, const struct domain_layout *l,
                         const struct boot_ranges *ram, const struct boot_ranges *reserved)
{
    struct boot_ranges *space = heap_alloc(sizeof(*space));
    int rc = 0;

    if (!space)
        return -ENOMEM;
    memcpy(space, ram, sizeof(*space));
    h->nr = 0;
    for (uint32_t i = 0; i < reserved->nr && !rc; i++)
        rc = boot_range_remove(space, reserved->r[i].start, reserved->r[i].end);
    if (!rc)
        rc = remove_banks(space, l);
    if (!rc)
        rc = place_gnttab(h, space);
    if (!rc)
        add_regions(h, space);
    heap_free(space);
    return rc;
}

/* --- the node -------------------------------------------------------------------------------- */

void tree_write_hypervisor(struct dt_writer *w, const struct hypervisor_node *h,
                           const struct hypervisor_cells *cells)
{
    static const char compatible[] = "xen,xen-4.20\0xen,xen";
    const uint32_t interrupt[MAX_CELLS] = { GIC_PPI, h->ppi - FIRST_PPI, ALL_CPUS | LEVEL_LOW };
    uint8_t reg[HYPERVISOR_REGIONS * 16], *p = reg;
    uint64_t address_end = cells->address == 1 ? GIB(4) : UINT64_MAX;
    uint64_t most = cells->size == 1 ? GIB(4) - ALIGN : UINT64_MAX;

    for (uint32_t i = 0; i < h->nr; i++) {
        if (h->region[i].start + h->region[i].bytes > address_end)
            continue;
        p = dt_store_cells(p, h->region[i].start, cells->address);
        p = dt_store_cells(p, min(h->region[i].bytes, most), cells->size);
    }
    dt_write_node(w, "hypervisor");
    dt_write_bytes(w, "compatible", compatible, sizeof(compatible));
    dt_write_bytes(w, "reg", reg, (uint32_t)(p - reg));
    dt_write_cells(w, "interrupts", interrupt, cells->interrupt);
    dt_write_u32(w, "interrupt-parent", cells->interrupt_parent);
    dt_write_end(w);
}
