/* SPDX-License-Identifier: MIT */
/*
 * Kernels in boot modules: what they are, where they want to be, and bringing them there.
 *
 * Understood: arm64 Linux's Image, with and without EFI stub (Linux
 * Documentation/arch/arm64/booting.rst), plain, as gzip file, or in an EFI zboot wrapper with gzip;
 * ELF64; and anything else as raw code, entered at its first byte (also out of gzip).
 */
#ifndef HOSPES_KERNEL_IMAGE_H
#define HOSPES_KERNEL_IMAGE_H

#include <hospes/domain_config.h>
#include <hospes/types.h>

struct domain;
struct gunzip;

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
    bool gzip;           /* it is packed */
    bool relocatable;    /* ELF: may be moved as a whole */
    uint64_t file_bytes; /* unpacked */
    uint64_t elf_entry;
    struct kernel_segment segment[KERNEL_SEGMENTS];
    uint32_t nr_segments;
    /* kernel_place() finds: */
    gaddr_t start, end; /* the memory it needs, its bss included */
    gaddr_t entry;
    uint64_t shift; /* added to each segment's place */
};

/*
 * Looks at the module. 0; -EINVAL for one that is recognisably for another machine, of an unknown
 * format or cut short, -ENOMEM: with a line that says so.
 */
int kernel_probe(const struct boot_module *m, struct kernel_image *k);

/* Decides where in the RAM [bank, bank + bytes) it goes. 0, -ENOSPC if it does not go there. */
int kernel_place(struct kernel_image *k, gaddr_t bank, uint64_t bytes);

/* Copying under way. */
struct kernel_load {
    struct domain *d;
    const struct boot_module *m;
    const struct kernel_image *k;
    uint32_t segment;
    uint64_t done; /* of the segment's, or of the unpacked file's, bytes */
    struct gunzip *gunzip;
    void *buffer;
};

void kernel_load_begin(struct kernel_load *l, struct domain *d, const struct boot_module *m,
                       const struct kernel_image *k);

/*
 * Copies or unpacks some of it into the domain, for at most about a millisecond. 1: call again. 0:
 * all is there. -EINVAL (damaged), -EFAULT, -ENOMEM: with a line that says so.
 */
int kernel_load_step(struct kernel_load *l);
void kernel_load_end(struct kernel_load *l);

/*
 * Copies some of [from, from + bytes) to `to` in the domain, going on from *done, like
 * kernel_load_step(). Where memory is reserved it is left for when the domain touches it: the
 * module stays as it is while the domain is there.
 */
int module_copy_step(struct domain *d, gaddr_t to, maddr_t from, uint64_t bytes, uint64_t *done);

#endif
