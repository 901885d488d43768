/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's heap: see <hospes/heap.h>.
 *
 * A chunk is 2 MiB of frames mapped together. Its first pages hold struct chunk, the rest are
 * handed out by pages, in blocks of 2^order that split and merge as buddies do. A page of small
 * objects (a slab) holds objects of one size; its free objects are linked through their first two
 * bytes. What needs a whole chunk or more bypasses all that.
 *
 *   chunk:  | struct chunk | slab: 64 64 64 64 ... | pages of one block | free | slab: 2048 2048 |
 * ...
 */
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/spinlock.h>
#include <lib/bitmap.h>
#include <lib/bits.h>
#include <lib/list.h>

#include <string.h>

#define CHUNK_BYTES  MIB(2)
#define CHUNK_PAGES  512u
#define CHUNK_ORDER  9u
#define ORDERS       9u /* 0 to 8 within a chunk */
#define SMALLEST     16u
#define LARGEST_SLAB 2048u
#define CLASSES      8u /* 16, 32, ... 2048 bytes */
#define NO_OBJECT    0xffffu

enum page_kind {
    PAGE_INNER, /* not the first of anything */
    PAGE_BLOCK, /* first of pages that were handed out together */
    PAGE_SLAB,
};

struct page {
    struct list_node node; /* PAGE_SLAB with free objects: among those of its class */
    uint16_t free;         /* PAGE_SLAB: number of its first free object, NO_OBJECT: none */
    uint16_t used;         /* PAGE_SLAB: objects handed out */
    uint16_t pages;        /* PAGE_BLOCK: how many */
    uint8_t kind;          /* enum page_kind */
    uint8_t class;         /* PAGE_SLAB: objects have SMALLEST << class bytes */
};

struct chunk {
    struct list_node node;
    uint32_t nr_free; /* pages */
    DECLARE_BITMAP(free[ORDERS],
                   CHUNK_PAGES); /* by order; bit n: the free block that begins at page n */
    struct page page[CHUNK_PAGES];
};

#define HEADER_PAGES ((uint32_t)((sizeof(struct chunk) + FRAME_SIZE - 1) / FRAME_SIZE))

/* Chunks in a row that are one allocation. They begin where no other allocation does: at a chunk's
 * first byte. */
struct large {
    struct list_node node;
    uint8_t *start;
    unsigned int order; /* of frames */
};

static struct spinlock lock =
    SPINLOCK_INIT(LOCK_HEAP); /* guards all below and everything in chunks */
static struct list chunks, larges;
static struct list slabs[CLASSES]; /* pages with free objects */
static uint64_t bytes_taken, bytes_used;
static uint32_t nr_empty; /* chunks of which nothing is used */

void heap_init(void)
{
    list_init(&chunks);
    list_init(&larges);
    for (uint32_t i = 0; i < CLASSES; i++)
        list_init(&slabs[i]);
    bytes_taken = bytes_used = 0;
    nr_empty = 0;
}

/* --- frames to chunks --------------------------------------------------------------------------
 */

/* Maps frames chunk by chunk: they are in a row in the window too. NULL without memory. */
static uint8_t *map_chunks(mfn_t m, uint32_t n)
{
    uint8_t *start = NULL;

    for (uint32_t i = 0; i < n; i++) {
        uint8_t *p = arch_heap_map_chunk(mfn_add(m, (uint64_t)i * CHUNK_PAGES));

        if (p == NULL) {
            while (i-- > 0)
                arch_heap_unmap_chunk(start + i * CHUNK_BYTES);
            return NULL;
        }
        start = i == 0 ? p : start;
    }
    return start;
}

static uint8_t *chunks_take(unsigned int order, unsigned int flags)
{
    mfn_t m;

    if (frame_alloc(OWNER_HOSPES, order, flags | FRAME_HIGH_FIRST, &m, NULL) != 0)
        return NULL;

    uint8_t *p = map_chunks(m, 1u << (order - CHUNK_ORDER));
    if (p == NULL)
        frame_free(m, (uint64_t)1 << order);
    return p;
}

static void chunks_give_back(uint8_t *start, unsigned int order)
{
    mfn_t m = maddr_to_mfn(arch_virt_to_maddr(start));

    for (uint32_t i = 0; i < 1u << (order - CHUNK_ORDER); i++)
        arch_heap_unmap_chunk(start + i * CHUNK_BYTES);
    frame_free(m, (uint64_t)1 << order);
}

/* --- pages of a chunk: all under the lock -------------------------------------------------------
 */

static struct chunk *chunk_of(const void *p)
{
    return (struct chunk *)align_down((uintptr_t)p, CHUNK_BYTES);
}

static uint32_t page_number(const struct chunk *c, const void *p)
{
    return (uint32_t)(((uintptr_t)p - (uintptr_t)c) >> FRAME_SHIFT);
}

static uint8_t *page_address(struct chunk *c, uint32_t n)
{
    return (uint8_t *)c + ((uintptr_t)n << FRAME_SHIFT);
}

