/* SPDX-License-Identifier: MIT */
/*
 * The generic timer as the hypervisor uses it: the physical counter is its clock, the EL2 physical
 * timer its alarm. Interrupt numbers and, where firmware left CNTFRQ_EL0 at 0, the frequency come
 * from the device tree.
 */
#ifndef ASM_CLOCK_H
#define ASM_CLOCK_H

#include <stdint.h>

struct clock_info {
    uint64_t hz;
    uint64_t ns_mult;   /* ns = ticks * ns_mult >> 32 */
    uint64_t tick_mult; /* ticks = ns * tick_mult >> 32, rounded up a little */
    uint32_t irq_hyp, irq_virt, irq_phys;
};

extern struct clock_info clock_info;

/*
 * Reads the tree's timer node; clock_ns() works from here on (it is 0 before). Before gic_init():
 * the interrupt controller's waits are timed. 0, or -ENODEV with a line.
 */
int clock_init(void);

/* This pCPU's timer: off, its interrupt enabled. After gic_pcpu_init(). */
void clock_pcpu_init(void);

/* The EL2 timer's interrupt: quiet it; timers are looked at before the next entry. */
void clock_interrupt(void);

/* The time, as of clock_ns(), at which the physical counter shows `ticks`, or a tick later. */
uint64_t clock_of_ticks(uint64_t ticks);

/* The least number of ticks that last at least `ns`. */
uint64_t clock_ticks_of(uint64_t ns);

#endif
