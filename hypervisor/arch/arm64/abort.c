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

/* The intermediate physical address that the access was for, if HPFAR_EL2 has it. */
static inline gaddr_t translation_fault_address(uint64_t far)
{
    return GADDR((read_sysreg(hpfar_el2) & HPFAR_FIPA) << 8 | (far & FRAME_MASK));
}

/* The same for any abort. False: it translates no more, try again. */
static bool fault_address(uint64_t esr, uint64_t far, gaddr_t *ga)
{
    uint64_t par, saved;

    /* HPFAR_EL2 is not set by permission faults, but for those of a stage 1 walk. */
    if ((esr & FSC_TYPE) != FSC_PERMISSION || (esr & ISS_DABT_S1PTW)) {
        *ga = translation_fault_address(far);
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

static uint64_t sign_extend(uint64_t value, unsigned int bytes, bool to_64)
{
    unsigned int shift = 64 - 8 * bytes;
    uint64_t extended = (uint64_t)((int64_t)(value << shift) >> shift);

    return to_64 ? extended : (uint32_t)extended;
}

static inline uint32_t access_register(uint64_t esr)
{
    return (uint32_t)field_get(ISS_DABT_SRT, esr);
}

/* A load or store that the syndrome describes in full, at v->access.addr. */
static inline enum exit_action emulate(struct vcpu *v, uint64_t esr)
{
    struct mmio_access *a = &v->access;
    uint32_t bits = 8u << field_get(ISS_DABT_SAS, esr);
    enum exit_action action;

    a->size = (uint8_t)(bits / 8);
    a->write = esr & ISS_DABT_WNR;
    if (a->write) {
        a->value = access_register(esr) != 31 ? v->regs.x[access_register(esr)] : 0;
        a->value &= ~(uint64_t)0 >> (64 - bits);
    }
    action = mmio_dispatch(v);
    if (unlikely(action != EXIT_HANDLED))
        return action;
    if (!(esr & ISS_DABT_WNR) && access_register(esr) != 31) {
        if (unlikely(esr & ISS_DABT_SSE))
            a->value = sign_extend(a->value, a->size, esr & ISS_DABT_SF);
        v->regs.x[access_register(esr)] = a->value;
    }
    exit_skip(v, esr);
    return EXIT_HANDLED;
}

/* Where no device is: memory on first touch, or nothing. */
static __noinline enum exit_action not_a_device(struct vcpu *v, uint64_t esr)
{
    if ((esr & FSC_TYPE) == FSC_TRANSLATION &&
        p2m_handle_fault(v->domain, gaddr_to_gfn(v->access.addr)))
        return EXIT_RETRY;
    /* Maintenance by address of what is not memory does nothing. */
    if (esr & ISS_DABT_CM) {
        exit_skip(v, esr);
        return EXIT_HANDLED;
    }
    if (esr & ISS_DABT_ISV && !v->domain->mmio.trap_unmapped && !(esr & ISS_DABT_S1PTW)) {
        if (!(esr & ISS_DABT_WNR) && access_register(esr) != 31)
            v->regs.x[access_register(esr)] = esr & ISS_DABT_SF ? ~(uint64_t)0 : UINT32_MAX;
        exit_skip(v, esr);
        return EXIT_HANDLED;
    }
    return no_answer(v, esr, read_sysreg(far_el2), false);
}

/* Of the rarer kinds. */
static __noinline enum exit_action other_data_abort(struct vcpu *v, uint64_t esr)
{
    enum exit_action action = EXIT_FAULT;

    if (!fault_address(esr, read_sysreg(far_el2), &v->access.addr))
        return EXIT_RETRY;
    if ((esr & (ISS_DABT_ISV | ISS_DABT_S1PTW)) == ISS_DABT_ISV)
        action = emulate(v, esr);
    return action == EXIT_FAULT ? not_a_device(v, esr) : action;
}

enum exit_action abort_data(struct vcpu *v, uint64_t esr)
{
    enum exit_action action;

    if (unlikely((esr & (ISS_DABT_ISV | ISS_DABT_S1PTW | FSC_TYPE)) !=
                 (ISS_DABT_ISV | FSC_TRANSLATION)))
        return other_data_abort(v, esr);
    v->access.addr = translation_fault_address(read_sysreg(far_el2));
    action = emulate(v, esr);
    return unlikely(action == EXIT_FAULT) ? not_a_device(v, esr) : action;
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
