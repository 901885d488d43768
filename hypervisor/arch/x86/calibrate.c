/* SPDX-License-Identifier: MIT */
/*
 * Measuring the TSC and the local APIC's timer against a counter whose frequency is known: ACPI's
 * (ACPI 6.5, 4.8.3.3), the HPET (IA-PC HPET 1.0a, 2.3.7), or the PIT (Intel 8254).
 *
 * Somebody else may run on this CPU in between (the firmware's management mode, another thread of
 * an emulator): each end of the interval is read many times, and the quickest reading counts.
 */
#include <asm/apic.h>
#include <asm/apic_regs.h>
#include <asm/calibrate.h>
#include <asm/cpu.h>
#include <asm/io.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <lib/bits.h>

#define ACPI_TIMER_HZ 3579545u
#define PIT_HZ        1193182u
#define INTERVAL      100u /* of a second, one part: 10 ms */
#define READINGS      8u

#define HPET_BYTES   0x400u
#define HPET_PERIOD  0x004u /* femtoseconds */
#define HPET_CONFIG  0x010u
#define HPET_COUNTER 0x0f0u
#define HPET_ENABLE  1u
#define FS_PER_S     1000000000000000ull

#define PIT_CHANNEL_2 0x42u
#define PIT_COMMAND   0x43u
#define PIT_ONE_SHOT  0xb0u /* channel 2, both bytes, counts down once */
#define PIT_LATCH     0x80u
#define PIT_GATE      0x61u /* bit 0: channel 2 counts; bit 1: speaker */

/* A counter that goes up, `mask` wide. */
struct reference {
    const char *name;
    uint64_t hz, mask;
    uint64_t (*read)(void);
};

static uint16_t acpi_timer_port;
static bool acpi_timer_32;
static volatile uint8_t *hpet;

static uint64_t read_acpi_timer(void)
{
    return port_read32(acpi_timer_port);
}

static uint64_t read_hpet(void)
{
    return mmio_read32(hpet + HPET_COUNTER);
}

static uint64_t read_pit(void)
{
    uint32_t value;

    port_write8(PIT_COMMAND, PIT_LATCH);
    value = port_read8(PIT_CHANNEL_2);
    value |= (uint32_t)port_read8(PIT_CHANNEL_2) << 8;
    return 0xffff - value;
}

static void start_pit(void)
{
    port_write8(PIT_GATE, (uint8_t)((port_read8(PIT_GATE) & ~2u) | 1u));
    port_write8(PIT_COMMAND, PIT_ONE_SHOT);
    port_write8(PIT_CHANNEL_2, 0xff);
    port_write8(PIT_CHANNEL_2, 0xff);
}

void calibrate_init(const struct acpi_fadt *fadt, uint64_t hpet_address)
{
    const struct acpi_register *r = &fadt->pm_timer;

    if (r->address && r->space == ACPI_PORT && r->address <= 0xfffc) {
        acpi_timer_port = (uint16_t)r->address;
        acpi_timer_32 = fadt->pm_timer_32;
    }
    if (hpet_address)
        hpet = device_map(MADDR(hpet_address), HPET_BYTES);
}

/* It moves: some machines name timers that they have not. */
static bool runs(const struct reference *r)
{
    uint64_t first = r->read();

    for (uint32_t i = 0; i < 10000; i++)
        if (r->read() != first)
            return true;
    return false;
}

static bool use_hpet(struct reference *r)
{
    uint64_t period;

    if (!hpet)
        return false;
    period = mmio_read32(hpet + HPET_PERIOD);
    if (period < 100000 || period > 100000000) /* by the specification */
        return false;
    mmio_write32(hpet + HPET_CONFIG, mmio_read32(hpet + HPET_CONFIG) | HPET_ENABLE);
    *r = (struct reference){ "HPET", FS_PER_S / period, UINT32_MAX, read_hpet };
    return runs(r);
}

static bool use_acpi_timer(struct reference *r)
{
    *r = (struct reference){ "ACPI timer", ACPI_TIMER_HZ, acpi_timer_32 ? UINT32_MAX : 0xffffff,
                             read_acpi_timer };
    return acpi_timer_port && runs(r);
}

static bool use_pit(struct reference *r)
{
    *r = (struct reference){ "PIT", PIT_HZ, 0xffff, read_pit };
    start_pit();
    return runs(r);
}

/* The three counters at one time, as good as it gets. */
struct reading {
    uint64_t tsc, reference;
    uint32_t apic; /* counts down */
};

static struct reading read_all(const struct reference *r)
{
    struct reading best = { 0 };
    uint64_t quickest = UINT64_MAX;

    for (uint32_t i = 0; i < READINGS; i++) {
        uint64_t before = rdtsc_ordered();
        uint64_t reference = r->read();
        uint32_t apic = apic_read(APIC_CURRENT);
        uint64_t after = rdtsc_ordered();

        if (after - before >= quickest)
            continue;
        quickest = after - before;
        best = (struct reading){ before + (after - before) / 2, reference, apic };
    }
    return best;
}

int calibrate(struct calibration *c)
{
    struct reference r;
    struct reading first, last;
    uint64_t passed;

    if (!use_acpi_timer(&r) && !use_hpet(&r) && !use_pit(&r)) {
        log_err("clock: neither ACPI's timer nor HPET nor PIT runs");
        return -ENODEV;
    }
    apic_write(APIC_LVT_TIMER, (uint32_t)APIC_MASKED | VECTOR_TIMER);
    apic_write(APIC_COUNT, UINT32_MAX);
    first = read_all(&r);
    while (((r.read() - first.reference) & r.mask) < r.hz / INTERVAL)
        arch_cpu_relax();
    last = read_all(&r);
    apic_write(APIC_COUNT, 0);

    passed = (last.reference - first.reference) & r.mask;
    c->tsc_start = first.tsc;
    c->tsc_hz = calibrate_hz(last.tsc - first.tsc, passed, r.hz);
    c->apic_hz = calibrate_hz(first.apic - last.apic, passed, r.hz);
    c->against = r.name;
    return 0;
}
