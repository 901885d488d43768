/* SPDX-License-Identifier: MIT */
/* What becomes of single interrupts: pending, active, masked, withdrawn, level and edge, end and
 * deactivation. */
#include "gic.h"

static void one(unsigned int intid, const char *name)
{
    uint32_t iar;

    check_eq(gic_is_pending(intid), 1, "%s: pending", name);
    iar = gic_expect();
    check_eq(INTID(iar), intid, "%s: acknowledged", name);
    check_eq(gic_is_pending(intid), 0, "%s: no more pending", name);
    check_eq(gic_is_active(intid), 1, "%s: active", name);
    check_eq(gic_rpr(), gic_get_priority(intid), "%s: running priority", name);
    check_eq(INTID(gic_ack()), GIC_SPURIOUS, "%s: but once", name);
    gic_eoi(iar);
    check_eq(gic_is_active(intid), 0, "%s: ended", name);
    check_eq(gic_rpr(), 0xff, "%s: running priority after it", name);
    expect_none(name);
}

static void single_tests(void)
{
    fresh("single interrupts");
    for (unsigned int i = 0; i < 16; i += 5) {
        gic_set_priority(i, level(i));
        gic_enable(i);
        gic_sgi(i, 0);
        one(i, "SGI to itself");
    }
    for (unsigned int edge = 0; edge < 2; edge++) {
        enable_spi(spi_first + edge, level(4), edge);
        gic_pend(spi_first + edge);
        one(spi_first + edge, edge ? "edge SPI by ISPENDR" : "level SPI by ISPENDR");
    }
    gic_set_priority(20, level(2));
    gic_enable(20);
    gic_pend(20);
    one(20, "PPI by ISPENDR");
    gic_pend(spi_first);
    gic_pend(spi_first);
    expect_taken(spi_first, "pended twice");
    expect_none("pended twice");
}

static void mask_tests(void)
{
    unsigned int a = spi_first;
    uint64_t ctlr = machine.gicd.base + GICD_CTLR;
    uint32_t on = read32(ctlr);

    fresh("masks");
    enable_spi(a, level(8), true);
    gic_pmr(level(8));
    gic_pend(a);
    expect_none("priority equal to the mask");
    if (machine.gic == 3) /* QEMU's GICv2 heeds the mask there */
        check_eq(INTID(gic_hppir()), a, "masked by priority: still the highest pending");
    gic_pmr(level(7));
    expect_none("priority below the mask");
    gic_pmr(level(9));
    expect_taken(a, "priority above the mask");
    gic_pmr(0xff);

    gic_pend(a);
    gic_disable(a);
    expect_none("disabled while pending");
    check_eq(gic_is_pending(a), 1, "disabled while pending: still pending");
    gic_enable(a);
    expect_taken(a, "enabled again");

    gic_pend(a);
    gic_unpend(a);
    check_eq(gic_is_pending(a), 0, "withdrawn: not pending");
    expect_none("withdrawn");

    gic_pend(a);
    write32(ctlr, on & ~3u);
    expect_none("distributor off");
    write32(ctlr, on);
    expect_taken(a, "distributor on again");

    gic_pend(a);
    if (machine.gic == 3)
        sysreg_write(S3_0_C12_C12_7, 0);
    else
        write32(machine.gicr.base, 0);
    expect_none("CPU interface off");
    if (machine.gic == 3)
        sysreg_write(S3_0_C12_C12_7, 1);
    else
        write32(machine.gicr.base, 1);
    expect_taken(a, "CPU interface on again");

    gic_sgi(2, 0);
    gic_disable(2);
    if (machine.gic == 3) {
        expect_none("SGI that is disabled");
        check_eq(gic_is_pending(2), 1, "SGI that is disabled: pending");
        gic_enable(2);
    } else {
        gic_enable(2); /* v2 may have SGIs enabled for ever */
    }
    expect_taken(2, "SGI once enabled");
}

static void active_tests(void)
{
    uint32_t iar;

    fresh("pending and active");
    for (unsigned int edge = 0; edge < 2; edge++) {
        unsigned int a = spi_first + edge;
        const char *name = edge ? "edge, pended while active" : "level, pended while active";
        enable_spi(a, level(8), edge);
        gic_pend(a);
        iar = gic_expect();
        check_eq(INTID(iar), a, "%s: taken", name);
        gic_pend(a);
        check_eq(gic_is_pending(a), 1, "%s: pending", name);
        check_eq(gic_is_active(a), 1, "%s: and active", name);
        expect_none(name);
        gic_eoi(iar);
        expect_taken(a, name);
        expect_none(name);
    }
    gic_activate(spi_first);
    check_eq(gic_is_active(spi_first), 1, "activated by ISACTIVER");
    gic_pend(spi_first);
    expect_none("activated by ISACTIVER");
    gic_deactivate_write(spi_first);
    check_eq(gic_is_active(spi_first), 0, "deactivated by ICACTIVER");
    expect_taken(spi_first, "deactivated by ICACTIVER");

    gic_pend(spi_first);
    iar = gic_expect();
    gic_deactivate_write(spi_first);
    gic_pend(spi_first);
    check_eq(INTID(gic_ack()), GIC_SPURIOUS, "deactivated before its end: its priority still runs");
    gic_eoi(iar);
    expect_taken(spi_first, "deactivated before its end");
    expect_none("deactivated before its end");
}

