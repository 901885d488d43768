/* SPDX-License-Identifier: MIT */
/*
 * This machine's IO-APICs: lines (GSIs) and their entries. Who has a line, and the vectors of all,
 * is irq.c's. Intel 82093AA; ACPI 6.5, 5.2.12.
 */
#ifndef ASM_IOAPIC_H
#define ASM_IOAPIC_H

#include <hospes/acpi.h>
#include <hospes/types.h>

#define IOAPIC_MAX ACPI_IOAPICS
#define GSI_MAX    1024u /* where an IO-APIC's lines may begin */

struct ioapic {
    uint32_t id, gsi_base, nr_pins;
    uint64_t address;
    volatile uint8_t *regs;
};

/* Constant after boot. */
extern struct ioapic ioapics[IOAPIC_MAX];
extern uint32_t nr_ioapics;
extern uint32_t nr_gsis; /* one more than the highest line */

/* Masks what the 8259s have: while a local APIC still lets them through, or some say for ever that
 * they want something. */
void ioapic_silence_pics(void);

/* All that the table names, with all lines masked. 0, -ENODEV. */
int ioapic_init(const struct acpi_madt *madt);

/* The line that an ISA interrupt comes in on, and how it does. */
struct isa_line {
    uint32_t gsi;
    bool level, low;
};
struct isa_line ioapic_isa(uint8_t irq);

/* What is on a line asserts it low, as far as tables say: PCI's lines are, ISA's are not. */
bool ioapic_is_low(uint32_t gsi);

/* Writes a line's entry (bits: <asm/apic_regs.h>); opens or closes it. No effect where there is no
 * such line. Any lock before LOCK_IOAPIC may be held. */
void ioapic_write_entry(uint32_t gsi, uint64_t entry);
void ioapic_mask(uint32_t gsi, bool masked);

#endif
