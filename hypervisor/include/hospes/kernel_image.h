/* SPDX-License-Identifier: MIT */
/*
 * Kernels in boot modules: what they are, where they want to be, and bringing them there.
 *
 * A module is taken out of its wrappers (EFI zboot, bzImage, a gzip file ...), unpacked where it is
 * packed, and given to the formats that the architecture boots, in their order:
 *   arm64  Linux's Image, ELF64, and anything else as raw code, entered at its first byte
 *   x86    ELF64 and ELF32 with a note that names their PVH entry (Linux's bzImage holds one)
 */
#ifndef HOSPES_KERNEL_IMAGE_H
#define HOSPES_KERNEL_IMAGE_H

#include <hospes/domain_config.h>
#include <hospes/types.h>

struct domain;
struct kernel_head;
struct unpack;
struct unpacker;

enum kernel_kind { KERNEL_LINUX, KERNEL_ELF, KERNEL_RAW };

#define KERNEL_SEGMENTS 8

/* A part of an ELF file; where LINUX and RAW are one part. */
struct kernel_segment {
    uint64_t offset;     /* in the file */
    uint64_t file_bytes; /* copied; the rest of bytes is zero */
    uint64_t bytes;
    uint64_t vaddr;
    uint64_t
        place; /* physical address that the file asks for; LINUX and RAW: from a 2 MiB boundary */
};

struct kernel_image {
    enum kernel_kind kind;
    maddr_t from; /* the file, without a wrapper */
    uint64_t from_bytes;
    const struct unpacker *packed; /* NULL: it is not */
    uint64_t file_bytes;           /* unpacked */
    uint8_t *unpacked;             /* all of them, of the heap; NULL: it is not packed */
    struct unpack *unpack;         /* under way */
    uint64_t elf_entry;            /* virtual; physical with `entry_is_physical` */
    bool entry_is_physical;
    /* ELF: it may be moved as a whole, to a multiple of `align` in [lowest, highest]. */
    bool relocatable;
    uint64_t align, lowest, highest;
    struct kernel_segment segment[KERNEL_SEGMENTS];
    uint32_t nr_segments;
    /* kernel_place() finds: */
    gaddr_t start, end; /* the memory it needs, its bss included */
    gaddr_t entry;
    uint64_t shift; /* added to each segment's place */
};

/*
 * Looks at the module, in steps of at most about a millisecond; *k is all zeroes before the first
 * one. 1: call again. 0: *k tells all. -EINVAL for one that is recognisably for another machine, of
 * an unknown format, damaged or cut short, -ENOMEM: with a line that says so.
 */
int kernel_probe_step(struct kernel_image *k, const struct boot_module *m);

/* Lets go of what kernel_probe_step() allocated; also after an error. */
void kernel_close(struct kernel_image *k);

/* Decides where in the RAM [bank, bank + bytes) it goes. 0, -ENOSPC if it does not go there. */
int kernel_place(struct kernel_image *k, gaddr_t bank, uint64_t bytes);

/* Copying under way. */
struct kernel_load {
    struct domain *d;
    const struct boot_module *m;
    const struct kernel_image *k;
    uint32_t segment;
    uint64_t done; /* of the segment's bytes */
    void *buffer;
};

void kernel_load_begin(struct kernel_load *l, struct domain *d, const struct boot_module *m,
                       const struct kernel_image *k);

/*
 * Copies some of it into the domain, for at most about a millisecond. 1: call again. 0: all is
 * there. -EFAULT, -ENOMEM: with a line that says so.
 */
int kernel_load_step(struct kernel_load *l);
void kernel_load_end(struct kernel_load *l);

/*
 * Copies some of [from, from + bytes) to `to` in the domain, going on from *done, like
 * kernel_load_step(). Where memory is reserved it is left for when the domain touches it: the
 * module stays as it is while the domain is there.
 */
int module_copy_step(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes, uint64_t *done);

/* --- formats --------------------------------------------------------------------------------- */

/* Fills in *k if the file is of this format: 0. 1: it is not; -EINVAL after a line. */
typedef int kernel_format_fn(const struct kernel_head *h, struct kernel_image *k);

kernel_format_fn kernel_probe_arm64;  /* kernel_arm64.c: Linux's Image */
kernel_format_fn kernel_probe_elf;    /* kernel_elf.c: entered at e_entry */
kernel_format_fn kernel_probe_pvh;    /* kernel_elf.c: entered where a Xen note says */
kernel_format_fn kernel_unwrap_zboot; /* kernel_zboot.c */
kernel_format_fn kernel_unwrap_x86;   /* kernel_x86.c: bzImage */

/* A file that people take for a kernel of ours by mistake. */
struct kernel_stranger {
    uint16_t at, bytes;
    const char *magic, *why;
};

/* --- contract of each architecture ----------------------------------------------------------- */

/* What it boots. Lists end with NULL. */
struct kernel_arch {
    kernel_format_fn *const *wrappers; /* set k->from, k->from_bytes, k->packed */
    kernel_format_fn *const *formats;
    const struct unpacker *const *unpackers; /* of files that are packed, without a wrapper */
    const struct kernel_stranger *strangers; /* its own; ends with bytes = 0 */
    uint16_t elf64_machine, elf32_machine;   /* 0: none */
    uint16_t pe_machine;
    bool raw; /* anything else is code as it is, entered at its first byte */
};

extern const struct kernel_arch arch_kernel;

#endif
