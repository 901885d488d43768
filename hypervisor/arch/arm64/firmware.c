/* SPDX-License-Identifier: MIT */
/* Calls of the machine's own firmware: PSCI by SMC or HVC, as /psci in the device tree says. Arm
 * DEN 0022D. */
#include <asm/psci.h>
#include <hospes/cpu.h>
#include <hospes/dt.h>
#include <lib/bits.h>
#include <string.h>

static enum { NONE, SMC, HVC } conduit;

/* By the last word of their calls' names, less one; under no lock: CPUs start one by one. */
static int64_t workarounds[3] = { SMCCC_NOT_REQUIRED, SMCCC_NOT_REQUIRED, SMCCC_NOT_REQUIRED };

static int64_t call(uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    if (conduit == NONE)
        return PSCI_NOT_SUPPORTED;
#define CALL(instruction)                                                                     \
    __asm__ volatile(instruction " #0"                                                        \
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)                                 \
                     :                                                                        \
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", \
                       "x15", "x16", "x17", "memory")
    if (conduit == SMC)
        CALL("smc");
    else
        CALL("hvc");
#undef CALL
    return (int64_t)x0;
}

void firmware_init(const void *fdt)
{
    static const char *const compatible[] = { "arm,psci-1.0", "arm,psci-0.2", "arm,psci" };
    const char *method;
    int node = -1;

    for (unsigned int i = 0; i < 3 && node < 0; i++)
        node = dt_find_compatible(fdt, -1, compatible[i]);
    if (node < 0)
        return;
    method = dt_string(fdt, node, "method");
    if (method && !strcmp(method, "smc"))
        conduit = SMC;
    else if (method && !strcmp(method, "hvc"))
        conduit = HVC;
}

bool firmware_present(void)
{
    return conduit != NONE;
}

int64_t firmware_cpu_on(uint64_t mpidr, uint64_t entry, uint64_t context)
{
    return call(PSCI_CPU_ON | SMCCC_64, mpidr, entry, context);
}

void arch_machine_reset(void)
{
    call(PSCI_SYSTEM_RESET, 0, 0, 0);
}

void arch_machine_off(void)
{
    call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

/* Firmware speaks SMCCC 1.1 or later. It says so through PSCI 1.0 and later, lest older be
 * confused. */
static bool has_arch_calls(void)
{
    return call(PSCI_VERSION, 0, 0, 0) >= 0x10000 &&
           call(PSCI_FEATURES, SMCCC_VERSION, 0, 0) == PSCI_SUCCESS &&
           call(SMCCC_VERSION, 0, 0, 0) >= 0x10001;
}

static unsigned int workaround_index(uint32_t function)
{
    switch (function) {
    case SMCCC_ARCH_WORKAROUND_1:
        return 0;
    case SMCCC_ARCH_WORKAROUND_2:
        return 1;
    default:
        return 2;
    }
}

/* Of two CPUs' answers, that which a guest on both must act upon. */
static int64_t worse(int64_t a, int64_t b)
{
    static const int64_t from_worst[] = { PSCI_NOT_SUPPORTED, PSCI_SUCCESS,
                                          SMCCC_CPU_NOT_AFFECTED };

    for (unsigned int i = 0; i < array_size(from_worst); i++)
        if (a == from_worst[i] || b == from_worst[i])
            return from_worst[i];
    return SMCCC_NOT_REQUIRED;
}

void firmware_init_pcpu(void)
{
    static const uint32_t functions[] = { SMCCC_ARCH_WORKAROUND_1, SMCCC_ARCH_WORKAROUND_2,
                                          SMCCC_ARCH_WORKAROUND_3 };
    bool asks = has_arch_calls();

    for (unsigned int i = 0; i < array_size(functions); i++) {
        int64_t *w = &workarounds[workaround_index(functions[i])];

        /* The result has 32 bits. */
        *w = worse(*w, asks ? (int32_t)call(SMCCC_ARCH_FEATURES, functions[i], 0, 0)
                            : PSCI_NOT_SUPPORTED);
    }
}

int64_t firmware_has_workaround(uint32_t function)
{
    return workarounds[workaround_index(function)];
}

void firmware_workaround(uint32_t function)
{
    call(function, 0, 0, 0);
}
