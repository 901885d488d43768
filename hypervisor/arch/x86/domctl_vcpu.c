/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's registers as setvcpucontext and getvcpucontext have them: what of <xen/arch-x86/xen.h>'s
 * context, which is made for PV guests, there is under hardware virtualization.
 */
#include "domctl_internal.h"

#include <asm/control.h>
#include <asm/cpu.h>
#include <asm/hvm.h>
#include <hospes/vcpu.h>
#include <string.h>

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    const struct cpu_user_regs *r = &c->user_regs;

    v->regs = (struct cpu_regs){
        .rax = r->rax,
        .rcx = r->rcx,
        .rdx = r->rdx,
        .rbx = r->rbx,
        .rsp = r->rsp,
        .rbp = r->rbp,
        .rsi = r->rsi,
        .rdi = r->rdi,
        .r8 = r->r8,
        .r9 = r->r9,
        .r10 = r->r10,
        .r11 = r->r11,
        .r12 = r->r12,
        .r13 = r->r13,
        .r14 = r->r14,
        .r15 = r->r15,
        .rip = r->rip,
        .rflags = r->rflags | RFLAGS_ONE,
    };
    return 0;
}

static uint16_t selector(const struct vcpu *v, enum segment_name name)
{
    struct segment s;

    hvm_ops->get_segment(v, name, &s);
    return s.selector;
}

static void get_user_regs(const struct vcpu *v, struct cpu_user_regs *r)
{
    const struct cpu_regs *from = &v->regs;

    r->rax = from->rax;
    r->rcx = from->rcx;
    r->rdx = from->rdx;
    r->rbx = from->rbx;
    r->rsp = from->rsp;
    r->rbp = from->rbp;
    r->rsi = from->rsi;
    r->rdi = from->rdi;
    r->r8 = from->r8;
    r->r9 = from->r9;
    r->r10 = from->r10;
    r->r11 = from->r11;
    r->r12 = from->r12;
    r->r13 = from->r13;
    r->r14 = from->r14;
    r->r15 = from->r15;
    r->rip = from->rip;
    r->rflags = from->rflags;
    r->cs = selector(v, SEG_CS);
    r->ss = selector(v, SEG_SS);
    r->ds = selector(v, SEG_DS);
    r->es = selector(v, SEG_ES);
    r->fs = selector(v, SEG_FS);
    r->gs = selector(v, SEG_GS);
}

static uint64_t segment_base(const struct vcpu *v, enum segment_name name)
{
    struct segment s;

    hvm_ops->get_segment(v, name, &s);
    return s.base;
}

/* A kernel's is in the register while it runs, SWAPGS changes them. */
static void get_gs_bases(const struct vcpu *v, struct vcpu_guest_context *c)
{
    uint64_t live = segment_base(v, SEG_GS), other = hvm_ops->get_reg(v, HVM_KERNEL_GS_BASE);
    bool kernel = !hvm_ops->cpl(v);

    c->gs_base_kernel = kernel ? live : other;
    c->gs_base_user = kernel ? other : live;
}

void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *c)
{
    c->flags = v->online ? VGCF_online : 0;
    get_user_regs(v, &c->user_regs);
    c->ctrlreg[0] = hvm_ops->get_reg(v, HVM_CR0);
    c->ctrlreg[2] = hvm_ops->get_reg(v, HVM_CR2);
    c->ctrlreg[3] = hvm_ops->get_reg(v, HVM_CR3);
    c->ctrlreg[4] = hvm_ops->get_reg(v, HVM_CR4);
    memcpy(c->debugreg, v->arch.dr, sizeof(v->arch.dr));
    c->debugreg[6] = hvm_ops->get_reg(v, HVM_DR6);
    c->debugreg[7] = hvm_ops->get_reg(v, HVM_DR7);
    c->fs_base = segment_base(v, SEG_FS);
    get_gs_bases(v, c);
}

bool arch_context_is_online(const struct vcpu_guest_context *c)
{
    return c->flags & VGCF_online;
}
