/* SPDX-License-Identifier: MIT */
/*
 * Devices of the host for a domain other than the hardware domain: a partial device tree that a
 * module brings, in Xen's binding (docs/misc/arm/passthrough.txt, and booting.txt): nodes below
 * /passthrough go to the guest's tree, xen,reg tells which registers are mapped where, xen,path
 * whose interrupts it gets, under their own numbers.
 *
 * There is no IOMMU driver yet: each device must say xen,force-assign-without-iommu.
 */
#include "domain_tree.h"

#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/iomem.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <lib/bits.h>
#include <string.h>

#define PARTIAL_MAX MIB(1)

static const char *const own_properties[] = {
    "xen,reg",
    "xen,path",
    "xen,force-assign-without-iommu",
};

int passthrough_open(const struct domain_config *c, void **fdt)
{
    *fdt = NULL;
    if (!c->dtb.bytes)
        return 0;
    if (c->dtb.bytes <= PARTIAL_MAX)
        *fdt = heap_alloc(c->dtb.bytes);
    if (!*fdt) {
        log_err("%s: reg = 0x%lx, 0x%lx bytes: no memory for the device tree", c->dtb.node,
                (unsigned long)c->dtb.start.v, (unsigned long)c->dtb.bytes);
        return -ENOMEM;
    }
    maddr_read(*fdt, c->dtb.start, c->dtb.bytes);
    if (dt_check(*fdt, c->dtb.bytes)) {
        log_err("%s: reg = 0x%lx, 0x%lx bytes: not a device tree, or damaged", c->dtb.node,
                (unsigned long)c->dtb.start.v, (unsigned long)c->dtb.bytes);
        heap_free(*fdt);
        *fdt = NULL;
        return -EINVAL;
    }
    return 0;
}

/* --- devices --------------------------------------------------------------------------------- */

struct taker {
    struct domain *d;
    const struct domain_config *c;
    const struct boot_ranges *kept;
};

static int refuse(const struct taker *t, const struct dt_walk *w, const char *property,
                  const char *why)
{
    char path[DOMAIN_CONFIG_PATH], text[96];
    int len;
    const void *value = dt_property(w->fdt, w->node, property, &len);

    log_err("%s: %s: %s%s%s: %s", t->c->dtb.node, dt_walk_path(w, path, sizeof(path)), property,
            value ? " = " : "", value ? dt_value(value, len, text, sizeof(text)) : "", why);
    return -EINVAL;
}

/* xen,reg: (machine address, size, guest address) triples in the cells of the node's bus. */
static int take_registers(const struct taker *t, struct dt_walk *w)
{
    int len;
    const uint8_t *p = dt_property(w->fdt, w->node, "xen,reg", &len);
    uint32_t a = dt_walk_address_cells(w, w->depth - 1), s = dt_walk_size_cells(w, w->depth - 1);
    uint32_t entry = 4 * (2 * a + s);

    if (!p)
        return 0;
    if (a < 1 || a > 2 || s < 1 || s > 2 || (uint32_t)len % entry)
        return refuse(t, w, "xen,reg", "does not fit the cells of its bus");
    for (uint32_t left = (uint32_t)len; left; left -= entry, p += entry) {
        uint64_t start = dt_cells(p, a), bytes = dt_cells(p + 4 * a, s);
        uint64_t guest = dt_cells(p + 4 * (a + s), a);
        if (bytes == 0 || ((start | bytes | guest) & FRAME_MASK) || start + bytes < start)
            return refuse(t, w, "xen,reg", "must be whole pages");
        if (boot_range_overlaps(&boot_ram, start, start + bytes, NULL))
            return refuse(t, w, "xen,reg", "is RAM");
        if (boot_range_overlaps(t->kept, start, start + bytes, NULL))
            return refuse(t, w, "xen,reg", "is kept by the hypervisor");
        if (!p2m_is_empty(t->d, gaddr_to_gfn(GADDR(guest)), bytes >> FRAME_SHIFT))
            return refuse(t, w, "xen,reg", "lies over the domain's RAM or another device");
        if (iomem_permit(t->d, maddr_to_mfn(MADDR(start)), bytes >> FRAME_SHIFT))
            return refuse(t, w, "xen,reg", "is another domain's");
        if (iomem_map(t->d, gaddr_to_gfn(GADDR(guest)), maddr_to_mfn(MADDR(start)),
                      bytes >> FRAME_SHIFT))
            return refuse(t, w, "xen,reg", "cannot be mapped there");
    }
    return 0;
}

