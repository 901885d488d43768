/* SPDX-License-Identifier: MIT */
/* Registers of fixed hardware: ACPI 6.5, 5.2.9 (FADT), 4.8.3 (power management timer and control),
 * 7.4.2 (sleeping states); IA-PC HPET Specification 1.0a, 3.2.4. */
#include <hospes/acpi.h>
#include <hospes/errno.h>
#include <lib/bits.h>

#include <string.h>

/* Offsets into the FADT. */
#define DSDT         40u
#define SCI          46u
#define PM1A_CONTROL 64u
#define PM1B_CONTROL 68u
#define PM_TIMER     76u
#define PM_TIMER_LEN 91u
#define BOOT_ARCH    109u
#define FLAGS        112u
#define RESET        116u
#define RESET_VALUE  128u
#define X_DSDT       140u
#define X_PM1A       172u
#define X_PM1B       184u
#define X_PM_TIMER   208u
#define LEAST_BYTES  116u

#define FLAG_TIMER_32 (1u << 8)
#define FLAG_RESET    (1u << 10)

/* A generic address structure, 5.2.3.2. */
#define GAS_BYTES 12u

#define MCFG_FIRST 44u
#define MCFG_ENTRY 16u

static struct acpi_register gas(const uint8_t *p)
{
    return (struct acpi_register){ .space = p[0], .bits = p[1], .address = load_le64(p + 4) };
}

/* The 64-bit form where the table has it and it says something, else the port of the old form. */
static struct acpi_register either(const uint8_t *t, uint32_t bytes, uint32_t wide, uint32_t narrow,
                                   uint8_t bits)
{
    struct acpi_register r = { .address = load_le32(t + narrow), .space = ACPI_PORT, .bits = bits };

    if (bytes >= wide + GAS_BYTES && gas(t + wide).address)
        r = gas(t + wide);
    return r;
}

int acpi_fadt_read(const void *table, uint32_t bytes, struct acpi_fadt *f)
{
    const uint8_t *t = table;

    memset(f, 0, sizeof(*f));
    if (bytes < LEAST_BYTES)
        return -EINVAL;
    f->dsdt = load_le32(t + DSDT);
    if (bytes >= X_DSDT + 8 && load_le64(t + X_DSDT))
        f->dsdt = load_le64(t + X_DSDT);
    f->flags = load_le32(t + FLAGS);
    f->sci = load_le16(t + SCI);
    f->boot_flags = load_le16(t + BOOT_ARCH);
    f->pm1a_control = either(t, bytes, X_PM1A, PM1A_CONTROL, 16);
    f->pm1b_control = either(t, bytes, X_PM1B, PM1B_CONTROL, 16);
    if (t[PM_TIMER_LEN] == 4)
        f->pm_timer = either(t, bytes, X_PM_TIMER, PM_TIMER, 32);
    f->pm_timer_32 = f->flags & FLAG_TIMER_32;
    if ((f->flags & FLAG_RESET) && bytes > RESET_VALUE) {
        f->reset = gas(t + RESET);
        f->reset_value = t[RESET_VALUE];
        f->has_reset = f->reset.address != 0;
    }
    return 0;
}

/* A constant of AML: ZeroOp, OneOp, or BytePrefix and a byte. The bytes it took; 0: another. */
static uint32_t small_constant(const uint8_t *p, uint32_t bytes, uint8_t *value)
{
    if (bytes >= 1 && p[0] <= 1) {
        *value = p[0];
        return 1;
    }
    if (bytes >= 2 && p[0] == 0x0a) {
        *value = p[1];
        return 2;
    }
    return 0;
}

bool acpi_find_s5(const void *aml, uint32_t bytes, uint8_t type[2])
{
    const uint8_t *p = aml;

    /* NameOp "_S5_" PackageOp length elements ... ; the length takes 1 to 4 bytes. */
    for (uint32_t i = 0; i + 8 < bytes; i++) {
        uint32_t root = p[i + 1] == '\\' ? 1 : 0, at = i + 5 + root, used;

        if (p[i] != 0x08 || memcmp(p + i + 1 + root, "_S5_", 4) != 0 || p[at] != 0x12 ||
            at + 1 >= bytes)
            continue;
        at += 3u + (p[at + 1] >> 6);
        if (at >= bytes || !(used = small_constant(p + at, bytes - at, &type[0])))
            continue;
        at += used;
        if (at >= bytes || !small_constant(p + at, bytes - at, &type[1]))
            type[1] = type[0];
        return true;
    }
    return false;
}

uint64_t acpi_hpet_read(const void *table, uint32_t bytes)
{
    const uint8_t *t = table;

    return bytes >= 52 && t[40] == ACPI_MEMORY ? load_le64(t + 44) : 0;
}

bool acpi_mcfg_read(const void *table, uint32_t bytes, uint32_t index, struct acpi_mcfg *m)
{
    const uint8_t *t = table;
    uint64_t at = MCFG_FIRST + (uint64_t)index * MCFG_ENTRY;

    if (at + MCFG_ENTRY > bytes)
        return false;
    m->address = load_le64(t + at);
    m->segment = load_le16(t + at + 8);
    m->first_bus = t[at + 10];
    m->last_bus = t[at + 11];
    return true;
}
