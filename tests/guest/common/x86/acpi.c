/* SPDX-License-Identifier: MIT */
/* The CPUs that ACPI lists (ACPI 6.5, 5.2.5 to 5.2.12): RSDP, XSDT, MADT. */
#include "guest.h"

#define MADT_LAPIC   0u
#define MADT_X2APIC  9u
#define MADT_ENABLED 1u

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void add_cpu(uint32_t id, uint32_t flags)
{
    if (flags & MADT_ENABLED && machine.cpus < MAX_CPUS)
        machine.apic_id[machine.cpus++] = id;
}

static void read_madt(const uint8_t *madt, uint32_t length)
{
    for (uint32_t i = 44; i + 2 <= length && madt[i + 1] >= 2; i += madt[i + 1]) {
        if (madt[i] == MADT_LAPIC)
            add_cpu(madt[i + 3], get32(madt + i + 4));
        else if (madt[i] == MADT_X2APIC)
            add_cpu(get32(madt + i + 4), get32(madt + i + 8));
    }
}

void machine_read_cpus(void)
{
    const uint8_t *rsdp = (const uint8_t *)(uintptr_t)machine.info->rsdp_paddr, *xsdt, *table;

    if (rsdp) {
        xsdt = (const uint8_t *)(uintptr_t)get64(rsdp + 24);
        for (uint32_t i = 36; i + 8 <= get32(xsdt + 4); i += 8) {
            table = (const uint8_t *)(uintptr_t)get64(xsdt + i);
            if (get32(table) == 0x43495041) /* "APIC" */
                read_madt(table, get32(table + 4));
        }
    }
    if (machine.cpus == 0)
        machine.cpus = 1;
}
