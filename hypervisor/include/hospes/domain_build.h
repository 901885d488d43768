/* SPDX-License-Identifier: MIT */
/*
 * Building a domain from its configuration: memory, devices, kernel, ramdisk, tables (a device
 * tree, or PVH's start info with ACPI's), first registers.
 *
 * A builder does it in steps of at most about a millisecond, so that a domain can start again while
 * others run; at boot domain_build() takes all of them at once. Modules and the host's device tree
 * stay in memory for this.
 */
#ifndef HOSPES_DOMAIN_BUILD_H
#define HOSPES_DOMAIN_BUILD_H

#include <hospes/domain.h>
#include <hospes/domain_config.h>
#include <hospes/kernel_image.h>

#define DOMAIN_LAYOUT_BANKS 32

struct domain_layout {
    struct {
        gaddr_t start;
        uint64_t bytes;
    } bank[DOMAIN_LAYOUT_BANKS];
    uint32_t nr_banks;
    uint64_t memory_bytes; /* in these banks so far */
    uint64_t limit;        /* all that follows ends below it; 0: anywhere */
    gaddr_t ramdisk;       /* 0 bytes: none */
    uint64_t ramdisk_bytes;
    gaddr_t tables;        /* what the kernel is told: a device tree, or PVH's start info */
    uint64_t tables_bytes; /* room for it */
};

enum domain_build_stage {
    BUILD_PROBE,
    BUILD_CREATE,
    BUILD_MEMORY,
    BUILD_DEVICES,
    BUILD_KERNEL,
    BUILD_RAMDISK,
    BUILD_TABLES,
    BUILD_DONE,
    BUILD_UNDO, /* it failed: what there is of the domain goes */
};

struct domain_builder {
    const struct domain_config *config;
    struct domain *domain; /* with rc = 0 at the end: CREATED, ready for domain_start() */
    int rc;                /* of the whole: 0 or -errno */
    /* domain_build.c's: */
    enum domain_build_stage stage;
    struct domain_layout layout;
    struct kernel_image kernel;
    struct kernel_load load;
    uint64_t done; /* bytes of the ramdisk */
};

/* Prepares `b`, whose memory is the caller's; nothing is allocated yet. */
void domain_build_begin(struct domain_builder *b, const struct domain_config *config);

/*
 * One step. True: call again. False: it is done, or failed with one line telling what was wrong,
 * leaving nothing behind (b->domain is NULL then).
 *
 * libfdt, zlib, libzstd, liblzma and liblz4, which work here, use floating-point registers: no
 * vCPU's may be live in this pCPU.
 */
bool domain_build_step(struct domain_builder *b);

/* All steps. Boot only. 0 or -errno. */
int domain_build(const struct domain_config *config, struct domain **out);

/*
 * Gives the domain some more of its memory, in the banks that the layout then lists. 1: call again;
 * 0: it has all; -ENOMEM, -EBUSY (xen,static-mem in use), -EINVAL: after a line. Frames given are
 * mapped, so that teardown finds them.
 */
int domain_build_memory(struct domain *d, const struct domain_config *c, struct domain_layout *l);

/* --- contract of each architecture ----------------------------------------------------------- */

/* Where guests' RAM is in their addresses, in the order in which it is filled; ends with 0 bytes.
 */
struct domain_ram {
    uint64_t start, bytes;
};
extern const struct domain_ram arch_domain_ram[];

/*
 * Allocates some of what is left of the hardware domain's RAM, in a row, as it is: it has it at the
 * same addresses. The layout lists what it has. 0, -ENOMEM.
 */
int arch_domain_direct_frames(uint16_t id, const struct domain_layout *l, uint64_t left, mfn_t *m,
                              uint64_t *frames);
/*
 * Its virtual devices, its interrupts and, for the hardware domain, the machine's devices; the
 * vCPUs are created after that. Tells what is wrong.
 */
int arch_domain_build_devices(struct domain *d, const struct domain_config *c);
/* Room that its tables need, a power of two, at most 2 MiB; *limit: as in the layout. */
uint64_t arch_domain_tables_bytes(const struct domain_config *c, uint64_t *limit);
/* What they are, for a line. */
extern const char arch_domain_tables_name[];
/* Writes these tables to l->tables; vCPU 0's registers as the boot protocol wants them. */
int arch_domain_build_tables(struct domain *d, const struct domain_config *c,
                             const struct domain_layout *l, const struct kernel_image *k);

#endif
