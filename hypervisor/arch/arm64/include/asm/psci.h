/* SPDX-License-Identifier: MIT */
/*
 * Power State Coordination Interface 1.1 (Arm DEN 0022D) and SMC Calling Convention 1.2 (DEN
 * 0028E): numbers, the firmware's calls that we make, and (psci.c) the calls of guests.
 */
#ifndef ASM_PSCI_H
#define ASM_PSCI_H

#include <hospes/types.h>

#define SMCCC_FAST 0x80000000u
#define SMCCC_64   0x40000000u

#define PSCI_VERSION             0x84000000u
#define PSCI_CPU_SUSPEND         0x84000001u
#define PSCI_CPU_OFF             0x84000002u
#define PSCI_CPU_ON              0x84000003u
#define PSCI_AFFINITY_INFO       0x84000004u
#define PSCI_MIGRATE             0x84000005u
#define PSCI_MIGRATE_INFO_TYPE   0x84000006u
#define PSCI_MIGRATE_INFO_UP_CPU 0x84000007u
#define PSCI_SYSTEM_OFF          0x84000008u
#define PSCI_SYSTEM_RESET        0x84000009u
#define PSCI_FEATURES            0x8400000au
#define PSCI_SYSTEM_RESET2       0x84000012u
#define SMCCC_VERSION            0x80000000u
#define SMCCC_ARCH_FEATURES      0x80000001u

#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_DENIED             (-3)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_ON_PENDING         (-5)
#define PSCI_INTERNAL_FAILURE   (-6)
#define PSCI_INVALID_ADDRESS    (-9)

#define PSCI_AFFINITY_ON  0
#define PSCI_AFFINITY_OFF 1

/* firmware.c: finds the conduit in the host's tree. Without PSCI calls return NOT_SUPPORTED. */
void firmware_init(const void *fdt);
int64_t firmware_cpu_on(uint64_t mpidr, uint64_t entry, uint64_t context);
bool firmware_present(void);

#endif
