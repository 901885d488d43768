/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's life on x86: its first state, and the switch of what stays in the hardware between its
 * exits. Save and load run on the pCPU concerned, with no vCPU entered in between.
 */
#include <asm/control.h>
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/fpu.h>
#include <asm/hvm.h>
#include <asm/msr.h>
#include <asm/speculation.h>
#include <asm/vtime.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>

int arch_vcpu_init(struct vcpu *v)
{
    int err = hvm_ops->vcpu_init(v);

    if (err)
        return err;
    err = fpu_vcpu_init(v);
    if (err)
        goto no_fpu;
    err = vlapic_vcpu_init(v);
    if (err)
        goto no_apic;
    speculation_vcpu_init(v);
    vtime_tell(v);
    return 0;

no_apic:
    fpu_vcpu_destroy(v);
no_fpu:
    hvm_ops->vcpu_destroy(v);
    return err;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    vtime_vcpu_destroy(v);
    vlapic_vcpu_destroy(v);
    fpu_vcpu_destroy(v);
    hvm_ops->vcpu_destroy(v);
}

void arch_vcpu_reset(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    v->regs = (struct cpu_regs){ 0 };
    hvm_ops->vcpu_reset(v);
    control_set(v, CR0_ET, 0, 0);
    a->event = a->held = 0;
    a->nmi_pending = a->nmi_masked = false;
    a->watches_interrupts = a->watches_tpr = false;
    a->dr[0] = a->dr[1] = a->dr[2] = a->dr[3] = 0;
    a->dr_live = false;
    a->tsc_aux = 0;
    a->spec_ctrl = 0;
    fpu_vcpu_reset(v);
    mtrr_reset(&a->mtrr);
    vlapic_vcpu_reset(v);
}

/* --- debug registers: AMD APM volume 2, 13.1 ---------------------------------------------------
 */

void debug_registers_load(struct vcpu *v)
{
    const uint64_t *dr = v->arch.dr;

    __asm__ volatile("mov %0, %%db0\n\tmov %1, %%db1\n\tmov %2, %%db2\n\tmov %3, %%db3"
                     :
                     : "r"(dr[0]), "r"(dr[1]), "r"(dr[2]), "r"(dr[3]));
    v->arch.dr_live = true;
    hvm_ops->watch_debug(v, false);
}

static void debug_registers_save(struct vcpu *v)
{
    uint64_t *dr = v->arch.dr;

    __asm__ volatile("mov %%db0, %0\n\tmov %%db1, %1\n\tmov %%db2, %2\n\tmov %%db3, %3"
                     : "=r"(dr[0]), "=r"(dr[1]), "=r"(dr[2]), "=r"(dr[3]));
    v->arch.dr_live = false;
    hvm_ops->watch_debug(v, true);
}

/* --- the switch ------------------------------------------------------------------------------ */

void arch_vcpu_save(struct vcpu *v, bool more)
{
    hvm_ops->save(v, more);
    if (v->arch.dr_live)
        debug_registers_save(v);
    if (cpu_has(CPU_RDTSCP))
        v->arch.tsc_aux = rdmsr(MSR_TSC_AUX);
    fpu_save(v);
}

void arch_vcpu_load(struct vcpu *v)
{
    if (unlikely(hvm_ops->load(v)))
        debug_registers_load(v);
    speculation_vcpu_load(v);
    if (cpu_has(CPU_RDTSCP))
        wrmsr(MSR_TSC_AUX, v->arch.tsc_aux);
    fpu_load(v);
    vtime_tell(v); /* where v->info is now */
}

void arch_vcpu_enter_first(struct vcpu *v)
{
    hvm_ops->enter_first(v);
}

/* ---------------------------------------------------------------------------------------------- */

void arch_vcpu_dump(const struct vcpu *v)
{
    static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                         "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15" };
    const struct cpu_regs *r = &v->regs;
    uint16_t id = v->domain->id;
    struct segment cs, ss;

    for (unsigned int i = 0; i < 16; i += 4)
        log_guest(id, LOG_ERR, "%s %016llx  %s %016llx  %s %016llx  %s %016llx", names[i],
                  (unsigned long long)r->gpr[i], names[i + 1], (unsigned long long)r->gpr[i + 1],
                  names[i + 2], (unsigned long long)r->gpr[i + 2], names[i + 3],
                  (unsigned long long)r->gpr[i + 3]);
    hvm_ops->get_segment(v, SEG_CS, &cs);
    hvm_ops->get_segment(v, SEG_SS, &ss);
    log_guest(id, LOG_ERR, "rip %04x:%016llx  rflags %08llx  ss %04x  level %u", cs.selector,
              (unsigned long long)r->rip, (unsigned long long)r->rflags, ss.selector,
              hvm_ops->cpl(v));
    log_guest(id, LOG_ERR, "cr0 %08llx  cr2 %016llx  cr3 %016llx  cr4 %08llx  efer %04llx",
              (unsigned long long)v->arch.cr0, (unsigned long long)hvm_ops->get_reg(v, HVM_CR2),
              (unsigned long long)hvm_ops->get_reg(v, HVM_CR3), (unsigned long long)v->arch.cr4,
              (unsigned long long)v->arch.efer);
    hvm_ops->dump(v);
}
