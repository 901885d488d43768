/* SPDX-License-Identifier: MIT */
/*
 * Hospes as an application of UEFI firmware: finds the device tree, or makes one, has the modules
 * loaded that it names, and leaves for the hypervisor as if a boot loader had prepared all that.
 * UEFI 2.10, chapters 4 (entry) and 7 (boot services); doc/boot-efi.md.
 *
 * Nothing here outlives ExitBootServices() but the tree and the modules, which lie in
 * EfiLoaderData.
 */
#include <hospes/dt.h>
#include <hospes/efi.h>
#include <hospes/efi_config.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <libfdt.h>
#include <string.h>

#define TREE_MAX MIB(2) /* what early.c maps */
#define TREE_ROOM \
    KIB(64) /* for what is added to the tree, the texts of a configuration file aside */
#define CONFIG_MAX KIB(64)
#define LINE_MAX   384

EFI_HANDLE efi_image;
EFI_SYSTEM_TABLE *efi_table;

/* Between the steps of efi_main(). */
struct boot {
    void *fdt; /* in a buffer of `room` bytes once it is ours, else firmware's */
    uint64_t room;
    struct efi_file config;   /* the configuration file; addr == 0: none */
    struct efi_slice section; /* of it */
    struct efi_options options;
    char self[EFI_NAME_MAX]; /* the image's name */
    char line[512];          /* the image's command line */
};

void efi_print(const char *fmt, ...)
{
    char text[LINE_MAX];
    CHAR16 wide[64];
    size_t at = 0;
    va_list args;

    va_start(args, fmt);
    if (format_v(text, sizeof(text), fmt, args) >= sizeof(text))
        text[sizeof(text) - 2] = '\n';
    va_end(args);
    for (const char *c = text; *c; c++) {
        if (*c == '\n')
            wide[at++] = '\r';
        wide[at++] = (CHAR16)((*c >= ' ' && *c <= '~') || *c == '\n' ? *c : '?');
        if (at + 2 < array_size(wide) && c[1])
            continue;
        wide[at] = 0;
        at = 0;
        if (efi_table->ConOut)
            efi_table->ConOut->OutputString(efi_table->ConOut, wide);
    }
}

void *efi_protocol(EFI_HANDLE handle, EFI_GUID *guid)
{
    void *found = NULL;
    EFI_STATUS status = handle ? efi_table->BootServices->HandleProtocol(handle, guid, &found)
                               : efi_table->BootServices->LocateProtocol(guid, NULL, &found);

    return EFI_ERROR(status) ? NULL : found;
}

void *efi_alloc(uint64_t bytes)
{
    void *p = NULL;

    if (EFI_ERROR(efi_table->BootServices->AllocatePool(EfiLoaderData, bytes, &p))) {
        efi_print("firmware has no memory: %lu bytes\n", bytes);
        return NULL;
    }
    return p;
}

void efi_free(void *p)
{
    efi_table->BootServices->FreePool(p);
}

uint64_t efi_alloc_pages(uint64_t bytes, uint64_t limit)
{
    EFI_PHYSICAL_ADDRESS addr = limit - 1;
    UINTN pages = align_up(bytes, FRAME_SIZE) >> FRAME_SHIFT;

    /* Rounded up past the end of all numbers */
    if (bytes && !pages)
        return 0;
    if (EFI_ERROR(efi_table->BootServices->AllocatePages(AllocateMaxAddress, EfiLoaderData, pages,
                                                         &addr)))
        return 0;
    return addr;
}

void efi_free_pages(uint64_t addr, uint64_t bytes)
{
    efi_table->BootServices->FreePages(addr, align_up(bytes, FRAME_SIZE) >> FRAME_SHIFT);
}

/* --- what firmware and the user say
 * ---------------------------------------------------------------- */

/* The image's command line as text. Some firmware passes other things than text: they are left out.
 */
static void read_options(struct boot *b, const EFI_LOADED_IMAGE *self)
{
    const uint8_t *p = self->LoadOptions;
    size_t n = 0;

    for (uint32_t i = 0; p && i + 1 < self->LoadOptionsSize && n + 1 < sizeof(b->line); i += 2) {
        if (!p[i] && !p[i + 1])
            break;
        if (p[i + 1] || p[i] < ' ' || p[i] > '~') {
            n = 0;
            break;
        }
        b->line[n++] = (char)p[i];
    }
    efi_options_read((struct efi_slice){ b->line, n }, &b->options);
    if (b->options.unknown.s)
        efi_print("command line: %.*s: not known, ignored\n", (int)b->options.unknown.bytes,
                  b->options.unknown.s);
}

/* --- the configuration file
 * ------------------------------------------------------------------------ */

