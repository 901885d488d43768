/* SPDX-License-Identifier: MIT */
/*
 * Spins for ever and prints after each period= (ms) of its virtual time how often it went round its
 * loop: `spin NAME PERIOD COUNT`. Two of them on one CPU, counted by the emulator's instructions,
 * show the scheduler's shares. Arguments: name=, period=, sleep= (parts of 100 of each ms that it
 * sleeps instead).
 */
#include "guest.h"

const char guest_name[] = "spin";

static void nap_until(uint64_t end)
{
    uint64_t before = alarm_fired;

    alarm_set(end);
    irq_on();
    while (alarm_fired == before) {
        irq_off();
        if (alarm_fired == before)
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
    alarm_init();
    for (uint64_t n = 1;; n++, end += period) {
        uint64_t count = 0;
        while ((t = now()) < end) {
            count++;
            if (asleep && t >= nap) {
                nap_until(t + asleep);
                nap = t + slice;
            }
        }
        put("spin %s %lu %lu\n", name, n, count);
        while (end + period < t) /* what passed unseen is no period */
            end += period;
    }
}
