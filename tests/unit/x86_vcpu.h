/* SPDX-License-Identifier: MIT */
/*
 * x86's vCPU for tests that include a source of hypervisor/arch/x86, and a processor behind
 * <asm/hvm.h> that is plain variables: registers and segments are what was set last. Which
 * features the CPU has is cpu_info's, the test's own.
 */
#ifndef X86_VCPU_H
#define X86_VCPU_H

#include "../../hypervisor/arch/x86/include/asm/domain.h"
#include "../../hypervisor/arch/x86/include/asm/vcpu.h"

#include <asm/exit.h>
#include <asm/hvm.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>

static struct {
    uint64_t reg[HVM_REGS];
    struct segment segment[SEGMENTS];
    unsigned int cpl;
    uint8_t length; /* told of instructions; 0: not */
    bool shadow;    /* interrupts are held back by the last instruction */
    bool watches_interrupts, watches_iret, watches_tpr;
    uint8_t tpr;
    uint32_t forgot; /* so often forget_tlb() was called */
} fake_cpu;

static uint64_t fake_get_reg(const struct vcpu *v, enum hvm_reg reg)
{
    return fake_cpu.reg[reg];
}

static uint64_t fake_get_cr3(const struct vcpu *v)
{
    return fake_cpu.reg[HVM_CR3];
}

static void fake_set_reg(struct vcpu *v, enum hvm_reg reg, uint64_t value)
{
    fake_cpu.reg[reg] = value;
}

static void fake_get_segment(const struct vcpu *v, enum segment_name name, struct segment *s)
{
    *s = fake_cpu.segment[name];
}

static void fake_set_segment(struct vcpu *v, enum segment_name name, const struct segment *s)
{
    fake_cpu.segment[name] = *s;
}

static unsigned int fake_cpl(const struct vcpu *v)
{
    return fake_cpu.cpl;
}

static const struct hvm_code *fake_locate(struct vcpu *v)
{
    struct hvm_code *code = &v->arch.code;
    const struct segment *cs = &fake_cpu.segment[SEG_CS];

    code->bits = cs->attributes & SEG_L ? 64 : cs->attributes & SEG_DB ? 32 : 16;
    code->address = code->bits == 64 ? v->regs.rip : (uint32_t)(cs->base + v->regs.rip);
    code->cr3 = fake_cpu.reg[HVM_CR3];
    code->length = fake_cpu.length;
    code->level = (uint8_t)fake_cpu.cpl;
    return code;
}

static void fake_step_over(struct vcpu *v, uint32_t length)
{
    v->regs.rip += length;
    fake_cpu.shadow = false;
}

static uint32_t fake_told_bytes(const struct vcpu *v, uint8_t bytes[15])
{
    return 0;
}

static bool fake_takes_interrupt(const struct vcpu *v)
{
    return v->regs.rflags & 1u << 9 && !fake_cpu.shadow;
}

static bool fake_takes_nmi(const struct vcpu *v)
{
    return !v->arch.nmi_masked && !fake_cpu.shadow;
}

static void fake_watch_interrupts(struct vcpu *v, bool on)
{
    fake_cpu.watches_interrupts = on;
}

static void fake_watch_iret(struct vcpu *v, bool on)
{
    fake_cpu.watches_iret = on;
}

static void fake_watch_tpr(struct vcpu *v, bool on)
{
    fake_cpu.watches_tpr = on;
}

static uint8_t fake_get_tpr(const struct vcpu *v)
{
    return fake_cpu.tpr;
}

static void fake_set_tpr(struct vcpu *v, uint8_t cr8)
{
    fake_cpu.tpr = cr8;
}

static void fake_forget_tlb(struct vcpu *v)
{
    fake_cpu.forgot++;
}

static const struct hvm_ops fake_ops = {
    .get_reg = fake_get_reg,
    .set_reg = fake_set_reg,
    .get_cr3 = fake_get_cr3,
    .get_segment = fake_get_segment,
    .set_segment = fake_set_segment,
    .cpl = fake_cpl,
    .locate = fake_locate,
    .step_over = fake_step_over,
    .told_bytes = fake_told_bytes,
    .takes_interrupt = fake_takes_interrupt,
    .takes_nmi = fake_takes_nmi,
    .watch_interrupts = fake_watch_interrupts,
    .watch_iret = fake_watch_iret,
    .watch_tpr = fake_watch_tpr,
    .get_tpr = fake_get_tpr,
    .set_tpr = fake_set_tpr,
    .forget_tlb = fake_forget_tlb,
};

const struct hvm_ops *hvm_ops = &fake_ops;

#endif
