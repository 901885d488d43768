/* SPDX-License-Identifier: MIT */
/*
 * Ends, restarts or goes astray in the way that mode= names. Nobody is asserted here but by the
 * neighbour, which goes on. Modes that end: off, reset, reset2, cpuoff. Modes that never do: those
 * of the table below.
 */
#include "guest.h"

const char guest_name[] = "crash";

#define UDF() __asm__ volatile(".inst 0")

static uint64_t nowhere(void)
{
    return machine.mem[machine.mems - 1].base + machine.mem[machine.mems - 1].bytes;
}

static void sleep_for_ever(unsigned int id)
{
    (void)id;
    for (;;)
        wfi();
}

/* Timers that are due and interrupts that are pending, each masked in another place. */
static void sleep_masked(unsigned int id)
{
    if (id == 0)
        gic_init();
    else
        gic_init_cpu();
    gic_pmr(0);
    timer_virt(0);
    sysreg_write(cntp_cval_el0, 0);
    sysreg_write(cntp_ctl_el0, 1);
    gic_enable(machine.ppi_phys);
    gic_sgi(3, id);
    gic_sgi_others(4);
    irq_on();
    for (;;)
        wfi();
}

static void spin_for_ever(unsigned int id)
{
    (void)id;
    __asm__ volatile("1: b 1b");
}

/* Exceptions whose vectors are nowhere: one after the other, for ever, at the same place. */
static void vectors_nowhere(unsigned int id)
{
    (void)id;
    sysreg_write(vbar_el1, nowhere());
    UDF();
}

static void tables_nowhere(unsigned int id)
{
    (void)id;
    sysreg_write(ttbr0_el1, nowhere());
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}

static void tables_in_device(unsigned int id)
{
    (void)id;
    sysreg_write(ttbr0_el1, machine.gicd.base);
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}

/* Tables of one table, which is its own next level for all addresses, the vectors' too. */
static void tables_in_loop(unsigned int id)
{
    static uint64_t table[512] __attribute__((aligned(4096)));

    (void)id;
    for (unsigned int i = 0; i < ARRAY_SIZE(table); i++)
        table[i] = (uint64_t)table | MAP_NORMAL | PTE_TABLE;
    clean_dcache(table, sizeof(table));
    sysreg_write(ttbr0_el1, (uint64_t)table);
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}

static void stack_nowhere(unsigned int id)
{
    (void)id;
    __asm__ volatile("mov sp, %0\n\tstr x0, [sp, #-16]!" ::"r"(nowhere() + 64) : "memory");
}

static void jump_nowhere(unsigned int id)
{
    (void)id;
    sysreg_write(vbar_el1, nowhere());
    ((void (*)(void))(uintptr_t)nowhere())();
}

static void exception_storm(unsigned int id)
{
    (void)id;
    for (;;)
        probe_read(nowhere(), 8, NULL);
}

static void call_storm(unsigned int id)
{
    (void)id;
    for (uint64_t n = 0;; n++)
        smccc(0x84001000 | (n & 0xfff), n, n, n);
}

static void mmio_storm(unsigned int id)
{
    (void)id;
    for (;;) {
        for (uint64_t a = 0; a < 0x1000; a += 4)
            probe_write(machine.gicd.base + a, 4, probe_read(machine.gicd.base + a, 4, NULL));
    }
}

static void on_storm(struct frame *f)
{
    uint32_t iar = gic_ack();

    (void)f;
    if ((iar & 0x3ff) >= 1020)
        return;
    for (unsigned int sgi = 0; sgi < 16; sgi++) {
        gic_sgi(sgi, cpu_id());
        gic_sgi_others(sgi);
    }
    if ((iar & 0x3ff) >= 32)
        gic_pend(iar & 0x3ff);
    gic_eoi(iar);
}

static void interrupt_storm(unsigned int id)
{
    if (id == 0)
        gic_init();
    else
        gic_init_cpu();
    for (unsigned int i = 0; i < gic_lines(); i++) {
        if (i < 16 || i >= 33)
            gic_enable(i);
        if (i >= 33)
            gic_pend(i);
    }
    irq_hook = on_storm;
    gic_sgi(0, id);
    irq_on();
    for (;;)
        wfi();
}

static void timer_storm(unsigned int id)
{
    (void)id;
    gic_init();
    gic_enable(machine.ppi_virt);
    gic_enable(machine.ppi_phys);
    for (;;) {
        timer_virt(0);
        sysreg_write(cntp_cval_el0, 0);
        sysreg_write(cntp_ctl_el0, 1);
        gic_eoi(gic_ack());
    }
}

