/* SPDX-License-Identifier: MIT */
/*
 * Control registers as a guest writes them: CR0, CR4 and EFER decide how its addresses are
 * translated, and what of the processor it has. AMD APM volume 2, 3.1 and 14.6; volume 3, MOV CRn.
 *
 * The processor's CR0 has caches always on: what a guest says of them would hold for its neighbours
 * as well.
 */
#include <asm/control.h>
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <asm/exit.h>
#include <asm/hvm.h>
#include <asm/msr.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define CR0_CACHES ((uint64_t)(CR0_CD | CR0_NW))
#define CR0_LMSW   ((uint64_t)(CR0_PE | CR0_MP | CR0_EM | CR0_TS))

#define LOCK  0xf0u
#define REX_R 4u

static void set_paging(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    if (!(a->cr0 & CR0_PG))
        a->paging = PAGING_NONE;
    else if (a->efer & EFER_LMA)
        a->paging = PAGING_64;
    else
        a->paging = a->cr4 & CR4_PAE ? PAGING_PAE : PAGING_32;
}

/*
 * EFER.LME without CR4.PAE does nothing before the guest has set PAE, which exits: the processor
 * gets it then. QEMU's #VMEXIT leaves the host without paging when it finds LME, but neither PAE
 * nor PG, in the guest: its CPU never comes back.
 */
static uint64_t present_efer(uint64_t cr4, uint64_t efer)
{
    return cr4 & CR4_PAE ? efer : efer & ~(uint64_t)EFER_LME;
}

void control_set(struct vcpu *v, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    v->arch.cr0 = cr0;
    v->arch.cr4 = cr4;
    v->arch.efer = efer;
    hvm_ops->set_reg(v, HVM_CR0, cr0 & ~CR0_CACHES);
    hvm_ops->set_reg(v, HVM_CR4, cr4);
    hvm_ops->set_reg(v, HVM_EFER, present_efer(cr4, efer));
    hvm_ops->forget_tlb(v);
    set_paging(v);
}

static bool code_is_64(const struct vcpu *v)
{
    struct segment cs;

    hvm_ops->get_segment(v, SEG_CS, &cs);
    return cs.attributes & SEG_L;
}

bool control_write_cr0(struct vcpu *v, uint64_t value)
{
    struct arch_vcpu *a = &v->arch;
    uint64_t efer = a->efer, changed;

    value |= CR0_ET;
    changed = value ^ a->cr0;
    if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) ||
        (value & CR0_NW && !(value & CR0_CD)))
        return false;
    if (changed & value & CR0_PG && efer & EFER_LME) {
        if (!(a->cr4 & CR4_PAE) || code_is_64(v))
            return false;
        efer |= EFER_LMA;
    }
    if (changed & ~value & CR0_PG) {
        if (a->cr4 & CR4_PCIDE || (efer & EFER_LMA && code_is_64(v)))
            return false;
        efer &= ~(uint64_t)EFER_LMA;
    }
    control_set(v, value, a->cr4, efer);
    return true;
}

bool control_write_cr4(struct vcpu *v, uint64_t value)
{
    struct arch_vcpu *a = &v->arch;

    if (value & ~cpu_policy_cr4(v->domain->arch.policy))
        return false;
    if (a->efer & EFER_LMA && !(value & CR4_PAE))
        return false;
    if (value & ~a->cr4 & CR4_PCIDE &&
        (!(a->efer & EFER_LMA) || hvm_ops->get_reg(v, HVM_CR3) & 0xfff))
        return false;
    control_set(v, a->cr0, value, a->efer);
    return true;
}

bool control_write_efer(struct vcpu *v, uint64_t value)
{
    struct arch_vcpu *a = &v->arch;

    if (value & ~(cpu_policy_efer(v->domain->arch.policy) | EFER_LMA))
        return false;
    if ((value ^ a->efer) & EFER_LME && a->cr0 & CR0_PG)
        return false;
    value = (value & ~(uint64_t)EFER_LMA) | (a->efer & EFER_LMA);
    control_set(v, a->cr0, a->cr4, value);
    return true;
}

/* --- the instructions ------------------------------------------------------------------------ */

/* The guest changes TS and MP by itself. */
static uint64_t present_cr0(const struct vcpu *v)
{
    return (hvm_ops->get_reg(v, HVM_CR0) & ~CR0_CACHES) | (v->arch.cr0 & CR0_CACHES);
}

static bool write_register(struct vcpu *v, unsigned int cr, uint64_t value)
{
    if (cr == 0)
        return control_write_cr0(v, value);
    if (cr == 4)
        return control_write_cr4(v, value);
    if (cr != 8 || value >> 4)
        return false;
    hvm_ops->set_tpr(v, (uint8_t)value);
    inject_pending(v);
    return true;
}

/* LMSW of a register: from memory is a form that nobody uses. It can set PE, but not clear it. */
static bool lmsw(struct vcpu *v, uint64_t value)
{
    uint64_t cr0 = present_cr0(v);

    return control_write_cr0(v, (cr0 & ~(CR0_LMSW & ~(uint64_t)CR0_PE)) | (value & CR0_LMSW));
}

/* With this prefix the other half of the registers is meant, for code that has no REX: CR8. */
static bool has_lock(const uint8_t *bytes, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++)
        if (bytes[i] == LOCK)
            return true;
    return false;
}

/* What follows the prefixes, at least three bytes. Its length; 0: it is none of these, or faults.
 */
static uint32_t perform(struct vcpu *v, const uint8_t *op, unsigned int rex, bool is_64)
{
    unsigned int reg = op[2] >> 3 & 7, rm = (op[2] & 7) | (rex & 1) << 3;
    uint64_t value = is_64 ? v->regs.gpr[rm] : (uint32_t)v->regs.gpr[rm];

    if (op[0] != 0x0f)
        return 0;
    if (op[1] == 0x22) /* MOV CRn, reg: its mod bits are not looked at */
        return write_register(v, reg | (rex & REX_R) << 1, value) ? 3 : 0;
    if (op[1] == 0x01 && reg == 6 && op[2] >> 6 == 3)
        return lmsw(v, value) ? 3 : 0;
    if (op[1] == 0x06)
        return control_write_cr0(v, present_cr0(v) & ~(uint64_t)CR0_TS) ? 2 : 0;
    return 0;
}

enum exit_action exit_control(struct vcpu *v)
{
    const struct hvm_code *code = hvm_ops->locate(v);
    uint8_t bytes[15];
    uint32_t nr, skip, length;
    unsigned int rex;

    nr = guest_fetch(v, bytes, code);
    skip = exit_prefixes(bytes, nr, code->bits);
    if (nr < skip + 3)
        return EXIT_FAULT;
    rex = code->bits == 64 && skip && (bytes[skip - 1] & 0xf0) == 0x40 ? bytes[skip - 1] : 0;
    if (has_lock(bytes, skip))
        rex |= REX_R;
    length = perform(v, bytes + skip, rex, code->bits == 64);
    if (!length)
        return EXIT_FAULT;
    exit_skip(v, skip + length);
    return EXIT_HANDLED;
}
