/* SPDX-License-Identifier: MIT */
/* Interrupts through the vector: preemption, waking from WFI, storms, and interrupts of other CPUs.
 */
#include "gic.h"

static volatile unsigned int count[1024];
static volatile unsigned int depth, deepest, storm_left, nested_id;
static volatile uint32_t last_iar;

static void on_irq(struct frame *f)
{
    uint64_t elr = f->elr, spsr = f->spsr;
    uint32_t iar = gic_ack(), intid = INTID(iar);

    if (intid >= 1020)
        return;
    last_iar = iar;
    count[intid]++;
    if (++depth > deepest)
        deepest = depth;
    if (intid == nested_id) { /* lets others in meanwhile */
        nested_id = 0;
        gic_sgi(1, cpu_id()); /* more urgent */
        gic_sgi(2, cpu_id()); /* as urgent */
        irq_on();
        read32(machine.gicd.base + GICD_TYPER);
        irq_off();
    }
    if (intid == 7 && storm_left > 0) {
        storm_left--;
        gic_sgi(7, cpu_id());
    }
    if (intid == spi_first && storm_left > 0) {
        storm_left--;
        gic_pend(spi_first);
    }
    depth--;
    gic_eoi(iar);
    f->elr = elr;
    f->spsr = spsr;
}

static void preemption_tests(void)
{
    fresh("preemption");
    deepest = 0;
    for (unsigned int i = 0; i < 4; i++)
        count[i] = 0;
    gic_set_priority(1, level(2));
    gic_set_priority(2, level(6));
    gic_set_priority(3, level(6));
    for (unsigned int i = 1; i < 4; i++)
        gic_enable(i);
    nested_id = 3;
    gic_sgi(3, 0);
    irq_on();
    wait_until(count[2] == 1);
    irq_off();
    check_eq(count[1], 1, "the more urgent interrupt comes");
    check_eq(count[2], 1, "the equally urgent interrupt comes");
    check_eq(deepest, 2, "only the more urgent one preempts");
}

static void wait_tests(void)
{
    unsigned int before;

    fresh("WFI");
    gic_enable(4);
    before = count[4];
    gic_sgi(4, 0);
    wfi(); /* a masked interrupt that is pending ends it all the same */
    check_eq(count[4], before, "WFI ends with the interrupt still masked");
    check(wait_until(sysreg_read(isr_el1) & 0x80), "ISR_EL1 shows it");
    irq_on();
    check(wait_until(count[4] == before + 1), "it is taken once unmasked");
    irq_off();
    check_eq(sysreg_read(isr_el1) & 0x80, 0, "ISR_EL1 shows nothing after it");
}

static void storm_tests(void)
{
    fresh("storms");
    gic_enable(7);
    enable_spi(spi_first, level(4), true);
    for (unsigned int spi = 0; spi < 2; spi++) {
        unsigned int intid = spi ? spi_first : 7;
        count[intid] = 0;
        storm_left = 20000;
        if (spi)
            gic_pend(intid);
        else
            gic_sgi(7, 0);
        irq_on();
        wait_until(count[intid] == 20001);
        irq_off();
        check_eq(count[intid], 20001, "a storm of %s loses none and adds none",
                 spi ? "SPIs" : "SGIs");
    }
}

void irq_tests(void)
{
    irq_hook = on_irq;
    preemption_tests();
    wait_tests();
    storm_tests();
    irq_hook = NULL;
}

/* ---- other CPUs ---- */
static volatile unsigned int got[MAX_CPUS][1024];
static volatile uint32_t iar_of[MAX_CPUS];
static volatile bool ready[MAX_CPUS], stop;
static volatile uint64_t spi_total;

static void on_irq_of_cpu(struct frame *f)
{
    uint32_t iar = gic_ack();
    unsigned int cpu = cpu_id();

    (void)f;
    if (INTID(iar) >= 1020)
        return;
    /* Who sees the counts may rely on all before them. */
    gic_eoi(iar);
    iar_of[cpu] = iar;
    if (INTID(iar) >= 32)
        atomic_add(&spi_total, 1);
    barrier();
    got[cpu][INTID(iar)]++;
}

