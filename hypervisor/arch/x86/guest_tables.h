/* SPDX-License-Identifier: MIT */
/*
 * What a PVH domain is told when it starts: <xen/arch-x86/hvm/start_info.h>, and ACPI's tables.
 * Between the files of this folder that build domains; nothing here needs the machine, so that
 * tests on the host link it.
 */
#ifndef X86_GUEST_TABLES_H
#define X86_GUEST_TABLES_H

#include <asm/e820.h>
#include <hospes/types.h>

/* A block that is written in the hypervisor, and stands at `at` in the domain. */
struct guest_block {
    uint8_t *to;
    uint64_t at;
    uint32_t room, used;
    bool full; /* something had no room: what is written is worth nothing */
};

/* Room for `bytes` of zeroes, aligned in the domain; NULL: none, and it is full. */
void *guest_block_add(struct guest_block *b, uint32_t bytes, uint32_t align);

/* The domain's address of what was added. */
uint64_t guest_block_at(const struct guest_block *b, const void *p);

/* --- start_info.c ---------------------------------------------------------------------------- */

struct pvh_start {
    const char *cmdline;
    uint64_t ramdisk, ramdisk_bytes; /* 0 bytes: none */
    uint64_t rsdp;                   /* 0: none */
    uint32_t flags;                  /* SIF_* */
    const struct e820 *map;
    /* Devices know no addresses but the machine's: the domain's own memory stands there, what
     * others granted it does not. Linux is told to have devices transfer to and from its own memory
     * only, unless the line says something of that itself. */
    bool bounce;
};

/* Writes it; its address in the domain, 0 when there was no room. */
uint64_t start_info_write(struct guest_block *b, const struct pvh_start *s);

/* --- acpi_tables.c --------------------------------------------------------------------------- */

#define ACPI_KEPT_MAX 64u

struct acpi_tables {
    uint32_t vcpus;
    /* IO-APICs and interrupt source overrides, as they stand in the machine's MADT; or none. */
    const uint8_t *madt;
    uint32_t madt_bytes;
    /* The machine's tables that the domain sees as they are; none: it gets a FADT of its own, of a
     * machine without hardware. */
    uint64_t kept[ACPI_KEPT_MAX];
    uint32_t nr_kept;
};

/* True if a domain that has the machine's devices may see the machine's table of that name. */
bool acpi_is_shown(const char signature[4]);

/* Writes them; the RSDP's address in the domain, 0 when there was no room. */
uint64_t acpi_tables_write(struct guest_block *b, const struct acpi_tables *t);

#endif
