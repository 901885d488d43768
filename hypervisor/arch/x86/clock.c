/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's clock and alarm; <asm/clock.h> has the contract. Both are measured once, against
 * whatever of known frequency the machine has: calibrate.c.
 */
#include <asm/apic.h>
#include <asm/apic_regs.h>
#include <asm/calibrate.h>
#include <asm/clock.h>
#include <asm/cpu.h>
#include <asm/msr.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>
#include <lib/bits.h>

#define DIVIDE_BY_1 0xbu
#define MIN_HZ      1000000u
#define NS_PER_S    1000000000ull

struct clock_scale clock_scale;
uint64_t clock_tsc_khz;

/* Ticks of the local APIC's timer in a nanosecond, times 2^32, rounded up: it does not come too
 * early. */
static uint64_t apic_per_ns;
static bool by_deadline; /* the timer is set by the TSC's value */

uint64_t clock_ns(void)
{
    /* Before the TSC was measured everything happens at 0. */
    return clock_from_tsc(rdtsc_ordered());
}

uint64_t clock_from_tsc(uint64_t tsc)
{
    uint64_t ticks = tsc > clock_scale.tsc_base ? tsc - clock_scale.tsc_base : 0;

    return clock_scale.ns_base + clock_scale_ns(&clock_scale, ticks);
}

uint64_t clock_to_tsc(uint64_t ns)
{
    uint64_t ticks =
        clock_scale_ticks(&clock_scale, ns > clock_scale.ns_base ? ns - clock_scale.ns_base : 0);

    return ticks < UINT64_MAX - clock_scale.tsc_base ? clock_scale.tsc_base + ticks : UINT64_MAX;
}

int clock_init(void)
{
    struct calibration c;
    int err;

    apic_write(APIC_DIVIDE, DIVIDE_BY_1);
    err = calibrate(&c);
    if (err)
        return err;
    if (c.tsc_hz < MIN_HZ || c.apic_hz < MIN_HZ) {
        log_err("clock: the TSC's %llu Hz or the APIC timer's %llu Hz are not to be believed",
                (unsigned long long)c.tsc_hz, (unsigned long long)c.apic_hz);
        return -ENODEV;
    }
    clock_scale = clock_scale_of(c.tsc_hz);
    clock_scale.tsc_base = c.tsc_start;
    clock_tsc_khz = (c.tsc_hz + 500) / 1000;
    apic_per_ns = ((c.apic_hz / NS_PER_S) << 32) + (c.apic_hz % NS_PER_S << 32) / NS_PER_S + 1;
    by_deadline = cpu_has(CPU_TSC_DEADLINE);
    log_info("clock: TSC at %llu.%03llu MHz by %s, APIC timer %s",
             (unsigned long long)clock_tsc_khz / 1000, (unsigned long long)clock_tsc_khz % 1000,
             c.against, by_deadline ? "by TSC deadline" : "one-shot");
    return 0;
}

void clock_pcpu_init(void)
{
    enum apic_timer_mode mode = by_deadline ? APIC_DEADLINE : APIC_ONE_SHOT;

    apic_write(APIC_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_COUNT, 0);
    apic_write(APIC_LVT_TIMER, (uint32_t)field_prep(APIC_TIMER_MODE, mode) | VECTOR_TIMER);
    /* The mode is to be seen before a deadline. */
    __asm__ volatile("mfence" ::: "memory");
}

void clock_interrupt(void)
{
    pcpu_kick(this_pcpu(), PENDING_TIMER);
}

void arch_timer_program(uint64_t expires_ns)
{
    unsigned __int128 ticks = 1;
    uint64_t now;

    if (by_deadline) {
        /* A time past fires at once, 0 never. */
        wrmsr(MSR_TSC_DEADLINE,
              expires_ns == TIMER_NEVER ? 0 : max(clock_to_tsc(expires_ns), (uint64_t)1));
        return;
    }
    if (expires_ns == TIMER_NEVER) {
        apic_write(APIC_COUNT, 0);
        return;
    }
    now = clock_ns();
    if (expires_ns > now)
        ticks += (unsigned __int128)(expires_ns - now) * apic_per_ns >> 32;
    /* What is too far away fires early, and is set anew. */
    apic_write(APIC_COUNT, ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX);
}

void clock_delay_us(uint32_t us)
{
    uint64_t end = clock_ns() + (uint64_t)us * 1000;

    while (clock_ns() < end)
        arch_cpu_relax();
}