static void other_cpu(unsigned int id)
{
    gic_init_cpu();
    for (unsigned int i = 0; i < 16; i++)
        gic_enable(i);
    ready[id] = true;
    while (!stop) {
        wfi();
        irq_on();
        irq_off();
    }
}

static void sgi_tests(void)
{
    unsigned int n = machine.cpus, wrong = 0;

    for (unsigned int round = 1; round <= 100; round++) {
        for (unsigned int cpu = 1; cpu < n; cpu++) {
            gic_sgi(1, cpu);
            wrong += !wait_until(got[cpu][1] == round);
        }
    }
    check_eq(wrong, 0, "100 SGIs to each other CPU arrive");
    for (unsigned int round = 1; round <= 100; round++) {
        gic_sgi_others(2);
        for (unsigned int cpu = 1; cpu < n; cpu++)
            wrong += !wait_until(got[cpu][2] == round);
    }
    check_eq(wrong, 0, "100 SGIs to all others arrive at each");
    expect_none("SGI to all others, at the sender");
    for (unsigned int cpu = 1; cpu < n; cpu++)
        check(got[cpu][1] == 100 && got[cpu][2] == 100, "CPU %u got each once (%u, %u)", cpu,
              got[cpu][1], got[cpu][2]);
}

static void absent_tests(void)
{
    unsigned int refused = 0;

    if (machine.gic == 3) {
        static const uint64_t wild[] = {
            0xfffe,
            UINT64_C(0xff) << 16 | 0xffff,
            UINT64_C(0xff) << 32 | 0xffff,
            UINT64_C(0xff) << 48 | 0xffff,
            UINT64_C(0xf) << 44 | 0xffff,
            0,
            UINT64_C(0xff00fffff0fffff) & ~(UINT64_C(1) << 40 | UINT64_C(0xf) << 24 | 0xffff),
        };
        for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++) {
            uint64_t v = wild[i] & (i == 0 ? ~((UINT64_C(1) << machine.cpus) - 1) : ~UINT64_C(0));
            for (uint64_t sgi = 0; sgi < 16; sgi++)
                refused += probe_insn(MSR_X0 | SYSREG(3, 0, 12, 11, 5),
                                      (uint64_t[18]){ v | sgi << 24 }) != 0;
            refused +=
                probe_insn(MSR_X0 | SYSREG(3, 0, 12, 11, 7), (uint64_t[18]){ v }) != 0; /* SGI0R */
            refused +=
                probe_insn(MSR_X0 | SYSREG(3, 0, 12, 11, 6), (uint64_t[18]){ v }) != 0; /* ASGI1R */
        }
    } else {
        for (uint32_t sgi = 0; sgi < 16; sgi++) {
            write32(machine.gicd.base + GICD_SGIR, (0xffu << machine.cpus & 0xff) << 16 | sgi);
            write32(machine.gicd.base + GICD_SGIR, sgi);
            write32(machine.gicd.base + GICD_SGIR, 0x03ff0000 | sgi); /* reserved filter */
        }
        for (uint32_t sgi = 0; sgi < 16; sgi++)
            write32(machine.gicd.base + GICD_CPENDSGIR + (sgi & ~3u), ~0u);
    }
    check_eq(refused, 0, "SGIs to absent CPUs are no exception");
    expect_none("SGIs to absent CPUs");
}

