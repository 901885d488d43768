/* SPDX-License-Identifier: MIT */
/*
 * MSI-X as the hardware domain has it: it writes its messages into a copy of the device's table;
 * the table itself gets ours. PCI Local Bus 3.0, 6.8.2. What shares the table's pages is the
 * machine's.
 */
#include "vpci_internal.h"

#include <asm/pci.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/io.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

/* The capability: control in the upper half of its first dword, then where the table is. */
#define CONTROL_ENTRIES MASK(26, 16) /* less 1 */
#define CONTROL_MASK    BIT(30)
#define CONTROL_ENABLE  BIT(31)
#define MSIX_TABLE      4u
#define TABLE_BAR       MASK(2, 0)

/* An entry. */
#define ENTRY_BYTES   16u
#define ENTRY_ADDRESS 0u
#define ENTRY_HIGH    4u
#define ENTRY_DATA    8u
#define ENTRY_CONTROL 12u
#define ENTRY_MASKED  1u

#define BARS 6u

/* --- the machine's table ---------------------------------------------------------------------- */

static void write_table(const struct vpci_function *f, uint32_t i, uint32_t at, uint32_t value)
{
    mmio_write32(f->regs + i * ENTRY_BYTES + at, value);
}

static bool may_send(const struct vpci_function *f, const struct vpci_entry *e)
{
    return f->msix_enabled && !(e->control & ENTRY_MASKED);
}

static void mask(const struct vpci_function *f, uint32_t i)
{
    write_table(f, i, ENTRY_CONTROL, ENTRY_MASKED);
    vmsi_disable(&f->entries[i].message);
}

/* Makes the machine's entry what the guest's is. */
static void program(struct domain *d, struct vpci_function *f, uint32_t i)
{
    struct vpci_entry *e = &f->entries[i];
    uint64_t address;
    uint32_t data;
    int rc;

    mask(f, i);
    if (!may_send(f, e))
        return;
    rc = vmsi_set(d, &e->message, e->address, e->data, &address, &data);
    if (rc) {
        log_limited(LOG_WARN, "PCI %02x:%02x.%x: no interrupt for its message %u (%d)",
                    PCI_BUS(f->bdf), (unsigned int)f->bdf >> 3 & 0x1f, f->bdf & 7, i, rc);
        return;
    }
    write_table(f, i, ENTRY_ADDRESS, (uint32_t)address);
    write_table(f, i, ENTRY_HIGH, (uint32_t)(address >> 32));
    write_table(f, i, ENTRY_DATA, data);
    write_table(f, i, ENTRY_CONTROL, 0);
}

/* --- the capability --------------------------------------------------------------------------- */

uint32_t vpci_msix_read(const struct vpci_function *f)
{
    return pci_read(f->bdf, f->msix, 4);
}

void vpci_msix_write(struct domain *d, struct vpci_function *f, uint32_t value)
{
    bool was = f->msix_enabled;

    f->msix_enabled = f->entries && value & CONTROL_ENABLE;
    if (f->msix_enabled && !was) {
        /* Entries can be written to while the function is enabled and masked. */
        pci_write(f->bdf, f->msix, 4, value | (uint32_t)CONTROL_MASK);
        for (uint32_t i = 0; i < f->nr_entries; i++)
            program(d, f, i);
    }
    pci_write(f->bdf, f->msix, 4, value);
    for (uint32_t i = 0; was && !f->msix_enabled && i < f->nr_entries; i++)
        vmsi_disable(&f->entries[i].message);
}

/* --- the guest's table ------------------------------------------------------------------------ */

static uint32_t *field_of(struct vpci_entry *e, uint32_t at)
{
    switch (at) {
    case ENTRY_ADDRESS:
        return (uint32_t *)(void *)&e->address;
    case ENTRY_HIGH:
        return (uint32_t *)(void *)&e->address + 1;
    case ENTRY_DATA:
        return &e->data;
    default:
        return &e->control;
    }
}

static void write_entry(struct domain *d, struct vpci_function *f, uint32_t at, uint32_t value)
{
    struct vpci_entry *e = &f->entries[at / ENTRY_BYTES];
    bool sent = may_send(f, e);

    *field_of(e, at % ENTRY_BYTES) = value;
    if (f->msix_enabled && (sent || may_send(f, e)))
        program(d, f, at / ENTRY_BYTES);
}

static enum exit_action access_table(struct domain *d, struct vpci_function *f,
                                     struct mmio_access *a, uint32_t at)
{
    struct vpci *p = &d->arch.vpci;

