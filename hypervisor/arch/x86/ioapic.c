/* SPDX-License-Identifier: MIT */
/* This machine's IO-APICs: <asm/ioapic.h> has the contract. Intel 82093AA, 3.2. */
#include <asm/apic_regs.h>
#include <asm/io.h>
#include <asm/ioapic.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>

#define SELECT     0x00u
#define WINDOW     0x10u
#define PAGE_BYTES 0x20u

#define REG_VERSION 1u
#define REG_ENTRY   0x10u /* two for each pin, the low half first */

#define VERSION_LAST_PIN MASK(23, 16)

#define ISA_IRQS 16u

#define PIC_1_DATA 0x21u
#define PIC_2_DATA 0xa1u

struct ioapic ioapics[IOAPIC_MAX];
uint32_t nr_ioapics;
uint32_t nr_gsis;

static struct spinlock lock = SPINLOCK_INIT(LOCK_IOAPIC); /* guards SELECT and WINDOW */
static struct isa_line isa[ISA_IRQS];

static uint32_t get(const struct ioapic *io, uint32_t reg)
{
    mmio_write32(io->regs + SELECT, reg);
    return mmio_read32(io->regs + WINDOW);
}

static void set(const struct ioapic *io, uint32_t reg, uint32_t value)
{
    mmio_write32(io->regs + SELECT, reg);
    mmio_write32(io->regs + WINDOW, value);
}

static struct ioapic *ioapic_of(uint32_t gsi)
{
    for (uint32_t i = 0; i < nr_ioapics; i++)
        if (gsi - ioapics[i].gsi_base < ioapics[i].nr_pins)
            return &ioapics[i];
    return NULL;
}

void ioapic_write_entry(uint32_t gsi, uint64_t entry)
{
    const struct ioapic *io = ioapic_of(gsi);
    uint32_t reg;

    if (!io)
        return;
    reg = REG_ENTRY + 2 * (gsi - io->gsi_base);
    spin_lock(&lock);
    /* Never open with half of the old and half of the new. */
    set(io, reg, (uint32_t)APIC_MASKED);
    set(io, reg + 1, (uint32_t)(entry >> 32));
    set(io, reg, (uint32_t)entry);
    spin_unlock(&lock);
}

void ioapic_mask(uint32_t gsi, bool masked)
{
    const struct ioapic *io = ioapic_of(gsi);
    uint32_t reg, low;

    if (!io)
        return;
    reg = REG_ENTRY + 2 * (gsi - io->gsi_base);
    spin_lock(&lock);
    low = get(io, reg);
    set(io, reg, (uint32_t)(masked ? low | APIC_MASKED : low & ~APIC_MASKED));
    spin_unlock(&lock);
}

struct isa_line ioapic_isa(uint8_t irq)
{
    return isa[irq % ISA_IRQS];
}

bool ioapic_is_low(uint32_t gsi)
{
    for (uint32_t i = 0; i < ISA_IRQS; i++)
        if (isa[i].gsi == gsi)
            return isa[i].low;
    return gsi >= ISA_IRQS;
}

static void add(uint64_t address, uint32_t id, uint32_t gsi_base)
{
    struct ioapic *io = &ioapics[nr_ioapics];

    *io = (struct ioapic){ .address = address, .id = id, .gsi_base = gsi_base };
    io->regs = device_map(MADDR(address), PAGE_BYTES);
    if (!io->regs || get(io, REG_VERSION) == UINT32_MAX || gsi_base > GSI_MAX) {
        log_warn("IO-APIC at %#llx: not there", (unsigned long long)address);
        return;
    }
    io->nr_pins = (uint32_t)field_get(VERSION_LAST_PIN, get(io, REG_VERSION)) + 1;
    nr_ioapics++;
    for (uint32_t i = 0; i < io->nr_pins; i++)
        ioapic_write_entry(gsi_base + i, APIC_MASKED);
    nr_gsis = max(nr_gsis, gsi_base + io->nr_pins);
    log_debug("IO-APIC %u at %#llx: lines %u to %u", id, (unsigned long long)address, gsi_base,
              gsi_base + io->nr_pins - 1);
}

void ioapic_silence_pics(void)
{
    port_write8(PIC_1_DATA, 0xff);
    port_write8(PIC_2_DATA, 0xff);
}

int ioapic_init(const struct acpi_madt *madt)
{
    for (uint32_t i = 0; i < ISA_IRQS; i++)
        isa[i] = (struct isa_line){ .gsi = i };
    for (uint32_t i = 0; i < madt->nr_overrides; i++)
        if (madt->overrides[i].irq < ISA_IRQS)
            isa[madt->overrides[i].irq] = (struct isa_line){ .gsi = madt->overrides[i].gsi,
                                                             .level = madt->overrides[i].level,
                                                             .low = madt->overrides[i].low };
    for (uint32_t i = 0; i < madt->nr_ioapics && nr_ioapics < IOAPIC_MAX; i++)
        add(madt->ioapics[i].address, madt->ioapics[i].id, madt->ioapics[i].gsi_base);
    return nr_ioapics ? 0 : -ENODEV;
}
