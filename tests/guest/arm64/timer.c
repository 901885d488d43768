/* SPDX-License-Identifier: MIT */
/*
 * The generic timer (Arm DDI 0487, D11): both timers' conditions, interrupts that never come before
 * their time, and that end WFI. Times are compared with the counter alone; nothing says how late is
 * too late.
 */
#include "guest.h"

const char guest_name[] = "timer";

#define ENABLE  1u
#define IMASK   2u
#define ISTATUS 4u

struct timer {
    const char *name;
    unsigned int ppi;
    bool phys;
};
static struct timer timers[2];
static volatile unsigned int fired[2];
static volatile uint64_t when[2];

static uint64_t counter(const struct timer *t)
{
    barrier();
    return t->phys ? sysreg_read(cntpct_el0) : sysreg_read(cntvct_el0);
}

static void set_ctl(const struct timer *t, uint64_t ctl)
{
    if (t->phys)
        sysreg_write(cntp_ctl_el0, ctl);
    else
        sysreg_write(cntv_ctl_el0, ctl);
}

static uint64_t get_ctl(const struct timer *t)
{
    return t->phys ? sysreg_read(cntp_ctl_el0) : sysreg_read(cntv_ctl_el0);
}

static void set_cval(const struct timer *t, uint64_t cval)
{
    if (t->phys)
        sysreg_write(cntp_cval_el0, cval);
    else
        sysreg_write(cntv_cval_el0, cval);
}

static uint64_t get_cval(const struct timer *t)
{
    return t->phys ? sysreg_read(cntp_cval_el0) : sysreg_read(cntv_cval_el0);
}

static void set_tval(const struct timer *t, int32_t tval)
{
    if (t->phys)
        sysreg_write(cntp_tval_el0, (uint32_t)tval);
    else
        sysreg_write(cntv_tval_el0, (uint32_t)tval);
}

static int64_t get_tval(const struct timer *t)
{
    return (int32_t)(t->phys ? sysreg_read(cntp_tval_el0) : sysreg_read(cntv_tval_el0));
}

static void on_irq(struct frame *f)
{
    uint32_t iar = gic_ack();

    (void)f;
    for (unsigned int i = 0; i < 2; i++) {
        if ((iar & 0x3ff) == timers[i].ppi) {
            when[i] = counter(&timers[i]);
            set_ctl(&timers[i], 0);
            fired[i]++;
        }
    }
    if ((iar & 0x3ff) < 1020)
        gic_eoi(iar);
}

static void counters(void)
{
    unsigned int back = 0;

    check(sysreg_read(cntfrq_el0) >= 1000000, "CNTFRQ_EL0 (%lu Hz)", sysreg_read(cntfrq_el0));
    for (unsigned int phys = 0; phys < 2; phys++) {
        const struct timer *t = &timers[phys];
        uint64_t last = counter(t);
        back = 0;
        for (unsigned int i = 0; i < 50000; i++) {
            uint64_t v = counter(t);
            back += v < last;
            last = v;
        }
        check_eq(back, 0, "the %s counter never goes back", t->name);
    }
}

static void conditions(const struct timer *t)
{
    uint64_t before, after;
    int64_t tval;

    set_ctl(t, 0);
    before = counter(t);
    set_tval(t, 1000000);
    after = counter(t);
    check(get_cval(t) >= before + 1000000 && get_cval(t) <= after + 1000000, "%s: TVAL sets CVAL",
          t->name);
    before = counter(t);
    set_tval(t, -1000);
    after = counter(t);
    check(get_cval(t) + 1000 >= before && get_cval(t) + 1000 <= after,
          "%s: a negative TVAL is in the past", t->name);
    set_cval(t, UINT64_C(0x123456789abcdef0));
    check_eq(get_cval(t), UINT64_C(0x123456789abcdef0), "%s: CVAL holds 64 bits", t->name);
    set_cval(t, counter(t) + 500000000);
    before = get_cval(t) - counter(t);
    tval = get_tval(t);
    after = get_cval(t) - counter(t);
    check(tval <= (int64_t)before && tval >= (int64_t)after, "%s: TVAL is what is left", t->name);
    set_cval(t, ~UINT64_C(0));
    set_ctl(t, ENABLE | IMASK);
    check_eq(get_ctl(t), ENABLE | IMASK, "%s: not due", t->name);
    set_cval(t, 0);
    check_eq(get_ctl(t), ENABLE | IMASK | ISTATUS, "%s: due", t->name);
    set_ctl(t, ENABLE | IMASK | 0xf8 | ISTATUS);
    check_eq(get_ctl(t), ENABLE | IMASK | ISTATUS, "%s: other bits of CTL are zero", t->name);
    set_ctl(t, 0);
    check_eq(get_ctl(t) & (ENABLE | IMASK), 0, "%s: off", t->name);
}

