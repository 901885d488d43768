/* SPDX-License-Identifier: MIT */
/*
 * The walker of all page tables; <hospes/pgtable.h> has the contract and the picture.
 *
 * Recursion is as deep as the tree has levels. Tables that a change makes superfluous are unlinked
 * first and freed only after the flush that ends the change: until then a pCPU may still be walking
 * them.
 */
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/pgtable.h>
#include <hospes/types.h>
#include <lib/bits.h>

#define ENTRIES    PGTABLE_ENTRIES
#define LEAF_LEVEL (PGTABLE_LEVELS - 1)

static unsigned int block_shift(unsigned int level)
{
    return FRAME_SHIFT + 9 * (LEAF_LEVEL - level);
}

static uint64_t block_size(unsigned int level)
{
    return (uint64_t)1 << block_shift(level);
}

static uint64_t input_size(const struct pgtable *pt)
{
    return block_size(pt->format->top_level) * ENTRIES << pt->format->top_order;
}

static uint64_t slot_of(const struct pgtable *pt, uint64_t addr, unsigned int level)
{
    uint64_t slot = addr >> block_shift(level);

    return level == pt->format->top_level ? slot : slot % ENTRIES;
}

static uint64_t *table_of(const struct pgtable *pt, uint64_t entry, unsigned int level)
{
    maddr_t table;

    if (level == LEAF_LEVEL || !pt->format->decode_table(entry, level, &table))
        return NULL;
    return arch_heap_maddr_to_virt(table);
}

static bool hardware_sees(const struct pgtable *pt, uint64_t entry, unsigned int level)
{
    struct pgtable_leaf leaf;

    if (pt->format->decode_leaf(entry, level, &leaf))
        return leaf.flags & PG_VALID;
    return table_of(pt, entry, level) != NULL;
}

static void write_entry(uint64_t *slot, uint64_t entry)
{
    write_once(*slot, entry);
    arch_pgtable_publish(slot, sizeof(*slot));
}

static void doom(struct pgtable_doomed *doomed, uint64_t *table)
{
    write_once(table[0], (uint64_t)(uintptr_t)doomed->first);
    doomed->first = table;
}

/* Dooms `table`, at `level`, and every table below it. */
static void doom_tree(const struct pgtable *pt, struct pgtable_doomed *doomed, uint64_t *table,
                      unsigned int level)
{
    for (unsigned int i = 0; i < ENTRIES; i++) {
        uint64_t *child = table_of(pt, table[i], level);

        if (child)
            doom_tree(pt, doomed, child, level + 1);
    }
    doom(doomed, table);
}

void pgtable_free_doomed(struct pgtable *pt, struct pgtable_doomed *doomed)
{
    while (doomed->first) {
        uint64_t *table = doomed->first;

        doomed->first = (uint64_t *)(uintptr_t)table[0];
        pt->free(pt, table);
    }
}

/* Gives `slot` a new content, breaking before making where hardware has seen the old one. */
static void replace_entry(struct pgtable *pt, uint64_t *slot, uint64_t entry, uint64_t addr,
                          unsigned int level)
{
    uint64_t old = *slot;
    uint64_t *child = table_of(pt, old, level);
    struct pgtable_doomed doomed = { NULL };

    if (old == entry)
        return;
    if (hardware_sees(pt, old, level)) {
        write_entry(slot, 0);
        pt->flush(pt, addr, block_size(level));
    }
    write_entry(slot, entry);
    if (child) {
        doom_tree(pt, &doomed, child, level + 1);
        pgtable_free_doomed(pt, &doomed);
    }
}

/* The table below `slot`: what is there, or a new one that maps what the slot's block mapped. */
static uint64_t *child_table(struct pgtable *pt, uint64_t *slot, uint64_t addr, unsigned int level)
{
    struct pgtable_leaf leaf;
    uint64_t *child = table_of(pt, *slot, level);

    if (child)
        return child;
    child = pt->alloc(pt);
    if (!child)
        return NULL;
    if (pt->format->decode_leaf(*slot, level, &leaf)) {
        for (unsigned int i = 0; i < ENTRIES; i++) {
            child[i] = pt->format->encode_leaf(&leaf, level + 1);
            leaf.maddr = maddr_add(leaf.maddr, block_size(level + 1));
        }
    }
    arch_pgtable_publish(child, FRAME_SIZE);
    replace_entry(pt, slot, pt->format->encode_table(arch_virt_to_maddr(child), level),
                  align_down(addr, block_size(level)), level);
    return child;
}

