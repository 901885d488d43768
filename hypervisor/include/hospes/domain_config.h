/* SPDX-License-Identifier: MIT */
/*
 * What domains the boot loader asks for, read from /chosen in the bindings of Xen's
 * docs/misc/arm/device-tree/booting.txt. doc/domains-from-device-tree.md lists what is understood.
 *
 * Parsing decides nothing that needs memory or devices: it yields one struct domain_config a
 * domain, checked as far as the tree alone allows. A mistake makes one line naming node, property
 * and value, and costs that domain only.
 */
#ifndef HOSPES_DOMAIN_CONFIG_H
#define HOSPES_DOMAIN_CONFIG_H

#include <hospes/types.h>

#define DOMAIN_CONFIG_MAX   32
#define DOMAIN_CONFIG_PATH  96
#define DOMAIN_CONFIG_BANKS 8

/* A file that the boot loader left in memory. bytes = 0: there is none. */
struct boot_module {
    maddr_t start;
    uint64_t bytes;
    char node[DOMAIN_CONFIG_PATH]; /* its device-tree node, for messages */
};

struct domain_bank {
    uint64_t maddr, bytes;
};

struct domain_config {
    char node[DOMAIN_CONFIG_PATH]; /* "/chosen/domU1", "/chosen" for the classic dom0 */
    char name[32];                 /* last part of it, "Domain-0" for dom0 */
    uint16_t id;   /* 0 for the hardware domain, else 1, 2, ... in the order of the tree */
    bool hardware; /* capabilities: hardware */
    uint64_t memory_bytes;
    uint32_t vcpus;
    bool vpl011;      /* an emulated PL011 at the guest layout's address */
    uint32_t nr_spis; /* 0: default */
    bool direct_map;
    bool enhanced;      /* xen,enhanced: finds the Xen ABI in its tree, */
    bool xenstore;      /* and a channel to xenstore in its HVM parameters */
    bool trap_unmapped; /* accesses to nothing fault; default true */
    bool passthrough;   /* devices from `dtb`: no lazy clearing, passthrough nodes applied */
    struct domain_bank static_mem[DOMAIN_CONFIG_BANKS];
    uint32_t nr_static_mem;
    struct boot_module kernel, ramdisk, dtb;
    const char *bootargs; /* in the host's tree; never NULL */
};

struct domain_configs {
    struct domain_config d[DOMAIN_CONFIG_MAX];
    uint32_t nr;
    uint32_t rejected; /* domains that were asked for and are not in `d` */
};

extern struct domain_configs domain_configs; /* constant after boot */

/*
 * Reads /chosen of `fdt`. Never fails as a whole. The classic dom0 (kernel module directly under
 * /chosen) takes dom0_mem and dom0_max_vcpus from `options`, and `cpus` where that says so.
 * domain_config_reserve() came before.
 */
void domain_config_parse(const void *fdt, uint32_t cpus, struct domain_configs *out);

/*
 * The hypervisor's own command line: xen,xen-bootargs, else bootargs where that is not dom0's.
 * Never NULL; points into `fdt`.
 */
const char *domain_config_hypervisor_cmdline(const void *fdt);

/*
 * Notes in boot_reserved what is not to be handed out: modules, and the places of xen,static-mem.
 * Boot only, when boot_ram and what else is reserved is known.
 */
void domain_config_reserve(const void *fdt);

/*
 * Gives back to the frame allocator the modules that no domain in `configs` can start again from:
 * those of the hardware domain, whose end is the machine's, and of domains that were rejected. Boot
 * only, once, after the domains are built.
 */
void domain_config_release(const void *fdt, struct domain_configs *configs);

/* Calls fn for each module's place, those of rejected domains and unknown modules included. */
void domain_config_modules(const void *fdt, void (*fn)(const struct boot_module *m, void *arg),
                           void *arg);

#endif