static void split_tests(void)
{
    unsigned int a = spi_first;
    uint32_t iar;

    fresh("EOImode 1");
    gic_split(true);
    for (unsigned int sgi = 0; sgi < 2; sgi++) {
        const char *name = sgi ? "split end of an SGI" : "split end of an SPI";
        a = sgi ? 5 : spi_first;
        if (sgi)
            gic_enable(a);
        else
            enable_spi(a, level(6), true);
        for (unsigned int i = 0; i < 2;
             i++) { /* the second is that of below, pended while active */
            if (i == 0)
                gic_pend(a);
            if (i == 0 && sgi)
                gic_sgi(a, 0);
            iar = gic_expect();
            check_eq(INTID(iar), a, "%s: taken, %u", name, i);
            gic_eoi(iar);
            check_eq(gic_rpr(), 0xff, "%s: priority dropped", name);
            check_eq(gic_is_active(a), 1, "%s: still active", name);
            if (i == 0) {
                if (sgi)
                    gic_sgi(a, 0);
                else
                    gic_pend(a);
                check_eq(INTID(gic_ack()), GIC_SPURIOUS, "%s: not again while active", name);
            }
            gic_dir(iar);
            check_eq(gic_is_active(a), 0, "%s: deactivated", name);
        }
        check_eq(INTID(gic_ack()), GIC_SPURIOUS, "%s: that is all", name);
    }
    gic_split(false);
}

static void odd_ends(void)
{
    fresh("odd ends");
    for (uint32_t i = 0; i < 1024; i++)
        gic_eoi(i);
    gic_split(true);
    for (uint32_t i = 0; i < 1024; i++)
        gic_dir(i);
    gic_split(false);
    gic_eoi(0xffffff);
    enable_spi(spi_first, level(1), true);
    gic_pend(spi_first);
    expect_taken(spi_first, "after ends of what never began");
}

/* QEMU's GICv2 looks at a line that is still high at its next event only, another guest's perhaps.
 */
static uint32_t expect_late(void)
{
    uint64_t end = now() + ticks_of_us(PATIENCE_US);
    uint32_t iar;

    do
        iar = gic_expect();
    while (INTID(iar) == GIC_SPURIOUS && now() < end);
    return iar;
}

/* The virtual timer's line is a level that the guest itself drives. */
static void level_tests(void)
{
    unsigned int a = machine.ppi_virt;
    uint32_t iar;

    fresh("a level that is driven");
    gic_set_priority(a, level(5));
    timer_virt(0);
    check(wait_until(gic_is_pending(a)), "a high line shows as pending though disabled");
    gic_unpend(a);
    check_eq(gic_is_pending(a), 1, "a high line stays pending whatever ICPENDR says");
    timer_virt_off();
    check(wait_until(!gic_is_pending(a)), "a line that falls is no more pending");
    gic_enable(a);
    expect_none("after the line fell");
    timer_virt(0);
    iar = gic_expect();
    check_eq(INTID(iar), a, "line high: taken");
    check_eq(sysreg_read(cntv_ctl_el0), 5, "CNTV_CTL_EL0 is the guest's");
    check_eq(gic_is_pending(a), 1, "line still high: pending while active");
    gic_eoi(iar);
    iar = expect_late();
    check_eq(INTID(iar), a, "line still high: taken again");
    timer_virt_off();
    check(wait_until(!gic_is_pending(a)), "line low: active only");
    gic_eoi(iar);
    expect_none("line low");
    /*
     * A line that falls is followed "in finite time": one interrupt with nothing to do is within
     * the specification, and what a hypervisor gives whose list registers follow timers without an
     * exit. Once the distributor has said that none is pending, none may come.
     */
    timer_virt(0);
    wait_until(gic_is_pending(a));
    timer_virt_off();
    check(wait_until(!gic_is_pending(a)), "line fell before it was taken: no more pending");
    expect_none("line fell before it was taken");

    /* What was written to ISPENDR is beside the line, whatever becomes of that. */
    timer_virt(0);
    wait_until(gic_is_pending(a));
    gic_pend(a);
    timer_virt_off();
    expect_taken(a, "ISPENDR written, then the line fell");
    timer_virt(0);
    iar = gic_expect();
    check_eq(INTID(iar), a, "line high once more: taken");
    timer_virt_off();
    gic_pend(a);
    gic_eoi(iar);
    expect_taken(a, "ISPENDR written while active, line low");
    expect_none("ISPENDR's was taken");
}

/* Where groups can be chosen, Group 0 comes by FIQ and its own registers (v3). */
static void group_tests(void)
{
    uint64_t ctlr = machine.gicd.base + GICD_CTLR,
             group = machine.gicd.base + GICD_IGROUPR + spi_first / 32 * 4;
    uint32_t v;

    if (machine.gic != 3 || !(read32(ctlr) & 0x40 /* DS */))
        return;
    fresh("groups");
    write32(group, ~1u);
    check_eq(read32(group), ~1u, "IGROUPR holds");
    write32(ctlr, read32(ctlr) | 1);
    sysreg_write(S3_0_C12_C12_6, 1); /* ICC_IGRPEN0_EL1 */
    enable_spi(spi_first, level(3), true);
    gic_pend(spi_first);
    expect_none("Group 0 by Group 1's register");
    check(wait_until(sysreg_read(isr_el1) & 0x40), "Group 0 is a FIQ");
    v = (uint32_t)sysreg_read(S3_0_C12_C8_0); /* ICC_IAR0_EL1 */
    check_eq(INTID(v), spi_first, "Group 0 is acknowledged");
    sysreg_write(S3_0_C12_C8_1, v); /* ICC_EOIR0_EL1 */
    check_eq(gic_is_active(spi_first), 0, "Group 0 is ended");
    sysreg_write(S3_0_C12_C12_6, 0);
    write32(ctlr, read32(ctlr) & ~1u);
}

void flow_tests(void)
{
    single_tests();
    mask_tests();
    active_tests();
    split_tests();
    odd_ends();
    level_tests();
    group_tests();
}