static int map_level(struct pgtable *pt, uint64_t *table, unsigned int level, uint64_t addr,
                     uint64_t end, struct pgtable_leaf *leaf)
{
    const struct pgtable_format *f = pt->format;
    uint64_t size = block_size(level);

    while (addr < end) {
        uint64_t *slot = &table[slot_of(pt, addr, level)];
        uint64_t next = min(align_down(addr, size) + size, end);

        if (level == LEAF_LEVEL ||
            (level >= f->largest_block && next - addr == size && is_aligned(leaf->maddr.v, size))) {
            replace_entry(pt, slot, f->encode_leaf(leaf, level), addr, level);
            leaf->maddr = maddr_add(leaf->maddr, size);
        } else {
            uint64_t *child = child_table(pt, slot, addr, level);
            int err = child ? map_level(pt, child, level + 1, addr, next, leaf) : -ENOMEM;

            if (err)
                return err;
        }
        addr = next;
    }
    return 0;
}

static bool is_empty(const uint64_t *table)
{
    for (unsigned int i = 0; i < ENTRIES; i++)
        if (table[i])
            return false;
    return true;
}

/* Clears entries of [addr, end). Needs a flush, and then pgtable_free_doomed(), by the caller. */
static int unmap_level(struct pgtable *pt, uint64_t *table, unsigned int level, uint64_t addr,
                       uint64_t end, struct pgtable_doomed *doomed)
{
    uint64_t size = block_size(level);

    while (addr < end) {
        uint64_t *slot = &table[slot_of(pt, addr, level)];
        uint64_t next = min(align_down(addr, size) + size, end);
        uint64_t *child = table_of(pt, *slot, level);

        if (!*slot) {
            addr = next;
            continue;
        }
        if (level == LEAF_LEVEL || next - addr == size) {
            write_entry(slot, 0);
            if (child)
                doom_tree(pt, doomed, child, level + 1);
        } else {
            int err;

            child = child_table(pt, slot, addr, level);
            if (!child)
                return -ENOMEM;
            err = unmap_level(pt, child, level + 1, addr, next, doomed);
            if (err)
                return err;
            if (is_empty(child)) {
                write_entry(slot, 0);
                doom(doomed, child);
            }
        }
        addr = next;
    }
    return 0;
}

bool pgtable_covers(const struct pgtable *pt, uint64_t addr, uint64_t bytes)
{
    uint64_t size = input_size(pt);

    return is_aligned(addr | bytes, FRAME_SIZE) && bytes <= size && addr <= size - bytes;
}

int pgtable_init(struct pgtable *pt, const struct pgtable_format *format)
{
    pt->format = format;
    pt->root = heap_alloc_pages(format->top_order);
    if (!pt->root)
        return -ENOMEM;
    arch_pgtable_publish(pt->root, FRAME_SIZE << format->top_order);
    return 0;
}

int pgtable_map(struct pgtable *pt, uint64_t addr, uint64_t bytes, const struct pgtable_leaf *leaf)
{
    struct pgtable_leaf next = *leaf;
    int err;

    if (!pgtable_covers(pt, addr, bytes) || !is_aligned(leaf->maddr.v, FRAME_SIZE))
        return -EINVAL;
    err = map_level(pt, pt->root, pt->format->top_level, addr, addr + bytes, &next);
    if (unlikely(pt->changed))
        pt->changed(pt, addr, bytes, err ? NULL : leaf);
    return err;
}

int pgtable_clear(struct pgtable *pt, uint64_t addr, uint64_t bytes, struct pgtable_doomed *doomed)
{
    if (!pgtable_covers(pt, addr, bytes))
        return -EINVAL;
    if (unlikely(pt->changed))
        pt->changed(pt, addr, bytes, NULL);
    return unmap_level(pt, pt->root, pt->format->top_level, addr, addr + bytes, doomed);
}

int pgtable_unmap(struct pgtable *pt, uint64_t addr, uint64_t bytes)
{
    struct pgtable_doomed doomed = { NULL };
    int err = pgtable_clear(pt, addr, bytes, &doomed);

    if (err == -EINVAL)
        return err;
    pt->flush(pt, addr, bytes);
    pgtable_free_doomed(pt, &doomed);
    return err;
}

