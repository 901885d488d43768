/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's clock, by the TSC, and its alarm, by the local APIC's timer. Ticks to
 * nanoseconds as <xen/xen.h> has it for guests' vcpu_time_info, so that theirs is ours.
 */
#ifndef ASM_CLOCK_H
#define ASM_CLOCK_H

#include <hospes/types.h>

/* ns = ns_base + ((((tsc - tsc_base) << shift) * mul) >> 32); a negative shift goes right. Constant
 * after clock_init(). */
struct clock_scale {
    uint64_t tsc_base, ns_base;
    uint32_t mul;
    int8_t shift;
};
extern struct clock_scale clock_scale;
extern uint64_t clock_tsc_khz;

/* The scale of a counter at `hz`. Ticks and nanoseconds of a time span under it. */
struct clock_scale clock_scale_of(uint64_t hz);
static inline uint64_t clock_scale_ns(const struct clock_scale *s, uint64_t ticks)
{
    ticks = s->shift < 0 ? ticks >> -s->shift : ticks << s->shift;
    return (uint64_t)((unsigned __int128)ticks * s->mul >> 32);
}
uint64_t clock_scale_ticks(const struct clock_scale *s, uint64_t ns);

/* Between TSC and clock_ns(); before the clock began: 0. What does not fit: the most. */
uint64_t clock_from_tsc(uint64_t tsc);
uint64_t clock_to_tsc(uint64_t ns);

/* Measures TSC and local APIC timer against what the machine has. The local APIC is on. 0,
 * -ENODEV. */
int clock_init(void);

/* This CPU's timer. Each CPU, once. */
void clock_pcpu_init(void);

/* VECTOR_TIMER came. */
void clock_interrupt(void);

/* Waits, for hardware that needs time. Only after clock_init(). */
void clock_delay_us(uint32_t us);

#endif