static void tlbi_storm(unsigned int id)
{
    (void)id;
    for (;;)
        __asm__ volatile("tlbi vmalle1is\n\tdsb ish\n\tic ialluis\n\tdsb ish" ::: "memory");
}

static void set_way_storm(unsigned int id)
{
    (void)id;
    for (uint64_t n = 0;; n++)
        __asm__ volatile("dc cisw, %0\n\tdsb sy" ::"r"(n << 4 & 0xfffffff0) : "memory");
}

static void cpu_storm(unsigned int id)
{
    (void)id;
    for (uint64_t n = 0;; n++)
        smccc(PSCI_CPU_ON, machine.mpidr[n % machine.cpus], (uint64_t)secondary_entry,
              (uint64_t)&cpus[7]);
}

static void flood(unsigned int id)
{
    (void)id;
    for (;;)
        put_char('#');
}

/* Whatever instructions come by, with the registers that the last ones left. */
static void wild_code(unsigned int id)
{
    uint64_t x[18] = { 0 }, seed = 0x853c49e6748fea9bu + id, entry = sysreg_read(vbar_el1);

    for (uint64_t n = 0;; n++) {
        uint32_t insn[4];
        for (unsigned int i = 0; i < 4; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            insn[i] = (uint32_t)seed;
            /* Loads, stores and jumps would only end its own code, and results go to x0 to x15, not
             * to SP. */
            if ((insn[i] & 0x0a000000) == 0x08000000 || (insn[i] & 0x1c000000) == 0x14000000)
                insn[i] = MRS_X0 | (insn[i] & 0x001fffff);
            insn[i] &= ~0x10u;
        }
        for (unsigned int i = 0; i < 18; i++)
            x[i] ^= seed * (i + 1);
        probe_code(insn, 4, x);
        sysreg_write(vbar_el1, entry);
        if (n % 100000 == 0)
            put("wild %lu\n", n);
    }
}

static void undefined(unsigned int id)
{
    (void)id;
    UDF();
}

/* ---- those that end ---- */
static void restart(unsigned int id)
{
    static volatile uint64_t marker = 1; /* in the image, which comes anew */
    uint64_t probe = nowhere() - 4096;   /* in memory, which comes zeroed */

    (void)id;
    put("crash marker %lu memory %lu\n", marker, read64(probe));
    marker = marker + 1;
    write64(probe, 77);
    clean_dcache((const void *)(uintptr_t)&marker, 8);
    clean_dcache((const void *)probe, 8);
    smccc(bootarg_number("two", 0) ? PSCI_SYSTEM_RESET2 : PSCI_SYSTEM_RESET, 0, 0, 0);
    put("FAIL the reset came back\n");
}

static void all_cpus_off(unsigned int id)
{
    (void)id;
    smccc(PSCI_CPU_OFF, 0, 0, 0);
    put("FAIL CPU_OFF came back\n");
}

static const struct {
    const char *name;
    void (*run)(unsigned int id);
} modes[] = {
    { "sleep", sleep_for_ever },     { "masked", sleep_masked },   { "spin", spin_for_ever },
    { "vectors", vectors_nowhere },  { "tables", tables_nowhere }, { "tabledev", tables_in_device },
    { "tableloop", tables_in_loop }, { "stack", stack_nowhere },   { "jump", jump_nowhere },
    { "faults", exception_storm },   { "calls", call_storm },      { "mmio", mmio_storm },
    { "irqs", interrupt_storm },     { "timers", timer_storm },    { "tlbi", tlbi_storm },
    { "setway", set_way_storm },     { "cpus", cpu_storm },        { "flood", flood },
    { "wild", wild_code },           { "udf", undefined },         { "reset", restart },
    { "cpuoff", all_cpus_off },
};

void guest_main(void)
{
    char mode[12] = "";

    bootarg("mode", mode, sizeof(mode));
    for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
        unsigned int n = 0;
        while (mode[n] != '\0' && mode[n] == modes[i].name[n])
            n++;
        if (mode[n] != modes[i].name[n])
            continue;
        put("crash begins: %s\n", modes[i].name);
        for (unsigned int id = 1; id < machine.cpus && modes[i].run != restart; id++)
            cpu_start(id, modes[i].run);
        modes[i].run(0);
    }
    put("crash is over\n"); /* mode=off, or one that came back */
}
