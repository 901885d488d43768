/* SPDX-License-Identifier: MIT */
/*
 * The neighbour: prints `tick NAME N` for ever, by its timer, asleep in between. Arguments: name=,
 * period= (ms); late=1 adds how many us after its time the interrupt came. Tests run it beside a
 * guest that misbehaves: while N grows, the hypervisor and its other guests go on.
 */
#include "guest.h"

const char guest_name[] = "tick";

void guest_main(void)
{
    char name[24] = "tick";
    bool late = bootarg_number("late", 0);
    uint64_t period = ticks_of_us(bootarg_number("period", 100) * 1000), next = now();

    bootarg("name", name, sizeof(name));
    alarm_init();
    for (uint64_t n = 1;; n++) {
        next += period;
        alarm_set(next);
        while (alarm_fired < n) {
            irq_off();
            if (alarm_fired < n)
                wfi();
            irq_on();
        }
        if (late)
            put("tick %s %lu %lu\n", name, n, (alarm_when - next) / ticks_of_us(1));
        else
            put("tick %s %lu\n", name, n);
    }
}
