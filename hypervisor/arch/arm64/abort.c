/* SPDX-License-Identifier: MIT */
/*
 * Stage 2 aborts: emulated devices, memory on first touch, and faults. Arm ARM D8.13, D24.2.40 (ISS
 * of data and instruction aborts), D24.2.62 (HPFAR_EL2).
 */
#include <asm/exit.h>
#include <asm/sysreg.h>
#include <hospes/domain.h>
#include <hospes/mmio.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define HPFAR_FIPA 0x00000ffffffffff0ull /* bits 51:12 of the address, at bit 4 */

/* Fault status of an external abort on a stage 1 walk at some level. */
#define FSC_EXTERNAL_WALK 0x14u

/* The intermediate physical address that the access was for. False: it translates no more, try
 * again. */
static bool fault_address(uint64_t esr, uint64_t far, gaddr_t *ga)
{
    uint64_t par, saved;

    /* HPFAR_EL2 is not set by permission faults, but for those of a stage 1 walk. */
    if ((esr & FSC_TYPE) != FSC_PERMISSION || (esr & ISS_DABT_S1PTW)) {
        *ga = GADDR((read_sysreg(hpfar_el2) & HPFAR_FIPA) << 8 | (far & FRAME_MASK));
        return true;
    }
    saved = read_sysreg(par_el1);
    __asm__ volatile("at s1e1r, %0\n\tisb" : : "r"(far) : "memory");
    par = read_sysreg(par_el1);
    write_sysreg(saved, par_el1);
    *ga = GADDR((par & PAR_PA) | (far & FRAME_MASK));
    return !(par & PAR_F);
}

/* What a guest gets for an access that nobody answers. */
static enum exit_action no_answer(struct vcpu *v, uint64_t esr, uint64_t far, bool instruction)
{
    uint32_t status = FSC_EXTERNAL;

    if (esr & ISS_DABT_S1PTW)
        status = FSC_EXTERNAL_WALK | (uint32_t)(esr & 3);
    inject_abort(v, far, instruction, status);
    return EXIT_INJECTED;
}

static uint64_t sign_extend(uint64_t value, unsigned int bytes)
{
    unsigned int shift = 64 - 8 * bytes;

    return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* A load or store that the syndrome describes in full. */
static enum exit_action emulate(struct vcpu *v, uint64_t esr, gaddr_t ga)
{
    uint32_t reg = (uint32_t)field_get(ISS_DABT_SRT, esr);
    struct mmio_access a = {
        .addr = ga,
        .size = (uint8_t)(1u << field_get(ISS_DABT_SAS, esr)),
        .write = esr & ISS_DABT_WNR,
    };
    enum exit_action action;

    if (a.write && reg != 31)
        a.value = v->regs.x[reg] & (~(uint64_t)0 >> (64 - 8 * a.size));
    action = mmio_dispatch(v, &a);
    if (action == EXIT_HANDLED && !a.write && reg != 31) {
        if (esr & ISS_DABT_SSE)
            a.value = sign_extend(a.value, a.size);
        v->regs.x[reg] = esr & ISS_DABT_SF ? a.value : (uint32_t)a.value;
    }
    if (action == EXIT_HANDLED)
        exit_skip(v, esr);
    return action;
}

enum exit_action abort_data(struct vcpu *v, uint64_t esr)
{
    uint64_t far = read_sysreg(far_el2);
    enum exit_action action;
    gaddr_t ga;

    if (!fault_address(esr, far, &ga))
        return EXIT_RETRY;
    if (likely((esr & (ISS_DABT_ISV | ISS_DABT_S1PTW)) == ISS_DABT_ISV)) {
        action = emulate(v, esr, ga);
        if (action != EXIT_FAULT)
            return action;
    }
    if ((esr & FSC_TYPE) == FSC_TRANSLATION && p2m_handle_fault(v->domain, gaddr_to_gfn(ga)))
        return EXIT_RETRY;
    /* Maintenance by address of what is not memory does nothing. */
    if (esr & ISS_DABT_CM) {
        exit_skip(v, esr);
        return EXIT_HANDLED;
    }
    if (esr & ISS_DABT_ISV && !v->domain->mmio.trap_unmapped && !(esr & ISS_DABT_S1PTW)) {
        uint32_t reg = (uint32_t)field_get(ISS_DABT_SRT, esr);

        if (!(esr & ISS_DABT_WNR) && reg != 31)
            v->regs.x[reg] = esr & ISS_DABT_SF ? ~(uint64_t)0 : UINT32_MAX;
        exit_skip(v, esr);
        return EXIT_HANDLED;
    }
    return no_answer(v, esr, far, false);
}

enum exit_action abort_instruction(struct vcpu *v, uint64_t esr)
{
    uint64_t far = read_sysreg(far_el2);
    gaddr_t ga;

    if (!fault_address(esr, far, &ga))
        return EXIT_RETRY;
    if ((esr & FSC_TYPE) == FSC_TRANSLATION && p2m_handle_fault(v->domain, gaddr_to_gfn(ga)))
        return EXIT_RETRY;
    return no_answer(v, esr, far, true);
}
