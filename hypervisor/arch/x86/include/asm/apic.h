/* SPDX-License-Identifier: MIT */
/*
 * This machine's local APICs: interrupts between CPUs, end of interrupt, the timer. x2APIC where
 * CPUs have it, else registers in memory. Intel SDM volume 3, chapter 11; AMD APM volume 2, 16.
 */
#ifndef ASM_APIC_H
#define ASM_APIC_H

#include <hospes/types.h>

/* Vectors. Interrupt lines get those from VECTOR_FIRST to VECTOR_LAST. */
#define VECTOR_FIRST    0x30
#define VECTOR_LAST     0xef
#define VECTOR_KICK     0xf2
#define VECTOR_TIMER    0xf4
#define VECTOR_ERROR    0xfe
#define VECTOR_SPURIOUS 0xff

/* Registers, as offsets into the page. */
enum apic_register {
    APIC_ID = 0x20,
    APIC_VERSION = 0x30,
    APIC_TPR = 0x80,
    APIC_EOI = 0xb0,
    APIC_LDR = 0xd0,
    APIC_DFR = 0xe0,
    APIC_SVR = 0xf0,
    APIC_ISR = 0x100,
    APIC_TMR = 0x180,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PERF = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};

/* Finds out which way the registers are reached; this CPU's, the first, is switched on. `maddr`: of
 * the page, where firmware has it. 0, -ENODEV, -ENOMEM. */
int apic_init(uint64_t maddr);

/* This CPU's local APIC, in the mode that apic_init() chose. Each CPU, once. */
void apic_pcpu_init(void);

bool apic_is_x2(void);
uint32_t apic_read(enum apic_register reg);
void apic_write(enum apic_register reg, uint32_t value);

/* This CPU's number. */
uint32_t apic_id(void);

/* The interrupt being served, of the highest priority, is done. */
void apic_eoi(void);

/* Sends pCPU `id` a vector; INIT and start-up at CPU `apic`, which is none yet. */
void apic_send(uint32_t id, uint8_t vector);
void apic_send_init(uint32_t apic);
void apic_send_startup(uint32_t apic, uint8_t page);
void apic_send_nmi(uint32_t apic);

#endif
