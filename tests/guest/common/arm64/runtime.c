/* SPDX-License-Identifier: MIT */
/* From start.S to guest_main(); firmware calls (PSCI, Arm DEN0022; SMCCC, DEN0028); CPUs; patience.
 */
#include "guest.h"

_Static_assert(offsetof(struct cpu, stack) == CPU_STACK, "offsets.h");
_Static_assert(offsetof(struct cpu, probe_sp) == CPU_PROBE, "offsets.h");

uint8_t stacks[MAX_CPUS][STACK_BYTES] __attribute__((aligned(16)));

void guest_start(const void *fdt, uint64_t cntvct, uint64_t cntpct, uint64_t image,
                 uint64_t image_end);

void guest_start(const void *fdt, uint64_t cntvct, uint64_t cntpct, uint64_t image,
                 uint64_t image_end)
{
    mmu_init();
    mmu_on();
    machine.image = (struct range){ image, image_end - image };
    machine.start = cntvct;
    machine.start_cntpct = cntpct;
    machine_read(fdt);
    put("guest %s starts: %u cpus, GICv%u, uart 0x%lx, %lu MiB at 0x%lx, args \"%s\"\n", guest_name,
        machine.cpus, machine.gic, machine.uart.base, machine.mem[0].bytes / MIB,
        machine.mem[0].base, machine.bootargs);
    guest_main();
    finish();
}

uint64_t smccc(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3)
{
    register uint64_t x0 __asm__("x0") = fn;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = a3;

    if (machine.smc)
        __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    else
        __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return x0;
}

int64_t cpu_start(unsigned int id, void (*run)(unsigned int id))
{
    struct cpu *cpu = &cpus[id];

    cpu->stack = (uint64_t)(stacks[id] + STACK_BYTES);
    cpu->id = id;
    cpu->run = run;
    cpu->arrived = false;
    clean_dcache(cpu, sizeof(*cpu)); /* it reads this before its caches are on */
    return (int64_t)smccc(PSCI_CPU_ON, machine.mpidr[id], (uint64_t)secondary_entry, (uint64_t)cpu);
}

void secondary_start(struct cpu *cpu)
{
    mmu_on();
    cpu->arrived = true;
    cpu->run(cpu->id);
    clean_dcache(stacks[cpu->id], STACK_BYTES);
    smccc(PSCI_CPU_OFF, 0, 0, 0);
    check(false, "CPU_OFF came back");
    for (;;)
        wfi();
}

bool cpu_wait_off(unsigned int id)
{
    /* Not every firmware tells a CPU that is being started from one that is off. */
    return wait_until(cpus[id].arrived) &&
           wait_until(smccc(PSCI_AFFINITY_INFO, machine.mpidr[id], 0, 0) == 1);
}

void system_off(void)
{
    smccc(PSCI_SYSTEM_OFF, 0, 0, 0);
    put("FAIL SYSTEM_OFF came back\n");
    for (;;)
        wfi();
}

uint64_t ticks_of_us(uint64_t us)
{
    return us * sysreg_read(cntfrq_el0) / 1000000;
}
