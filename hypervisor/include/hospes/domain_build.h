/* SPDX-License-Identifier: MIT */
/*
 * Building a domain from its configuration: memory, kernel, ramdisk, device tree, first registers.
 *
 * domain_build() is used at boot and, as steps of deferred work, for a restart. It fails with one line telling
 * what was wrong, leaving nothing behind.
 */
#ifndef HOSPES_DOMAIN_BUILD_H
#define HOSPES_DOMAIN_BUILD_H

#include <hospes/domain.h>
#include <hospes/domain_config.h>

/* Makes the domain and everything in it, CREATED, ready for domain_start(). 0 or -errno. */
int domain_build(const struct domain_config *config, struct domain **out);

/* Where a kernel is to be put and begins, as its header asks. */
struct kernel_image {
    enum { KERNEL_LINUX, KERNEL_ELF, KERNEL_RAW } kind;
    uint64_t text_offset;  /* from a 2 MiB boundary; LINUX and RAW */
    uint64_t image_bytes;  /* memory it needs, its bss included */
    uint64_t file_bytes;   /* what is copied (uncompressed) */
    bool gzip;             /* the module is compressed */
    gaddr_t entry;         /* set by kernel_load() */
    gaddr_t start;         /* set by kernel_load() */
};

/*
 * Looks at the module: Image (Linux Documentation/arch/arm64/booting.rst, EFI stub or not), gzip of one, ELF64, EFI
 * zboot wrapping a gzip Image; anything else is RAW, entered at its first byte. 0, -EINVAL for one that is recognisably
 * for another machine or cut short, with a line that says so.
 */
int kernel_probe(const struct boot_module *m, struct kernel_image *k);

/*
 * Copies or unpacks it into the domain, in the bank [bank, bank + bytes) of its RAM, at the place its header asks.
 * k->file_bytes becomes exact. 0, -ENOSPC, -EINVAL (damaged).
 */
int kernel_load(struct domain *d, const struct boot_module *m, struct kernel_image *k, gaddr_t bank,
                uint64_t bytes);

/* --- contract of each architecture ------------------------------------------------------------------- */

struct domain_layout {
    struct {
        gaddr_t start;
        uint64_t bytes;
    } bank[DOMAIN_CONFIG_BANKS];
    uint32_t nr_banks;
    gaddr_t ramdisk;          /* 0 bytes: none */
    uint64_t ramdisk_bytes;
    gaddr_t tables;           /* where the device tree is */
};

/* Gives the domain its memory, in the banks that the layout then lists. */
int arch_domain_build_memory(struct domain *d, const struct domain_config *c, struct domain_layout *l);
/* Its virtual devices, its interrupts and, for the hardware domain, the machine's devices. */
int arch_domain_build_devices(struct domain *d, const struct domain_config *c);
/* Writes the device tree to l->tables; vCPU 0's registers as the boot protocol wants them. */
int arch_domain_build_tables(struct domain *d, const struct domain_config *c, struct domain_layout *l,
                             const struct kernel_image *k);

#endif
