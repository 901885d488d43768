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
#define RESET_CONTROL   0xcf9u /* Intel ICH9 datasheet, 13.7.5 */

#define SLP_TYP_SHIFT 10
#define SLP_TYP       (7u << SLP_TYP_SHIFT)
#define SLP_EN        (1u << 13)

static struct acpi_fadt fadt;
static volatile uint8_t *reset_register; /* if it is in memory */
static bool can_sleep;
static uint8_t sleep_type[2];

static void pause_a_while(void)
{
    for (uint32_t i = 0; i < 100000; i++)
        arch_cpu_relax();
}

static void find_sleep_type(void)
{
    struct acpi_table dsdt = { .maddr = fadt.dsdt };
    const uint8_t *p = fadt.dsdt ? ram_map_readonly(MADDR(fadt.dsdt), ACPI_HEADER_BYTES) : NULL;

    if (!p)
        return;
    dsdt.bytes = load_le32(p + 4);
    ram_unmap(p, ACPI_HEADER_BYTES);
    if (dsdt.bytes < ACPI_HEADER_BYTES || dsdt.bytes > MIB(16))
        return;
    p = acpi_map(&dsdt);
    can_sleep = p && acpi_find_s5(p, dsdt.bytes, sleep_type);
    if (p)
        acpi_unmap(&dsdt, p);
}

void power_init(const struct acpi_fadt *f)
{
    fadt = *f;
    find_sleep_type();
    if (fadt.has_reset && fadt.reset.space == ACPI_MEMORY)
        reset_register = device_map(MADDR(fadt.reset.address), 1);
    if (!can_sleep || fadt.pm1a_control.space != ACPI_PORT || !fadt.pm1a_control.address)
        log_info("ACPI does not say how to switch the machine off");
}

static void reset_by_acpi(void)
{
    if (!fadt.has_reset)
        return;
    if (reset_register)
        mmio_write8(reset_register, fadt.reset_value);
    else if (fadt.reset.space == ACPI_PORT)
        port_write8((uint16_t)fadt.reset.address, fadt.reset_value);
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
    port_write8(RESET_CONTROL, 2);
    port_write8(RESET_CONTROL, 6);
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
    if (!can_sleep)
        return;
    sleep(&fadt.pm1a_control, sleep_type[0]);
    sleep(&fadt.pm1b_control, sleep_type[1]);
    pause_a_while();
}
