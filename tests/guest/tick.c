/* SPDX-License-Identifier: MIT */
/*
 * The neighbour: prints `tick NAME N` for ever, by its virtual timer and WFI. Arguments: name=,
 * period= (ms); late=1 adds how many us after its time the interrupt came. Tests run it beside a
 * guest that misbehaves: while N grows, the hypervisor and its other guests go on.
 */
#include "guest.h"

const char guest_name[] = "tick";

static volatile uint64_t fired, when;

static void on_irq(struct frame *f)
{
    uint32_t iar = gic_ack();

    (void)f;
    if (iar == machine.ppi_virt) {
        when = now();
        timer_virt_off();
        fired++;
    }
    if (iar != GIC_SPURIOUS)
        gic_eoi(iar);
}

void guest_main(void)
{
    char name[24] = "tick";
    bool late = bootarg_number("late", 0);
    uint64_t period = ticks_of_us(bootarg_number("period", 100) * 1000), next = now();

    bootarg("name", name, sizeof(name));
    gic_init();
    gic_enable(machine.ppi_virt);
    irq_hook = on_irq;
    for (uint64_t n = 1;; n++) {
        next += period;
        timer_virt(next);
        while (fired < n) {
            irq_off();
            if (fired < n)
                wfi();
            irq_on();
        }
        if (late)
            put("tick %s %lu %lu\n", name, n, (when - next) / ticks_of_us(1));
        else
            put("tick %s %lu\n", name, n);
    }
}
