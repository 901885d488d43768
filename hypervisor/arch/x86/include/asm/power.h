/* SPDX-License-Identifier: MIT */
/*
 * How this machine is reset and switched off: by Hospes, and by the hardware domain, whose kernel
 * believes that it does it itself. It ends by that, as by a hypercall, and with it the machine.
 * Keyboard controllers can reset a PC too: that is not looked at.
 */
#ifndef ASM_POWER_H
#define ASM_POWER_H

#include <hospes/acpi.h>
#include <hospes/exit.h>

struct domain;
struct pio_access;
struct vcpu;

/* PM1 control registers: ACPI 6.5, table 4.13. */
#define SLP_TYP_SHIFT 10
#define SLP_TYP       (7u << SLP_TYP_SHIFT)
#define SLP_EN        (1u << 13)

/* The chipset's reset control: Intel ICH9 datasheet, 13.7.5. */
#define POWER_RESET_PORT 0xcf9u
#define SYS_RST          (1u << 1) /* with the devices */
#define RST_CPU          (1u << 2) /* becomes 1: now */

/* What tables say of it; constant once power_init() was called. */
struct power {
    struct acpi_register pm1_control[2]; /* PM1a, PM1b; address 0: there is none, as for `reset` */
    struct acpi_register reset;
    uint8_t reset_value;
    bool can_sleep;        /* sleep_type is known */
    uint8_t sleep_type[2]; /* of S5, for PM1a and PM1b */
};
extern struct power power;

void power_init(const struct acpi_fadt *f);

/* Looks at what the hardware domain writes to ACPI's registers. Before it runs, behind vpci_init().
 * 0 or -ENOSPC. */
int power_guard(struct domain *d);

/* POWER_RESET_PORT stands in the middle of PCI's address port: its accesses, of one byte, come from
 * there. */
enum exit_action power_access_reset_port(struct vcpu *v, struct pio_access *a);

#endif