static void route_tests(void)
{
    unsigned int a = spi_first, last = machine.cpus - 1;

    enable_spi(a, level(4), true);
    gic_route(a, 1);
    gic_pend(a);
    check(wait_until(got[1][a] == 1), "an SPI goes to the CPU it is routed to");
    gic_route(a, last);
    gic_pend(a);
    check(wait_until(got[last][a] == (last == 1 ? 2 : 1)), "and to another");
    gic_route(a, 0);
    gic_pend(a);
    expect_taken(a, "an SPI routed back");
    check_eq(spi_total, 2, "each was taken once");
    /* Pending here, masked, then routed elsewhere: it moves. */
    gic_pend(a);
    wait_until(sysreg_read(isr_el1) & 0x80);
    gic_route(a, 1);
    check(wait_until(spi_total == 3), "a pending SPI follows its new route");
    expect_none("a pending SPI that was routed away");
    if (machine.gic == 2 || !(read32(machine.gicd.base + GICD_TYPER) >> 25 & 1 /* No1N */)) {
        if (machine.gic == 2)
            write8(machine.gicd.base + GICD_ITARGETSR + a, (1u << machine.cpus) - 2);
        else
            write64(machine.gicd.base + GICD_IROUTER + (uint64_t)a * 8, UINT64_C(1) << 31);
        for (unsigned int i = 0; i < 50 && spi_total == 3 + i; i++) {
            uint64_t end = now() + ticks_of_us(PATIENCE_US);
            gic_pend(a);
            while (spi_total < 4 + i && now() < end) {
                uint32_t iar = gic_ack();
                if (INTID(iar) == a) {
                    gic_eoi(iar);
                    atomic_add(&spi_total, 1);
                }
            }
        }
        delay_us(10000);
        check_eq(spi_total, 53, "an SPI for any CPU is taken by one");
    }
    gic_disable(a);
}

static void private_tests(void)
{
    unsigned int before = got[1][5];

    gic_disable(20);
    gic_set_priority(20, level(1));
    check_eq(gic_is_enabled(20), 0, "a PPI of this CPU");
    if (machine.gic == 3) {
        uint64_t other =
            gic_base(0) + GICR_STRIDE; /* CPUs come in order in both machines that this runs on */
        check_eq(read64(other - 0x10000 + GICR_TYPER) >> 32, machine.mpidr[1] & 0xffffff,
                 "the other's redistributor");
        write32(other + GICD_ISPENDR, 1u << 5);
        check(wait_until(got[1][5] == before + 1),
              "an SGI pended in another's redistributor arrives there");
        write32(other + GICD_ISENABLER, 1u << 21);
        check_eq(gic_is_enabled(21), 0, "another's PPI is another's");
        check_eq(read32(other + GICD_ISENABLER) >> 21 & 1, 1, "another's PPI is enabled there");
        write32(other + GICD_ICENABLER, 1u << 21);
    } else {
        gic_sgi(5, 1);
        check(wait_until(got[1][5] == before + 1), "an SGI arrives");
        check_eq(iar_of[1] >> 10, 0, "it says who sent it");
        /* To itself, as from CPU 1 and from CPU 0: two interrupts. */
        gic_enable(6);
        write8(machine.gicd.base + GICD_SPENDSGIR + 6, 3);
        check_eq(read8(machine.gicd.base + GICD_CPENDSGIR + 6), 3, "SPENDSGIR: from two CPUs");
        for (unsigned int i = 0; i < 2; i++) {
            uint32_t iar = gic_expect();
            check_eq(INTID(iar), 6, "SGI from two CPUs, %u", i);
            before = i == 0 ? iar >> 10 : before ^ iar >> 10;
            gic_eoi(iar);
        }
        check_eq(before, 1, "SGI from two CPUs: each once");
        expect_none("SGI from two CPUs");
        write8(machine.gicd.base + GICD_SPENDSGIR + 6, 2);
        write8(machine.gicd.base + GICD_CPENDSGIR + 6, 2);
        expect_none("SGI withdrawn by CPENDSGIR");
    }
}

void cpu_tests(void)
{
    fresh("other CPUs");
    absent_tests();
    if (machine.cpus < 2)
        return;
    irq_hook = on_irq_of_cpu;
    for (unsigned int cpu = 1; cpu < machine.cpus; cpu++) {
        check_eq((uint64_t)cpu_start(cpu, other_cpu), 0, "CPU %u starts", cpu);
        check(wait_until(ready[cpu]), "CPU %u is ready", cpu);
    }
    sgi_tests();
    route_tests();
    private_tests();
    absent_tests();
    stop = true;
    gic_sgi_others(0);
    for (unsigned int cpu = 1; cpu < machine.cpus; cpu++)
        check(cpu_wait_off(cpu), "CPU %u goes off", cpu);
    irq_hook = NULL;
}
