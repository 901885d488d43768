/* SPDX-License-Identifier: MIT */
/*
 * The MSI capability as the hardware domain has it: one message, the guest's own address and data
 * in what it reads. PCI Local Bus 3.0, 6.8.1. Mask and pending bits are the machine's.
 */
#include "vpci_internal.h"

#include <asm/pci.h>
#include <hospes/log.h>
#include <lib/bits.h>

/* Dwords of the capability. */
#define MSI_CONTROL      0u /* in its upper half */
#define MSI_ADDRESS      4u
#define MSI_ADDRESS_HIGH 8u
#define MSI_DATA         8u /* or, with 64 bits of address: */
#define MSI_DATA_WIDE    12u

#define CONTROL_ENABLE   BIT(16)
#define CONTROL_CAPABLE  MASK(19, 17) /* log2 of the messages it could have, */
#define CONTROL_MESSAGES MASK(22, 20) /* of those it has */
#define CONTROL_64BIT    BIT(23)

void vpci_msi_init(struct vpci_function *f)
{
    f->msi_wide = pci_read(f->bdf, f->msi, 4) & CONTROL_64BIT;
}

uint32_t vpci_msi_bytes(const struct vpci_function *f)
{
    return (f->msi_wide ? MSI_DATA_WIDE : MSI_DATA) + 4;
}

uint32_t vpci_msi_read(struct vpci_function *f, uint32_t at)
{
    uint32_t value;

    if (at == MSI_CONTROL) {
        value = pci_read(f->bdf, f->msi, 4);
        return value & ~(uint32_t)(CONTROL_CAPABLE | CONTROL_MESSAGES);
    }
    if (at == MSI_ADDRESS)
        return (uint32_t)f->message.address;
    if (f->msi_wide && at == MSI_ADDRESS_HIGH)
        return (uint32_t)(f->message.address >> 32);
    /* What is beside the data is reserved, or the machine's. */
    return f->message.data;
}

static void set_enabled(struct vpci_function *f, bool on)
{
    uint32_t control = pci_read(f->bdf, f->msi, 4) & ~(uint32_t)(CONTROL_ENABLE | CONTROL_MESSAGES);

    pci_write(f->bdf, f->msi, 4, control | (on ? (uint32_t)CONTROL_ENABLE : 0));
    f->msi_enabled = on;
}

static void program(struct domain *d, struct vpci_function *f)
{
    uint64_t address;
    uint32_t data;
    int rc = vmsi_set(d, &f->message, f->message.address, f->message.data, &address, &data);

    if (rc) {
        log_limited(LOG_WARN, "PCI %02x:%02x.%x: no interrupt for its message (%d)",
                    PCI_BUS(f->bdf), (unsigned int)f->bdf >> 3 & 0x1f, f->bdf & 7, rc);
        set_enabled(f, false);
        return;
    }
    pci_write(f->bdf, f->msi + MSI_ADDRESS, 4, (uint32_t)address);
    if (f->msi_wide)
        pci_write(f->bdf, f->msi + MSI_ADDRESS_HIGH, 4, (uint32_t)(address >> 32));
    pci_write(f->bdf, f->msi + (f->msi_wide ? MSI_DATA_WIDE : MSI_DATA), 2, data);
}

static void write_control(struct domain *d, struct vpci_function *f, uint32_t value)
{
    bool on = value & CONTROL_ENABLE;

    if (on == f->msi_enabled)
        return;
    if (on) {
        f->msi_enabled = true;
        program(d, f);
        if (f->msi_enabled)
            set_enabled(f, true);
    } else {
        set_enabled(f, false);
        vmsi_disable(&f->message);
    }
}

void vpci_msi_write(struct domain *d, struct vpci_function *f, uint32_t at, uint32_t value)
{
    if (at == MSI_CONTROL) {
        write_control(d, f, value);
        return;
    }
    if (at == MSI_ADDRESS)
        f->message.address = (f->message.address & ~(uint64_t)UINT32_MAX) | (value & ~3u);
    else if (f->msi_wide && at == MSI_ADDRESS_HIGH)
        f->message.address = (uint32_t)f->message.address | (uint64_t)value << 32;
    else
        f->message.data = (uint16_t)value;
    if (f->msi_enabled)
        program(d, f);
}
