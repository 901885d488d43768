/* SPDX-License-Identifier: MIT */
/*
 * The files of hypervisor/efi/ and their architecture: the part of Hospes that runs as an
 * application of UEFI firmware, and none of which is left once the hypervisor runs. One CPU,
 * firmware's stack, all of memory at its own address.
 *
 * The types are gnu-efi's, whose CHAR16 is wchar_t: files that include this are compiled with
 * -fshort-wchar.
 */
#ifndef HOSPES_EFI_H
#define HOSPES_EFI_H

#include <hospes/boot.h>
#include <hospes/compiler.h>
#include <hospes/types.h>

#include <efi.h>

_Static_assert(sizeof(CHAR16) == 2, "compiled without -fshort-wchar");

/* What firmware passed at entry. */
extern EFI_HANDLE efi_image;
extern EFI_SYSTEM_TABLE *efi_table;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

/* A line on firmware's console, cut to fit: '\n' ends it. */
void efi_print(const char *fmt, ...) __printf(1, 2);

/* The protocol that `handle` has, or, when handle is NULL, that anyone has. NULL if none. */
void *efi_protocol(EFI_HANDLE handle, EFI_GUID *guid);

/* `bytes` of the pool; NULL, after a line, if there is no memory. */
void *efi_alloc(uint64_t bytes);
void efi_free(void *p);

/* Whole pages below address `limit`, rounded up; 0 if there is no memory. */
uint64_t efi_alloc_pages(uint64_t bytes, uint64_t limit);
void efi_free_pages(uint64_t addr, uint64_t bytes);

/*
 * Files (efi_file.c), by names relative to the folder that the image came from, or with a leading
 * '/' or '\' to the volume.
 */
#define EFI_NAME_MAX 256 /* characters of a name, terminated */

struct efi_file {
    uint64_t addr, bytes; /* in pages of EfiLoaderData, the rest of the last one zero */
};

/* Finds the volume and the folder. `name` becomes the image's own name, "" if firmware does not
 * tell. */
void efi_files_begin(EFI_LOADED_IMAGE *self, char *name, size_t bytes);
/*
 * Loads a file, or finds it loaded: a name is loaded once. All of it lies below `limit`. The caches
 * are cleaned, so that whoever reads it with caches off sees it. NULL, or why not: a few words for
 * a message.
 */
const char *efi_file_load(const char *name, uint64_t limit, struct efi_file *f);
/* Forgets all files. */
void efi_files_end(void);

/*
 * The device tree (efi_tree.c). `fdt` lies in a buffer with room; what fails says so on the
 * console. 0, -EINVAL, -ENOSPC (no room).
 */

/* Loads all xen,uefi-binary modules and gives their nodes `reg`. One that cannot be loaded is left
 * without. */
int efi_tree_load_modules(void *fdt);
/* True if the tree lists modules, wherever they are. */
bool efi_tree_has_modules(const void *fdt);
/* Adds dom0's module of that kind to /chosen. bootargs may be NULL; it need not be terminated. */
int efi_tree_add_module(void *fdt, bool kernel, const char *file, const char *bootargs,
                        size_t bytes);
/* Sets /chosen's property to a text of `bytes` characters, or appends these behind a blank. */
int efi_tree_set_text(void *fdt, const char *property, const char *s, size_t bytes, bool append);
/* A seed from firmware's random numbers, if the tree has none. */
int efi_tree_add_seed(void *fdt);

/* Firmware's map of memory. */
struct efi_map {
    uint8_t *first;
    UINTN bytes, room, key, step; /* step: from one descriptor to the next */
    struct boot_ranges *ram;      /* room for what in it is ours */
};

/* Makes the tree's memory that which the map leaves to us. Asks nothing of firmware: that could
 * change the map. */
int efi_tree_set_memory(void *fdt, const struct efi_map *map);

/* --- contract of each architecture ----------------------------------------------------------- */

/*
 * Before anything else, and after all else where Hospes gives up. NULL, or why it cannot run as
 * firmware has set this CPU up.
 */
const char *arch_efi_begin(void);
void arch_efi_end(void);

/* Where what is handed over from here has to end. */
extern const uint64_t arch_efi_limit;

/*
 * The device tree to begin with: firmware's, or one that says nothing (in memory of efi_alloc()).
 * NULL: there is none, and it takes one; arch_efi_no_tree says what the user can do.
 */
void *arch_efi_tree(void);
extern const char arch_efi_no_tree[];

/* What has to be ready before ExitBootServices(); after it no function of firmware's may be called.
 * 0, or -ENOMEM after a line. */
int arch_efi_prepare(void);

/* The memory that firmware leaves, as the last map has it: into the tree, or noted for
 * arch_efi_leave(). Asks nothing of firmware: that could change the map. 0, -errno. */
int arch_efi_set_memory(void *fdt, const struct efi_map *map);

/* Cleans the caches over [start, start + bytes) to memory and drops their lines, where it matters.
 */
void arch_efi_clean(const void *start, uint64_t bytes);

/* To the hypervisor. */
__noreturn void arch_efi_leave(const void *fdt);

#endif
