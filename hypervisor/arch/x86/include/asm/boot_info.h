/* SPDX-License-Identifier: MIT */
/*
 * What boot loaders tell, whichever protocol they speak: multiboot.c, multiboot2.c, pvh_start.c and
 * efi.c fill this in, and host_e820; boot_tree.c makes the device tree of it that the core reads.
 * Constant once the first C has run.
 */
#ifndef ASM_BOOT_INFO_H
#define ASM_BOOT_INFO_H

#include <hospes/framebuffer.h>
#include <hospes/types.h>

/* As many as all domains can have that may be asked for, and the trees that ask for them. */
#define BOOT_MODULES  128
#define BOOT_LINE_MAX 2048

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
    uint32_t lost_files, lost_areas; /* that there was no room for */
    uint64_t rsdp;                   /* 0: look where PCs have it */
    uint8_t rsdp_copy[36];     /* where the loader gave a copy, which does not stay: its bytes */
    uint32_t rsdp_bytes;       /* of it; 0: none */
    uint64_t efi_system_table; /* 0: no EFI, or not known */
    struct framebuffer framebuffer;
    char text[2 * BOOT_LINE_MAX]; /* all lines */
    uint32_t text_used;
};

extern struct boot_info boot_info;

/*
 * Gives what is at a machine address, `bytes` of it, or NULL if that cannot be: how the readers of
 * loaders' tables see memory.
 */
typedef const void *boot_at_fn(uint64_t maddr, uint64_t bytes);

/* Copies `bytes` from there, at any alignment. False: they cannot be read. */
bool boot_copy(void *to, uint64_t from, uint64_t bytes, boot_at_fn *at);

/* A copy of the string at `from`, in b->text; cut to what there is room for. */
const char *boot_copy_text(struct boot_info *b, uint64_t from, boot_at_fn *at);

/* What is behind the first word: loaders put the file's name, or users "placeholder", there. */
const char *boot_skip_word(const char *line);

/* The loader's name, up to `limit` bytes of it. */
void boot_set_loader(struct boot_info *b, const char *name, uint64_t limit);

void boot_add_file(struct boot_info *b, uint64_t start, uint64_t end, const char *line);
/* A range of memory, into host_e820. */
void boot_add_area(struct boot_info *b, uint64_t start, uint64_t bytes, uint32_t kind);

/*
 * Machine memory, below 4 GiB, that host_e820 calls RAM and where none of the loader's files is,
 * nor the image [image, image_end): a place for `bytes` bytes, on a page. 0: there is none.
 */
uint64_t boot_find_room(const struct boot_info *b, uint64_t bytes, uint64_t image,
                        uint64_t image_end);

/* Readers of the three protocols. 0, or -EINVAL: not what it should be; *why tells. */
int multiboot_read(struct boot_info *b, uint64_t where, boot_at_fn *at, const char **why);
int multiboot2_read(struct boot_info *b, uint64_t where, boot_at_fn *at, const char **why);
int pvh_start_read(struct boot_info *b, uint64_t where, boot_at_fn *at, const char **why);

/* Writes the tree that the core reads: /chosen with lines, modules and a seed. 0 or -ENOSPC. */
int boot_tree_write(const struct boot_info *b, boot_at_fn *at, const uint8_t *seed,
                    uint32_t seed_bytes, void *fdt, uint32_t room);

#endif