static bool config_value(const struct boot *b, const char *name, struct efi_slice *value)
{
    struct efi_slice file = { (const char *)(uintptr_t)b->config.addr, b->config.bytes };

    return efi_config_get(file, b->section, name, value) && value->bytes;
}

static bool take_config(struct boot *b, const char *name, bool must)
{
    const char *why = efi_file_load(name, UINT64_MAX, &b->config);

    if (!why && b->config.bytes > CONFIG_MAX) {
        why = "larger than 64 KiB, ignored";
        must = true;
    }
    if (!why)
        return true;
    b->config = (struct efi_file){ 0 };
    if (must)
        efi_print("%s: %s\n", name, why);
    return false;
}

static bool slice_text(struct efi_slice s, char *text, size_t bytes)
{
    if (s.bytes >= bytes)
        return false;
    memcpy(text, s.s, s.bytes);
    text[s.bytes] = '\0';
    return true;
}

/* Finds the configuration file, and which section of it is meant. False: there is none. */
static bool find_config(struct boot *b)
{
    static const struct efi_slice nowhere = { NULL, 0 };
    char name[EFI_NAME_MAX];
    bool found = false;

    if (b->options.config.s) {
        found = slice_text(b->options.config, name, sizeof(name)) && take_config(b, name, true);
    } else {
        for (uint32_t i = 0; !found && efi_config_name(b->self, i, name, sizeof(name)); i++)
            found = name[0] && take_config(b, name, false);
    }
    if (!found)
        return false;
    b->section = nowhere;
    if (b->options.section.s)
        b->section = b->options.section;
    else if (!config_value(b, "default", &b->section))
        b->section = nowhere;
    return true;
}

/* Takes the tree that the configuration file names, in place of firmware's. */
static bool config_tree(struct boot *b)
{
    struct efi_slice value;
    char name[EFI_NAME_MAX];
    struct efi_file f;
    const char *why;

    if (!config_value(b, "dtb", &value))
        return true;
    why = slice_text(value, name, sizeof(name)) ? efi_file_load(name, UINT64_MAX, &f)
                                                : "the name is too long";
    if (!why && dt_check((void *)(uintptr_t)f.addr, min(f.bytes, TREE_MAX)))
        why = "not a device tree, or larger than 2 MiB";
    if (why) {
        efi_print("configuration file: dtb = %.*s: %s\n", (int)min(value.bytes, (size_t)64),
                  value.s, why);
        return false;
    }
    b->fdt = (void *)(uintptr_t)f.addr;
    return true;
}

/* One of kernel= and ramdisk=: a name, and for the kernel its command line behind a blank. */
static int config_module(struct boot *b, bool kernel)
{
    const char *key = kernel ? "kernel" : "ramdisk";
    char name[EFI_NAME_MAX];
    struct efi_slice value, args;
    size_t n = 0;

    if (!config_value(b, key, &value))
        return 0;
    while (n < value.bytes && value.s[n] != ' ' && value.s[n] != '\t')
        n++;
    args = (struct efi_slice){ value.s + n, value.bytes - n };
    while (args.bytes && (args.s[0] == ' ' || args.s[0] == '\t'))
        args.s++, args.bytes--;
    if (!slice_text((struct efi_slice){ value.s, n }, name, sizeof(name))) {
        efi_print("configuration file: %s: the name is too long\n", key);
        return 0;
    }
    return efi_tree_add_module(b->fdt, kernel, name, kernel ? args.s : NULL, args.bytes);
}

static int apply_config(struct boot *b)
{
    struct efi_slice value;
    int rc = 0;

    if (config_value(b, "options", &value))
        rc = efi_tree_set_text(b->fdt, "xen,xen-bootargs", value.s, value.bytes, false);
    rc = rc ? rc : config_module(b, true);
    rc = rc ? rc : config_module(b, false);
    if (config_value(b, "xsm", &value) || config_value(b, "chain", &value))
        efi_print("configuration file: xsm= and chain= are not supported, ignored\n");
    return rc;
}

/* --- the way
 * ---------------------------------------------------------------------------------------- */

/* Copies the tree to where it can grow. */
static bool own_tree(struct boot *b)
{
    uint64_t bytes = fdt_totalsize(b->fdt) + TREE_ROOM + b->config.bytes;
    uint64_t addr = efi_alloc_pages(bytes, arch_efi_limit);
    int rc;

    if (!addr) {
        efi_print("firmware has no memory for the device tree\n");
        return false;
    }
    b->room = align_up(bytes, FRAME_SIZE);
    rc = fdt_open_into(b->fdt, (void *)(uintptr_t)addr, (int)b->room);
    if (rc) {
        efi_print("device tree: %s\n", fdt_strerror(rc));
        efi_free_pages(addr, b->room);
        b->room = 0;
        return false;
    }
    b->fdt = (void *)(uintptr_t)addr;
    return true;
}

