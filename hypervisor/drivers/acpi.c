/* SPDX-License-Identifier: MIT */
/* Where ACPI's tables are, and which of them are good: ACPI 6.5, 5.2.5 to 5.2.8. */
#include <hospes/acpi.h>
#include <hospes/errno.h>
#include <hospes/map.h>
#include <lib/bits.h>

#include <string.h>

#define RSDP_BYTES_1 20u
#define RSDP_BYTES_2 36u
#define TABLE_MAX    MIB(16) /* longer ones are not believed */

/* Where BIOSes have the RSDP: in the first KiB of the extended data area, and here. */
#define EBDA_SEGMENT 0x40eu
#define EBDA_BYTES   1024u
#define BIOS_START   0xe0000u
#define BIOS_END     0x100000u

struct acpi_root acpi_root;

static bool sums_to_0(const uint8_t *p, uint64_t bytes)
{
    uint8_t sum = 0;

    for (uint64_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + p[i]);
    return sum == 0;
}

static bool is_rsdp(const uint8_t *p, uint32_t bytes)
{
    return bytes >= RSDP_BYTES_1 && memcmp(p, "RSD PTR ", 8) == 0 && sums_to_0(p, RSDP_BYTES_1);
}

/* Copies the RSDP at `at` to `to`: its length, 0 if there is none. */
static uint32_t take_rsdp(uint64_t at, uint8_t to[RSDP_BYTES_2])
{
    const uint8_t *p = ram_map_readonly(MADDR(at), RSDP_BYTES_2);
    uint32_t bytes = 0;

    if (p && is_rsdp(p, RSDP_BYTES_2)) {
        bytes = p[15] ? RSDP_BYTES_2 : RSDP_BYTES_1;
        memcpy(to, p, bytes);
    }
    if (p)
        ram_unmap(p, RSDP_BYTES_2);
    return bytes;
}

static uint64_t scan(uint64_t start, uint64_t bytes)
{
    const uint8_t *p = ram_map_readonly(MADDR(start), bytes);
    uint64_t found = 0;

    for (uint64_t i = 0; p && !found && i + RSDP_BYTES_1 <= bytes; i += 16)
        if (is_rsdp(p + i, RSDP_BYTES_1))
            found = start + i;
    if (p)
        ram_unmap(p, bytes);
    return found;
}

static uint64_t find_rsdp(void)
{
    uint16_t segment = 0;
    uint64_t found = 0;

    maddr_read(&segment, MADDR(EBDA_SEGMENT), sizeof(segment));
    if (segment >= 0x400 && segment < 0xa000)
        found = scan((uint64_t)segment << 4, EBDA_BYTES);
    return found ? found : scan(BIOS_START, BIOS_END - BIOS_START);
}

/* A table's header as it is at `maddr`: its length if that can be, else 0. */
static uint32_t table_bytes(uint64_t maddr, char signature[5])
{
    const uint8_t *h = maddr ? ram_map_readonly(MADDR(maddr), ACPI_HEADER_BYTES) : NULL;
    uint32_t bytes = 0;

    if (h) {
        bytes = load_le32(h + 4);
        memcpy(signature, h, 4);
        signature[4] = '\0';
        ram_unmap(h, ACPI_HEADER_BYTES);
    }
    return bytes >= ACPI_HEADER_BYTES && bytes <= TABLE_MAX ? bytes : 0;
}

/* Fills in *t if all of the table at `maddr` is good. */
static bool take_table(uint64_t maddr, struct acpi_table *t)
{
    const void *p;
    bool good;

    t->maddr = maddr;
    t->bytes = table_bytes(maddr, t->signature);
    p = t->bytes ? acpi_map(t) : NULL;
    good = p && sums_to_0(p, t->bytes);
    if (p)
        acpi_unmap(t, p);
    return good;
}

/* The tables that the root names, with addresses of `width` bytes. */
static void take_all(const struct acpi_table *root, uint32_t width)
{
    const uint8_t *p = acpi_map(root);

    for (uint32_t i = ACPI_HEADER_BYTES; p && i + width <= root->bytes; i += width) {
        uint64_t maddr = width == 8 ? load_le64(p + i) : load_le32(p + i);

        if (acpi_root.nr < ACPI_TABLES && take_table(maddr, &acpi_root.tables[acpi_root.nr]))
            acpi_root.nr++;
        else
            acpi_root.refused++;
    }
    if (p)
        acpi_unmap(root, p);
}

int acpi_init(uint64_t rsdp, const void *copy, uint32_t copy_bytes)
{
    uint8_t pointer[RSDP_BYTES_2] = { 0 };
    struct acpi_table root;

    memset(&acpi_root, 0, sizeof(acpi_root));
    if (copy && copy_bytes >= RSDP_BYTES_1 && is_rsdp(copy, copy_bytes))
        memcpy(pointer, copy, min(copy_bytes, RSDP_BYTES_2));
    else if (!(rsdp && take_rsdp(rsdp, pointer)) &&
             !((rsdp = find_rsdp()) && take_rsdp(rsdp, pointer)))
        return -ENOENT;

    acpi_root.revision = pointer[15];
    memcpy(acpi_root.oem, pointer + 9, 6);
    if (pointer[15] && load_le64(pointer + 24) && take_table(load_le64(pointer + 24), &root) &&
        strcmp(root.signature, "XSDT") == 0)
        take_all(&root, 8);
    else if (take_table(load_le32(pointer + 16), &root) && strcmp(root.signature, "RSDT") == 0)
        take_all(&root, 4);
    else
        return -EINVAL;
    return 0;
}

const struct acpi_table *acpi_find(const char *signature, uint32_t index)
{
    for (uint32_t i = 0; i < acpi_root.nr; i++)
        if (strcmp(acpi_root.tables[i].signature, signature) == 0 && index-- == 0)
            return &acpi_root.tables[i];
    return NULL;
}

const void *acpi_map(const struct acpi_table *t)
{
    return ram_map_readonly(MADDR(t->maddr), t->bytes);
}

void acpi_unmap(const struct acpi_table *t, const void *p)
{
    ram_unmap(p, t->bytes);
}
