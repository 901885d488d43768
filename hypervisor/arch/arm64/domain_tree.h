/* SPDX-License-Identifier: MIT */
/*
 * The device trees of domains, and what of the host's tree the hardware domain gets. Between the
 * files of this folder that build domains; nothing here needs <asm/>, so that tests on the host
 * link them.
 */
#ifndef ARM64_DOMAIN_TREE_H
#define ARM64_DOMAIN_TREE_H

#include <hospes/boot.h>
#include <hospes/domain_build.h>
#include <hospes/dt.h>
#include <hospes/dt_write.h>
#include <hospes/seed.h>

/* The phandle by which Xen's generated trees, and partial ones, know the interrupt controller. */
#define GUEST_GIC_PHANDLE 0xfde8u

/* Where a domain's interrupt controller and UART stand in its address space. */
struct domain_places {
    uint32_t gic_version; /* 2 or 3 */
    uint64_t gicd, gicd_bytes;
    uint64_t gic_second, gic_second_bytes; /* v2: GICC, v3: redistributors */
    uint64_t uart;                         /* its page; 0: none */
    uint32_t uart_virq;
};

/* --- hypervisor_node.c: /hypervisor ---------------------------------------------------------- */

#define HYPERVISOR_REGIONS 16u
/* What Hospes shows a guest on its own account: pv_time.c. */
#define HYPERVISOR_PRIVATE_BYTES KIB(8)

struct hypervisor_node {
    uint32_t ppi; /* by which the guest is told of events: INTID. The caller's to set */
    uint32_t nr;
    /* Guest physical addresses where nothing is: [0] is for the grant table. */
    struct {
        uint64_t start, bytes;
    } region[HYPERVISOR_REGIONS];
    uint64_t private_at; /* HYPERVISOR_PRIVATE_BYTES where nothing is either, not in the tree */
};

/* How many cells the tree's root gives to what, and the interrupt controller. */
struct hypervisor_cells {
    uint32_t address, size, interrupt;
    uint32_t interrupt_parent; /* phandle */
};

/*
 * Finds unused space: for a guest whose address space ends at `address_end`; for one at machine
 * addresses, in RAM that is another's. 0, -ENOMEM, -ENOSPC: there is too little, or too many
 * pieces.
 */
int hypervisor_node_guest(struct hypervisor_node *h, const struct domain_layout *l,
                          uint64_t address_end, bool has_devices);
int hypervisor_node_host(struct hypervisor_node *h, const struct domain_layout *l,
                         const struct boot_ranges *ram, const struct boot_ranges *reserved);

void tree_write_hypervisor(struct dt_writer *w, const struct hypervisor_node *h,
                           const struct hypervisor_cells *cells);

/* --- guest_tree.c: the generated tree of a domain without devices ---------------------------- */

struct guest_tree {
    const struct domain_config *c;
    const struct domain_layout *l;
    const struct domain_places *p;
    const char *cpu_compatible;               /* of the host's CPUs */
    const void *partial;                      /* checked tree with nodes to add, or NULL */
    const uint8_t *seed;                      /* SEED_BYTES, or NULL */
    const struct hypervisor_node *hypervisor; /* NULL: has no such node */
};

/* 0 and the size, -ENOSPC, -EINVAL (the partial tree). */
int guest_tree_write(const struct guest_tree *t, void *fdt, uint32_t room, uint32_t *bytes);

/* Parts that both kinds of tree have. */
uint32_t vcpu_affinity(uint32_t id); /* Aff1:Aff0 as the vCPU's VMPIDR_EL2 has them */
void tree_write_psci(struct dt_writer *w);
void tree_write_cpus(struct dt_writer *w, uint32_t vcpus, const char *compatible);
void tree_write_memory(struct dt_writer *w, const struct domain_layout *l, uint32_t address_cells,
                       uint32_t size_cells);
/* Bootargs, ramdisk and seeds (NULL: none): the node stays open. */
void tree_write_chosen(struct dt_writer *w, const char *bootargs, const struct domain_layout *l,
                       const uint8_t *seed);

/* --- host_view.c: which node of the host's tree is what to the hardware domain --------------- */

enum host_node {
    HOST_NODE_DEVICE, /* goes to the hardware domain */
    HOST_NODE_HIDDEN, /* Hospes keeps it, with all below */
    HOST_NODE_PASSED, /* it is for another domain, with all below */
    HOST_NODE_MEMORY,
    HOST_NODE_GIC,
    HOST_NODE_TIMER,
    HOST_NODE_UART, /* the console's: an emulated one takes its place */
    HOST_NODE_CHOSEN,
    HOST_NODE_RESERVED, /* /reserved-memory */
    HOST_NODE_ALIASES,
};

#define HOST_VIEW_CLASHES 8

struct host_view {
    const void *fdt;
    int gic, gic_end; /* its node, and where what is below it ends */
    uint32_t gic_phandle;
    uint32_t gic_version;
    int uart; /* the console's node; -1: none */
    bool uart_is_pl011;
    uint64_t uart_addr; /* its first register */
    uint32_t uart_virq;
    /* Whole pages of registers that Hospes keeps; and those, with what other domains may get. */
    struct boot_ranges own, kept;
    /* Nodes that share a page with what Hospes keeps: they are switched off in the derived tree. */
    int clash[HOST_VIEW_CLASHES];
    uint32_t nr_clashes;
};

/* Looks for what Hospes keeps. `gic` and `uart` are nodes; uart may be -1. -ENODEV without GIC. */
int host_view_init(struct host_view *v, const void *fdt, int gic, int uart, uint32_t uart_irq);
enum host_node host_view_node(const struct host_view *v, const struct dt_walk *w);

/* Compatible of the first CPU, for guests' trees. Never NULL. */
const char *host_cpu_compatible(const void *fdt);

/* --- host_devices.c: what the hardware domain's devices are ---------------------------------- */

struct host_devices {
    /* A device's registers, or a PCI window: whole pages, without RAM and without what Hospes
     * keeps. */
    int (*registers)(void *arg, uint64_t start, uint64_t bytes);
    /* RAM that firmware reserved for a device. */
    int (*reserved)(void *arg, uint64_t start, uint64_t bytes);
    int (*interrupt)(void *arg, const struct dt_irq *irq);
    void *arg;
};

/* Calls these for each device of the tree; some come more than once. 0, or what a call returned. */
int host_devices_each(struct host_view *v, const struct host_devices *fns);

/* --- host_tree.c: the hardware domain's tree ------------------------------------------------- */

struct host_tree {
    const struct host_view *v;
    const struct domain_config *c;
    const struct domain_layout *l;
    const uint8_t *seed;                      /* SEED_BYTES, or NULL */
    const struct hypervisor_node *hypervisor; /* NULL: there was no room for it */
};

/* 0 and the size, -ENOSPC, -EINVAL. */
int host_tree_write(const struct host_tree *t, void *fdt, uint32_t room, uint32_t *bytes);

/* --- passthrough.c: devices for other domains ------------------------------------------------ */

struct domain;

/* The checked copy of c->dtb on the heap, *fdt = NULL where there is none. 0, -EINVAL, -ENOMEM
 * after a line. */
int passthrough_open(const struct domain_config *c, void **fdt);
/* Maps the registers and gives the interrupts that the partial tree names. Tells what is wrong. */
int passthrough_devices(struct domain *d, const struct domain_config *c, const void *partial,
                        const struct boot_ranges *kept);
/* Copies its nodes into a tree. */
void passthrough_write(struct dt_writer *w, const void *partial);
/* The phandle that its nodes use for the interrupt controller. */
uint32_t passthrough_gic_phandle(const void *partial);

#endif
