/* SPDX-License-Identifier: MIT */
/*
 * Trapped system registers: which there are, and what a guest gets of each. Arm ARM D24;
 * doc/exits.md lists the traps.
 *
 * What stands in no case is undefined to a guest, as on a CPU that lacks it: the ID registers that
 * cpu.c shows say so.
 */
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/sysreg.h>
#include <asm/vgic.h>
#include <hospes/compiler.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define REG(op0, op1, crn, crm, op2) ISS_SYSREG(op0##u, op1##u, crn##u, crm##u, op2##u)

#define REG_MDSCR    REG(2, 0, 0, 2, 2)
#define REG_MDCCINT  REG(2, 0, 0, 2, 0)
#define REG_OSDTRRX  REG(2, 0, 0, 0, 2)
#define REG_OSDTRTX  REG(2, 0, 0, 3, 2)
#define REG_OSECCR   REG(2, 0, 0, 6, 2)
#define REG_MDRAR    REG(2, 0, 1, 0, 0)
#define REG_OSLAR    REG(2, 0, 1, 0, 4)
#define REG_OSLSR    REG(2, 0, 1, 1, 4)
#define REG_OSDLR    REG(2, 0, 1, 3, 4)
#define REG_DBGPRCR  REG(2, 0, 1, 4, 4)
#define REG_CLAIMSET REG(2, 0, 7, 8, 6)
#define REG_CLAIMCLR REG(2, 0, 7, 9, 6)
#define REG_AUTHSTAT REG(2, 0, 7, 14, 6)
#define REG_MDCCSR   REG(2, 3, 0, 1, 0)
#define REG_DBGDTR   REG(2, 3, 0, 4, 0)
#define REG_DBGDTRX  REG(2, 3, 0, 5, 0)
#define REG_ACTLR    REG(3, 0, 1, 0, 1)
#define REG_DIR      REG(3, 0, 12, 11, 1)
#define REG_SGI1R    REG(3, 0, 12, 11, 5)
#define REG_ASGI1R   REG(3, 0, 12, 11, 6)
#define REG_SGI0R    REG(3, 0, 12, 11, 7)

#define REG_DC_ISW  REG(1, 0, 7, 6, 2)
#define REG_DC_CSW  REG(1, 0, 7, 10, 2)
#define REG_DC_CISW REG(1, 0, 7, 14, 2)
#define REG_SCTLR   REG(3, 0, 1, 0, 0)

#define OP0(reg) ((reg) >> 20 & 3)
#define OP2(reg) ((reg) >> 17 & 7)
#define OP1(reg) ((reg) >> 14 & 7)
#define CRN(reg) ((reg) >> 10 & 15)
#define CRM(reg) ((reg) >> 1 & 15)

/* Debug registers: those of the manual's number that a guest has (ID_AA64DFR0_EL1: two of each). */
#define BREAKPOINTS 2u

#define MDSCR_SS    (1ull << 0)
#define MDSCR_KDE   (1ull << 13)
#define OSLSR_OSLM0 (1ull << 3)
#define OSLSR_OSLK  (1ull << 1)

static void set_reg(struct vcpu *v, uint64_t esr, uint64_t value)
{
    uint64_t reg = field_get(ISS_SYSREG_RT, esr);

    if (reg != 31)
        v->regs.x[reg] = value;
}

static uint64_t get_reg(const struct vcpu *v, uint64_t esr)
{
    uint64_t reg = field_get(ISS_SYSREG_RT, esr);

    return reg == 31 ? 0 : v->regs.x[reg];
}

/* Reads as zero, ignores writes. */
static enum exit_action raz_wi(struct vcpu *v, uint64_t esr)
{
    if (esr & ISS_SYSREG_READ)
        set_reg(v, esr, 0);
    return EXIT_HANDLED;
}

static enum exit_action read_only(struct vcpu *v, uint64_t esr, uint64_t value)
{
    if (!(esr & ISS_SYSREG_READ))
        return EXIT_UNDEF;
    set_reg(v, esr, value);
    return EXIT_HANDLED;
}

/* Of the control register, single-stepping works; breakpoints do not, so their enable bit stays off
 * in hardware. */
static enum exit_action debug_control(struct vcpu *v, uint64_t esr)
{
    if (esr & ISS_SYSREG_READ) {
        set_reg(v, esr, v->arch.mdscr);
    } else {
        v->arch.mdscr = get_reg(v, esr);
        write_sysreg(v->arch.mdscr & (MDSCR_SS | MDSCR_KDE), mdscr_el1);
    }
    return EXIT_HANDLED;
}

