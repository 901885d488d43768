/* SPDX-License-Identifier: MIT */
/*
 * What the boot under UEFI writes into the device tree: the places of modules that were loaded by
 * name, dom0 from a configuration file, a seed, and the memory that firmware leaves. Xen's
 * bindings: docs/misc/efi.pandoc and docs/misc/arm/device-tree/booting.txt.
 */
#include <hospes/domain_modules.h>
#include <hospes/efi.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <libfdt.h>
#include <string.h>

#define BINARY "xen,uefi-binary"

static int failed(const char *what, int rc)
{
    efi_print("device tree: %s: %s\n", what, fdt_strerror(rc));
    return rc == -FDT_ERR_NOSPACE ? -ENOSPC : -EINVAL;
}

/* The offset of /chosen, made if it is missing; < 0 when that is impossible. */
static int chosen_node(void *fdt)
{
    int node = fdt_path_offset(fdt, "/chosen");

    return node == -FDT_ERR_NOTFOUND ? fdt_add_subnode(fdt, 0, "chosen") : node;
}

static int put_text(void *fdt, int node, const char *property, const char *s, size_t bytes)
{
    void *to;
    int rc = fdt_setprop_placeholder(fdt, node, property, (int)bytes + 1, &to);

    if (rc)
        return rc;
    memcpy(to, s, bytes);
    ((char *)to)[bytes] = '\0';
    return 0;
}

/* Sets the `reg` of the node at *w to one pair, in the cells of the node above. */
static int set_reg(void *fdt, struct dt_walk *w, const struct efi_file *f)
{
    uint32_t a = dt_walk_address_cells(w, w->depth - 1), s = dt_walk_size_cells(w, w->depth - 1);
    uint32_t cells[4] = { (uint32_t)(f->addr >> 32), (uint32_t)f->addr, (uint32_t)(f->bytes >> 32),
                          (uint32_t)f->bytes };
    fdt32_t reg[4];
    uint32_t n = 0;

    for (uint32_t i = 2 - a; i < 2; i++)
        reg[n++] = cpu_to_fdt32(cells[i]);
    for (uint32_t i = 4 - s; i < 4; i++)
        reg[n++] = cpu_to_fdt32(cells[i]);
    return fdt_setprop(fdt, w->node, "reg", reg, (int)(4 * n));
}

/* Loads the file that the node at *w names. What is wrong with it is told and costs this module
 * only. */
static int load_module(void *fdt, struct dt_walk *w)
{
    uint32_t a = dt_walk_address_cells(w, w->depth - 1), s = dt_walk_size_cells(w, w->depth - 1);
    const char *name = dt_string(fdt, w->node, BINARY), *why;
    char path[128], value[64];
    struct efi_file f = { 0 };
    int len, rc;

    if (a < 1 || a > 2 || s < 1 || s > 2)
        why = "#address-cells and #size-cells above it must be 1 or 2";
    else if (!name || !*name)
        why = "must be the name of a file";
    else if (strlen(name) >= EFI_NAME_MAX)
        why = "the name is too long";
    else
        why = efi_file_load(name, a == 1 ? GIB(4) : UINT64_MAX, &f);
    if (!why && s == 1 && f.bytes > UINT32_MAX)
        why = "the file is too large for #size-cells = 1";
    if (why) {
        const void *is = fdt_getprop(fdt, w->node, BINARY, &len);

        efi_print("%s: " BINARY " = %s: %s\n", dt_walk_path(w, path, sizeof(path)),
                  dt_value(is, len, value, sizeof(value)), why);
        /* An address from elsewhere would not be that of this file. */
        fdt_delprop(fdt, w->node, "reg");
        return 0;
    }
    rc = set_reg(fdt, w, &f);
    return rc ? failed("reg of a module", rc) : 0;
}

int efi_tree_load_modules(void *fdt)
{
    struct dt_walk chosen, w;
    int rc = 0;

    if (dt_walk_to(&chosen, fdt, fdt_path_offset(fdt, "/chosen")))
        return 0;
    /* Changing a node's properties moves only what comes behind it. */
    w = chosen;
    while (!rc && dt_walk_next(&w) && w.depth > chosen.depth) {
        if (w.depth <= chosen.depth + 2 && dt_enabled(fdt, w.node) &&
            fdt_getprop(fdt, w.node, BINARY, NULL))
            rc = load_module(fdt, &w);
    }
    return rc;
}

bool efi_tree_has_modules(const void *fdt)
{
    struct dt_walk chosen, w;

    if (dt_walk_to(&chosen, fdt, fdt_path_offset(fdt, "/chosen")))
        return false;
    w = chosen;
    while (dt_walk_next(&w) && w.depth > chosen.depth) {
        if (w.depth <= chosen.depth + 2 && module_kind(&w) != MODULE_NONE)
            return true;
    }
    return false;
}

int efi_tree_set_text(void *fdt, const char *property, const char *s, size_t bytes, bool append)
{
    int node = chosen_node(fdt), rc;
    const char *old = node < 0 ? NULL : dt_string(fdt, node, property);

    if (node < 0)
        return failed("/chosen", node);
    if (append && old) {
        size_t at = strlen(old);

        rc = fdt_appendprop(fdt, node, property, s, (int)bytes);
        rc = rc ? rc : fdt_appendprop(fdt, node, property, "", 1);
        if (!rc)
            ((char *)fdt_getprop_w(fdt, node, property, NULL))[at] = ' ';
    } else {
        rc = put_text(fdt, node, property, s, bytes);
    }
    return rc ? failed(property, rc) : 0;
}

