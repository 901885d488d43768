/* SPDX-License-Identifier: MIT */
/*
 * The local APIC (AMD APM 2, chapter 16; x2APIC: Intel SDM 3, 11.12), the alarm by its timer, and
 * the upcall by a vector of its own on each CPU.
 */
#include "hypercall.h"

#include <xen/hvm/hvm_op.h>

#define MSR_APIC_BASE       0x1bu
#define BASE_X2APIC         (1u << 10)
#define BASE_ENABLE         (1u << 11)
#define MSR_X2APIC          0x800u
#define CPUID_X2APIC        (1u << 21) /* of leaf 1, ECX */
#define SVR_ENABLE          (1u << 8)
#define LVT_MASKED          (1u << 16)
#define ICR_BUSY            (1u << 12)
#define DIVIDE_BY_1         0xbu
#define CALIBRATION_US      1000u
#define CALIBRATION_MOST_US 1000000u
#define CALIBRATION_PARTS   64u /* it is exact to one part of so many */

volatile uint64_t alarm_fired, alarm_when;

static bool is_x2apic, counts_alarm;
static uint64_t apic_khz;
static uint64_t upcalls_seen[MAX_CPUS];

uint32_t apic_read(unsigned int reg)
{
    return is_x2apic ? (uint32_t)rdmsr(MSR_X2APIC + reg) : read32(DEVICE + reg * 16);
}

void apic_write(unsigned int reg, uint32_t value)
{
    if (is_x2apic)
        wrmsr(MSR_X2APIC + reg, value);
    else
        write32(DEVICE + reg * 16, value);
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_send(unsigned int cpu, uint32_t command)
{
    barrier();
    if (is_x2apic) {
        wrmsr(MSR_X2APIC + APIC_ICR, (uint64_t)machine.apic_id[cpu] << 32 | command);
        return;
    }
    write32(DEVICE + (APIC_ICR + 1) * 16, machine.apic_id[cpu] << 24);
    write32(DEVICE + APIC_ICR * 16, command);
    while (read32(DEVICE + APIC_ICR * 16) & ICR_BUSY)
        relax();
}

void apic_init_cpu(void)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    is_x2apic = r[2] & CPUID_X2APIC && !bootarg_number("xapic", 0);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | BASE_ENABLE | (is_x2apic ? BASE_X2APIC : 0));
    apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TPR, 0);
}

/* ---- the alarm ---- */
static void calibrate(void)
{
    if (apic_khz)
        return;
    apic_init_cpu();
    apic_write(APIC_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_ALARM);
    /* Longer and longer, until what passes between the looks at the two clocks does not count: this
     * CPU may be another's then. */
    for (uint64_t us = CALIBRATION_US; apic_khz == 0; us *= 2) {
        uint64_t before, begin, end, after, ticks;

        before = now();
        apic_write(APIC_INITIAL, UINT32_MAX);
        begin = now();
        delay_us(us);
        end = now();
        ticks = UINT32_MAX - apic_read(APIC_CURRENT);
        after = now();
        if ((begin - before) + (after - end) <= (end - begin) / CALIBRATION_PARTS ||
            us > CALIBRATION_MOST_US)
            apic_khz = ticks * machine.tsc_khz / (end - begin);
    }
    apic_write(APIC_INITIAL, 0);
}

static void on_alarm(struct frame *f)
{
    if (counts_alarm && f->vector == VECTOR_ALARM) {
        alarm_when = now();
        alarm_fired++;
    }
}

void alarm_init(void)
{
    calibrate();
    counts_alarm = true;
    irq_hook = on_alarm;
}

/* Not before its time: the APIC's clock is not the counter. */
void alarm_set(uint64_t when)
{
    uint64_t t = now(), left = when > t ? when - t : 0;
    uint64_t count = left * apic_khz / machine.tsc_khz;

    apic_write(APIC_LVT_TIMER, VECTOR_ALARM);
    count += count / CALIBRATION_PARTS + 1; /* as exact as it was measured */
    apic_write(APIC_INITIAL, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

void sleep_until(uint64_t when)
{
    calibrate();
    while (now() < when) {
        alarm_set(when);
        wfi();
    }
    apic_write(APIC_INITIAL, 0);
    irq_window();
}

/* ---- the upcall ---- */
void upcall_init_cpu(void)
{
    struct xen_hvm_evtchn_upcall_vector upcall = { .vcpu = cpu_id(), .vector = VECTOR_UPCALL };

    apic_init_cpu();
    check_eq((uint64_t)hypercall_op(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &upcall),
             0, "the upcall's vector");
    irq_window(); /* one comes at once, whether there is something or not */
    upcalls_seen[cpu_id()] = taken[cpu_id()][VECTOR_UPCALL];
}

void upcall_init(void)
{
    upcall_init_cpu();
}

bool upcall_take(volatile uint8_t *upcall_pending)
{
    unsigned int cpu = cpu_id();

    irq_window();
    if (taken[cpu][VECTOR_UPCALL] == upcalls_seen[cpu])
        return false;
    upcalls_seen[cpu] = taken[cpu][VECTOR_UPCALL];
    check_eq(*upcall_pending, 1, "evtchn_upcall_pending");
    *upcall_pending = 0;
    return true;
}

void upcall_wait(volatile uint8_t *upcall_pending)
{
    while (!upcall_take(upcall_pending))
        wfi();
}
