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

/* True if the guest's accesses may be big-endian, at EL1 or at EL0. */
static inline bool may_be_big_endian(void)
{
    return read_sysreg(sctlr_el1) & (SCTLR_EL1_EE | SCTLR_EL1_E0E);
}

/* What a device, which is little-endian, and the access have of each other. */
static __noinline uint64_t swap_bytes(const struct vcpu *v, uint64_t value)
{
    uint64_t pstate = v->regs.pstate;
    bool big = read_sysreg(sctlr_el1) & (pstate & PSTATE_MODE ? SCTLR_EL1_EE : SCTLR_EL1_E0E);

    if (pstate & PSTATE_NRW)
        big = pstate & PSTATE_E_A32;
    return big ? __builtin_bswap64(value) >> (64 - 8 * v->access.size) : value;
}

/* As much of it as the access has. */
static inline uint64_t cut(uint64_t value, const struct mmio_access *a)
{
    unsigned int shift = -(8u * a->size) & 63;

    return value << shift >> shift;
}

/* A load or store that the syndrome describes in full, at v->access.addr. */
static inline __attribute__((always_inline)) enum exit_action emulate(struct vcpu *v, uint64_t esr,
                                                                      bool swap)
{
    struct mmio_access *a = &v->access;
    enum exit_action action;

    a->size = (uint8_t)(1u << field_get(ISS_DABT_SAS, esr));
    a->write = esr & ISS_DABT_WNR;
    if (a->write) {
        a->value = access_register(esr) != 31 ? cut(v->regs.x[access_register(esr)], a) : 0;
        if (swap)
            a->value = swap_bytes(v, a->value);
    }
    action = mmio_dispatch(v);
    if (unlikely(action != EXIT_HANDLED))
        return action;
    if (!(esr & ISS_DABT_WNR) && access_register(esr) != 31) {
        uint64_t value = cut(a->value, a); /* the register may be wider than the access */

        if (swap)
            value = swap_bytes(v, value);
        if (unlikely(esr & ISS_DABT_SSE))
            value = sign_extend(value, a->size, esr & ISS_DABT_SF);
        v->regs.x[access_register(esr)] = value;
    }
    exit_skip(v, esr);
    return EXIT_HANDLED;
}

static __noinline enum exit_action emulate_swapped(struct vcpu *v, uint64_t esr)
{
    return emulate(v, esr, true);
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
    action = unlikely(may_be_big_endian()) ? emulate_swapped(v, esr) : emulate(v, esr, false);
    return unlikely(action == EXIT_FAULT) ? not_a_device(v, esr) : action;
}

enum exit_action abort_instruction(struct vcpu *v, uint64_t esr)
{
    if (is_memory(v, esr))
        return EXIT_RETRY;
    return no_answer(v, esr, read_sysreg(far_el2), true);
}
