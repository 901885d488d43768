/* SPDX-License-Identifier: MIT */
/*
 * What boot loaders tell, whichever protocol they speak: multiboot.c, multiboot2.c, pvh_start.c and
 * efi.c fill this in; boot_tree.c makes the device tree of it that the core reads. Constant once
 * the first C has run.
 */
#ifndef ASM_BOOT_INFO_H
#define ASM_BOOT_INFO_H

#include <hospes/types.h>

#define BOOT_MODULES  16
#define BOOT_AREAS    256
#define BOOT_LINE_MAX 2048

/* Kinds of memory, by ACPI's numbers (6.4, 15.1). */
enum memory_kind {
    MEMORY_RAM = 1,
    MEMORY_RESERVED = 2,
    MEMORY_ACPI = 3, /* tables, RAM once they have been read */
    MEMORY_NVS = 4,
    MEMORY_UNUSABLE = 5,
    MEMORY_PERSISTENT = 7,
};

struct memory_area {
    uint64_t start, bytes;
    uint32_t kind; /* enum memory_kind; an unknown one is as good as reserved */
};

struct boot_file {
    uint64_t start, bytes;
    const char *line; /* without a first word that only names the file; never NULL */
};

struct boot_info {
    const char *protocol; /* "multiboot", "multiboot2", "PVH", "EFI" */
    char loader[64];      /* its name, may be empty */
    const char *line;     /* the hypervisor's own, like boot_file.line */
    struct boot_file files[BOOT_MODULES];
    uint32_t nr_files;
    struct memory_area
        areas[BOOT_AREAS]; /* sorted by start, without overlaps once boot_memory_sort() ran */
    uint32_t nr_areas;
    uint32_t lost_files, lost_areas; /* that there was no room for */
    uint64_t rsdp;                   /* 0: look where PCs have it */
    uint64_t efi_system_table;       /* 0: no EFI, or not known */
    struct {
        uint64_t address; /* 0: none */
        uint32_t pitch, width, height, bits;
    } framebuffer;                /* linear, RGB */
    char text[2 * BOOT_LINE_MAX]; /* all lines */
    uint32_t text_used;
};

extern struct boot_info boot_info;

/* A copy of `text`, up to `limit` bytes of it, in boot_info.text; cut to what there is room for. */
const char *boot_text(struct boot_info *b, const char *text, uint64_t limit);

/* What is behind the first word: loaders put the file's name, or users "placeholder", there. */
const char *boot_skip_word(const char *line);

void boot_add_file(struct boot_info *b, uint64_t start, uint64_t end, const char *line);
void boot_add_area(struct boot_info *b, uint64_t start, uint64_t bytes, uint32_t kind);

/* Sorts, and where areas overlap lets the higher kind win: what is not RAM for sure is not. */
void boot_sort_areas(struct boot_info *b);

/*
 * Readers of the three protocols. `at` gives what is at a machine address, up to `bytes` of it, or
 * NULL if that cannot be. 0, or -EINVAL: not what it should be; *why tells.
 */
typedef const void *boot_at_fn(uint64_t maddr, uint64_t bytes);
int multiboot_read(struct boot_info *b, uint64_t info, boot_at_fn *at, const char **why);
int multiboot2_read(struct boot_info *b, uint64_t info, boot_at_fn *at, const char **why);
int pvh_start_read(struct boot_info *b, uint64_t info, boot_at_fn *at, const char **why);

/* Writes the tree that the core reads: /chosen with lines, modules and a seed. 0 or -ENOSPC. */
int boot_tree_write(const struct boot_info *b, const uint8_t *seed, uint32_t seed_bytes, void *fdt,
                    uint32_t room);

#endif
