/* SPDX-License-Identifier: MIT */
/*
 * Exceptions put into a guest, as the hardware would take them to EL1: Arm ARM D1.3.5 (pseudocode
 * AArch64.TakeException) and the syndromes of D24.2.40.
 */
#include <asm/exit.h>
#include <asm/sysreg.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define SCTLR_EL1_SPAN  (1ull << 23)
#define SCTLR_EL1_DSSBS (1ull << 44)
#define PSTATE_SSBS     (1ull << 12)
#define PSTATE_DIT      (1ull << 24)
#define PSTATE_UAO      (1ull << 23)
#define PSTATE_FLAGS    (0xfull << 28)

/* Offsets in a vector table by where the exception comes from. */
#define VECTOR_SP0   0x000u
#define VECTOR_SPX   0x200u
#define VECTOR_LOWER 0x400u
#define VECTOR_A32   0x600u

static bool from_el0(uint64_t pstate)
{
    return (pstate & PSTATE_NRW) || (pstate & PSTATE_MODE) == 0;
}

/* Takes a synchronous exception with this syndrome. */
static void take(struct vcpu *v, uint64_t esr)
{
    uint64_t old = v->regs.pstate, sctlr = read_sysreg(sctlr_el1), vector;

    if (old & PSTATE_NRW)
        vector = VECTOR_A32;
    else if ((old & PSTATE_MODE) == 0)
        vector = VECTOR_LOWER;
    else
        vector = (old & PSTATE_MODE) == PSTATE_EL1H ? VECTOR_SPX : VECTOR_SP0;
    write_sysreg(v->regs.pc, elr_el1);
    write_sysreg(old, spsr_el1);
    write_sysreg(esr, esr_el1);
    v->regs.pc = read_sysreg(vbar_el1) + vector;
    v->regs.pstate = PSTATE_EL1H | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F |
                     (old & (PSTATE_FLAGS | PSTATE_PAN | PSTATE_DIT)) |
                     (sctlr & SCTLR_EL1_DSSBS ? PSTATE_SSBS : 0);
    /* SPAN is RES1, and PAN not there, before Armv8.1. */
    if (!(sctlr & SCTLR_EL1_SPAN) && (read_sysreg(id_aa64mmfr1_el1) >> 20 & 0xf))
        v->regs.pstate |= PSTATE_PAN;
}

/* ESR_EL1.IL is set in all that is injected here, whatever the length of the instruction. */
void inject_undefined(struct vcpu *v)
{
    take(v, field_prep(ESR_EC, EC_UNKNOWN) | ESR_IL);
}

void inject_abort(struct vcpu *v, uint64_t far, bool instruction, uint32_t fault_status)
{
    uint64_t class = instruction ? EC_IABT_LOW : EC_DABT_LOW;

    if (!from_el0(v->regs.pstate))
        class ++; /* "without a change of level" is the next number */
    write_sysreg(far, far_el1);
    take(v, field_prep(ESR_EC, class) | ESR_IL | fault_status |
                (instruction ? 0 : read_sysreg(esr_el2) & (ISS_DABT_WNR | ISS_DABT_CM)));
}

void inject_serror(struct vcpu *v)
{
    v->arch.hcr_el2 |= HCR_VSE;
    write_sysreg(v->arch.hcr_el2, hcr_el2);
}

/* With RAS the barrier itself takes the SError and notes it; else it pends, masked as all is here.
 */
bool serror_came(void)
{
    dsb(sy);
    if (read_sysreg(id_aa64pfr0_el1) & PFR0_RAS) {
        esb();
        if (!(read_sysreg(DISR_EL1) & DISR_A))
            return false;
        write_sysreg(0, DISR_EL1);
        return true;
    }
    isb();
    return read_sysreg(isr_el1) & ISR_A && serror_take();
}

bool serror_settle(struct vcpu *v)
{
    bool came = serror_came();

    if (unlikely(came))
        inject_serror(v);
    return came;
}
