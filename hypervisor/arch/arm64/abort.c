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

/*
 * The guest frame that the access, or the stage 1 walk for it, was for. Of translation faults only:
 * others need not set HPFAR_EL2. Nobody needs it of them, and to find it out by AT would walk
 * tables that the guest may have changed to lie where a read is answered by an abort, which EL2
 * would take.
 */
static inline gfn_t fault_gfn(void)
{
    return GFN(field_get(HPFAR_FIPA, read_sysreg(hpfar_el2)));
}

/* Memory that is there, or is now. */
static bool is_memory(struct vcpu *v, uint64_t esr)
{
    return (esr & FSC_TYPE) == FSC_TRANSLATION && p2m_handle_fault(v->domain, fault_gfn());
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

/* A load from nothing, where the domain is to read ones there. */
static uint64_t ones(uint64_t esr)
{
    uint32_t bits = 8u << field_get(ISS_DABT_SAS, esr);

    if (esr & ISS_DABT_SSE)
        return esr & ISS_DABT_SF ? ~(uint64_t)0 : UINT32_MAX;
    return ~(uint64_t)0 >> (64 - bits);
}

/* Where no device is: memory on first touch, or nothing. */
static __noinline enum exit_action not_a_device(struct vcpu *v, uint64_t esr)
{
    if (is_memory(v, esr))
        return EXIT_RETRY;
    if (esr & ISS_DABT_S1PTW)
        return no_answer(v, esr, read_sysreg(far_el2), false);
    /* Maintenance by address of what is not memory does nothing. */
    if (esr & ISS_DABT_CM) {
        exit_skip(v, esr);
        return EXIT_HANDLED;
    }
    if (esr & ISS_DABT_ISV && !v->domain->mmio.trap_unmapped) {
        if (!(esr & ISS_DABT_WNR) && access_register(esr) != 31)
            v->regs.x[access_register(esr)] = ones(esr);
        exit_skip(v, esr);
        return EXIT_HANDLED;
    }
    return no_answer(v, esr, read_sysreg(far_el2), false);
}

enum exit_action abort_data(struct vcpu *v, uint64_t esr)
{
    enum exit_action action;

    if (unlikely((esr & (ISS_DABT_ISV | ISS_DABT_S1PTW | FSC_TYPE)) !=
                 (ISS_DABT_ISV | FSC_TRANSLATION)))
        return not_a_device(v, esr);
    v->access.addr =
        GADDR((read_sysreg(hpfar_el2) & HPFAR_FIPA) << 8 | (read_sysreg(far_el2) & FRAME_MASK));
    action = emulate(v, esr);
    return unlikely(action == EXIT_FAULT) ? not_a_device(v, esr) : action;
}

enum exit_action abort_instruction(struct vcpu *v, uint64_t esr)
{
    if (is_memory(v, esr))
        return EXIT_RETRY;
    return no_answer(v, esr, read_sysreg(far_el2), true);
}
