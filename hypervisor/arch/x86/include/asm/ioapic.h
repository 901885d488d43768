/* SPDX-License-Identifier: MIT */
/*
 * This machine's IO-APICs: lines (GSIs) and what each is routed to; and the vectors of all
 * interrupts, message-signalled ones included. Numbers of <hospes/irq.h>: GSIs first, from
 * irq_nr_gsis on MSIs. Intel 82093AA; ACPI 6.4, 5.2.12.
 *
 * Lock: LOCK_IOAPIC for the registers; a line's entry is under its irq_desc's lock.
 */
#ifndef ASM_IOAPIC_H
#define ASM_IOAPIC_H

#include <hospes/irq.h>
#include <hospes/types.h>

#define IOAPIC_MAX 16u
#define MSI_MAX    256u /* message-signalled interrupts that there can be at a time */

struct ioapic {
    uint32_t id, gsi_base, nr_pins;
    uint64_t address;
    volatile uint8_t *regs;
};

extern struct ioapic ioapics[IOAPIC_MAX];
extern uint32_t nr_ioapics;
extern uint32_t nr_gsis; /* one more than the highest: where MSIs' numbers begin */

/* All that the MADT names, all lines masked. 0, -ENODEV, -ENOMEM. */
int ioapic_init(void);

/* The line that an ISA interrupt comes in on, and how it does. */
struct isa_line {
    uint32_t gsi;
    bool level, low;
};
struct isa_line ioapic_isa(uint8_t irq);

/* What is on the line asserts it low, or high: before the line is enabled, or while it is. PCI's
 * are low at first, ISA's as the MADT says. */
void ioapic_set_polarity(uint32_t gsi, bool low);

/*
 * Message-signalled interrupts: a number of <hospes/irq.h>, to be given or requested, then enabled
 * by arch_irq_enable(). Negative: none left. irq_msi_message(): what a device has to write so that
 * it comes, once it is enabled; changes with the pCPU (arch_irq_set_affinity()). False: not
 * enabled.
 */
int irq_msi_alloc(void);
void irq_msi_free(uint32_t irq);
bool irq_msi_message(uint32_t irq, uint64_t *address, uint32_t *data);

/* Masks every line, for a reset or panic. */
void ioapic_mask_all(void);

#endif
