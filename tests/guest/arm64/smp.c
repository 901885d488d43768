/* SPDX-License-Identifier: MIT */
/*
 * Several vCPUs, more of them than CPUs too: they come and go, lock each other out, wake each
 * other, see each other's TLB maintenance, and keep their registers and translations to themselves.
 * Arguments: cpus= that there should be, rounds= of it all.
 */
#include "guest.h"

const char guest_name[] = "smp";

#define ROUNDS     10u
#define INCREMENTS 4000u /* of all CPUs together */
#define PINGS      50u
#define MOVES      24u
#define SWITCHES   96u

#define SPINS 200u

static unsigned int cpus_used;
static volatile uint64_t arrived, phase;

/*
 * Sleeps: another vCPU's turn, if they share a CPU. (The emulator's WFE does not trap.) Long enough
 * that most sleep most of the time: who has the next ticket would wait for its turn else.
 */
static void nap(void)
{
    sysreg_write(cntp_tval_el0, ticks_of_us(200));
    sysreg_write(cntp_ctl_el0, 1);
    wfi();
    sysreg_write(cntp_ctl_el0, 0);
}

static void rest(unsigned int *spins)
{
    if (++*spins % SPINS == 0)
        nap();
    else
        __asm__ volatile("yield");
}

/* All CPUs wait here for each other. */
static void meet(void)
{
    uint64_t mine = phase;
    unsigned int spins = 0;

    if (atomic_add(&arrived, 1) + 1 == cpus_used) {
        arrived = 0;
        __asm__ volatile("dmb ish" ::: "memory");
        phase = mine + 1;
        return;
    }
    while (phase == mine)
        rest(&spins);
    __asm__ volatile("dmb ish" ::: "memory");
}

static void (*volatile to_run)(unsigned int id);

static void run_with_timer(unsigned int id)
{
    gic_init_cpu();
    gic_enable(machine.ppi_phys);
    to_run(id);
}

static void all_start(void (*run)(unsigned int id))
{
    unsigned int started = 0;

    to_run = run;
    for (unsigned int id = 1; id < cpus_used; id++)
        started += cpu_start(id, run_with_timer) == 0;
    if (started != cpus_used - 1)
        check_eq(started, cpus_used - 1, "CPUs started");
}

static void all_off(const char *name)
{
    unsigned int off = 1;

    for (unsigned int id = 1; id < cpus_used; id++)
        off += cpu_wait_off(id);
    check_eq(off, cpus_used, "%s: all are off again", name);
}

/* ---- on and off, locks ---- */
static volatile uint64_t next_ticket, serving, counted;

static void locked_count(unsigned int id)
{
    unsigned int spins = 0;

    (void)id;
    for (unsigned int i = 0; i < INCREMENTS / cpus_used; i++) {
        uint64_t ticket = atomic_add(&next_ticket, 1);
        while (serving != ticket)
            rest(&spins);
        __asm__ volatile("dmb ish" ::: "memory");
        counted = counted + 1;
        __asm__ volatile("stlr %0, [%1]" ::"r"(ticket + 1), "r"(&serving) : "memory");
    }
}

static void lock_tests(void)
{
    counted = 0;
    all_start(locked_count);
    locked_count(0);
    all_off("ticket lock");
    check_eq(counted, INCREMENTS / cpus_used * cpus_used, "a ticket lock keeps %u CPUs apart",
             cpus_used);
}

static void come_and_go(unsigned int id)
{
    (void)id;
    atomic_add(&counted, 1);
}

static void on_off_tests(void)
{
    counted = 0;
    for (unsigned int round = 0; round < ROUNDS; round++) {
        all_start(come_and_go);
        for (unsigned int id = 1; id < cpus_used; id++) {
            if (!cpu_wait_off(id)) {
                check(false, "CPU %u goes off in round %u", id, round);
                return;
            }
        }
    }
    check_eq(counted, ROUNDS * (cpus_used - 1), "%u CPUs on and off, %u times", cpus_used - 1,
             ROUNDS);
}