/* Makes pages [start, end) free, merging them with their buddies. */
static void pages_put(struct chunk *c, uint32_t start, uint32_t end)
{
    c->nr_free += end - start;
    while (start < end) {
        uint32_t order = min(bit_lowest(start), bit_highest(end - start)), at = start;

        start += 1u << order;
        for (; order < ORDERS - 1 && bitmap_test(c->free[order], at ^ 1u << order); order++) {
            bitmap_clear(c->free[order], at ^ 1u << order);
            at &= ~(1u << order);
        }
        bitmap_set(c->free[order], at);
    }
}

/* Takes `pages` out of the smallest block that holds them; CHUNK_PAGES when there is none. */
static uint32_t pages_take(struct chunk *c, uint32_t pages)
{
    for (uint32_t order = log2_ceil(pages); order < ORDERS; order++) {
        uint32_t n = bitmap_find_first(c->free[order], CHUNK_PAGES);

        if (n < CHUNK_PAGES) {
            bitmap_clear(c->free[order], n);
            c->nr_free -= 1u << order;
            pages_put(c, n + pages, n + (1u << order));
            return n;
        }
    }
    return CHUNK_PAGES;
}

static struct chunk *chunk_new(void)
{
    struct chunk *c = (struct chunk *)(void *)chunks_take(CHUNK_ORDER, FRAME_DIRTY_OK);

    if (c == NULL)
        return NULL;
    memset(c, 0, sizeof(*c));
    list_push_back(&chunks, &c->node);
    pages_put(c, HEADER_PAGES, CHUNK_PAGES);
    bytes_taken += CHUNK_BYTES;
    nr_empty++;
    return c;
}

/* Pages of any chunk, a new one if need be; in kind PAGE_BLOCK. NULL without memory. */
static uint8_t *block_take(uint32_t pages)
{
    uint32_t n = CHUNK_PAGES;
    struct chunk *c;

    list_for_each (c, &chunks, node) {
        n = c->nr_free >= pages ? pages_take(c, pages) : CHUNK_PAGES;
        if (n < CHUNK_PAGES)
            break;
    }
    if (n == CHUNK_PAGES) {
        c = chunk_new();
        if (c == NULL)
            return NULL;
        n = pages_take(c, pages);
    }
    if (c->nr_free + pages == CHUNK_PAGES - HEADER_PAGES)
        nr_empty--;
    c->page[n].kind = PAGE_BLOCK;
    c->page[n].pages = (uint16_t)pages;
    return page_address(c, n);
}

/* Puts them back. A chunk that is empty then goes, unless it is the only such one: the next may be
 * needed soon. */
static void block_put(struct chunk *c, uint32_t n)
{
    pages_put(c, n, n + c->page[n].pages);
    c->page[n] = (struct page){ .kind = PAGE_INNER };
    if (c->nr_free < CHUNK_PAGES - HEADER_PAGES)
        return;
    if (nr_empty == 0) {
        nr_empty++;
        return;
    }
    list_remove(&c->node);
    bytes_taken -= CHUNK_BYTES;
    chunks_give_back((uint8_t *)c, CHUNK_ORDER);
}

/* --- slabs: all under the lock ------------------------------------------------------------------
 */

static uint32_t class_bytes(uint32_t class)
{
    return SMALLEST << class;
}

/* Where a free object keeps the number of the next one. */
static uint16_t *next_free(uint8_t *slab, uint32_t class, uint32_t object)
{
    return (uint16_t *)(void *)(slab + object * class_bytes(class));
}

static struct page *slab_new(uint32_t class)
{
    uint8_t *p = block_take(1);

    if (p == NULL)
        return NULL;

    uint32_t objects = (uint32_t)FRAME_SIZE / class_bytes(class);
    struct chunk *c = chunk_of(p);
    struct page *page = &c->page[page_number(c, p)];

    page->kind = PAGE_SLAB;
    page->class = (uint8_t)class;
    for (uint32_t i = 0; i < objects; i++)
        *next_free(p, class, i) = i + 1 < objects ? (uint16_t)(i + 1) : NO_OBJECT;
    list_push_front(&slabs[class], &page->node);
    return page;
}

static uint8_t *object_take(uint32_t class)
{
    struct list_node *first = list_first(&slabs[class]);
    struct page *page = first != NULL ? list_entry(first, struct page, node) : slab_new(class);

    if (page == NULL)
        return NULL;

    struct chunk *c = chunk_of(page);
    uint8_t *slab = page_address(c, (uint32_t)(page - c->page));
    uint8_t *object = slab + page->free * class_bytes(class);

    page->free = *next_free(slab, class, page->free);
    page->used++;
    if (page->free == NO_OBJECT)
        list_remove(&page->node);
    return object;
}

static bool object_is_free(const struct page *page, uint8_t *slab, uint32_t object)
{
    for (uint32_t i = page->free; i != NO_OBJECT; i = *next_free(slab, page->class, i)) {
        if (i == object)
            return true;
    }
    return false;
}

