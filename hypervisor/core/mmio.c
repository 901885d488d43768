/* SPDX-License-Identifier: MIT */
/* The dispatcher of emulated accesses; <hospes/mmio.h> has the contract. */
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/mmio.h>
#include <hospes/vcpu.h>

bool mmio_overlaps(const struct domain *d, gaddr_t start, uint64_t bytes)
{
    const struct mmio_space *s = &d->mmio;

    for (uint32_t i = 0; i < s->nr; i++)
        if (start.v < s->regions[i].start.v + s->regions[i].bytes &&
            s->regions[i].start.v < start.v + bytes)
            return true;
    return false;
}

int mmio_add(struct domain *d, gaddr_t start, uint64_t bytes, mmio_handler_fn *handler,
             void *device)
{
    struct mmio_space *s = &d->mmio;
    uint32_t at = s->nr;

    if (bytes < 8 || start.v + bytes < start.v)
        return -EINVAL;
    if (mmio_overlaps(d, start, bytes))
        return -EEXIST;
    if (s->nr == s->capacity) {
        uint32_t capacity = s->capacity ? 2 * s->capacity : 8;
        struct mmio_region *more = heap_calloc(capacity, sizeof(*more));

        if (!more)
            return -ENOMEM;
        for (uint32_t i = 0; i < s->nr; i++)
            more[i] = s->regions[i];
        heap_free(s->regions);
        s->regions = more;
        s->capacity = capacity;
    }
    for (; at > 0 && s->regions[at - 1].start.v > start.v; at--)
        s->regions[at] = s->regions[at - 1];
    s->regions[at] = (struct mmio_region){ start, bytes, handler, device };
    s->nr++;
    return 0;
}

void mmio_destroy(struct domain *d)
{
    heap_free(d->mmio.regions);
    d->mmio.regions = NULL;
    d->mmio.nr = d->mmio.capacity = 0;
}

static bool contains(const struct mmio_region *r, const struct mmio_access *a)
{
    return a->addr.v - r->start.v <= r->bytes - a->size;
}

/* The region that the access is in. By halves: the last one that starts at or below the address. */
static const struct mmio_region *find(const struct mmio_space *s, const struct mmio_access *a)
{
    const struct mmio_region *r = s->regions;
    uint64_t addr = a->addr.v;
    uint32_t n = s->nr;

    while (n > 1) {
        uint32_t half = n / 2;

        r = r[half].start.v <= addr ? r + half : r;
        n -= half;
    }
    return n && contains(r, a) ? r : NULL;
}

static inline enum exit_action hand_over(struct vcpu *v, const struct mmio_region *r)
{
    struct mmio_access *a = &v->access;

    a->offset = a->addr.v - r->start.v;
    return r->handler(v, a, r->device);
}

static __noinline enum exit_action look_up(struct vcpu *v)
{
    const struct mmio_region *r = find(&v->domain->mmio, &v->access);

    if (!r)
        return EXIT_FAULT;
    v->last_region = r;
    return hand_over(v, r);
}

enum exit_action mmio_dispatch(struct vcpu *v)
{
    const struct mmio_region *r = v->last_region;

    /* Accesses to one device mostly follow each other. */
    return likely(r && contains(r, &v->access)) ? hand_over(v, r) : look_up(v);
}

bool mmio_was_last(const struct vcpu *v, gaddr_t addr)
{
    const struct mmio_region *r = v->last_region;

    return r && addr.v - r->start.v < r->bytes;
}

enum exit_action mmio_table_access(struct vcpu *v, struct mmio_access *a, void *device,
                                   const struct mmio_reg *table, uint32_t entries)
{
    const struct mmio_reg *reg = NULL;
    uint32_t low = 0, high = entries, index;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (table[middle].offset <= a->offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low)
        reg = &table[low - 1];
    if (!reg || a->offset >= (uint64_t)reg->offset + reg->span) {
        a->value = 0;
        return EXIT_HANDLED;
    }
    if (!(reg->widths & a->size))
        return EXIT_FAULT;
    index = (uint32_t)a->offset - reg->offset;
    if (!a->write)
        a->value = reg->read ? reg->read(v, device, index, a->size) : 0;
    else if (reg->write)
        reg->write(v, device, index, a->size, a->value);
    return EXIT_HANDLED;
}
