/* SPDX-License-Identifier: MIT */
/* What the parts of the hardware domain's PCI share. */
#ifndef VPCI_INTERNAL_H
#define VPCI_INTERNAL_H

#include <asm/vpci.h>
#include <hospes/mmio.h>

struct vcpu;

/*
 * vpci_msi.c: a dword of the MSI capability, at `at` from its start, as the guest has it. Under the
 * lock.
 */
uint32_t vpci_msi_read(struct vpci_function *f, uint32_t at);
void vpci_msi_write(struct domain *d, struct vpci_function *f, uint32_t at, uint32_t value);
void vpci_msi_init(struct vpci_function *f);
/* Bytes of the capability that are not the machine's. */
uint32_t vpci_msi_bytes(const struct vpci_function *f);

/* vpci_msix.c: the dword with its control word; the table. 0 or -errno. */
uint32_t vpci_msix_read(const struct vpci_function *f);
void vpci_msix_write(struct domain *d, struct vpci_function *f, uint32_t value);
int vpci_msix_init(struct domain *d, struct vpci_function *f);
/* The pages that hold the table. */
void vpci_msix_pages(const struct vpci_function *f, gaddr_t *start, uint64_t *bytes);

#endif
