/* SPDX-License-Identifier: MIT */
/* Reset and power-off: ACPI 6.5, 4.8.3.6 and 4.8.4.2 (registers); the ways of PCs before it. */
#include <asm/io.h>
#include <asm/power.h>
#include <hospes/cpu.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <lib/bits.h>

#define KEYBOARD_STATUS 0x64u
#define KEYBOARD_BUSY   2u
#define KEYBOARD_RESET  0xfeu

struct power power;

static volatile uint8_t *reset_register; /* if it is in memory */

static void pause_a_while(void)
{
    for (uint32_t i = 0; i < 100000; i++)
        arch_cpu_relax();
}

static void find_sleep_type(uint64_t maddr)
{
    struct acpi_table dsdt = { .maddr = maddr };
    const uint8_t *p = maddr ? ram_map_readonly(MADDR(maddr), ACPI_HEADER_BYTES) : NULL;

    if (!p)
        return;
    dsdt.bytes = load_le32(p + 4);
    ram_unmap(p, ACPI_HEADER_BYTES);
    if (dsdt.bytes < ACPI_HEADER_BYTES || dsdt.bytes > MIB(16))
        return;
    p = acpi_map(&dsdt);
    power.can_sleep = p && acpi_find_s5(p, dsdt.bytes, power.sleep_type);
    if (p)
        acpi_unmap(&dsdt, p);
}

void power_init(const struct acpi_fadt *f)
{
    power.pm1_control[0] = f->pm1a_control;
    power.pm1_control[1] = f->pm1b_control;
    if (f->has_reset)
        power.reset = f->reset;
    power.reset_value = f->reset_value;
    find_sleep_type(f->dsdt);
    if (power.reset.address && power.reset.space == ACPI_MEMORY)
        reset_register = device_map(MADDR(power.reset.address), 1);
    if (!power.can_sleep || f->pm1a_control.space != ACPI_PORT || !f->pm1a_control.address)
        log_info("ACPI does not say how to switch the machine off");
}

static void reset_by_acpi(void)
{
    if (!power.reset.address)
        return;
    if (reset_register)
        mmio_write8(reset_register, power.reset_value);
    else if (power.reset.space == ACPI_PORT)
        port_write8((uint16_t)power.reset.address, power.reset_value);
    pause_a_while();
}

static void reset_by_keyboard(void)
{
    for (uint32_t i = 0; i < 10000 && (port_read8(KEYBOARD_STATUS) & KEYBOARD_BUSY); i++)
        arch_cpu_relax();
    port_write8(KEYBOARD_STATUS, KEYBOARD_RESET);
    pause_a_while();
}

static void reset_by_chipset(void)
{
    port_write8(POWER_RESET_PORT, SYS_RST);
    port_write8(POWER_RESET_PORT, SYS_RST | RST_CPU);
    pause_a_while();
}

/* An exception that nobody takes, while taking one that nobody takes. */
static void reset_by_fault(void)
{
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } nothing = { 0, 0 };

    __asm__ volatile("lidt %0\n\tud2" : : "m"(nothing));
}

void arch_machine_reset(void)
{
    reset_by_acpi();
    reset_by_keyboard();
    reset_by_chipset();
    reset_by_fault();
}

static void sleep(const struct acpi_register *r, uint8_t type)
{
    uint16_t port = (uint16_t)r->address;

    if (r->address && r->space == ACPI_PORT)
        port_write16(port, (uint16_t)((port_read16(port) & ~(SLP_TYP | SLP_EN)) |
                                      ((uint32_t)type << SLP_TYP_SHIFT & SLP_TYP) | SLP_EN));
}

void arch_machine_off(void)
{
    if (!power.can_sleep)
        return;
    sleep(&power.pm1_control[0], power.sleep_type[0]);
    sleep(&power.pm1_control[1], power.sleep_type[1]);
    pause_a_while();
}
