/* SPDX-License-Identifier: MIT */
/* More interrupts at once than the hardware has list registers: order, nesting, and all of them
 * active together. */
#include "gic.h"

/* Scrambles 0..31. */
static unsigned int shuffled(unsigned int i)
{
    return (i * 11 + 5) % SPIS;
}

static void order_tests(void)
{
    unsigned int n = levels < SPIS ? levels : SPIS, wrong = 0;

    fresh("priority order");
    for (unsigned int i = 0; i < n; i++)
        enable_spi(spi_first + i, level(n - 1 - i), i & 1);
    for (unsigned int i = 0; i < SPIS; i++) {
        if (shuffled(i) < n)
            gic_pend(spi_first + shuffled(i));
    }
    for (unsigned int i = 0; i < n; i++) {
        uint32_t iar = gic_expect();
        if (INTID(iar) != spi_first + n - 1 - i && wrong++ == 0)
            note("place %u: got %u, not %u", i, INTID(iar), spi_first + n - 1 - i);
        if (INTID(iar) < 1020)
            gic_eoi(iar);
    }
    check_eq(wrong, 0, "%u SPIs pended at once come in order of priority", n);
    expect_none("after all of them");

    for (unsigned int i = 0; i < 15; i++) {
        gic_set_priority(i, level((i * 4 + 2) % 15));
        gic_enable(i);
        gic_sgi(i, 0);
    }
    wrong = 0;
    for (unsigned int i = 0; i < 15; i++) {
        uint32_t iar = gic_expect();
        wrong += INTID(iar) >= 16 || gic_get_priority(INTID(iar) & 15) != level(i);
        if (INTID(iar) < 1020)
            gic_eoi(iar);
    }
    check_eq(wrong, 0, "15 SGIs come in order of priority");
    expect_none("after all SGIs");
}

/* Each preempts the one before: as many are active as there are levels. */
static void nesting_tests(void)
{
    uint32_t iar[32];
    unsigned int n = levels < SPIS ? levels : SPIS, wrong = 0, deep = 0;

    fresh("nesting");
    for (unsigned int i = 0; i < n; i++)
        enable_spi(spi_first + i, level(n - 1 - i), true);
    for (; deep < n; deep++) {
        gic_pend(spi_first + deep);
        iar[deep] = gic_expect();
        if (INTID(iar[deep]) != spi_first + deep)
            break;
        if (gic_rpr() != level(n - 1 - deep) || !gic_is_active(spi_first + deep))
            wrong++;
    }
    check_eq(deep, n, "interrupts preempt each other %u levels deep", n);
    check_eq(wrong, 0, "each is active, at its running priority");
    wrong = 0;
    for (unsigned int i = 0; i < deep; i++)
        wrong += !gic_is_active(spi_first + i);
    check_eq(wrong, 0, "all of them are active at once");
    /* What is less urgent waits for all of them. */
    if (deep == n)
        gic_set_priority(1, level(n - 1));
    gic_enable(1);
    gic_sgi(1, 0);
    check_eq(INTID(gic_ack()), GIC_SPURIOUS, "what is less urgent waits");
    wrong = 0;
    while (deep-- > 0) {
        if (gic_rpr() != level(n - 1 - deep))
            wrong++;
        gic_eoi(iar[deep]);
        if (gic_is_active(spi_first + deep))
            wrong++;
    }
    check_eq(wrong, 0, "they end in reverse order");
    expect_taken(1, "what waited");
    expect_none("after nesting");
}

/* With EOImode 1 all can be active with no priority running, and end in any order. */
static void deactivation_tests(void)
{
    unsigned int wrong = 0, again = 0;

    fresh("many active");
    gic_split(true);
    for (unsigned int round = 0; round < 2; round++) {
        for (unsigned int i = 0; i < SPIS; i++) {
            if (round == 0)
                enable_spi(spi_first + i, level(i % levels), true);
            gic_pend(spi_first + i);
        }
        wrong = 0;
        for (unsigned int i = 0; i < SPIS; i++) {
            uint32_t iar = gic_expect();
            if (INTID(iar) >= 1020) {
                wrong++;
                break;
            }
            gic_eoi(iar);
        }
        check_eq(wrong, 0, "%u SPIs are taken, none deactivated, round %u", SPIS, round);
        check_eq(read32(machine.gicd.base + GICD_ISACTIVER + spi_first / 32 * 4), ~0u,
                 "all are active, round %u", round);
        for (unsigned int i = 0; i < SPIS; i++)
            gic_pend(spi_first + i);
        check_eq(INTID(gic_ack()), GIC_SPURIOUS, "none is taken again while active, round %u",
                 round);
        check_eq(read32(machine.gicd.base + GICD_ISPENDR + spi_first / 32 * 4), ~0u,
                 "all are pending too, round %u", round);
        wrong = again = 0;
        for (unsigned int i = 0; i < SPIS; i++) {
            unsigned int intid = spi_first + shuffled(i);
            uint32_t iar;
            gic_dir(intid);
            iar = gic_expect();
            again += INTID(iar) == intid;
            wrong += !gic_is_active(intid);
            if (INTID(iar) < 1020) {
                gic_eoi(iar);
                gic_dir(iar);
            }
            wrong += gic_is_active(intid);
        }
        check_eq(again, SPIS, "each is taken again once it is deactivated, round %u", round);
        check_eq(wrong, 0, "each is active then, and ends, round %u", round);
        check_eq(INTID(gic_ack()), GIC_SPURIOUS, "none is left, round %u", round);
    }
    gic_split(false);
}

static void all_tests(void)
{
    unsigned int lines = gic_lines(), n = 0, twice = 0;
    static uint8_t taken[1024];

    fresh("all interrupts at once");
    memset(taken, 0, sizeof(taken));
    for (unsigned int i = 33; i < lines; i++)
        enable_spi(i, level(i * 7 % levels), true);
    for (unsigned int i = 33; i < lines; i++)
        gic_pend(i);
    for (unsigned int i = 0; i < 1024; i++) {
        uint32_t iar = gic_ack();
        if (INTID(iar) >= 1020)
            break;
        twice += taken[INTID(iar)]++;
        n++;
        gic_eoi(iar);
    }
    check_eq(n, lines - 33, "all %u SPIs pended at once are taken", lines - 33);
    check_eq(twice, 0, "and none twice");
}

void many_tests(void)
{
    order_tests();
    nesting_tests();
    deactivation_tests();
    all_tests();
}
