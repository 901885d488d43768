/* SPDX-License-Identifier: MIT */
/*
 * The machine's PCI configuration space, by ports 0xcf8 and 0xcfc, and beyond the first 256 bytes
 * of a function by memory where ACPI's MCFG tells of it. PCI Local Bus 3.0, 3.2.2.3.2 and 6; PCI
 * Express 3.0, 7.2.2. Segment 0.
 *
 * Lock: LOCK_PCI for the ports.
 */
#ifndef ASM_PCI_H
#define ASM_PCI_H

#include <hospes/types.h>

/* `bdf`: bus, device and function, as configuration accesses have them: 8, 5 and 3 bits. */

#define PCI_BUS(bdf) ((uint32_t)(bdf) >> 8)

#define PCI_CONFIG_BYTES   256u
#define PCI_EXTENDED_BYTES 4096u

/* `size` is 1, 2 or 4 and `at` a multiple of it. Where nobody answers: ones. */
uint32_t pci_read(uint16_t bdf, uint32_t at, uint32_t size);
void pci_write(uint16_t bdf, uint32_t at, uint32_t size, uint32_t value);

/* True if there is such a function. */
bool pci_is_there(uint16_t bdf);

/* Where MCFG says that configuration space stands in memory, for these buses. 0 or -ENOMEM. */
int pci_set_memory(maddr_t start, uint8_t first_bus, uint8_t last_bus);

/* The window that was set; 0 bytes: none. */
maddr_t pci_memory(uint64_t *bytes);
uint8_t pci_memory_first_bus(void);

/* Calls fn for each function there is: all devices of bus 0 and of the buses behind its bridges. */
void pci_for_each(void (*fn)(uint16_t bdf, void *arg), void *arg);

/* Offset of the capability `id` of a function, 0: it has none. */
uint32_t pci_find_capability(uint16_t bdf, uint8_t id);

#define PCI_ID             0x00u /* vendor and device */
#define PCI_COMMAND        0x04u
#define PCI_STATUS         0x06u
#define PCI_CLASS          0x08u /* with the revision in its low byte */
#define PCI_HEADER_TYPE    0x0eu
#define PCI_BAR            0x10u /* six of them; two for a bridge */
#define PCI_BUSES          0x18u /* of a bridge: primary, secondary, subordinate */
#define PCI_CAPABILITIES   0x34u
#define PCI_COMMAND_MEMORY 0x0002u
#define PCI_STATUS_LIST    0x0010u
#define PCI_HEADER_MULTI   0x80u
#define PCI_HEADER_BRIDGE  0x01u

#define PCI_CAP_MSI   0x05u
#define PCI_CAP_MSIX  0x11u
#define PCI_CAP_IOMMU 0x0fu /* AMD IOMMU specification, 3.2 */

#define PCI_BAR_IO    0x1u
#define PCI_BAR_64BIT 0x4u
#define PCI_BAR_FLAGS 0xfu

#endif
