/* SPDX-License-Identifier: MIT */
/*
 * ACPI's static tables (ACPI 6.5, chapter 5): found, checked and read. No AML is interpreted; what
 * a table names beyond what is read here is whoever's who asks for it whole.
 *
 * Boot only, first pCPU, no locks. Nothing in a table can do harm but be refused: lengths are
 * checked before what they count is read.
 */
#ifndef HOSPES_ACPI_H
#define HOSPES_ACPI_H

#include <hospes/types.h>

#define ACPI_TABLES 64u

#define ACPI_HEADER_BYTES 36u

struct acpi_table {
    char signature[5];
    uint64_t maddr;
    uint32_t bytes; /* its header's included */
};

/* What the root table names, and passed its check sum. */
struct acpi_root {
    uint8_t revision; /* of the RSDP: 0 is ACPI 1.0 */
    char oem[7];
    struct acpi_table tables[ACPI_TABLES];
    uint32_t nr;
    uint32_t refused; /* that did not, or there was no room for */
};
extern struct acpi_root acpi_root;

/*
 * Finds the tables: `rsdp` is where the loader says that the root pointer is, 0: it does not;
 * `copy` is a copy of it, or NULL. Else it is looked for where BIOSes have it. 0, -ENOENT (no
 * ACPI), -EINVAL (a root that is not good).
 */
int acpi_init(uint64_t rsdp, const void *copy, uint32_t copy_bytes);

/* The `index`th table of that name; NULL. */
const struct acpi_table *acpi_find(const char *signature, uint32_t index);

/* All of it, mapped until acpi_unmap(). NULL without memory. */
const void *acpi_map(const struct acpi_table *t);
void acpi_unmap(const struct acpi_table *t, const void *p);

/* --- interrupt controllers: MADT, 5.2.12 ----------------------------------------------------- */

#define ACPI_CPUS      256u
#define ACPI_IOAPICS   16u
#define ACPI_OVERRIDES 32u

struct acpi_madt {
    uint64_t apic; /* address of the local APICs' registers */
    bool has_pic;  /* two 8259s that have to be switched off */
    struct {
        uint32_t apic_id, uid;
    } cpus[ACPI_CPUS]; /* those that can be used */
    uint32_t nr_cpus;
    struct {
        uint64_t address;
        uint32_t id, gsi_base;
    } ioapics[ACPI_IOAPICS];
    uint32_t nr_ioapics;
    struct {
        uint8_t irq; /* ISA's */
        uint32_t gsi;
        bool level, low;
    } overrides[ACPI_OVERRIDES];
    uint32_t nr_overrides;
    uint32_t lost; /* entries that there was no room for, or that make no sense */
};

/* From a whole table, mapped. 0, -EINVAL. */
int acpi_madt_read(const void *table, uint32_t bytes, struct acpi_madt *m);

/* --- fixed hardware: FADT, 5.2.9; and what else says where a register is ---------------------- */

enum acpi_space { ACPI_MEMORY = 0, ACPI_PORT = 1, ACPI_PCI = 2 };

/* A register, 5.2.3.2; address 0: there is none. */
struct acpi_register {
    uint64_t address;
    uint8_t space; /* enum acpi_space, or another */
    uint8_t bits;
};

struct acpi_fadt {
    uint64_t dsdt;
    uint32_t flags;
    uint16_t sci;
    uint16_t boot_flags; /* IAPC_BOOT_ARCH */
    struct acpi_register pm_timer, pm1a_control, pm1b_control, reset;
    uint8_t reset_value;
    bool pm_timer_32; /* else 24 bits */
    bool has_reset;
};

int acpi_fadt_read(const void *table, uint32_t bytes, struct acpi_fadt *f);

/*
 * What to write to SLP_TYP of PM1a and PM1b to switch the machine off: the package _S5_ as
 * compilers write it, looked for in a table of AML. False: it is not there.
 */
bool acpi_find_s5(const void *aml, uint32_t bytes, uint8_t type[2]);

/* Where a segment's configuration space is in memory: PCI Firmware 3.3, 4.1.2. The `index`th entry;
 * false: no more. */
struct acpi_mcfg {
    uint64_t address;
    uint16_t segment;
    uint8_t first_bus, last_bus;
};
bool acpi_mcfg_read(const void *table, uint32_t bytes, uint32_t index, struct acpi_mcfg *m);

/* The HPET's registers, and whether they are in memory: 0 if not. */
uint64_t acpi_hpet_read(const void *table, uint32_t bytes);

#endif
