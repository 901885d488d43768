/* SPDX-License-Identifier: MIT */
/* Calls of the machine's own firmware: PSCI by SMC or HVC, as /psci in the device tree says. Arm
 * DEN 0022D. */
#include <asm/psci.h>
#include <hospes/cpu.h>
#include <hospes/dt.h>
#include <string.h>

static enum { NONE, SMC, HVC } conduit;

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
