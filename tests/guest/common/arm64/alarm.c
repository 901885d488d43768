/* SPDX-License-Identifier: MIT */
/* The virtual timer (Arm DDI 0487, D11) as an alarm, and to sleep by. */
#include "guest.h"

volatile uint64_t alarm_fired, alarm_when;

static void on_irq(struct frame *f)
{
    uint32_t iar = gic_ack();

    (void)f;
    if (iar == machine.ppi_virt) {
        alarm_when = now();
        timer_virt_off();
        alarm_fired++;
    }
    if ((iar & 0x3ff) < 1020)
        gic_eoi(iar);
}

void alarm_init(void)
{
    gic_init();
    gic_enable(machine.ppi_virt);
    irq_hook = on_irq;
}

void alarm_set(uint64_t when)
{
    timer_virt(when);
}

void sleep_until(uint64_t when)
{
    uint32_t iar;

    timer_virt(when);
    gic_enable(machine.ppi_virt);
    while (now() < when)
        wfi();
    timer_virt_off();
    while (((iar = gic_ack()) & 1023) < GIC_SPURIOUS)
        gic_eoi(iar);
}
