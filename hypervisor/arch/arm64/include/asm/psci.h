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

/* Services, by what their calls have in common; and what each can be asked. */
#define SMCCC_SERVICE_MASK 0xffff0000u
#define SMCCC_ARCH         0x80000000u
#define SMCCC_STANDARD     0x84000000u
#define SMCCC_HYPERVISOR   0x85000000u
#define SMCCC_CALL_COUNT   0xff00u
#define SMCCC_CALL_UID     0xff01u
#define SMCCC_REVISION     0xff03u

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
#define SMCCC_ARCH_WORKAROUND_1  0x80008000u /* CVE-2017-5715 */
#define SMCCC_ARCH_WORKAROUND_2  0x80007fffu /* CVE-2018-3639 */
#define SMCCC_ARCH_WORKAROUND_3  0x80003fffu /* CVE-2017-5715 and CVE-2022-23960 */

/* What SMCCC_ARCH_FEATURES says of a workaround besides SUCCESS, which is: call it. */
#define SMCCC_CPU_NOT_AFFECTED 1
#define SMCCC_NOT_REQUIRED     (-2)

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

/* Asks about workarounds for this CPU; each CPU, before guests run. */
void firmware_init_pcpu(void);

/*
 * What SMCCC_ARCH_FEATURES says of workaround 1, 2 or 3, of all CPUs: NOT_SUPPORTED if it is
 * missing on any, SUCCESS if it is needed on any. firmware_workaround(): runs 1 or 3 on this CPU.
 */
int64_t firmware_has_workaround(uint32_t function);
void firmware_workaround(uint32_t function);

#endif
