/* SPDX-License-Identifier: MIT */
/*
 * x86's part of memory_op: domains' memory maps, and populate-on-demand, of which there is none. A
 * guest under hardware virtualization is told nothing of the machine's own map, as by Xen.
 * <xen/memory.h>
 */
#include <asm/e820.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/memory_op.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <xen/memory.h>

/* As the BIOS call 0xe820 has it. */
struct __attribute__((packed)) entry {
    uint64_t start, bytes;
    uint32_t type;
};

/* In the order, and with the overlaps, that it has. */
static int read_map(struct vcpu *v, const struct xen_memory_map *x, struct e820 *map)
{
    for (; map->nr < x->nr_entries; map->nr++) {
        struct entry e;

        if (guest_read(v, &e, guest_address(x->buffer) + map->nr * sizeof(e), sizeof(e)))
            return -EFAULT;
        map->r[map->nr] = (struct e820_range){ e.start, e.start + e.bytes, e.type };
    }
    return 0;
}

static int64_t set_memory_map(struct vcpu *v, uint64_t at)
{
    struct xen_foreign_memory_map x;
    struct e820 *map, *had;
    struct domain *d;
    int rc;

    if (guest_read(v, &x, at, sizeof(x)))
        return -EFAULT;
    if (x.map.nr_entries > E820_MAX)
        return -EINVAL;
    map = heap_alloc(sizeof(*map));
    if (!map)
        return -ENOMEM;
    rc = read_map(v, &x.map, map);
    if (!rc && !v->domain->control)
        rc = -EPERM;
    if (!rc)
        rc = memory_target(v, x.domid, &d);
    if (rc) {
        heap_free(map);
        return rc;
    }
    spin_lock(&d->lock);
    had = d->arch.map;
    d->arch.map = map;
    spin_unlock(&d->lock);
    heap_free(had);
    memory_target_put(v, d);
    return 0;
}

/* One entry of the caller's own map; false: there is none. *nr: how many there are. */
static bool get_entry(struct domain *d, uint32_t i, struct entry *e, uint32_t *nr)
{
    const struct e820 *map;
    bool found;

    spin_lock(&d->lock);
    map = d->arch.map;
    *nr = map ? map->nr : 0;
    found = i < *nr;
    if (found)
        *e = (struct entry){ map->r[i].start, map->r[i].end - map->r[i].start, map->r[i].type };
    spin_unlock(&d->lock);
    return found;
}

static int64_t memory_map(struct vcpu *v, uint64_t at)
{
    struct xen_memory_map x;
    struct entry e;
    uint32_t i, nr;

    (void)get_entry(v->domain, 0, &e, &nr);
    if (!nr)
        return -ENOSYS;
    if (guest_read(v, &x, at, sizeof(x)))
        return -EFAULT;
    for (i = 0; i < x.nr_entries && get_entry(v->domain, i, &e, &nr); i++)
        if (guest_write(v, guest_address(x.buffer) + i * sizeof(e), &e, sizeof(e)))
            return -EFAULT;
    x.nr_entries = i;
    return guest_write(v, at, &x, sizeof(x));
}

/* Toolstacks say it of every guest that they balloon: nothing is to be done where all is there. */
static int64_t pod_target(struct vcpu *v, uint64_t at)
{
    struct xen_pod_target x;
    struct domain *d;
    int rc;

    if (guest_read(v, &x, at, sizeof(x)))
        return -EFAULT;
    if (!v->domain->control)
        return -EPERM;
    rc = memory_target(v, x.domid, &d);
    if (rc)
        return rc;
    x.tot_pages = read_once(d->tot_pages);
    x.pod_cache_pages = x.pod_entries = 0;
    memory_target_put(v, d);
    return guest_write(v, at, &x, sizeof(x));
}

int64_t arch_memory_op(struct vcpu *v, const uint64_t *arg, unsigned int op)
{
    switch (op) {
    case XENMEM_memory_map:
        return memory_map(v, arg[1]);
    case XENMEM_set_memory_map:
        return set_memory_map(v, arg[1]);
    case XENMEM_set_pod_target:
    case XENMEM_get_pod_target:
        return pod_target(v, arg[1]);
    default:
        return -ENOSYS;
    }
}
