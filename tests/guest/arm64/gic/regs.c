/* SPDX-License-Identifier: MIT */
/* Registers hold what the specification says they hold; then every offset at every width, which
 * nothing may survive less. */
#include "gic.h"

static uint64_t gicd(void)
{
    return machine.gicd.base;
}

/* A pair of set and clear registers for the 32 interrupts from `first`. */
static void set_clear(uint64_t base, unsigned int first, unsigned int set, unsigned int clear,
                      uint32_t bits, const char *name)
{
    uint64_t s = base + set + first / 32 * 4, c = base + clear + first / 32 * 4;
    const uint32_t a = 0x5a5a5a5a & bits, b = 0x0ff00ff0 & bits;

    write32(c, ~0u);
    check_eq(read32(s) & bits, 0, "%s of %u: clear", name, first);
    write32(s, a);
    check_eq(read32(s) & bits, a, "%s of %u: set", name, first);
    check_eq(read32(c) & bits, a, "%s of %u: both registers show it", name, first);
    write32(s, 0);
    write32(c, 0);
    check_eq(read32(s) & bits, a, "%s of %u: writing zero does nothing", name, first);
    write32(c, b);
    check_eq(read32(s) & bits, a & ~b, "%s of %u: some cleared", name, first);
    write32(c, ~0u);
    check_eq(read32(c) & bits, 0, "%s of %u: all cleared", name, first);
}

static void identity(void)
{
    uint32_t typer = read32(gicd() + GICD_TYPER), words = gic_lines() / 32;

    check_eq(read32(gicd() + (machine.gic == 3 ? PIDR2_V3 : PIDR2_V2)) >> 4 & 0xf, machine.gic,
             "PIDR2: architecture");
    check_eq(read32(gicd() + GICD_TYPER), typer, "GICD_TYPER reads the same again");
    write32(gicd() + GICD_TYPER, ~0u);
    check_eq(read32(gicd() + GICD_TYPER), typer, "GICD_TYPER is read-only");
    if (machine.gic == 2) {
        check_eq(typer >> 5 & 7, machine.cpus - 1, "GICD_TYPER.CPUNumber");
    } else {
        check(((typer >> 19 & 0x1f) + 1) >= 10, "GICD_TYPER.IDbits (0x%x)", typer);
        check((typer >> 17 & 1) == 0 || machine.uart.base != 0x22000000,
              "GICD_TYPER.LPIS: no LPIs are promised");
    }
    write32(gicd() + GICD_CTLR, machine.gic == 3 ? 0x10 : 0);
    check_eq(read32(gicd() + GICD_CTLR) & 3, 0, "GICD_CTLR: off");
    write32(gicd() + GICD_CTLR, machine.gic == 3 ? 0x12 : 1);
    check_eq(read32(gicd() + GICD_CTLR) & (machine.gic == 3 ? 0x12 : 1),
             machine.gic == 3 ? 0x12 : 1, "GICD_CTLR: on");
    if (words < 32) {
        write32(gicd() + GICD_ISENABLER + (uint64_t)words * 4, ~0u);
        check_eq(read32(gicd() + GICD_ISENABLER + (uint64_t)words * 4), 0,
                 "interrupts beyond the last: no enable");
        write32(gicd() + GICD_ISPENDR + (uint64_t)words * 4, ~0u);
        check_eq(read32(gicd() + GICD_ISPENDR + (uint64_t)words * 4), 0,
                 "interrupts beyond the last: not pending");
        write32(gicd() + GICD_IPRIORITYR + (uint64_t)words * 32, ~0u);
        check_eq(read32(gicd() + GICD_IPRIORITYR + (uint64_t)words * 32), 0,
                 "interrupts beyond the last: priority");
    }
}

static void configuration(void)
{
    unsigned int i = spi_first;
    uint64_t prio = gicd() + GICD_IPRIORITYR + i, icfgr = gicd() + GICD_ICFGR + i / 16 * 4;
    uint8_t bits;

    write32(prio, 0x40302010);
    for (unsigned int n = 0; n < 4; n++)
        check_eq(read8(prio + n), 0x10 * (n + 1), "IPRIORITYR byte %u of a word", n);
    write8(prio + 2, 0x80);
    check_eq(read32(prio), 0x40802010, "IPRIORITYR word after a byte");
    write32(prio, ~0u);
    bits = read8(prio);
    check_eq(read32(prio), bits * 0x01010101u, "IPRIORITYR has the same bits for all");
    check((bits & 0xf0) == 0xf0, "IPRIORITYR has four bits or more (0x%x)", bits);
    for (unsigned int n = 0; n < 32; n += 4) {
        write32(gic_base(0) + GICD_IPRIORITYR + n, 0x60606060);
        if (read32(gic_base(0) + GICD_IPRIORITYR + n) != 0x60606060)
            check_eq(read32(gic_base(0) + GICD_IPRIORITYR + n), 0x60606060,
                     "IPRIORITYR of SGI or PPI %u", n);
    }
    write32(icfgr, ~0u);
    check_eq(read32(icfgr) & 0xaaaaaaaa, 0xaaaaaaaa, "ICFGR of SPIs: edge");
    write32(icfgr, 0);
    check_eq(read32(icfgr) & 0xaaaaaaaa, 0, "ICFGR of SPIs: level");
    write32(gic_base(0) + GICD_ICFGR, 0);
    check_eq(read32(gic_base(0) + GICD_ICFGR) & 0xaaaaaaaa, 0xaaaaaaaa,
             "ICFGR of SGIs is edge for ever");
}

