/* SPDX-License-Identifier: MIT */
/*
 * The hardware domain's IO-APICs, and the way of the machine's lines through them; <asm/vioapic.h>
 * has the contract. Intel 82093AA, 3.0; IO-APIC version 0x20: with an EOI register.
 *
 * A line of the machine's that is a level is masked there from when it comes (<asm/ioapic.h>) until
 * the guest has said EOI: vioapic_eoi() opens it again, and if it is still high it comes again. So
 * no state of the line is kept but `remote IRR`, which is ours: the guest has not said EOI yet.
 */
#include <asm/apic_regs.h>
#include <asm/ioapic.h>
#include <asm/irq.h>
#include <asm/vioapic.h>
#include <asm/vlapic.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/irq.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define PAGE_SELECT 0x00u
#define PAGE_WINDOW 0x10u
#define PAGE_EOI    0x40u
#define PAGE_BYTES  FRAME_SIZE

#define REG_ID      0x00u
#define REG_VERSION 0x01u
#define REG_ARB     0x02u
#define REG_ENTRY   0x10u /* two for each pin */

#define ID_FIELD        MASK(27, 24)
#define VERSION         0x20u
#define VERSION_ENTRIES MASK(23, 16)
#define MAX_PINS        240u

#define ENTRY_STATUS (APIC_PENDING | APIC_REMOTE_IRR)
#define ENTRY_DEST   MASK(63, 56)

/* --- entries ---------------------------------------------------------------------------------- */

static struct vioapic *find(struct vioapics *a, uint32_t gsi)
{
    for (uint32_t i = 0; i < a->nr; i++)
        if (gsi - a->io[i].gsi_base < a->io[i].nr_pins)
            return &a->io[i];
    return NULL;
}

static bool is_level(uint64_t entry)
{
    return entry & APIC_TRIGGER;
}

/* Sends what the entry says. Under the lock. False: it is masked, or for nobody. */
static bool send(struct domain *d, uint64_t *entry)
{
    struct vlapic_message m = {
        .dest = (uint32_t)field_get(ENTRY_DEST, *entry),
        .vector = (uint8_t)field_get(APIC_VECTOR, *entry),
        .mode = (uint8_t)field_get(APIC_MODE, *entry),
        .logical = *entry & APIC_DEST_LOGICAL,
        .level = is_level(*entry),
    };

    if (*entry & APIC_MASKED)
        return false;
    if (m.level && *entry & APIC_REMOTE_IRR)
        return true; /* it comes again when the guest has said EOI, if it is still high */
    if (!vlapic_deliver(d, &m))
        return false;
    if (m.level)
        *entry |= APIC_REMOTE_IRR;
    return true;
}

/* A guest's line is open at the machine's IO-APIC while its own entry is. What a guest writes of a
 * line that Hospes has, or nobody, is without effect. */
static void open_line(const struct domain *d, const struct vioapic *io, uint32_t pin)
{
    uint64_t entry = io->entries[pin];
    uint32_t gsi = io->gsi_base + pin;

    if (irq_can_give(gsi, d))
        return;
    if (entry & APIC_MASKED) {
        irq_guest_disable(gsi);
        return;
    }
    irq_guest_trigger(gsi, is_level(entry) ? IRQ_LEVEL : IRQ_EDGE);
    irq_set_polarity(gsi, entry & APIC_POLARITY_LOW);
    irq_guest_enable(gsi, this_pcpu()->id);
}

static void write_entry(const struct domain *d, struct vioapic *io, uint32_t pin, bool high,
                        uint32_t value)
{
    uint64_t old = io->entries[pin], entry;

    if (high)
        entry = (uint32_t)old | (uint64_t)value << 32;
    else
        entry = (old & ~(uint64_t)UINT32_MAX) | value;
    entry = (entry & ~ENTRY_STATUS) | (old & ENTRY_STATUS);
    /* An edge has nothing to end: so drivers clear what hangs. */
    if (!is_level(entry))
        entry &= ~APIC_REMOTE_IRR;
    io->entries[pin] = entry;
    if (old != entry)
        open_line(d, io, pin);
}

/* --- registers -------------------------------------------------------------------------------- */

static uint32_t read_selected(const struct vioapic *io)
{
    uint32_t pin;

    switch (io->select) {
    case REG_ID:
    case REG_ARB:
        return (uint32_t)field_prep(ID_FIELD, io->id);
    case REG_VERSION:
        return VERSION | (uint32_t)field_prep(VERSION_ENTRIES, io->nr_pins - 1);
    default:
        pin = (io->select - REG_ENTRY) / 2;
        if (io->select < REG_ENTRY || pin >= io->nr_pins)
            return UINT32_MAX;
        return (uint32_t)(io->entries[pin] >> 32 * (io->select & 1));
    }
}

