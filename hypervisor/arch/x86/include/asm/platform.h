/* SPDX-License-Identifier: MIT */
/* What tables say of this machine. Constant after arch_init_machine(). */
#ifndef ASM_PLATFORM_H
#define ASM_PLATFORM_H

#include <hospes/acpi.h>

extern struct acpi_madt platform_madt;

#endif
