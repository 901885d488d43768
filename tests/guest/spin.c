/* SPDX-License-Identifier: MIT */
/*
 * Spins for ever and prints after each period= (ms) of its virtual time how often it went round its
 * loop: `spin NAME PERIOD COUNT`. Two of them on one CPU, counted by the emulator's instructions,
 * show the scheduler's shares. Arguments: name=, period=, sleep= (parts of 100 of each ms that it
 * sleeps instead).
 */
#include "guest.h"

const char guest_name[] = "spin";

static volatile bool awake;

static void on_irq(struct frame *f)
{
    uint32_t iar = gic_ack();

    (void)f;
    timer_virt_off();
    awake = true;
    if ((iar & 0x3ff) < 1020)
        gic_eoi(iar);
}

static void sleep_until(uint64_t end)
{
    awake = false;
    timer_virt(end);
    irq_on();
    while (!awake) {
        irq_off();
        if (!awake)
            wfi();
        irq_on();
    }
    irq_off();
}

void guest_main(void)
{
    char name[16] = "spin";
    uint64_t period = ticks_of_us(bootarg_number("period", 1000) * 1000), slice = ticks_of_us(1000);
    uint64_t asleep = slice * bootarg_number("sleep", 0) / 100, t = now(), end = t + period,
             nap = t + slice;

    bootarg("name", name, sizeof(name));
    gic_init();
    gic_enable(machine.ppi_virt);
    irq_hook = on_irq;
    for (uint64_t n = 1;; n++, end += period) {
        uint64_t count = 0;
        while ((t = sysreg_read(cntvct_el0)) < end) {
            count++;
            if (asleep && t >= nap) {
                sleep_until(t + asleep);
                nap = t + slice;
            }
        }
        put("spin %s %lu %lu\n", name, n, count);
        while (end + period < t) /* what passed unseen is no period */
            end += period;
    }
}