/* ---- waking each other ---- */
static volatile unsigned int pings[MAX_CPUS];

static void on_irq(struct frame *f)
{
    uint32_t iar = gic_ack();

    (void)f;
    if ((iar & 0x3ff) == 1)
        pings[cpu_id()]++;
    if ((iar & 0x3ff) < 1020)
        gic_eoi(iar);
}

/* CPU n wakes CPU n + 1 when it is woken; the round goes on PINGS times. */
static void ring(unsigned int id)
{
    gic_enable(1);
    meet();
    if (id == 0)
        gic_sgi(1, 1);
    for (unsigned int n = 1; n <= PINGS; n++) {
        irq_on();
        while (pings[id] < n) {
            irq_off();
            if (pings[id] < n)
                wfi();
            irq_on();
        }
        irq_off();
        if (id != 0 || n < PINGS)
            gic_sgi(1, (id + 1) % cpus_used);
    }
}

static void ring_tests(void)
{
    memset((void *)(uintptr_t)pings, 0, sizeof(pings));
    irq_hook = on_irq;
    all_start(ring);
    ring(0);
    all_off("ring of interrupts");
    irq_hook = NULL;
    check_eq(pings[0], PINGS, "an interrupt goes round %u CPUs %u times, each asleep in WFI",
             cpus_used, PINGS);
}

/* ---- translations ---- */
static volatile uint64_t page[2 + MAX_CPUS][512] __attribute__((aligned(4096)));
static uint64_t level1[MAX_CPUS][512] __attribute__((aligned(4096)));
static uint64_t level2[MAX_CPUS][512] __attribute__((aligned(4096)));
static uint64_t level3[MAX_CPUS][512] __attribute__((aligned(4096)));
static volatile uint64_t wrong;

/* One page of the window: break, tell all CPUs, make. */
static void remap(uint64_t to)
{
    *(volatile uint64_t *)&level3[0][0] = 0;
    __asm__ volatile("dsb ishst\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" ::: "memory");
    *(volatile uint64_t *)&level3[0][0] = to | MAP_NORMAL | PTE_PAGE;
    barrier();
}

static void shared_map(unsigned int id)
{
    for (uint64_t n = 0; n < MOVES; n++) {
        if (id == 0)
            remap((uint64_t)page[n & 1]);
        meet();
        if (*(volatile uint64_t *)at(WINDOW) != (n & 1))
            atomic_add(&wrong, 1);
        meet();
    }
}

/* Each CPU has its own tables, the same ASID, and another page at the same address; nobody flushes
 * anything. */
static void own_map(unsigned int id)
{
    uint64_t old = sysreg_read(ttbr0_el1);

    for (unsigned int i = 0; i < 512; i++)
        level1[id][i] = i == 0 ? MAP_DEVICE : (uint64_t)i << 30 | MAP_NORMAL;
    level1[id][511] = (uint64_t)level2[id] | PTE_TABLE;
    level2[id][0] = (uint64_t)level3[id] | PTE_TABLE;
    level3[id][0] = (uint64_t)page[2 + id] | MAP_NORMAL | PTE_PAGE;
    page[2 + id][0] = 100 + id;
    sysreg_write(ttbr0_el1, (uint64_t)level1[id]);
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
    meet();
    for (unsigned int i = 0; i < SWITCHES; i++) {
        if (*(volatile uint64_t *)at(WINDOW) != 100 + id)
            atomic_add(&wrong, 1);
        if (i % 16 == 0)
            meet();
        else
            nap();
    }
    meet();
    sysreg_write(ttbr0_el1, old);
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}

static void map_tests(void)
{
    wrong = 0;
    page[0][0] = 0;
    page[1][0] = 1;
    level2[0][0] = (uint64_t)level3[0] | PTE_TABLE;
    remap((uint64_t)page[0]);
    mmu_set_window((uint64_t)level2[0] | PTE_TABLE);
    all_start(shared_map);
    shared_map(0);
    all_off("shared tables");
    check_eq(wrong, 0, "one CPU's TLB maintenance reaches all");
    wrong = 0;
    all_start(own_map);
    own_map(0);
    all_off("own tables");
    check_eq(wrong, 0, "translations of one vCPU are not another's");
}

