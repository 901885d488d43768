/* SPDX-License-Identifier: MIT */
/* I/O ports of guests; <asm/pio.h> has the contract. AMD APM volume 2, 15.10. */
#include <asm/pio.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <string.h>

#define BITMAP_BYTES (PIO_BITMAP_PAGES * FRAME_SIZE)
#define BITMAP_ORDER 2u /* so that its pages are in a row */

/* What all domains have to which nothing was passed: made for the first, and kept. Atomic. */
static uint8_t *all_trap;

static uint8_t *new_bitmap(void)
{
    uint8_t *bitmap = heap_alloc_pages(BITMAP_ORDER);

    if (bitmap)
        memset(bitmap, 0xff, BITMAP_BYTES);
    return bitmap;
}

static uint8_t *shared_bitmap(void)
{
    uint8_t *had = load_acquire(all_trap), *made;

    if (likely(had))
        return had;
    made = new_bitmap();
    if (!made)
        return NULL;
    if (__atomic_compare_exchange_n(&all_trap, &had, made, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return made;
    heap_free_pages(made, BITMAP_ORDER);
    return had;
}

int pio_domain_init(struct domain *d)
{
    d->arch.pio.bitmap = shared_bitmap();
    return d->arch.pio.bitmap ? 0 : -ENOMEM;
}

void pio_domain_destroy(struct domain *d)
{
    if (d->arch.pio.bitmap && d->arch.pio.bitmap != read_once(all_trap))
        heap_free_pages(d->arch.pio.bitmap, BITMAP_ORDER);
    d->arch.pio.bitmap = NULL;
}

maddr_t pio_bitmap_maddr(const struct domain *d)
{
    return arch_virt_to_maddr(d->arch.pio.bitmap);
}

int pio_pass(struct domain *d, uint16_t first, uint16_t last)
{
    struct pio_space *s = &d->arch.pio;

    if (s->bitmap == read_once(all_trap)) {
        uint8_t *own = new_bitmap();

        if (!own)
            return -ENOMEM;
        s->bitmap = own;
    }
    for (uint32_t port = first; port <= last; port++)
        s->bitmap[port / 8] &= (uint8_t)~(1u << port % 8);
    return 0;
}

void pio_trap(struct domain *d, uint16_t first, uint16_t last)
{
    struct pio_space *s = &d->arch.pio;

    if (s->bitmap == read_once(all_trap))
        return;
    for (uint32_t port = first; port <= last; port++)
        s->bitmap[port / 8] |= (uint8_t)(1u << port % 8);
}

bool pio_is_passed(const struct domain *d, uint16_t port)
{
    return !(d->arch.pio.bitmap[port / 8] & 1u << port % 8);
}

int pio_add(struct domain *d, uint16_t first, uint16_t last, pio_handler_fn *handler, void *device)
{
    struct pio_space *s = &d->arch.pio;

    for (uint32_t i = 0; i < s->nr; i++)
        if (first <= s->regions[i].last && s->regions[i].first <= last)
            return -EEXIST;
    if (s->nr == PIO_REGIONS)
        return -ENOSPC;
    s->regions[s->nr++] = (struct pio_region){ first, last, handler, device };
    pio_trap(d, first, last);
    return 0;
}

/* An access that reaches beyond a region's last port is the region's where it begins. */
enum exit_action pio_dispatch(struct vcpu *v, struct pio_access *a)
{
    const struct pio_space *s = &v->domain->arch.pio;

    for (uint32_t i = 0; i < s->nr; i++) {
        const struct pio_region *r = &s->regions[i];

        if (a->port >= r->first && a->port <= r->last)
            return r->handler(v, a, r->device);
    }
    if (!a->write)
        a->value = (uint32_t)MASK(8 * a->size - 1, 0);
    return EXIT_HANDLED;
}
