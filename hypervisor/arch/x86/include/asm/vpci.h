/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space as the hardware domain has it: the machine's own, but that messages of
 * devices (MSI, MSI-X) are ours, and that functions which Hospes uses itself (IOMMUs) are
 * read-only. By ports 0xcf8 and 0xcfc, and by the window of memory that ACPI's MCFG names.
 *
 * PCI Local Bus 3.0, 6.8.1 (MSI), 6.8.2 (MSI-X). A device gets one message by MSI: it says so.
 * Tables of MSI-X are where firmware left them: one that the domain moves is the machine's again,
 * and its messages go nowhere.
 *
 * Lock: vpci.lock (LOCK_VUART's rank, devices' models) for what guests wrote.
 */
#ifndef ASM_VPCI_H
#define ASM_VPCI_H

#include <asm/vmsi.h>
#include <hospes/spinlock.h>
#include <hospes/types.h>

struct domain;

/* A function that can send messages. */
struct vpci_function {
    struct vpci_function *next;
    uint16_t bdf;
    bool read_only;
    uint8_t msi, msix; /* offsets of capabilities; 0: none */
    bool msi_wide;     /* 64-bit address */
    struct vmsi message;
    bool msi_enabled;
    /* MSI-X: */
    gaddr_t table; /* of entries of 16 bytes */
    uint32_t nr_entries;
    bool msix_enabled, msix_masked;
    volatile uint8_t *regs; /* the machine's table */
    struct vpci_entry {
        struct vmsi message;
        uint64_t address;
        uint32_t data, control;
    } *entries;
};

struct vpci {
    struct spinlock lock;
    uint32_t address; /* what was written to port 0xcf8 */
    struct vpci_function *functions;
};

/*
 * Finds what there is, for the hardware domain, before it has vCPUs. What of its memory vpci_trap()
 * tells must not be mapped. 0 or -errno.
 */
int vpci_init(struct domain *d);
void vpci_destroy(struct domain *d);

/*
 * Ranges of the domain's addresses that have to exit: calls fn for each, in whole pages: the window
 * of configuration space, and tables of MSI-X.
 */
int vpci_for_each_trapped(struct domain *d,
                          int (*fn)(struct domain *d, gaddr_t at, uint64_t bytes));

#endif
