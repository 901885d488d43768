/* SPDX-License-Identifier: MIT */
/*
 * Handles of the grants that a domain has mapped: an array that grows by a page at a time and does
 * not move, so that who has a handle needs no lock to find its mapping. Free ones are chained.
 */
#include "gnttab_internal.h"

#include <hospes/compiler.h>
#include <hospes/heap.h>
#include <lib/bits.h>

#define PER_CHUNK (FRAME_SIZE / sizeof(struct grant_mapping))
#define NONE      UINT32_MAX

static struct grant_mapping *at(const struct maptrack *t, uint32_t handle)
{
    return &t->chunks[handle / PER_CHUNK][handle % PER_CHUNK];
}

/* Another page of free handles. Under the lock. */
static bool grow(struct maptrack *t)
{
    uint32_t first = t->made, n = (uint32_t)min((uint64_t)(t->max - first), PER_CHUNK);
    struct grant_mapping *chunk;

    if (!n)
        return false;
    if (!t->chunks)
        t->chunks = heap_calloc(div_round_up(t->max, PER_CHUNK), sizeof(struct grant_mapping *));
    chunk = t->chunks ? heap_alloc_pages(0) : NULL;
    if (!chunk)
        return false;
    for (uint32_t i = 0; i < n; i++)
        chunk[i].ref = i + 1 < n ? first + i + 1 : NONE;
    t->chunks[first / PER_CHUNK] = chunk;
    t->free = first;
    store_release(t->made, first + n);
    return true;
}

struct grant_mapping *maptrack_take(struct domain *d, uint32_t *handle)
{
    struct maptrack *t = &d->gnttab.maptrack;
    struct grant_mapping *m = NULL;

    spin_lock(&t->lock);
    if (likely(t->free < t->made) || grow(t)) {
        *handle = t->free;
        m = at(t, t->free);
        t->free = m->ref;
    }
    spin_unlock(&t->lock);
    if (likely(m != NULL))
        write_once(m->state, MAPPING_BUSY);
    return m;
}

void maptrack_give(struct domain *d, uint32_t handle)
{
    struct maptrack *t = &d->gnttab.maptrack;
    struct grant_mapping *m = at(t, handle);

    write_once(m->state, MAPPING_FREE);
    spin_lock(&t->lock);
    m->ref = t->free;
    t->free = handle;
    spin_unlock(&t->lock);
}

struct grant_mapping *maptrack_find(struct domain *d, uint32_t handle)
{
    const struct maptrack *t = &d->gnttab.maptrack;

    return likely(handle < load_acquire(t->made)) ? at(t, handle) : NULL;
}

bool maptrack_claim(struct grant_mapping *m)
{
    uint16_t seen = MAPPING_THERE;

    return __atomic_compare_exchange_n(&m->state, &seen, MAPPING_BUSY, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

void maptrack_publish(struct grant_mapping *m)
{
    store_release(m->state, (uint16_t)MAPPING_THERE);
}

void maptrack_destroy(struct maptrack *t)
{
    for (uint32_t i = 0; i < t->made; i += PER_CHUNK)
        heap_free_pages(t->chunks[i / PER_CHUNK], 0);
    heap_free(t->chunks);
    t->chunks = NULL;
    t->made = t->max = 0;
}