/* ---- registers ---- */
/* Number, name, and whether all 64 bits mean something. */
#define EACH_REGISTER(f)                                                                          \
    f(0, tpidr_el0, 1) f(1, tpidrro_el0, 1) f(2, contextidr_el1, 0) f(3, afsr0_el1, 0)            \
        f(4, far_el1, 1) f(5, par_el1, 1) f(6, sp_el0, 1) f(7, elr_el1, 1) f(8, cntv_cval_el0, 1) \
            f(9, amair_el1, 1) f(10, esr_el1, 0) f(11, afsr1_el1, 0) f(12, cntkctl_el1, 0)
#define REGISTERS 13
/* The compiler is told not to use FP registers, which the assembler then refuses. */
#define FP ".arch armv8-a+fp+simd\n\t"

static uint64_t mark(unsigned int id, unsigned int n)
{
    return (UINT64_C(0x1111111111111111) * (id + 1)) ^ (n * 0x10);
}

static void mark_registers(unsigned int id, unsigned int n, uint64_t had[REGISTERS])
{
#define WRITE(i, reg, wide) sysreg_write(reg, mark(id, n + i) & (wide ? ~UINT64_C(0) : 0x3fff));
#define READ(i, reg, wide)  had[i] = sysreg_read(reg); /* what of it the register holds */
    EACH_REGISTER(WRITE)
    EACH_REGISTER(READ)
    __asm__ volatile(
        FP
        "dup v0.2d, %0\n\tdup v15.2d, %1\n\tdup v31.2d, %2\n\tmsr fpcr, %3\n\tmsr fpsr, %4" ::"r"(
            mark(id, n)),
        "r"(mark(id, n + 1)), "r"(mark(id, n + 2)), "r"((uint64_t)(id & 3) << 22),
        "r"((uint64_t)(id & 0xf)));
}

static volatile unsigned int noted;

static unsigned int compare_registers(unsigned int id, unsigned int n,
                                      const uint64_t had[REGISTERS])
{
    unsigned int differ = 0;
    uint64_t v[3];

#define COMPARE(i, reg, wide)                                       \
    if (sysreg_read(reg) != had[i] && differ++ == 0 && noted++ < 5) \
        note("CPU %u: " #reg " 0x%lx, not 0x%lx", id, sysreg_read(reg), had[i]);
    EACH_REGISTER(COMPARE)
    __asm__ volatile(FP "mov %0, v0.d[1]\n\tmov %1, v15.d[0]\n\tmov %2, v31.d[1]"
                     : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]));
    for (unsigned int i = 0; i < 3; i++)
        differ += v[i] != mark(id, n + i);
    return differ + (sysreg_read(fpcr) != (uint64_t)(id & 3) << 22) +
           (sysreg_read(fpsr) != (id & 0xf));
}

static void own_registers(unsigned int id)
{
    uint64_t had[REGISTERS] = { 0 };

    for (unsigned int i = 0; i < SWITCHES; i++) {
        if (i % 16 == 0) {
            mark_registers(id, i, had);
            meet();
        } else {
            nap();
        }
        atomic_add(&wrong, compare_registers(id, i & ~15u, had));
    }
    sysreg_write(fpcr, 0);
    sysreg_write(cntkctl_el1, 0);
}

static void register_tests(void)
{
    wrong = 0;
    all_start(own_registers);
    own_registers(0);
    all_off("own registers");
    check_eq(wrong, 0, "system and FP registers of one vCPU are not another's");
}

void guest_main(void)
{
    cpus_used = machine.cpus;
    check_eq(cpus_used, bootarg_number("cpus", cpus_used), "CPUs in the device tree");
    if (cpus_used < 2)
        return;
    gic_init();
    gic_enable(machine.ppi_phys);
    for (uint64_t n = bootarg_number("rounds", 1); n > 0; n--) {
        lock_tests();
        on_off_tests();
        ring_tests();
        map_tests();
        register_tests();
    }
}
