/* SPDX-License-Identifier: MIT */
/*
 * The interrupt controller as a guest sees it, version 2 (Arm IHI 0048B) or 3 (IHI 0069):
 * registers, then what becomes of interrupts. Arguments: only=regs|access|flow|many|irq|cpu.
 */
#include "gic.h"

const char guest_name[] = "gic";

unsigned int spi_first, levels;
static unsigned int level_step;

uint8_t level(unsigned int n)
{
    return (uint8_t)(n * level_step);
}

void fresh(const char *what)
{
    uint32_t iar;

    note("-- %s", what);
    gic_init();
    for (unsigned int i = 0; i < 64 && INTID(iar = gic_ack()) < 1020; i++) {
        gic_eoi(iar);
        note("left over: %u", INTID(iar));
    }
}

void expect_taken(unsigned int intid, const char *name)
{
    uint32_t iar = gic_expect();

    check_eq(INTID(iar), intid, "%s: %u is taken", name, intid);
    if (INTID(iar) < 1020)
        gic_eoi(iar);
}

void expect_none(const char *name)
{
    uint32_t iar;

    read32(machine.gicd.base + GICD_TYPER); /* a chance for the hypervisor to deliver */
    iar = gic_ack();
    check_eq(INTID(iar), GIC_SPURIOUS, "%s: nothing is taken", name);
    if (INTID(iar) < 1020)
        gic_eoi(iar);
}

void enable_spi(unsigned int intid, uint8_t priority, bool edge)
{
    gic_set_edge(intid, edge);
    gic_set_priority(intid, priority);
    gic_enable(intid);
}

void guest_main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {
        { "regs", register_tests }, { "flow", flow_tests }, { "many", many_tests },
        { "irq", irq_tests },       { "cpu", cpu_tests },   { "access", access_tests },
    };
    char only[8] = "";
    unsigned int lines = gic_lines();

    bootarg("only", only, sizeof(only));
    gic_init();
    spi_first = (lines & ~31u) - SPIS;
    /* Bits of priority: those that stick. The lowest of five is the least that tells 16 levels
     * apart. */
    gic_set_priority(spi_first, 0xff);
    level_step = gic_get_priority(spi_first) & 8 ? 8 : 16;
    levels = level_step == 8 ? 31 : 15;
    note("%u interrupts, priority bits 0x%x, SPIs used from %u", lines, gic_get_priority(spi_first),
         spi_first);
    check(spi_first >= 64, "there are 64 SPIs or more (%u)", lines - 32);
    for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
        if (only[0] == '\0' || (only[0] == parts[i].name[0] && only[1] == parts[i].name[1]))
            parts[i].run();
    }
}
