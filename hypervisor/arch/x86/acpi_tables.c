/* SPDX-License-Identifier: MIT */
/*
 * ACPI's tables for domains: a MADT with their vCPUs, an XSDT that names it, and what leads there.
 * The hardware domain sees the machine's other tables besides, but for those of what Hospes keeps.
 * ACPI 6.5, chapter 5.2.
 */
#include "guest_tables.h"

#include <lib/bits.h>
#include <string.h>

#define LAPIC_ADDRESS 0xfee00000u
#define XAPIC_MAX     255u /* numbers of 8 bits; 255 is all of them */

/* Entries of a MADT. */
enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_X2APIC = 9 };

#define MADT_ENABLED 1u

/* Byte offsets in a FADT, and what is said there. */
#define FADT_BYTES       276u /* version 6.5 */
#define FADT_DSDT        40u
#define FADT_BOOT_ARCH   109u
#define FADT_FLAGS       112u
#define FADT_MINOR       131u
#define FADT_X_DSDT      140u
#define NO_VGA           BIT(2)
#define NO_CMOS_RTC      BIT(5)
#define HARDWARE_REDUCED BIT(20)

struct header {
    char signature[4];
    uint32_t bytes;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision;
    char creator[4];
    uint32_t creator_revision;
};

_Static_assert(sizeof(struct header) == 36, "ACPI 5.2.6");

struct __attribute__((packed)) rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t bytes;
    uint64_t xsdt;
    uint8_t checksum_all;
    uint8_t reserved[3];
};

_Static_assert(sizeof(struct rsdp) == 36, "ACPI 5.2.5.3");

#define RSDP_BYTES_1 20u /* that `checksum` is over */

static uint8_t checksum(const void *p, uint32_t bytes)
{
    const uint8_t *b = p;
    uint8_t sum = 0;

    while (bytes--)
        sum = (uint8_t)(sum + *b++);
    return (uint8_t)-sum;
}

static struct header *begin(struct guest_block *b, const char *signature, uint8_t revision,
                            uint32_t bytes)
{
    struct header *h = guest_block_add(b, bytes, 8);

    if (!h)
        return NULL;
    memcpy(h->signature, signature, sizeof(h->signature));
    memcpy(h->oem, "HOSPES", sizeof(h->oem));
    memcpy(h->oem_table, "GUEST   ", sizeof(h->oem_table));
    memcpy(h->creator, "HOSP", sizeof(h->creator));
    h->oem_revision = h->creator_revision = 1;
    h->revision = revision;
    h->bytes = bytes;
    return h;
}

static uint64_t end(const struct guest_block *b, struct header *h)
{
    h->checksum = 0;
    h->checksum = checksum(h, h->bytes);
    return guest_block_at(b, h);
}

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

/* --- MADT ------------------------------------------------------------------------------------ */

/* Numbers of vCPUs in their APICs are twice their own; those beyond 8 bits have a longer entry. */
static bool is_wide(uint32_t vcpu)
{
    return 2 * vcpu >= XAPIC_MAX;
}

static uint8_t *put_vcpu(uint8_t *p, uint32_t vcpu)
{
    if (is_wide(vcpu)) {
        p[0] = MADT_X2APIC;
        p[1] = 16;
        put32(p + 4, 2 * vcpu);
        put32(p + 8, MADT_ENABLED);
        put32(p + 12, vcpu);
        return p + 16;
    }
    p[0] = MADT_LAPIC;
    p[1] = 8;
    p[2] = (uint8_t)vcpu;
    p[3] = (uint8_t)(2 * vcpu);
    put32(p + 4, MADT_ENABLED);
    return p + 8;
}

/* Copies the entries of the machine's that are about lines; returns their bytes. NULL: counts. */
static uint32_t copy_lines(const struct acpi_tables *t, uint8_t *to)
{
    uint32_t bytes = 0, n;

    for (uint32_t at = 44; at + 2 <= t->madt_bytes; at += n) {
        const uint8_t *e = t->madt + at;

        n = e[1];
        if (n < 2 || n > t->madt_bytes - at)
            break;
        if (!(e[0] == MADT_IOAPIC && n == 12) && !(e[0] == MADT_OVERRIDE && n == 10))
            continue;
        if (to)
            memcpy(to + bytes, e, n);
        bytes += n;
    }
    return bytes;
}

