/* SPDX-License-Identifier: MIT */
/* Frequencies of the TSC and of the local APIC's timer. */
#ifndef ASM_CALIBRATE_H
#define ASM_CALIBRATE_H

#include <hospes/acpi.h>
#include <hospes/types.h>

struct calibration {
    uint64_t tsc_start; /* when it began */
    uint64_t tsc_hz, apic_hz;
    const char *against;
};

/* What tables say of timers: read once they are known, before calibrate(). */
void calibrate_init(const struct acpi_fadt *fadt, uint64_t hpet);

/* What has counted `ticks` while a counter at `hz` counted `passed`: its frequency. */
uint64_t calibrate_hz(uint64_t ticks, uint64_t passed, uint64_t hz);

/* Takes some 10 ms. The local APIC is on, its timer divides by 1. 0, -ENODEV. */
int calibrate(struct calibration *c);

#endif