    /* 6.8.2: dwords and quadwords only. */
    if (a->size < 4 || at & (a->size - 1u)) {
        a->value = UINT64_MAX;
        return EXIT_HANDLED;
    }
    spin_lock(&p->lock);
    if (a->write) {
        write_entry(d, f, at, (uint32_t)a->value);
        if (a->size == 8)
            write_entry(d, f, at + 4, (uint32_t)(a->value >> 32));
    } else {
        a->value = *field_of(&f->entries[at / ENTRY_BYTES], at % ENTRY_BYTES);
        if (a->size == 8)
            a->value |= (uint64_t)*field_of(&f->entries[at / ENTRY_BYTES], at % ENTRY_BYTES + 4)
                        << 32;
    }
    spin_unlock(&p->lock);
    return EXIT_HANDLED;
}

/* What stands beside the table: passed on as it is. */
static void access_machine(volatile uint8_t *p, struct mmio_access *a)
{
    switch (a->size) {
    case 1:
        if (a->write)
            mmio_write8(p, (uint8_t)a->value);
        else
            a->value = mmio_read8(p);
        break;
    case 2:
        if (a->write)
            mmio_write16(p, (uint16_t)a->value);
        else
            a->value = mmio_read16(p);
        break;
    case 4:
        if (a->write)
            mmio_write32(p, (uint32_t)a->value);
        else
            a->value = mmio_read32(p);
        break;
    default:
        if (a->write)
            mmio_write64(p, a->value);
        else
            a->value = mmio_read64(p);
        break;
    }
}

static enum exit_action access_pages(struct vcpu *v, struct mmio_access *a, void *device)
{
    struct vpci_function *f = device;
    uint64_t at = a->addr.v - f->table.v, table_bytes = (uint64_t)f->nr_entries * ENTRY_BYTES;
    ptrdiff_t beside = (ptrdiff_t)at; /* or in front of it */

    if (a->addr.v >= f->table.v && at + a->size <= table_bytes)
        return access_table(v->domain, f, a, (uint32_t)at);
    /* Across the table's end is nobody's. */
    if (a->addr.v + a->size > f->table.v && a->addr.v < f->table.v + table_bytes) {
        a->value = UINT64_MAX;
        return EXIT_HANDLED;
    }
    access_machine(f->regs + beside, a);
    return EXIT_HANDLED;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Where a BAR of memory stands; 0: nowhere. */
static uint64_t bar_address(uint16_t bdf, uint32_t bar)
{
    uint32_t low = pci_read(bdf, PCI_BAR + 4 * bar, 4);
    uint64_t address = low & ~PCI_BAR_FLAGS;

    if (low & PCI_BAR_IO)
        return 0;
    if (low & PCI_BAR_64BIT && bar + 1 < BARS)
        address |= (uint64_t)pci_read(bdf, PCI_BAR + 4 * (bar + 1), 4) << 32;
    return address;
}

void vpci_msix_pages(const struct vpci_function *f, gaddr_t *start, uint64_t *bytes)
{
    uint64_t end = align_up(f->table.v + (uint64_t)f->nr_entries * ENTRY_BYTES, FRAME_SIZE);

    *start = GADDR(align_down(f->table.v, FRAME_SIZE));
    *bytes = end - start->v;
}

int vpci_msix_init(struct domain *d, struct vpci_function *f)
{
    uint32_t where = pci_read(f->bdf, f->msix + MSIX_TABLE, 4);
    uint32_t bar = (uint32_t)field_get(TABLE_BAR, where);
    uint64_t base = bar < BARS ? bar_address(f->bdf, bar) : 0, bytes;
    volatile uint8_t *regs;
    gaddr_t start;
    int rc;

    if (!base) {
        log_warn("PCI %02x:%02x.%x: firmware gave its table of messages no place: not used",
                 PCI_BUS(f->bdf), (unsigned int)f->bdf >> 3 & 0x1f, f->bdf & 7);
        return 0;
    }
    f->table = GADDR(base + (where & ~(uint32_t)TABLE_BAR));
    f->nr_entries = (uint32_t)field_get(CONTROL_ENTRIES, pci_read(f->bdf, f->msix, 4)) + 1;
    vpci_msix_pages(f, &start, &bytes);
    f->entries = heap_calloc(f->nr_entries, sizeof(*f->entries));
    regs = device_map(MADDR(start.v), bytes);
    if (!f->entries || !regs)
        return -ENOMEM;
    f->regs = regs + (f->table.v - start.v);
    for (uint32_t i = 0; i < f->nr_entries; i++)
        f->entries[i].control = ENTRY_MASKED;
    rc = mmio_add(d, start, bytes, access_pages, f);
    if (rc == -EEXIST) {
        log_warn("PCI %02x:%02x.%x: its table of messages shares a page with another's: not used",
                 PCI_BUS(f->bdf), (unsigned int)f->bdf >> 3 & 0x1f, f->bdf & 7);
        heap_free(f->entries);
        f->entries = NULL;
        rc = 0;
    }
    return rc;
}
