/* SPDX-License-Identifier: MIT */
/*
 * Cache maintenance by set and way (DC ISW, CSW, CISW), which reaches one CPU's caches only: Arm
 * ARM D7.5.9. A boot loader does it line by line, for all lines, before it switches its caches on
 * or off; but on this CPU there may be another vCPU's lines, and its own on another.
 *
 * So the first such instruction cleans all of the domain's memory by address, which all CPUs take
 * part in, and the others do nothing until the caches are switched: that is trapped from then on
 * (HCR_EL2.TVM), and cleans once more. Cleaning takes many steps; until the last one the guest's
 * instruction is tried again, with interrupts in between.
 */
#include <asm/exit.h>
#include <asm/sysreg.h>
#include <hospes/domain.h>
#include <hospes/p2m.h>

#define CACHES_ON (SCTLR_EL1_M | SCTLR_EL1_C)

static bool caches_on(uint64_t sctlr)
{
    return (sctlr & CACHES_ON) == CACHES_ON;
}

static void trap_switching(struct vcpu *v, bool on)
{
    uint64_t hcr = read_sysreg(hcr_el2) & ~HCR_TVM;

    v->arch.hcr_el2 = hcr | (on ? HCR_TVM : 0);
    write_sysreg(v->arch.hcr_el2, hcr_el2);
}

enum exit_action set_way_trap(struct vcpu *v)
{
    if (read_sysreg(hcr_el2) & HCR_TVM)
        return EXIT_HANDLED;
    if (p2m_clean_step(v->domain, &v->arch.clean_next))
        return EXIT_RETRY;
    trap_switching(v, true);
    return EXIT_HANDLED;
}

enum exit_action set_way_sctlr(struct vcpu *v, uint64_t value)
{
    bool was = caches_on(read_sysreg(sctlr_el1)), is = caches_on(value);

    /* Off before they are cleaned, and on after: nothing comes into them meanwhile. */
    if (!is)
        write_sysreg(value, sctlr_el1);
    if ((was != is || v->arch.clean_next.v) && p2m_clean_step(v->domain, &v->arch.clean_next))
        return EXIT_RETRY;
    write_sysreg(value, sctlr_el1);
    if (is)
        trap_switching(v, false);
    return EXIT_HANDLED;
}