/* What is moved away, or switched off, before its time does not come. */
static void withdrawn(const struct timer *t)
{
    for (unsigned int off = 0; off < 2; off++) {
        unsigned int before, tries = 0;
        uint64_t cval, then;
        do { /* until this was run without a pause, as the emulator makes them */
            before = fired[t - timers];
            cval = counter(t) + ticks_of_us(1000);
            set_cval(t, cval);
            set_ctl(t, ENABLE);
            irq_on();
            if (off)
                set_ctl(t, 0);
            else
                set_cval(t, ~UINT64_C(0));
            then = counter(t);
            delay_us(3000);
            irq_off();
        } while (then >= cval && tries++ < 1000);
        check_eq(fired[t - timers], before, "%s: %s in time", t->name,
                 off ? "switched off" : "moved away");
        set_ctl(t, 0);
    }
}

static void interrupts(unsigned int n)
{
    const struct timer *t = &timers[n];
    static const int64_t in_us[] = { 1000, 10, 0, 1, 3000, -1000, 200, 20000, 5 };
    unsigned int early = 0, missing = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(in_us) * 4; i++) {
        int64_t us = in_us[i % ARRAY_SIZE(in_us)];
        uint64_t cval = counter(t) + (uint64_t)(us * (int64_t)ticks_of_us(1));
        unsigned int before = fired[n];
        set_cval(t, cval);
        set_ctl(t, ENABLE);
        irq_on();
        missing += !wait_until(fired[n] == before + 1);
        irq_off();
        early += when[n] < cval;
    }
    check_eq(missing, 0, "%s: the interrupt comes", t->name);
    check_eq(early, 0, "%s: never before its time", t->name);
    n = fired[n];
    set_cval(t, 0);
    set_ctl(t, ENABLE | IMASK);
    irq_on();
    delay_us(2000);
    check_eq(fired[t - timers], n, "%s: no interrupt while masked", t->name);
    set_ctl(t, ENABLE);
    check(wait_until(fired[t - timers] == n + 1), "%s: the interrupt once unmasked", t->name);
    irq_off();
    withdrawn(t);
}

/* WFI with the interrupt masked in PSTATE, and with it open: a due timer ends both. */
static void waits(unsigned int n)
{
    const struct timer *t = &timers[n];
    unsigned int early = 0, before = fired[n];

    for (unsigned int i = 0; i < 20; i++) {
        uint64_t cval = counter(t) + ticks_of_us(i * 100);
        set_cval(t, cval);
        set_ctl(t, ENABLE);
        while (!(sysreg_read(isr_el1) & 0x80))
            wfi(); /* may end for no reason */
        early += counter(t) < cval;
        irq_on();
        irq_off();
    }
    check_eq(early, 0, "%s: WFI and a masked interrupt", t->name);
    check(fired[n] == before + 20, "%s: each was taken then (%u)", t->name, fired[n] - before);
    before = fired[n];
    for (unsigned int i = 0; i < 20; i++) {
        set_cval(t, counter(t) + ticks_of_us(i * 100));
        set_ctl(t, ENABLE);
        irq_on();
        while (fired[n] == before + i) {
            irq_off();
            if (fired[n] == before + i)
                wfi();
            irq_on();
        }
        irq_off();
    }
    check_eq(fired[n], before + 20, "%s: WFI until the interrupt is taken", t->name);
}

static void both(void)
{
    uint64_t cval[2];

    fired[0] = fired[1] = 0;
    for (unsigned int i = 0; i < 2; i++) {
        cval[i] = counter(&timers[i]) + ticks_of_us(1000 + i * 1000);
        set_cval(&timers[i], cval[i]);
        set_ctl(&timers[i], ENABLE);
    }
    irq_on();
    check(wait_until(fired[0] == 1 && fired[1] == 1), "both timers at once");
    irq_off();
    check(when[0] >= cval[0] && when[1] >= cval[1], "both timers at once: neither before its time");
}

static void events(void)
{
    /* With the event stream on, WFE always ends. */
    sysreg_write(cntkctl_el1, UINT64_C(1) << 2 | 4u << 4);
    for (unsigned int i = 0; i < 1000; i++)
        wfe();
    sysreg_write(cntkctl_el1, 0);
    check(true, "WFE ends");
}

static volatile unsigned int other_done;

static void other_cpu(unsigned int id)
{
    unsigned int before;

    gic_init_cpu();
    for (unsigned int i = 0; i < 2; i++) {
        gic_enable(timers[i].ppi);
        before = fired[i];
        set_cval(&timers[i], counter(&timers[i]) + ticks_of_us(2000));
        set_ctl(&timers[i], ENABLE);
        irq_on();
        while (fired[i] == before)
            ;
        irq_off();
    }
    other_done = id;
}

void guest_main(void)
{
    timers[0] = (struct timer){ "virtual", machine.ppi_virt, false };
    timers[1] = (struct timer){ "physical", machine.ppi_phys, true };
    gic_init();
    irq_hook = on_irq;
    counters();
    for (unsigned int i = 0; i < 2; i++)
        conditions(&timers[i]);
    for (unsigned int i = 0; i < 2; i++) {
        gic_enable(timers[i].ppi);
        interrupts(i);
        waits(i);
    }
    both();
    events();
    for (unsigned int cpu = 1; cpu < machine.cpus; cpu++) {
        check_eq((uint64_t)cpu_start(cpu, other_cpu), 0, "CPU %u starts", cpu);
        check(wait_until(other_done == cpu), "CPU %u has timers of its own", cpu);
        cpu_wait_off(cpu);
    }
}