/* Interrupts of the host's node that xen,path names. */
static int take_interrupts(const struct taker *t, struct dt_walk *w)
{
    const char *path = dt_string(w->fdt, w->node, "xen,path");
    struct dt_walk host;
    struct dt_irq irq;

    if (!dt_property(w->fdt, w->node, "xen,path", NULL))
        return 0;
    if (!path || dt_walk_find(&host, host_fdt, path))
        return refuse(t, w, "xen,path", "the host has no such node");
    if (!dt_property(host_fdt, host.node, "xen,passthrough", NULL) &&
        dt_enabled(host_fdt, host.node))
        return refuse(t, w, "xen,path", "the host's node is not marked xen,passthrough");
    if (!dt_property(w->fdt, w->node, "xen,force-assign-without-iommu", NULL))
        return refuse(t, w, "xen,path", "without IOMMU it must say xen,force-assign-without-iommu");
    for (uint32_t i = 0; dt_walk_irq(&host, i, &irq) == 0; i++) {
        if (irq.intid >= 32 &&
            irq_give(irq.intid, irq.edge ? IRQ_EDGE : IRQ_LEVEL, t->d, irq.intid))
            return refuse(t, w, "xen,path", "its interrupt is in use");
    }
    return 0;
}

int passthrough_devices(struct domain *d, const struct domain_config *c, const void *partial,
                        const struct boot_ranges *kept)
{
    struct taker t = { .d = d, .c = c, .kept = kept };
    struct dt_walk top, w;

    if (dt_walk_find(&top, partial, "/passthrough")) {
        log_err("%s: the device tree has no node /passthrough", c->dtb.node);
        return -EINVAL;
    }
    w = top;
    while (dt_walk_next(&w) && w.depth > top.depth) {
        int rc = take_registers(&t, &w);
        if (!rc)
            rc = take_interrupts(&t, &w);
        if (rc)
            return rc;
    }
    return 0;
}

/* --- the guest's tree ------------------------------------------------------------------------ */

uint32_t passthrough_gic_phandle(const void *partial)
{
    int gic = dt_find(partial, "/gic");
    uint32_t phandle = gic < 0 ? 0 : dt_phandle(partial, gic);

    return phandle ? phandle : GUEST_GIC_PHANDLE;
}

static bool is_own(const char *name)
{
    for (size_t i = 0; i < sizeof(own_properties) / sizeof(own_properties[0]); i++) {
        if (strcmp(name, own_properties[i]) == 0)
            return true;
    }
    return false;
}

static void copy_node(struct dt_writer *w, const struct dt_walk *from)
{
    struct dt_property p;

    dt_write_node(w, dt_name(from->fdt, from->node));
    for (bool more = dt_property_first(from->fdt, from->node, &p); more;
         more = dt_property_next(from->fdt, &p)) {
        if (!is_own(p.name))
            dt_write_bytes(w, p.name, p.value, (uint32_t)p.len);
    }
}

static void copy_tree(struct dt_writer *w, const void *partial, const char *path)
{
    struct dt_walk top, from;
    uint32_t open;

    if (dt_walk_find(&top, partial, path))
        return;
    from = top;
    copy_node(w, &from);
    open = top.depth;
    while (dt_walk_next(&from) && from.depth > top.depth) {
        for (; open >= from.depth; open--)
            dt_write_end(w);
        copy_node(w, &from);
        open = from.depth;
    }
    for (; open >= top.depth; open--)
        dt_write_end(w);
}

void passthrough_write(struct dt_writer *w, const void *partial)
{
    copy_tree(w, partial, "/aliases");
    copy_tree(w, partial, "/passthrough");
}
