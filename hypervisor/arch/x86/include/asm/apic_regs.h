/* SPDX-License-Identifier: MIT */
/*
 * Registers of the local APIC, the machine's and a guest's alike: Intel SDM volume 3, 11.4.1 (in
 * memory, at these offsets) and 11.12.1.2 (as MSRs, APIC_MSR(offset)); AMD APM volume 2, 16.3.
 */
#ifndef ASM_APIC_REGS_H
#define ASM_APIC_REGS_H

#include <asm/msr.h>
#include <lib/bits.h>

#define APIC_BASE_ADDR MASK(51, 12)

#define MSR_X2APIC_FIRST 0x800u
#define MSR_X2APIC_LAST  0x8ffu
#define APIC_MSR(offset) (MSR_X2APIC_FIRST + (offset) / 16u)

#define APIC_ID        0x020u
#define APIC_VERSION   0x030u
#define APIC_TPR       0x080u
#define APIC_PPR       0x0a0u
#define APIC_EOI       0x0b0u
#define APIC_LDR       0x0d0u
#define APIC_DFR       0x0e0u
#define APIC_SVR       0x0f0u
#define APIC_ISR       0x100u /* eight of each */
#define APIC_TMR       0x180u
#define APIC_IRR       0x200u
#define APIC_ESR       0x280u
#define APIC_CMCI      0x2f0u
#define APIC_ICR       0x300u
#define APIC_ICR_HIGH  0x310u /* in memory only */
#define APIC_LVT_TIMER 0x320u
#define APIC_LVT_ERROR 0x370u
#define APIC_COUNT     0x380u /* initial */
#define APIC_CURRENT   0x390u
#define APIC_DIVIDE    0x3e0u
#define APIC_SELF_IPI  0x3f0u /* MSR only */

#define APIC_VERSION_NUMBER  MASK(7, 0)
#define APIC_VERSION_MAX_LVT MASK(23, 16)
#define APIC_VERSION_NO_EOI  BIT(24) /* EOI broadcasts can be suppressed */

#define APIC_SVR_VECTOR MASK(7, 0)
#define APIC_SVR_ENABLE BIT(8)
#define APIC_SVR_NO_EOI BIT(12)

/* ICR, LVT, IO-APIC entries and the data of MSIs have these at the same bits. */
#define APIC_VECTOR       MASK(7, 0)
#define APIC_MODE         MASK(10, 8) /* enum apic_mode */
#define APIC_DEST_LOGICAL BIT(11)
#define APIC_PENDING      BIT(12)
#define APIC_POLARITY_LOW BIT(13)
#define APIC_REMOTE_IRR   BIT(14)
#define APIC_TRIGGER      BIT(15) /* set: level */
#define APIC_MASKED       BIT(16)

#define APIC_ICR_ASSERT    BIT(14)
#define APIC_ICR_SHORTHAND MASK(19, 18) /* enum apic_shorthand */
#define APIC_ICR_DEST      MASK(63, 32) /* xAPIC: its upper 8 bits */
#define APIC_XAPIC_DEST    MASK(31, 24) /* of registers in memory: ID, LDR, ICR_HIGH */

#define APIC_TIMER_MODE MASK(18, 17) /* enum apic_timer_mode */

#define APIC_ESR_SEND_VECTOR    BIT(5)
#define APIC_ESR_RECEIVE_VECTOR BIT(6)
#define APIC_ESR_REGISTER       BIT(7)

enum apic_mode {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6,
    APIC_EXTINT = 7,
};

enum apic_shorthand { APIC_TO_DEST, APIC_TO_SELF, APIC_TO_ALL, APIC_TO_OTHERS };

enum apic_timer_mode { APIC_ONE_SHOT, APIC_PERIODIC, APIC_DEADLINE };

#endif
