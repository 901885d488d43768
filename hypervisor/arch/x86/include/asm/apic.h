/* SPDX-License-Identifier: MIT */
/*
 * This machine's local APICs: interrupts between CPUs, end of interrupt, the timer. x2APIC where
 * CPUs have it, else registers in memory. Registers: <asm/apic_regs.h>.
 */
#ifndef ASM_APIC_H
#define ASM_APIC_H

#include <hospes/types.h>

/* Vectors. Interrupt lines get those from VECTOR_FIRST to VECTOR_LAST. */
#define VECTOR_FIRST    0x30u
#define VECTOR_LAST     0xefu
#define VECTOR_KICK     0xf2u
#define VECTOR_TIMER    0xf4u
#define VECTOR_ERROR    0xfeu
#define VECTOR_SPURIOUS 0xffu

/* Finds out which way the registers are reached. `maddr`: of their page, as tables have it, or 0.
 * 0, -ENODEV, -ENOMEM. */
int apic_init(uint64_t maddr);

/* This CPU's local APIC, in the mode that apic_init() chose. Each CPU, once. */
void apic_pcpu_init(void);

bool apic_is_x2(void);
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t value);

/* This CPU's number. */
uint32_t apic_id(void);

/* The interrupt being served, of the highest priority, is done. */
void apic_eoi(void);

/* True if an interrupt waits to be taken by this CPU. */
bool apic_has_pending(void);

/* Sends pCPU `id` a vector; INIT and start-up at `page` << 12 to an APIC that is no pCPU yet. */
void apic_send(uint32_t id, uint8_t vector);
void apic_send_init(uint32_t apic);
void apic_send_startup(uint32_t apic, uint8_t page);

#endif