int efi_tree_add_module(void *fdt, bool kernel, const char *file, const char *bootargs,
                        size_t bytes)
{
    static const char is_kernel[] = "multiboot,kernel\0multiboot,module";
    static const char is_ramdisk[] = "multiboot,ramdisk\0multiboot,module";
    const char *name = kernel ? "dom0-kernel" : "dom0-ramdisk";
    int node = chosen_node(fdt), rc;

    node = node < 0 ? node : fdt_add_subnode(fdt, node, name);
    if (node < 0)
        return failed(name, node);
    rc = kernel ? fdt_setprop(fdt, node, "compatible", is_kernel, sizeof(is_kernel))
                : fdt_setprop(fdt, node, "compatible", is_ramdisk, sizeof(is_ramdisk));
    rc = rc ? rc : put_text(fdt, node, BINARY, file, strlen(file));
    if (bootargs)
        rc = rc ? rc : put_text(fdt, node, "bootargs", bootargs, bytes);
    return rc ? failed(name, rc) : 0;
}

int efi_tree_add_seed(void *fdt)
{
    static EFI_GUID guid = EFI_RNG_PROTOCOL_GUID;
    int node = chosen_node(fdt), rc;
    EFI_RNG_PROTOCOL *rng;
    uint8_t seed[8];

    if (node < 0)
        return failed("/chosen", node);
    if (fdt_getprop(fdt, node, "kaslr-seed", NULL))
        return 0;
    rng = efi_protocol(NULL, &guid);
    if (!rng || EFI_ERROR(rng->GetRNG(rng, NULL, sizeof(seed), seed)))
        return 0;
    rc = fdt_setprop(fdt, node, "kaslr-seed", seed, sizeof(seed));
    return rc ? failed("kaslr-seed", rc) : 0;
}

/* --- memory
 * ---------------------------------------------------------------------------------------- */

/* Free once firmware's boot services are gone (UEFI 2.10, table 7.10). */
static bool is_ours(const EFI_MEMORY_DESCRIPTOR *d)
{
    switch (d->Type) {
    case EfiLoaderCode:
    case EfiLoaderData:
    case EfiBootServicesCode:
    case EfiBootServicesData:
    case EfiConventionalMemory:
        return (d->Attribute & EFI_MEMORY_WB) != 0;
    default:
        return false;
    }
}

static void collect(struct boot_ranges *ram, const struct efi_map *map)
{
    uint64_t lost = 0;

    ram->nr = 0;
    for (UINTN at = 0; at + sizeof(EFI_MEMORY_DESCRIPTOR) <= map->bytes; at += map->step) {
        EFI_MEMORY_DESCRIPTOR d;

        memcpy(&d, map->first + at, sizeof(d));
        if (is_ours(&d) && d.NumberOfPages &&
            boot_range_add(ram, d.PhysicalStart, d.PhysicalStart + d.NumberOfPages * EFI_PAGE_SIZE,
                           NULL))
            lost += d.NumberOfPages * EFI_PAGE_SIZE;
    }
    if (lost)
        efi_print("memory in more than %u pieces: %lu KiB of it are not used\n", BOOT_MAX_RANGES,
                  (lost >> 10));
}

static void remove_memory(void *fdt)
{
    int node, next;

    for (node = fdt_first_subnode(fdt, 0); node >= 0; node = next) {
        const char *type = dt_string(fdt, node, "device_type");

        next = fdt_next_subnode(fdt, node);
        if (type && strcmp(type, "memory") == 0 && fdt_del_node(fdt, node) == 0)
            next = fdt_first_subnode(fdt, 0);
    }
}

/* Appends a number of one or two cells. */
static int append_cells(void *fdt, int node, uint32_t cells, uint64_t number)
{
    return cells == 1 ? fdt_appendprop_u32(fdt, node, "reg", (uint32_t)number)
                      : fdt_appendprop_u64(fdt, node, "reg", number);
}

static int append_range(void *fdt, int node, uint32_t a, uint32_t s, struct boot_range r)
{
    int rc = 0;

    if (a == 1)
        r.end = min(r.end, GIB(4));
    while (!rc && r.start < r.end) {
        /* With one cell for the size, what is large takes several entries. */
        uint64_t bytes = s == 1 ? min(r.end - r.start, GIB(2)) : r.end - r.start;

        rc = append_cells(fdt, node, a, r.start);
        rc = rc ? rc : append_cells(fdt, node, s, bytes);
        r.start += bytes;
    }
    return rc;
}

int efi_tree_set_memory(void *fdt, const struct efi_map *map)
{
    int a = fdt_address_cells(fdt, 0), s = fdt_size_cells(fdt, 0), node, rc;
    struct boot_ranges *ram = map->ram;
    char name[32];

    if (a < 1 || a > 2 || s < 1 || s > 2)
        return failed("#address-cells or #size-cells of /", -FDT_ERR_BADNCELLS);
    collect(ram, map);
    remove_memory(fdt);
    format(name, sizeof(name), "memory@%lx", (ram->nr ? ram->r[0].start : 0));
    node = fdt_add_subnode(fdt, 0, name);
    rc = node < 0 ? node : put_text(fdt, node, "device_type", "memory", strlen("memory"));
    for (uint32_t i = 0; !rc && i < ram->nr; i++)
        rc = append_range(fdt, node, (uint32_t)a, (uint32_t)s, ram->r[i]);
    return rc ? failed(name, rc) : 0;
}
