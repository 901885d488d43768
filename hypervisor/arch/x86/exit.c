/* SPDX-License-Identifier: MIT */
/*
 * What all exits have in common: acting on what their handlers return, stepping over an
 * instruction; and the exits that have no subject of their own. doc/exits.md.
 */
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/hvm.h>
#include <hospes/domain.h>
#include <hospes/sched.h>
#include <hospes/vcpu.h>

#define DR6_BS (1ull << 14)

void __noinline exit_act(struct vcpu *v, enum exit_action action, uint64_t code)
{
    switch (action) {
    case EXIT_HANDLED:
    case EXIT_STEP: /* who has called the handler does it */
    case EXIT_RETRY:
    case EXIT_INJECTED:
        break;
    case EXIT_FAULT:
        inject_error(v, EXC_GP, 0);
        break;
    case EXIT_UNDEF:
        inject_exception(v, EXC_UD);
        break;
    case EXIT_CRASH:
        domain_crash(v, "exit %#llx", (unsigned long long)code);
        break;
    }
}

/* It was executed, so a guest that single-steps is told before the next one. */
void __noinline exit_single_step(struct vcpu *v)
{
    hvm_ops->set_reg(v, HVM_DR6, hvm_ops->get_reg(v, HVM_DR6) | DR6_BS);
    inject_exception(v, EXC_DB);
}

void exit_skip(struct vcpu *v, uint32_t length)
{
    hvm_ops->step_over(v, length);
    if (unlikely(v->regs.rflags & RFLAGS_TF))
        exit_single_step(v);
}

unsigned int exit_code_bits(struct vcpu *v)
{
    return hvm_ops->locate(v)->bits;
}

/*
 * Nothing but an NMI ends HLT without interrupts. As in Xen it means that the vCPU is of no use any
 * more until it is started again, and once all have come here that the domain is: this is how Linux
 * ends where ACPI does not tell it how to switch the machine off.
 */
static void halt_for_good(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct vcpu *other;
    bool last = true;
    uint32_t i;

    spin_lock(&d->lock);
    if (arch_vcpu_has_interrupt(v)) /* an NMI; or INIT, which switches it off on its way */
        last = false;
    else
        vcpu_down(v);
    domain_for_each_vcpu (d, other, i)
        last = last && !other->online;
    spin_unlock(&d->lock);
    if (last)
        domain_stop(d, DOMAIN_POWEROFF);
}

enum exit_action exit_hlt(struct vcpu *v)
{
    inject_agree_on_priority(v);
    if (v->arch.event)
        return EXIT_HANDLED;
    if (v->regs.rflags & RFLAGS_IF)
        vcpu_block(v);
    else
        halt_for_good(v);
    return EXIT_HANDLED;
}

enum exit_action exit_pause(struct vcpu *v)
{
    sched_unit_yield(&v->sched);
    return EXIT_STEP;
}
