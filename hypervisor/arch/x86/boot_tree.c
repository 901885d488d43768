/* SPDX-License-Identifier: MIT */
/*
 * The device tree by which the core learns what domains to make: /chosen as Xen's
 * docs/misc/arm/device-tree/booting.txt has it. The first module is the hardware domain's kernel,
 * the second its ramdisk, as Xen's users have them on PCs.
 *
 * A module that is a device tree itself adds what is in its own /chosen: domains beside the
 * hardware domain. Its nodes name modules by `module-index`, their place in the loader's list from
 * 0 on, which becomes `reg` here; a module that it names is nobody else's.
 */
#include <asm/boot_info.h>
#include <hospes/dt.h>
#include <hospes/dt_write.h>
#include <hospes/errno.h>
#include <lib/bitmap.h>
#include <lib/bits.h>

#include <string.h>

#define INDEX "module-index"

/* What the trees among the modules say of them. */
struct trees {
    const struct boot_info *b;
    boot_at_fn *at;
    DECLARE_BITMAP(is_tree, BOOT_MODULES);
    DECLARE_BITMAP(named, BOOT_MODULES);
};

/* Module `i`, which is one. */
static const void *tree_of(const struct trees *t, uint32_t i)
{
    return t->at(t->b->files[i].start, t->b->files[i].bytes);
}

/* The module that the node at *w names; -1: none that there is. */
static int named_module(const struct trees *t, const struct dt_walk *w)
{
    uint64_t index;

    return dt_number(w->fdt, w->node, INDEX, &index) || index >= t->b->nr_files ? -1 : (int)index;
}

/* Calls fn for each node below /chosen, in the tree's order. */
static void each_node(struct trees *t, const void *fdt,
                      void (*fn)(struct trees *t, struct dt_walk *w, uint32_t depth, void *arg),
                      void *arg)
{
    struct dt_walk chosen, w;

    if (dt_walk_find(&chosen, fdt, "/chosen"))
        return;
    w = chosen;
    while (dt_walk_next(&w) && w.depth > chosen.depth)
        fn(t, &w, w.depth - chosen.depth, arg);
}

static void note_named(struct trees *t, struct dt_walk *w, uint32_t depth, void *arg)
{
    int index = named_module(t, w);

    (void)depth, (void)arg;
    if (index >= 0)
        bitmap_set(t->named, (uint32_t)index);
}

static void find_trees(struct trees *t)
{
    for (uint32_t i = 0; i < t->b->nr_files; i++) {
        const struct boot_file *f = &t->b->files[i];
        const void *p = f->start % 8 ? NULL : t->at(f->start, f->bytes);

        if (p && !dt_check(p, f->bytes))
            bitmap_set(t->is_tree, i);
    }
    for (uint32_t i = 0; i < t->b->nr_files; i++)
        if (bitmap_test(t->is_tree, i))
            each_node(t, tree_of(t, i), note_named, NULL);
}

/* --- writing --------------------------------------------------------------------------------- */

struct copy {
    struct dt_writer *w;
    uint32_t open; /* depth of the node that is open in the copy, below /chosen */
};

static void close_nodes(struct copy *c, uint32_t depth)
{
    for (; c->open >= depth && c->open; c->open--)
        dt_write_end(c->w);
}

static void write_reg(struct dt_writer *w, const struct boot_file *f, uint32_t address_cells,
                      uint32_t size_cells)
{
    uint8_t reg[16], *p = dt_store_cells(reg, f->start, address_cells);

    p = dt_store_cells(p, f->bytes, size_cells);
    dt_write_bytes(w, "reg", reg, (uint32_t)(p - reg));
}

/* Cells of an address or a size below the node above `from`, `depth` below /chosen: as the nearest
 * node says that is copied, else ours. */
static uint32_t cells_above(const struct dt_walk *from, uint32_t depth, const char *property)
{
    uint64_t cells;

    for (uint32_t up = 1; up < depth; up++)
        if (!dt_number(from->fdt, from->path[from->depth - up], property, &cells))
            return cells == 1 ? 1 : 2;
    return 2;
}

static void copy_node(struct trees *t, struct dt_walk *from, uint32_t depth, void *arg)
{
    struct copy *c = arg;
    int index = named_module(t, from);
    struct dt_property p;

    close_nodes(c, depth);
    dt_write_node(c->w, dt_name(from->fdt, from->node));
    c->open = depth;
    for (bool more = dt_property_first(from->fdt, from->node, &p); more;
         more = dt_property_next(from->fdt, &p))
        if (index < 0 || (strcmp(p.name, INDEX) != 0 && strcmp(p.name, "reg") != 0))
            dt_write_bytes(c->w, p.name, p.value, (uint32_t)p.len);
    if (index >= 0)
        write_reg(c->w, &t->b->files[index], cells_above(from, depth, "#address-cells"),
                  cells_above(from, depth, "#size-cells"));
}

static const char *module_kind(uint32_t i)
{
    static const char *const kinds[] = { "multiboot,kernel", "multiboot,ramdisk" };

    return i < 2 ? kinds[i] : "multiboot,module";
}

static void write_module(struct dt_writer *w, const struct boot_file *f, uint32_t i)
{
    dt_write_node_at(w, "module", f->start);
    dt_write_string(w, "compatible", module_kind(i));
    write_reg(w, f, 2, 2);
    if (i == 0)
        dt_write_string(w, "bootargs", f->line);
    dt_write_end(w);
}

static void write_files(struct trees *t, struct dt_writer *w)
{
    for (uint32_t i = 0; i < t->b->nr_files; i++)
        if (!bitmap_test(t->is_tree, i) && !bitmap_test(t->named, i))
            write_module(w, &t->b->files[i], i);
    for (uint32_t i = 0; i < t->b->nr_files; i++) {
        struct copy c = { .w = w };

        if (bitmap_test(t->is_tree, i))
            each_node(t, tree_of(t, i), copy_node, &c);
        close_nodes(&c, 1);
    }
}

int boot_tree_write(const struct boot_info *b, boot_at_fn *at, const uint8_t *seed,
                    uint32_t seed_bytes, void *fdt, uint32_t room)
{
    struct trees t = { .b = b, .at = at };
    struct dt_writer w;
    uint32_t bytes;

    find_trees(&t);
    dt_write_begin(&w, fdt, room);
    dt_write_u32(&w, "#address-cells", 2);
    dt_write_u32(&w, "#size-cells", 2);
    dt_write_node(&w, "chosen");
    dt_write_u32(&w, "#address-cells", 2);
    dt_write_u32(&w, "#size-cells", 2);
    dt_write_string(&w, "xen,xen-bootargs", b->line);
    if (seed_bytes)
        dt_write_bytes(&w, "rng-seed", seed, seed_bytes);
    write_files(&t, &w);
    dt_write_end(&w);
    return dt_write_finish(&w, &bytes);
}
