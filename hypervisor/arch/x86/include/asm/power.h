/* SPDX-License-Identifier: MIT */
/* How this machine is reset and switched off. */
#ifndef ASM_POWER_H
#define ASM_POWER_H

#include <hospes/acpi.h>

/* Remembers what tables say of it. */
void power_init(const struct acpi_fadt *f);

#endif