static uint64_t write_madt(struct guest_block *b, const struct acpi_tables *t)
{
    uint32_t bytes = 44 + copy_lines(t, NULL);
    struct header *h;
    uint8_t *p;

    for (uint32_t i = 0; i < t->vcpus; i++)
        bytes += is_wide(i) ? 16 : 8;
    h = begin(b, "APIC", 5, bytes);
    if (!h)
        return 0;
    p = (uint8_t *)(h + 1);
    put32(p, LAPIC_ADDRESS);
    p += 8; /* flags: no PICs */
    for (uint32_t i = 0; i < t->vcpus; i++)
        p = put_vcpu(p, i);
    (void)copy_lines(t, p);
    return end(b, h);
}

/* --- a machine without hardware -------------------------------------------------------------- */

static uint64_t write_fadt(struct guest_block *b)
{
    struct header *dsdt = begin(b, "DSDT", 2, sizeof(*dsdt)), *h;
    uint64_t dsdt_at;
    uint8_t *p;

    if (!dsdt)
        return 0;
    dsdt_at = end(b, dsdt);
    h = begin(b, "FACP", 6, FADT_BYTES);
    if (!h)
        return 0;
    p = (uint8_t *)h;
    put32(p + FADT_DSDT, (uint32_t)dsdt_at);
    put64(p + FADT_X_DSDT, dsdt_at);
    p[FADT_BOOT_ARCH] = NO_VGA | NO_CMOS_RTC;
    put32(p + FADT_FLAGS, (uint32_t)HARDWARE_REDUCED);
    p[FADT_MINOR] = 5;
    return end(b, h);
}

/* --- what leads there ------------------------------------------------------------------------ */

bool acpi_is_shown(const char signature[4])
{
    /* vCPUs are not the machine's CPUs: where these are, and their memory, is of no use. The timer
     * and the IOMMUs are kept. */
    static const char hidden[][5] = { "APIC", "HPET", "SLIT", "SRAT", "MPST",
                                      "PMTT", "DMAR", "IVRS", "HMAT" };

    for (uint32_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        if (memcmp(signature, hidden[i], 4) == 0)
            return false;
    return true;
}

static uint64_t write_xsdt(struct guest_block *b, const struct acpi_tables *t)
{
    uint64_t madt = write_madt(b, t), fadt = t->nr_kept ? 0 : write_fadt(b);
    uint32_t nr = 1 + (t->nr_kept ? t->nr_kept : 1);
    struct header *h = begin(b, "XSDT", 1, (uint32_t)sizeof(*h) + 8 * nr);
    uint8_t *p;

    if (!h)
        return 0;
    p = (uint8_t *)(h + 1);
    put64(p, t->nr_kept ? t->kept[0] : fadt);
    for (uint32_t i = 1; i < t->nr_kept; i++)
        put64(p + 8 * (size_t)i, t->kept[i]);
    put64(p + 8 * (size_t)(nr - 1), madt);
    return end(b, h);
}

uint64_t acpi_tables_write(struct guest_block *b, const struct acpi_tables *t)
{
    struct rsdp *r = guest_block_add(b, sizeof(*r), 16);
    uint64_t xsdt = write_xsdt(b, t);

    if (!r || b->full)
        return 0;
    memcpy(r->signature, "RSD PTR ", sizeof(r->signature));
    memcpy(r->oem, "HOSPES", sizeof(r->oem));
    r->revision = 2;
    r->bytes = sizeof(*r);
    r->xsdt = xsdt;
    r->checksum = checksum(r, RSDP_BYTES_1);
    r->checksum_all = checksum(r, sizeof(*r));
    return guest_block_at(b, r);
}
