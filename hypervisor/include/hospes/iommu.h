/* SPDX-License-Identifier: MIT */
/*
 * IOMMUs between devices and memory. All devices are the hardware domain's, and reach what it
 * reaches: its memory, and pages of others as long as it has them mapped, at the addresses that it
 * knows them by. What is Hospes' own, or another domain's, no device finds.
 *
 * The tables that IOMMUs walk are a copy of the domain's p2m in their own format, kept by
 * pgtable.changed. Without an IOMMU devices use machine addresses: right for the domain's own
 * memory, which stands there, wrong for what others granted it.
 *
 * Lock: the domain's LOCK_P2M, under which every change is made.
 */
#ifndef HOSPES_IOMMU_H
#define HOSPES_IOMMU_H

#include <hospes/types.h>

struct domain;

/*
 * Finds the machine's IOMMUs by ACPI, and tells keep() where their registers are. Boot only, after
 * acpi_init(). One that cannot be used is told of, and left off.
 */
void iommu_init(void (*keep)(uint64_t start, uint64_t bytes));

/* True once there is one to be used. */
bool iommu_is_there(void);

/* From now on devices see what the hardware domain `d` has mapped. Before it runs. 0, -ENOMEM, or
 * -ENODEV: the hardware does not do it. */
int iommu_attach(struct domain *d);

/* True once that was done. */
bool iommu_is_on(void);

/* Part of arch_p2m_flush() of that domain: devices have forgotten what was taken back. */
void iommu_flush(void);

#endif