static void object_put(struct chunk *c, uint32_t n, const void *p)
{
    struct page *page = &c->page[n];
    uint8_t *slab = page_address(c, n);
    uint32_t offset = (uint32_t)((uintptr_t)p - (uintptr_t)slab), class = page->class;
    uint32_t object = offset / class_bytes(class);

    assert(offset % class_bytes(class) == 0 && page->used > 0);
    if (HOSPES_DEBUG)
        assert(!object_is_free(page, slab, object));
    if (page->free == NO_OBJECT)
        list_push_back(&slabs[class], &page->node);
    *next_free(slab, class, object) = page->free;
    page->free = (uint16_t)object;
    if (--page->used == 0) {
        list_remove(&page->node);
        page->kind = PAGE_BLOCK;
        page->pages = 1;
        block_put(c, n);
    }
}

/* --- whole chunks -------------------------------------------------------------------------------
 */

static void *large_alloc(unsigned int order, unsigned int flags)
{
    struct large *l = heap_alloc(sizeof(*l));
    /* Unless told otherwise frames come clear; the lock is not held over that. */
    uint8_t *p = l != NULL && order <= FRAME_MAX_ORDER ? chunks_take(order, flags) : NULL;

    if (p == NULL) {
        heap_free(l);
        return NULL;
    }
    l->start = p;
    l->order = order;
    spin_lock(&lock);
    list_push_back(&larges, &l->node);
    bytes_taken += FRAME_SIZE << order;
    bytes_used += FRAME_SIZE << order;
    spin_unlock(&lock);
    return p;
}

static void large_free(const void *p)
{
    struct large *l, *found = NULL;

    spin_lock(&lock);
    list_for_each (l, &larges, node) {
        if (l->start == p) {
            found = l;
            break;
        }
    }
    assert(found != NULL);
    list_remove(&found->node);
    bytes_taken -= FRAME_SIZE << found->order;
    bytes_used -= FRAME_SIZE << found->order;
    spin_unlock(&lock);
    chunks_give_back(found->start, found->order);
    heap_free(found);
}

/* --- what everybody calls -----------------------------------------------------------------------
 */

static void *block_alloc(uint64_t pages, unsigned int flags)
{
    if (log2_ceil(pages) >= ORDERS)
        return large_alloc(log2_ceil(pages), flags);

    spin_lock(&lock);
    uint8_t *p = block_take((uint32_t)pages);
    bytes_used += p != NULL ? pages << FRAME_SHIFT : 0;
    spin_unlock(&lock);
    if (p != NULL)
        memset(p, 0, pages << FRAME_SHIFT);
    return p;
}

void *heap_alloc(uint64_t size)
{
    if (size > FRAME_SIZE << FRAME_MAX_ORDER)
        return NULL;
    if (size > LARGEST_SLAB)
        return block_alloc(div_round_up(size, FRAME_SIZE), 0);

    uint32_t class = log2_ceil(max(size, (uint64_t)SMALLEST)) - log2_ceil(SMALLEST);

    spin_lock(&lock);
    uint8_t *p = object_take(class);
    bytes_used += p != NULL ? class_bytes(class) : 0;
    spin_unlock(&lock);
    if (p != NULL)
        memset(p, 0, class_bytes(class));
    return p;
}

void *heap_alloc_dirty(uint64_t size)
{
    if (size <= MIB(1) || size > FRAME_SIZE << FRAME_MAX_ORDER)
        return heap_alloc(size);
    return block_alloc(div_round_up(size, FRAME_SIZE), FRAME_DIRTY_OK);
}

void *heap_calloc(uint64_t n, uint64_t size)
{
    uint64_t bytes;

    return __builtin_mul_overflow(n, size, &bytes) ? NULL : heap_alloc(bytes);
}

void *heap_alloc_pages(unsigned int order)
{
    return order <= CHUNK_ORDER ? block_alloc((uint64_t)1 << order, 0) : NULL;
}

void heap_free(void *p)
{
    if (p == NULL)
        return;

    struct chunk *c = chunk_of(p);
    uint32_t n = page_number(c, p);

    if (n == 0) {
        large_free(p);
        return;
    }
    spin_lock(&lock);
    if (c->page[n].kind == PAGE_SLAB) {
        bytes_used -= class_bytes(c->page[n].class);
        object_put(c, n, p);
    } else {
        assert(c->page[n].kind == PAGE_BLOCK && p == page_address(c, n));
        bytes_used -= (uint64_t)c->page[n].pages << FRAME_SHIFT;
        block_put(c, n);
    }
    spin_unlock(&lock);
}

void heap_free_pages(void *p, unsigned int order)
{
    (void)order;
    heap_free(p);
}

void heap_usage(uint64_t *taken, uint64_t *used)
{
    spin_lock(&lock);
    *taken = bytes_taken;
    *used = bytes_used;
    spin_unlock(&lock);
}