static void targets_v2(void)
{
    uint64_t t = gicd() + GICD_ITARGETSR;
    uint32_t mask = (1u << machine.cpus) - 1;

    if (machine.cpus == 1)
        return; /* may be zero throughout */
    check_eq(read32(t), (1u << cpu_id()) * 0x01010101u, "ITARGETSR of SGIs is the reader");
    write32(t, ~0u);
    check_eq(read8(t + 31), 1u << cpu_id(), "ITARGETSR of PPIs is read-only");
    write32(t + spi_first, ~0u);
    check_eq(read32(t + spi_first), mask * 0x01010101u, "ITARGETSR has the CPUs that there are");
    write8(t + spi_first + 1, 2);
    check_eq(read32(t + spi_first), (mask * 0x01010101u & ~0xff00u) | 0x200, "ITARGETSR by bytes");
    write32(t + spi_first, 0x01010101);
}

static void routes_v3(void)
{
    uint64_t r = gicd() + GICD_IROUTER + (uint64_t)spi_first * 8, frame = gic_base(0) - 0x10000,
             typer;
    uint64_t last = machine.mpidr[machine.cpus - 1] & MPIDR_AFFINITY;

    write64(r, last);
    check_eq(read64(r), last, "IROUTER holds an affinity");
    check_eq(read32(r), (uint32_t)last, "IROUTER's lower half");
    check_eq(read32(r + 4), last >> 32, "IROUTER's upper half");
    write32(r, (uint32_t)machine.mpidr[0] & 0xffffff);
    check_eq(read64(r), machine.mpidr[0] & MPIDR_AFFINITY, "IROUTER by halves");
    typer = read64(frame + GICR_TYPER);
    check_eq(typer >> 32, machine.mpidr[0] & 0xffffff, "GICR_TYPER: affinity");
    check_eq(typer >> 8 & 0xffff, 0, "GICR_TYPER: processor number");
    check_eq(read32(frame + GICR_TYPER + 4), typer >> 32, "GICR_TYPER's upper half");
    check_eq(typer >> 4 & 1, machine.cpus == 1, "GICR_TYPER: last");
    frame += (machine.cpus - 1) * GICR_STRIDE;
    check_eq(read64(frame + GICR_TYPER) >> 4 & 1, 1, "GICR_TYPER of the last CPU: last");
    check_eq(read32(frame + PIDR2_V3) >> 4 & 0xf, 3, "GICR PIDR2");
    check_eq(read32(gic_base(0) - 0x10000 + GICR_WAKER) & 6, 0, "GICR_WAKER: awake");
}

static void cpu_interface(void)
{
    uint8_t bits;

    gic_pmr(0xff);
    if (machine.gic == 3) {
        bits = (uint8_t)sysreg_read(S3_0_C4_C6_0);
        check_eq(sysreg_read(S3_0_C12_C12_5) & 1, 1, "ICC_SRE_EL1.SRE");
        check_eq(sysreg_read(S3_0_C12_C12_7), 1, "ICC_IGRPEN1_EL1");
        check((sysreg_read(S3_0_C12_C12_4) >> 8 & 7) >= 4, "ICC_CTLR_EL1.PRIbits (0x%lx)",
              sysreg_read(S3_0_C12_C12_4));
        gic_pmr(0x50);
        check_eq(sysreg_read(S3_0_C4_C6_0), 0x50, "ICC_PMR_EL1");
    } else {
        bits = (uint8_t)read32(machine.gicr.base + 4);
        gic_pmr(0x50);
        check_eq(read32(machine.gicr.base + 4), 0x50, "GICC_PMR");
        check_eq(read32(machine.gicr.base + 0xfc) >> 16 & 0xf, 2, "GICC_IIDR: architecture");
    }
    check((bits & 0xf0) == 0xf0, "the priority mask has four bits or more (0x%x)", bits);
    gic_pmr(0xff);
    check_eq(gic_rpr(), 0xff, "running priority when idle");
    check_eq(INTID(gic_hppir()), GIC_SPURIOUS, "highest pending when idle");
    expect_none("idle");
}