/* Finds the tree and completes it, but for the memory. */
static EFI_STATUS prepare(struct boot *b)
{
    bool config = false;

    b->fdt = arch_efi_tree();
    if (!b->fdt || !efi_tree_has_modules(b->fdt) || b->options.config.s ||
        fdt_getprop(b->fdt, fdt_path_offset(b->fdt, "/chosen"), "xen,uefi-cfg-load", NULL))
        config = find_config(b);
    if (config && !config_tree(b))
        return EFI_LOAD_ERROR;
    if (!b->fdt) {
        efi_print("no device tree: %s", arch_efi_no_tree);
        return EFI_UNSUPPORTED;
    }
    if (!own_tree(b))
        return EFI_OUT_OF_RESOURCES;
    if (config && apply_config(b))
        return EFI_OUT_OF_RESOURCES;
    if (b->options.more.bytes && efi_tree_set_text(b->fdt, "xen,xen-bootargs", b->options.more.s,
                                                   b->options.more.bytes, true))
        return EFI_OUT_OF_RESOURCES;
    if (!efi_tree_has_modules(b->fdt)) {
        efi_print("nothing to start: neither the device tree's /chosen nor a file hospes.cfg\n"
                  "beside Hospes names a kernel\n");
        return EFI_NOT_FOUND;
    }
    if (efi_tree_load_modules(b->fdt) || efi_tree_add_seed(b->fdt))
        return EFI_OUT_OF_RESOURCES;
    return EFI_SUCCESS;
}

static EFI_STATUS read_map(struct efi_map *map)
{
    UINT32 version;

    map->bytes = map->room;
    return efi_table->BootServices->GetMemoryMap(
        &map->bytes, (EFI_MEMORY_DESCRIPTOR *)(void *)map->first, &map->key, &map->step, &version);
}

/*
 * Room for the map, with some to spare: making the room changes the map, and so may firmware, until
 * the end; and after a first attempt to exit no room can be made.
 */
static EFI_STATUS map_room(struct efi_map *map)
{
    *map = (struct efi_map){ 0 };
    if (read_map(map) != EFI_BUFFER_TOO_SMALL || map->step < sizeof(EFI_MEMORY_DESCRIPTOR))
        return EFI_LOAD_ERROR;
    map->ram = efi_alloc(sizeof(*map->ram));
    map->room = map->bytes + 32 * map->step;
    map->first = map->ram ? (uint8_t *)(uintptr_t)efi_alloc_pages(map->room, arch_efi_limit) : NULL;
    return map->first ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES;
}

/* Writes the memory into the tree and ends firmware's services, twice at most: the map may change
 * in between. */
static EFI_STATUS exit_boot_services(struct boot *b)
{
    struct efi_map map;
    EFI_STATUS status = map_room(&map);

    if (EFI_ERROR(status))
        return status;
    for (int attempt = 0; attempt < 2; attempt++) {
        status = read_map(&map);
        if (EFI_ERROR(status))
            break;
        if (arch_efi_set_memory(b->fdt, &map))
            return EFI_OUT_OF_RESOURCES;
        status = efi_table->BootServices->ExitBootServices(efi_image, map.key);
        if (status != EFI_INVALID_PARAMETER)
            break;
    }
    return status;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    static EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    static struct boot b;
    const char *refusal;
    EFI_LOADED_IMAGE *self;
    EFI_STATUS status;

    efi_image = image;
    efi_table = table;
    memset(&b, 0, sizeof(b));
    efi_print("Hospes, started by UEFI firmware\n");
    refusal = arch_efi_begin();
    if (refusal) {
        efi_print("%s\n", refusal);
        return EFI_UNSUPPORTED;
    }
    self = efi_protocol(image, &guid);
    if (!self) {
        arch_efi_end();
        return EFI_LOAD_ERROR;
    }
    read_options(&b, self);
    efi_files_begin(self, b.self, sizeof(b.self));
    status = prepare(&b);
    if (!EFI_ERROR(status) && arch_efi_prepare())
        status = EFI_OUT_OF_RESOURCES;
    if (!EFI_ERROR(status))
        status = exit_boot_services(&b);
    if (EFI_ERROR(status)) {
        if (b.room)
            efi_free_pages((uint64_t)(uintptr_t)b.fdt, b.room);
        efi_files_end();
        arch_efi_end();
        return status;
    }
    fdt_pack(b.fdt);
    arch_efi_leave(b.fdt);
}
