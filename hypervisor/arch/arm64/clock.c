/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's clock and alarm: the generic timer's physical counter and its EL2 timer (Arm ARM
 * DDI 0487 D12). Conversions multiply by precomputed factors with 32 bits behind the point;
 * products have 128 bits.
 */
#include <asm/clock.h>
#include <asm/gic.h>
#include <asm/sysreg.h>
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>

#define NS_PER_S 1000000000u
#define CTL_OFF  0u
#define CTL_ON   1u
#define MIN_HZ   1000000u
#define MAX_HZ   UINT32_MAX

/* Positions in the timer node's interrupts (binding arm,arch_timer.yaml). */
enum { TIMER_PHYS = 1, TIMER_VIRT = 2, TIMER_HYP = 3 };

struct clock_info clock_info;

/* (a * b) >> 32; the result fits. */
static uint64_t mul_shift(uint64_t a, uint64_t b)
{
    return (uint64_t)((unsigned __int128)a * b >> 32);
}

static uint64_t counter(void)
{
    isb(); /* not earlier than it stands here */
    return read_sysreg(cntpct_el0);
}

uint64_t clock_ns(void)
{
    return mul_shift(counter(), clock_info.ns_mult);
}

uint64_t clock_of_ticks(uint64_t ticks)
{
    /* One more, for what is cut off; no time ends at the end of time. */
    unsigned __int128 ns = ((unsigned __int128)ticks * clock_info.ns_mult >> 32) + 1;

    return ns < TIMER_NEVER ? (uint64_t)ns : TIMER_NEVER - 1;
}

uint64_t clock_ticks_of(uint64_t ns)
{
    unsigned __int128 ticks = ((unsigned __int128)ns * clock_info.tick_mult >> 32) + 1;

    return ticks < UINT64_MAX ? (uint64_t)ticks : UINT64_MAX;
}

static int find_timer_node(void)
{
    int node = dt_find_compatible(host_fdt, -1, "arm,armv8-timer");

    while (node >= 0 && !dt_enabled(host_fdt, node))
        node = dt_find_compatible(host_fdt, node, "arm,armv8-timer");
    return node;
}

/* The private interrupt at `index`, or the one that nearly all machines have. */
static uint32_t timer_irq(int node, uint32_t index, uint32_t usual, const char *what)
{
    struct dt_irq irq;

    if (dt_irq(host_fdt, node, index, &irq) == 0 && irq.intid >= 16 && irq.intid < 32)
        return irq.intid;
    log_warn("timer: no usable interrupt %u (%s) in the device tree, assuming %u", index, what,
             usual);
    return usual;
}

int clock_init(void)
{
    uint64_t hz = read_sysreg(cntfrq_el0);
    uint64_t from_tree;
    int node = find_timer_node();

    if (node < 0) {
        log_err("no arm,armv8-timer in the device tree: no clock");
        return -ENODEV;
    }
    if (hz == 0 && dt_number(host_fdt, node, "clock-frequency", &from_tree) == 0)
        hz = from_tree;
    if (hz < MIN_HZ || hz > MAX_HZ) {
        log_err("timer: a frequency of %lu Hz is not usable (CNTFRQ_EL0, clock-frequency)", hz);
        return -ENODEV;
    }
    clock_info.hz = hz;
    clock_info.ns_mult = ((uint64_t)NS_PER_S << 32) / hz;
    clock_info.tick_mult = div_round_up(hz << 32, NS_PER_S);
    clock_info.irq_phys = timer_irq(node, TIMER_PHYS, 30, "physical");
    clock_info.irq_virt = timer_irq(node, TIMER_VIRT, 27, "virtual");
    clock_info.irq_hyp = timer_irq(node, TIMER_HYP, 26, "hypervisor");
    log_debug("timer: %lu Hz, interrupts %u, %u, %u", hz, clock_info.irq_phys, clock_info.irq_virt,
              clock_info.irq_hyp);
    return 0;
}

void clock_pcpu_init(void)
{
    write_sysreg(CTL_OFF, cnthp_ctl_el2);
    isb();
    gic.driver->enable(clock_info.irq_hyp);
}

void clock_interrupt(void)
{
    /* Its condition holds until it is set anew: off until timer_run() does that. */
    write_sysreg(CTL_OFF, cnthp_ctl_el2);
    isb();
    pcpu_kick(this_pcpu(), PENDING_TIMER);
}

void arch_timer_program(uint64_t expires_ns)
{
    if (expires_ns == TIMER_NEVER) {
        write_sysreg(CTL_OFF, cnthp_ctl_el2);
        return;
    }
    /* From now on, so that rounding does not grow with the time the machine is up. */
    uint64_t now = counter();
    uint64_t now_ns = mul_shift(now, clock_info.ns_mult);
    uint64_t left = expires_ns > now_ns ? expires_ns - now_ns : 0;
    uint64_t ticks = clock_ticks_of(left);

    write_sysreg(ticks <= UINT64_MAX - now ? now + ticks : UINT64_MAX, cnthp_cval_el2);
    write_sysreg(CTL_ON, cnthp_ctl_el2);
    isb();
}
