/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers that exit: which there are, and what a guest gets of each. What stands
 * in no line of the table is not there: #GP, as on a processor that lacks it. svm_vmcb.c lists
 * those that do not exit. AMD APM volume 2, appendix A; PPR of family 17h, 2.1.
 */
#include <asm/control.h>
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <asm/exit.h>
#include <asm/hvm.h>
#include <asm/hypercall_page.h>
#include <asm/msr.h>
#include <asm/speculation.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>

#define MSR_NB_CFG      0xc001001fu
#define MSR_TOP_MEM     0xc001001au
#define MSR_TOP_MEM2    0xc001001du
#define MSR_INT_PENDING 0xc0010055u

#define HWCR_TSC_FREQ_SEL (1ull << 24) /* the TSC counts at the rate of P0 */
#define VM_CR_LOCK        (1ull << 3)
#define DE_CFG_LFENCE     (1ull << 1) /* LFENCE waits for what came before */

typedef enum exit_action msr_reader(struct vcpu *v, uint32_t msr, uint64_t *value);
typedef enum exit_action msr_writer(struct vcpu *v, uint32_t msr, uint64_t value);

static enum exit_action read_zero(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = 0;
    return EXIT_HANDLED;
}

static enum exit_action write_ignored(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v, (void)msr, (void)value;
    return EXIT_HANDLED;
}

static enum exit_action write_zero(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v, (void)msr;
    return value ? EXIT_FAULT : EXIT_HANDLED;
}

static enum exit_action read_apic_base(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = v->arch.vlapic.base;
    return EXIT_HANDLED;
}

static enum exit_action write_apic_base(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    return vlapic_write_base(v, value);
}

static enum exit_action read_deadline(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = vlapic_read_deadline(v);
    return EXIT_HANDLED;
}

static enum exit_action write_deadline(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    vlapic_write_deadline(v, value);
    return EXIT_HANDLED;
}

static enum exit_action read_x2apic(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    enum exit_action action;

    inject_agree_on_priority(v);
    action = vlapic_read_msr(v, msr, value);
    return action;
}

static enum exit_action write_x2apic(struct vcpu *v, uint32_t msr, uint64_t value)
{
    enum exit_action action = vlapic_write_msr(v, msr, value);

    if (unlikely(v->arch.vlapic.tpr_written))
        inject_agree_on_priority(v);
    return action;
}

static enum exit_action read_microcode(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    return rdmsr_safe(msr, value) ? EXIT_HANDLED : EXIT_FAULT;
}

static enum exit_action read_mtrr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    return mtrr_read(&v->arch.mtrr, msr, value) ? EXIT_HANDLED : EXIT_FAULT;
}

static enum exit_action write_mtrr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return mtrr_write(&v->arch.mtrr, msr, value) ? EXIT_HANDLED : EXIT_FAULT;
}

/* A barrier, of which the guest may have as many as it likes. */
static enum exit_action write_predictor(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!cpu_policy_has(v->domain->arch.policy, CPU_AMD_IBPB) || value & ~(uint64_t)PRED_CMD_IBPB)
        return EXIT_FAULT;
    if (value)
        wrmsr(msr, value);
    return EXIT_HANDLED;
}

static enum exit_action read_spec_ctrl(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    return speculation_read_guest(v, value) ? EXIT_HANDLED : EXIT_FAULT;
}

static enum exit_action write_spec_ctrl(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    return speculation_write_guest(v, value) ? EXIT_HANDLED : EXIT_FAULT;
}

static enum exit_action read_efer(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = v->arch.efer;
    return EXIT_HANDLED;
}

static enum exit_action write_efer(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    return control_write_efer(v, value) ? EXIT_HANDLED : EXIT_FAULT;
}

static enum exit_action read_hwcr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = HWCR_TSC_FREQ_SEL;
    return EXIT_HANDLED;
}

static enum exit_action read_vm_cr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = VM_CR_SVMDIS | VM_CR_LOCK;
    return EXIT_HANDLED;
}