static enum exit_action debug_lock(struct vcpu *v, uint64_t esr)
{
    if (esr & ISS_SYSREG_READ)
        return EXIT_UNDEF;
    v->arch.os_lock = get_reg(v, esr) & 1;
    return EXIT_HANDLED;
}

/* op0 = 2: the debug registers. Trace registers, with op1 = 1, are not there. */
static enum exit_action debug_register(struct vcpu *v, uint64_t esr, uint32_t reg)
{
    switch (reg) {
    case REG_MDSCR:
        return debug_control(v, esr);
    case REG_OSLAR:
        return debug_lock(v, esr);
    case REG_OSLSR:
        return read_only(v, esr, OSLSR_OSLM0 | (v->arch.os_lock ? OSLSR_OSLK : 0));
    case REG_MDRAR:
    case REG_MDCCSR:
    case REG_AUTHSTAT:
        return read_only(v, esr, 0);
    case REG_MDCCINT:
    case REG_OSDTRRX:
    case REG_OSDTRTX:
    case REG_OSECCR:
    case REG_OSDLR:
    case REG_DBGPRCR:
    case REG_CLAIMSET:
    case REG_CLAIMCLR:
    case REG_DBGDTR:
    case REG_DBGDTRX:
        return raz_wi(v, esr);
    default:
        break;
    }
    /* DBGBVRn, DBGBCRn, DBGWVRn, DBGWCRn */
    if (OP1(reg) == 0 && CRN(reg) == 0 && OP2(reg) >= 4 && CRM(reg) < BREAKPOINTS)
        return raz_wi(v, esr);
    return EXIT_UNDEF;
}

/* A list, which the formatter would indent anew each time. */
/* clang-format off */
#define EACH_TRANSLATION_REGISTER(DO) \
    DO(REG(3, 0, 2, 0, 0), ttbr0_el1) DO(REG(3, 0, 2, 0, 1), ttbr1_el1) \
    DO(REG(3, 0, 2, 0, 2), tcr_el1) DO(REG(3, 0, 5, 1, 0), afsr0_el1) \
    DO(REG(3, 0, 5, 1, 1), afsr1_el1) DO(REG(3, 0, 5, 2, 0), esr_el1) \
    DO(REG(3, 0, 6, 0, 0), far_el1) DO(REG(3, 0, 10, 2, 0), mair_el1) \
    DO(REG(3, 0, 10, 3, 0), amair_el1) DO(REG(3, 0, 13, 0, 1), contextidr_el1)
/* clang-format on */
#define WRITE_REGISTER(number, name) \
    case number:                     \
        write_sysreg(value, name);   \
        break;

/* What HCR_EL2.TVM traps, for the sake of SCTLR_EL1 only, and maintenance by set and way. */
static enum exit_action cache_control(struct vcpu *v, uint64_t esr, uint32_t reg)
{
    uint64_t value = get_reg(v, esr);

    switch (reg) {
    case REG_DC_ISW:
    case REG_DC_CSW:
    case REG_DC_CISW:
        return set_way_trap(v);
    case REG_SCTLR:
        return set_way_sctlr(v, value);
        EACH_TRANSLATION_REGISTER(WRITE_REGISTER)
    default:
        return EXIT_UNDEF;
    }
    return EXIT_HANDLED;
}

/* Everything but what is on the way of an interrupt between CPUs. */
static enum exit_action __noinline other_register(struct vcpu *v, uint64_t esr, uint32_t reg)
{
    if (OP0(reg) == 2)
        return debug_register(v, esr, reg);
    if (OP0(reg) == 3 && OP1(reg) == 0 && CRN(reg) == 0)
        return read_only(v, esr, cpu_id_register(CRM(reg), OP2(reg)));
    if (reg == REG_ACTLR)
        return raz_wi(v, esr);
    if (esr & ISS_SYSREG_READ)
        return EXIT_UNDEF;
    if (reg == REG_DIR)
        vgic_write_dir(v, get_reg(v, esr));
    else if (reg == REG_SGI0R || reg == REG_ASGI1R)
        vgic_write_sgi0r(v, get_reg(v, esr));
    else
        return cache_control(v, esr, reg);
    return EXIT_HANDLED;
}

enum exit_action sysreg_trap(struct vcpu *v, uint64_t esr)
{
    uint32_t reg = (uint32_t)esr & ISS_SYSREG_MASK;
    enum exit_action action = EXIT_HANDLED;

    if (likely(reg == REG_SGI1R && !(esr & ISS_SYSREG_READ)))
        vgic_write_sgi1r(v, get_reg(v, esr));
    else
        action = other_register(v, esr, reg);
    if (action == EXIT_HANDLED)
        exit_skip(v, esr);
    return action;
}
