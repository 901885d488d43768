/* SPDX-License-Identifier: MIT */
/* What iommu.c asks of each kind of IOMMU. <hospes/iommu.h> */
#ifndef DRIVERS_IOMMU_H
#define DRIVERS_IOMMU_H

#include <hospes/pgtable.h>
#include <hospes/types.h>

struct iommu_driver {
    const char *signature; /* of ACPI's table */
    const char *name;
    /*
     * Finds the units in the table, whole and mapped; and looks what they can do. 0; -ENODEV,
     * -EINVAL, -ENOMEM after a line.
     */
    int (*probe)(const uint8_t *table, uint32_t bytes);
    /* How their tables look; after probe(). */
    const struct pgtable_format *(*format)(void);
    /* True if they keep in mind what was not there, too. */
    bool (*caches_absence)(void);
    /* All devices see the tree below `root` from now on. 0, -ENOMEM, -ENODEV after a line. */
    int (*enable)(maddr_t root);
    /* They have forgotten what they knew of it. */
    void (*flush)(void);
};

extern const struct iommu_driver iommu_amd, iommu_vtd;

/* For probe(): registers of a unit; memory that firmware's own devices use, which stays theirs. */
void iommu_keep(uint64_t start, uint64_t bytes);
void iommu_add_unity(uint64_t start, uint64_t end);

/* For probe(): calls take() for each structure of the table; the first error, or -EINVAL for one
 * that is not whole. */
int iommu_walk(const uint8_t *table, uint32_t bytes,
               int (*take)(const uint8_t *structure, uint32_t length));

/* Waits until (*p & mask) == value, as registers or memory have it. Hardware that does not answer
 * within a second cannot be trusted with memory: panics. */
void iommu_wait32(const volatile void *p, uint32_t mask, uint32_t value);
void iommu_wait64(const volatile void *p, uint64_t mask, uint64_t value);

#endif