uint64_t *pgtable_leaves(struct pgtable *pt, uint64_t addr, bool make)
{
    uint64_t *table = pt->root;

    if (addr >= input_size(pt))
        return NULL;
    for (unsigned int level = pt->format->top_level; table && level < LEAF_LEVEL; level++) {
        uint64_t *slot = &table[slot_of(pt, addr, level)];

        table = table_of(pt, *slot, level);
        if (!table && make)
            table = child_table(pt, slot, addr, level);
    }
    return table;
}

void pgtable_leaf_set(struct pgtable *pt, uint64_t *leaves, uint64_t addr, bool seen,
                      const struct pgtable_leaf *leaf)
{
    uint64_t *slot = &leaves[slot_of(pt, addr, LEAF_LEVEL)];
    uint64_t entry = leaf ? pt->format->encode_leaf(leaf, LEAF_LEVEL) : 0;

    if (unlikely(pt->changed))
        pt->changed(pt, align_down(addr, FRAME_SIZE), FRAME_SIZE, leaf);
    if (seen && leaf && leaf->flags & PG_VALID)
        replace_entry(pt, slot, entry, align_down(addr, FRAME_SIZE), LEAF_LEVEL);
    else
        write_entry(slot, entry);
}

bool pgtable_find(const struct pgtable *pt, uint64_t addr, struct pgtable_leaf *leaf,
                  unsigned int *order, uint64_t **leaves)
{
    uint64_t *table = pt->root, *child, entry;
    unsigned int level = pt->format->top_level;

    *leaves = NULL;
    if (addr >= input_size(pt))
        return false;
    for (;; level++, table = child) {
        entry = table[slot_of(pt, addr, level)];
        child = table_of(pt, entry, level);
        if (!child)
            break;
    }
    if (level == LEAF_LEVEL)
        *leaves = table;
    if (!pt->format->decode_leaf(entry, level, leaf))
        return false;
    *order = 9 * (LEAF_LEVEL - level);
    return true;
}

bool pgtable_lookup(const struct pgtable *pt, uint64_t addr, struct pgtable_leaf *leaf,
                    unsigned int *order)
{
    uint64_t *leaves;

    return pgtable_find(pt, addr, leaf, order, &leaves);
}

static bool next_in(const struct pgtable *pt, const uint64_t *table, unsigned int level,
                    uint64_t *addr, uint64_t end, struct pgtable_leaf *leaf, unsigned int *order)
{
    uint64_t size = block_size(level);
    uint64_t top = level == pt->format->top_level
                       ? input_size(pt)
                       : align_down(*addr, size * ENTRIES) + size * ENTRIES;

    while (*addr < min(end, top)) {
        uint64_t entry = table[slot_of(pt, *addr, level)];
        const uint64_t *child = table_of(pt, entry, level);

        if (pt->format->decode_leaf(entry, level, leaf)) {
            *addr = align_down(*addr, size);
            *order = 9 * (LEAF_LEVEL - level);
            return true;
        }
        if (child) {
            if (next_in(pt, child, level + 1, addr, end, leaf, order))
                return true;
        } else {
            *addr = align_down(*addr, size) + size;
        }
    }
    return false;
}

bool pgtable_next(const struct pgtable *pt, uint64_t addr, uint64_t end, uint64_t *found,
                  struct pgtable_leaf *leaf, unsigned int *order)
{
    *found = addr;
    return next_in(pt, pt->root, pt->format->top_level, found, end, leaf, order);
}

/* Frees at most *most of the tables below `table`, from the bottom up. True: there are more. */
static bool trim(struct pgtable *pt, uint64_t *table, unsigned int level, uint64_t *most)
{
    unsigned int entries =
        level == pt->format->top_level ? ENTRIES << pt->format->top_order : ENTRIES;

    for (unsigned int i = 0; i < entries; i++) {
        uint64_t *child;

        /* Most of a table's entries are empty. */
        if (!table[i])
            continue;
        child = table_of(pt, table[i], level);
        if (!child)
            continue;
        if (level + 1 < LEAF_LEVEL && trim(pt, child, level + 1, most))
            return true;
        if (!*most)
            return true;
        --*most;
        write_entry(&table[i], 0);
        pt->free(pt, child);
    }
    return false;
}

bool pgtable_destroy_step(struct pgtable *pt, uint64_t most)
{
    return trim(pt, pt->root, pt->format->top_level, &most);
}

void pgtable_destroy(struct pgtable *pt)
{
    (void)pgtable_destroy_step(pt, UINT64_MAX);
    heap_free_pages(pt->root, pt->format->top_order);
    pt->root = NULL;
}