static void write_selected(const struct domain *d, struct vioapic *io, uint32_t value)
{
    uint32_t pin = (io->select - REG_ENTRY) / 2;

    if (io->select == REG_ID)
        io->id = (uint32_t)field_get(ID_FIELD, value);
    else if (io->select >= REG_ENTRY && pin < io->nr_pins)
        write_entry(d, io, pin, io->select & 1, value);
}

static enum exit_action access_page(struct vcpu *v, struct mmio_access *a, void *device)
{
    struct vioapics *all = &v->domain->arch.vioapics;
    struct vioapic *io = device;

    if (a->size != 4) {
        a->value = 0;
        return EXIT_HANDLED;
    }
    if (a->offset == PAGE_EOI && a->write) {
        vioapic_eoi(v->domain, (uint8_t)a->value);
        return EXIT_HANDLED;
    }
    spin_lock(&all->lock);
    if (!a->write)
        a->value = a->offset == PAGE_SELECT   ? io->select
                   : a->offset == PAGE_WINDOW ? read_selected(io)
                                              : 0;
    else if (a->offset == PAGE_SELECT)
        io->select = (uint8_t)a->value;
    else if (a->offset == PAGE_WINDOW)
        write_selected(v->domain, io, (uint32_t)a->value);
    spin_unlock(&all->lock);
    return EXIT_HANDLED;
}

/* --- lines ------------------------------------------------------------------------------------ */

bool vioapic_assert(struct domain *d, uint32_t gsi)
{
    struct vioapics *a = &d->arch.vioapics;
    struct vioapic *io = find(a, gsi);
    bool taken = false;

    if (!io)
        return false;
    spin_lock(&a->lock);
    taken = send(d, &io->entries[gsi - io->gsi_base]);
    spin_unlock(&a->lock);
    return taken;
}

/* Lines that the guest is done with, each bit a pin from `from` on. */
static uint64_t end_some(struct vioapic *io, uint32_t from, uint8_t vector)
{
    uint64_t ended = 0;

    for (uint32_t i = 0; i < 64 && from + i < io->nr_pins; i++) {
        uint64_t *entry = &io->entries[from + i];

        if (!(*entry & APIC_REMOTE_IRR) || field_get(APIC_VECTOR, *entry) != vector)
            continue;
        *entry &= ~APIC_REMOTE_IRR;
        ended |= BIT(i);
    }
    return ended;
}

void vioapic_eoi(struct domain *d, uint8_t vector)
{
    struct vioapics *a = &d->arch.vioapics;

    for (uint32_t i = 0; i < a->nr; i++) {
        struct vioapic *io = &a->io[i];

        for (uint32_t from = 0; from < io->nr_pins; from += 64) {
            uint64_t ended;

            spin_lock(&a->lock);
            ended = end_some(io, from, vector);
            spin_unlock(&a->lock);
            for (; ended; ended &= ended - 1)
                arch_irq_finish(io->gsi_base + from + bit_lowest(ended));
        }
    }
}

/* --- life ------------------------------------------------------------------------------------- */

int vioapic_add(struct domain *d, uint32_t id, uint64_t address, uint32_t gsi_base, uint32_t pins)
{
    struct vioapics *a = &d->arch.vioapics;
    struct vioapic *io = &a->io[a->nr];
    int rc;

    if (a->nr == VIOAPIC_MAX || !pins || pins > MAX_PINS)
        return -ENOSPC;
    if (!a->nr)
        a->lock = SPINLOCK_INIT(LOCK_VGIC);
    *io = (struct vioapic){ .id = id, .address = address, .gsi_base = gsi_base, .nr_pins = pins };
    io->entries = heap_calloc(pins, sizeof(*io->entries));
    if (!io->entries)
        return -ENOMEM;
    for (uint32_t i = 0; i < pins; i++)
        io->entries[i] = APIC_MASKED;
    rc = mmio_add(d, GADDR(address), PAGE_BYTES, access_page, io);
    if (rc) {
        heap_free(io->entries);
        return rc;
    }
    a->nr++;
    return 0;
}

void vioapic_destroy(struct domain *d)
{
    struct vioapics *a = &d->arch.vioapics;

    for (uint32_t i = 0; i < a->nr; i++)
        heap_free(a->io[i].entries);
    a->nr = 0;
}