static enum exit_action read_de_cfg(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    if (!rdmsr_safe(msr, value))
        *value = 0;
    *value &= DE_CFG_LFENCE;
    return EXIT_HANDLED;
}

static enum exit_action write_hypercall_page(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    return hypercall_page_write(v->domain, value) ? EXIT_FAULT : EXIT_HANDLED;
}

/* Ranges of numbers; those that guests use most stand first. NULL: #GP. */
static const struct {
    uint32_t first, last;
    msr_reader *read;
    msr_writer *write;
} table[] = {
    { MSR_X2APIC, MSR_X2APIC + 0xff, read_x2apic, write_x2apic },
    { MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, read_deadline, write_deadline },
    { MSR_SPEC_CTRL, MSR_SPEC_CTRL, read_spec_ctrl, write_spec_ctrl },
    { MSR_PRED_CMD, MSR_PRED_CMD, NULL, write_predictor },
    { MSR_TSC, MSR_TSC, NULL, write_ignored },
    { MSR_APIC_BASE, MSR_APIC_BASE, read_apic_base, write_apic_base },
    { MSR_UCODE_REV, MSR_UCODE_REV, read_microcode, NULL },
    { MSR_MTRR_CAP, MSR_MTRR_CAP, read_mtrr, NULL },
    { MSR_DEBUGCTL, MSR_DEBUGCTL, read_zero, write_zero },
    { MSR_MTRR_FIRST, MSR_MTRR_DEF_TYPE, read_mtrr, write_mtrr },
    { MSR_XSS, MSR_XSS, read_zero, write_zero },
    { HYPERCALL_PAGE_MSR, HYPERCALL_PAGE_MSR, NULL, write_hypercall_page },
    { MSR_EFER, MSR_EFER, read_efer, write_efer },
    { MSR_SYSCFG, MSR_SYSCFG, read_zero, write_ignored },
    { MSR_HWCR, MSR_HWCR, read_hwcr, write_ignored },
    { MSR_TOP_MEM, MSR_TOP_MEM, read_zero, NULL },
    { MSR_TOP_MEM2, MSR_TOP_MEM2, read_zero, NULL },
    { MSR_NB_CFG, MSR_NB_CFG, read_zero, write_ignored },
    { MSR_INT_PENDING, MSR_INT_PENDING, read_zero, write_ignored },
    { MSR_VM_CR, MSR_VM_CR, read_vm_cr, NULL },
    { MSR_DE_CFG, MSR_DE_CFG, read_de_cfg, write_ignored },
};

static uint32_t line_of(uint32_t msr)
{
    uint32_t i = 0;

    while (i < array_size(table) && (msr < table[i].first || msr > table[i].last))
        i++;
    return i;
}

enum exit_action msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    uint32_t i = line_of(msr);

    return i < array_size(table) && table[i].read ? table[i].read(v, msr, value) : EXIT_FAULT;
}

enum exit_action msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint32_t i = line_of(msr);

    return i < array_size(table) && table[i].write ? table[i].write(v, msr, value) : EXIT_FAULT;
}

static enum exit_action read_here(struct vcpu *v)
{
    uint64_t value = 0;
    enum exit_action action = msr_read(v, (uint32_t)v->regs.rcx, &value);

    if (action != EXIT_HANDLED)
        return action;
    v->regs.rax = (uint32_t)value;
    v->regs.rdx = value >> 32;
    return EXIT_STEP;
}

static enum exit_action write_here(struct vcpu *v)
{
    uint64_t value = (uint32_t)v->regs.rax | v->regs.rdx << 32;
    enum exit_action action = msr_write(v, (uint32_t)v->regs.rcx, value);

    return likely(action == EXIT_HANDLED) ? EXIT_STEP : action;
}

enum exit_action exit_msr(struct vcpu *v, unsigned int level, bool write)
{
    if (unlikely(level))
        return EXIT_FAULT;
    return write ? write_here(v) : read_here(v);
}
