/* SPDX-License-Identifier: MIT */
/* CPUs and interrupt controllers: ACPI 6.5, 5.2.12. */
#include <hospes/acpi.h>
#include <hospes/errno.h>
#include <lib/bits.h>

#include <string.h>

#define FIRST_ENTRY 44u
#define PCAT_COMPAT 1u

#define CPU_ENABLED 1u

/* Types of entries, and how long each is at least. */
enum entry_type {
    LOCAL_APIC = 0,
    IO_APIC = 1,
    OVERRIDE = 2,
    LOCAL_APIC_ADDRESS = 5,
    LOCAL_X2APIC = 9,
};

static const uint8_t lengths[] = {
    [LOCAL_APIC] = 8,          [IO_APIC] = 12,      [OVERRIDE] = 10,
    [LOCAL_APIC_ADDRESS] = 12, [LOCAL_X2APIC] = 16,
};

static void add_cpu(struct acpi_madt *m, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
    if (!(flags & CPU_ENABLED))
        return;
    /* Both kinds of entries may tell of one CPU. */
    for (uint32_t i = 0; i < m->nr_cpus; i++)
        if (m->cpus[i].apic_id == apic_id)
            return;
    if (m->nr_cpus == ACPI_CPUS) {
        m->lost++;
        return;
    }
    m->cpus[m->nr_cpus].apic_id = apic_id;
    m->cpus[m->nr_cpus++].uid = uid;
}

static void add_ioapic(struct acpi_madt *m, const uint8_t *e)
{
    if (m->nr_ioapics == ACPI_IOAPICS) {
        m->lost++;
        return;
    }
    m->ioapics[m->nr_ioapics].id = e[2];
    m->ioapics[m->nr_ioapics].address = load_le32(e + 4);
    m->ioapics[m->nr_ioapics++].gsi_base = load_le32(e + 8);
}

/* Polarity and trigger as the bus has them, which is high and edge for ISA, or else. */
static void add_override(struct acpi_madt *m, const uint8_t *e)
{
    uint32_t flags = load_le16(e + 8);

    if (m->nr_overrides == ACPI_OVERRIDES || e[2] != 0) {
        m->lost++;
        return;
    }
    m->overrides[m->nr_overrides].irq = e[3];
    m->overrides[m->nr_overrides].gsi = load_le32(e + 4);
    m->overrides[m->nr_overrides].low = (flags & 3) == 3;
    m->overrides[m->nr_overrides++].level = (flags >> 2 & 3) == 3;
}

static void take_entry(struct acpi_madt *m, const uint8_t *e)
{
    switch (e[0]) {
    case LOCAL_APIC:
        if (e[3] != 0xff)
            add_cpu(m, e[3], e[2], load_le32(e + 4));
        break;
    case LOCAL_X2APIC:
        if (load_le32(e + 4) != UINT32_MAX)
            add_cpu(m, load_le32(e + 4), load_le32(e + 12), load_le32(e + 8));
        break;
    case IO_APIC:
        add_ioapic(m, e);
        break;
    case OVERRIDE:
        add_override(m, e);
        break;
    case LOCAL_APIC_ADDRESS:
        m->apic = load_le64(e + 4);
        break;
    default:
        break;
    }
}

int acpi_madt_read(const void *table, uint32_t bytes, struct acpi_madt *m)
{
    const uint8_t *t = table;

    memset(m, 0, sizeof(*m));
    if (bytes < FIRST_ENTRY)
        return -EINVAL;
    m->apic = load_le32(t + 36);
    m->has_pic = load_le32(t + 40) & PCAT_COMPAT;
    for (uint32_t i = FIRST_ENTRY; i + 2 <= bytes;) {
        const uint8_t *e = t + i;

        if (e[1] < 2 || e[1] > bytes - i)
            return -EINVAL;
        if (e[0] < sizeof(lengths) && e[1] < lengths[e[0]])
            m->lost++;
        else
            take_entry(m, e);
        i += e[1];
    }
    return 0;
}