void register_tests(void)
{
    fresh("registers");
    identity();
    set_clear(gicd(), spi_first, GICD_ISENABLER, GICD_ICENABLER, ~0u, "enable");
    set_clear(gic_base(0), 0, GICD_ISENABLER, GICD_ICENABLER, 0xffff0000, "enable");
    if (machine.gic == 3)
        set_clear(gic_base(0), 0, GICD_ISENABLER, GICD_ICENABLER, 0xffff, "enable (SGI)");
    set_clear(gicd(), spi_first, GICD_ISPENDR, GICD_ICPENDR, ~0u, "pending");
    set_clear(gicd(), spi_first, GICD_ISACTIVER, GICD_ICACTIVER, ~0u, "active");
    if (machine.gic == 3)
        set_clear(gic_base(0), 0, GICD_ISPENDR, GICD_ICPENDR, 0xffff, "pending (SGI)");
    set_clear(gic_base(0), 0, GICD_ISACTIVER, GICD_ICACTIVER, 0xffff, "active (SGI)");
    configuration();
    if (machine.gic == 2)
        targets_v2();
    else
        routes_v3();
    cpu_interface();
}

/* ---- every offset, every width ---- */
static unsigned int dead, aborted, done;

static void count(uint64_t esr)
{
    if (esr == 0)
        done++;
    else if (ESR_EC(esr) == EC_DABT)
        aborted++;
    else
        dead++;
}

static void everything(uint64_t base, uint64_t bytes, uint64_t step, const char *name)
{
    static const uint64_t values[] = { 0, ~UINT64_C(0), UINT64_C(0x5aa5c33c96690ff0), 0 };

    dead = aborted = done = 0;
    for (uint64_t a = base; a < base + bytes; a += step) {
        for (unsigned int width = 1; width <= 8; width *= 2) {
            if (a % width != 0)
                continue;
            count(probe_read(a, width, NULL));
            for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
                count(probe_write(a, width, values[i]));
            count(probe_read(a, width, NULL));
        }
    }
    check_eq(dead, 0, "%s, every offset and width: %u accesses work, %u abort", name, done,
             aborted);
}

/* What works must still work: one SGI and one SPI, after whatever the accesses left. */
static void still_works(const char *name)
{
    fresh(name);
    gic_enable(3);
    gic_sgi(3, 0);
    expect_taken(3, name);
    enable_spi(spi_first, level(3), true);
    gic_pend(spi_first);
    expect_taken(spi_first, name);
    expect_none(name);
}

void access_tests(void)
{
    uint64_t frame = gic_base(0), window;

    fresh("accesses");
    everything(gicd(), 0x1000, 1, "distributor");
    if (machine.gic == 3) {
        everything(gicd() + 0x1000, 0xf000, 4, "distributor above 4 KiB");
        still_works("after the distributor");
        everything(frame - 0x10000, 0x1000, 4, "redistributor's control frame");
        everything(frame - 0x1000, 0x1000, 4, "redistributor's identification");
        everything(frame, 0x1000, 1, "redistributor's SGI frame");
        everything(frame + 0x1000, 0xf000, 64, "redistributor's SGI frame above 4 KiB");
        still_works("after the redistributor");
        for (uint64_t n = 1; n < 8 && (n + 1) * GICR_STRIDE <= machine.gicr.bytes; n++)
            everything(frame - 0x10000 + n * GICR_STRIDE, GICR_STRIDE, 0x100,
                       "another redistributor");
        everything(machine.gicr.base + machine.gicr.bytes - GICR_STRIDE, GICR_STRIDE, 0x1000,
                   "the last redistributor");
        still_works("after other redistributors");
    } else {
        still_works("after the distributor");
        everything(machine.gicr.base, machine.gicr.bytes, 1, "CPU interface");
        still_works("after the CPU interface");
    }
    /* Unaligned, as only Normal memory allows. */
    window = mmu_window(gicd(), MAP_NORMAL);
    dead = aborted = done = 0;
    for (uint64_t a = window; a < window + 0x1000; a++) {
        for (unsigned int width = 2; width <= 8; width *= 2) {
            if (a % width == 0)
                continue;
            count(probe_read(a, width, NULL));
            count(probe_write(a, width, 0));
        }
    }
    check_eq(dead, 0, "distributor, unaligned: %u accesses work, %u abort", done, aborted);
    still_works("after unaligned accesses");
}
