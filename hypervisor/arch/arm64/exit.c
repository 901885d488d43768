/* SPDX-License-Identifier: MIT */
/*
 * The C side of every exit: finds the handler by exception class, acts on what it returns, and says
 * which vCPU to enter. Arm ARM D24.2.40 (ESR_EL2). doc/exits.md.
 */
#include <asm/exit.h>
#include <asm/psci.h>
#include <asm/sysreg.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

_Static_assert(offsetof(struct vcpu, regs) == 0, "entry.S finds registers at the vCPU's address");
_Static_assert(offsetof(struct pcpu, current) == 0, "entry.S reads it at the pCPU's address");
_Static_assert(offsetof(struct cpu_regs, pc) == 248, "REGS_PC in entry.S");
_Static_assert(offsetof(struct cpu_regs, pstate) == 256, "REGS_PSTATE in entry.S");

extern const char _image_start[];

/* The immediate of a hypercall: XEN_HYPERCALL_TAG of <xen/arch-arm.h>. */
#define HVC_XEN 0xea1u

/* ISS of EC_WFX: WFI (0), WFE, WFIT, WFET */
#define WFX_TI 3u

typedef enum exit_action exit_handler(struct vcpu *v, uint64_t esr);

static enum exit_action exit_undefined(struct vcpu *v, uint64_t esr)
{
    (void)v, (void)esr;
    return EXIT_UNDEF;
}

/* WFI blocks the vCPU. WFE yields, as do WFIT and WFET: they may end early, but must not end late.
 */
static enum exit_action exit_wait(struct vcpu *v, uint64_t esr)
{
    if (esr & WFX_TI)
        sched_unit_yield(&v->sched);
    else
        vcpu_block(v);
    exit_skip(v, esr);
    return EXIT_HANDLED;
}

/* Xen's convention: the number in x16, arguments from x0 on, the result in x0. */
static inline enum exit_action exit_hypercall(struct vcpu *v)
{
    int64_t result = hypercall_do(v->regs.x[16], v, v->regs.x);

    if (unlikely(result == -ERESTART))
        v->regs.pc -= 4; /* the HVC again, with the arguments that it has now */
    else
        v->regs.x[0] = (uint64_t)result;
    return EXIT_HANDLED;
}

static enum exit_action exit_hvc(struct vcpu *v, uint64_t esr)
{
    uint64_t immediate = esr & 0xffff;

    if (likely(immediate == 0))
        return smccc_call(v);
    if (likely(immediate == HVC_XEN))
        return exit_hypercall(v);
    v->regs.pc -= 4; /* undefined is the call itself, not what follows it */
    return EXIT_UNDEF;
}

/* SMC with an immediate other than 0 is reserved by the calling convention: not supported. */
static enum exit_action exit_smc(struct vcpu *v, uint64_t esr)
{
    exit_skip(v, esr);
    if ((esr & 0xffff) == 0)
        return smccc_call(v);
    v->regs.x[0] = (uint64_t)PSCI_NOT_SUPPORTED;
    return EXIT_HANDLED;
}

/* What has no entry of its own is undefined to a guest, an AArch32 process included. */
static exit_handler *const exit_handlers[64] = {
    [0x00] = exit_undefined,
    [EC_WFX] = exit_wait,
    [0x02 ... 0x15] = exit_undefined,
    [EC_HVC64] = exit_hvc,
    [EC_SMC64] = exit_smc,
    [EC_SYSREG] = sysreg_trap,
    [0x19 ... 0x1f] = exit_undefined,
    [EC_IABT_LOW] = abort_instruction,
    [0x21 ... 0x23] = exit_undefined,
    [EC_DABT_LOW] = abort_data,
    [0x25 ... 0x3f] = exit_undefined,
};

/* Everything but EXIT_HANDLED. */
static void __noinline exit_act(struct vcpu *v, enum exit_action action, uint64_t esr)
{
    switch (action) {
    case EXIT_HANDLED:
    case EXIT_STEP: /* HVC and the like have gone on by themselves; others move pc */
    case EXIT_RETRY:
    case EXIT_INJECTED:
        break;
    case EXIT_FAULT:
        inject_abort(v, read_sysreg(far_el2), field_get(ESR_EC, esr) == EC_IABT_LOW, FSC_EXTERNAL);
        break;
    case EXIT_UNDEF:
        inject_undefined(v);
        break;
    case EXIT_CRASH:
        domain_crash(v, "exit with ESR_EL2 %#llx", (unsigned long long)esr);
        break;
    }
}

struct vcpu *exit_sync(struct vcpu *v);
struct vcpu *exit_irq(struct vcpu *v);
struct vcpu *exit_serror(struct vcpu *v);
void exit_hypervisor(unsigned int vector, const struct cpu_regs *regs, uint64_t sp);

static inline struct vcpu *exit_return(struct vcpu *v)
{
    struct pcpu *p = this_pcpu();

    return unlikely(read_once(p->pending)) ? vcpu_next(p) : v;
}

struct vcpu *exit_sync(struct vcpu *v)
{
    uint64_t esr = read_sysreg(esr_el2);
    enum exit_action action = exit_handlers[field_get(ESR_EC, esr)](v, esr);

    if (unlikely(action != EXIT_HANDLED))
        exit_act(v, action, esr);
    return exit_return(v);
}

struct vcpu *exit_irq(struct vcpu *v)
{
    arch_irq_poll();
    return exit_return(v);
}

/* Asynchronous: some access of this guest's, perhaps long ago, met an error. It is the guest's to
 * deal with. */
struct vcpu *exit_serror(struct vcpu *v)
{
    inject_serror(v);
    return exit_return(v);
}

void exit_hypervisor(unsigned int vector, const struct cpu_regs *regs, uint64_t sp)
{
    static const char *const names[] = { "synchronous exception", "IRQ", "FIQ", "SError" };

    for (unsigned int i = 0; i < 30; i += 3)
        panic_print("x%-2u %016llx  x%-2u %016llx  x%-2u %016llx", i,
                    (unsigned long long)regs->x[i], i + 1, (unsigned long long)regs->x[i + 1],
                    i + 2, (unsigned long long)regs->x[i + 2]);
    panic_print("lr  %016llx  sp  %016llx  fp in x29; image at %#llx",
                (unsigned long long)regs->x[30], (unsigned long long)sp,
                (unsigned long long)(uintptr_t)_image_start);
    panic("%s in the hypervisor: ESR_EL2 %#llx, FAR_EL2 %#llx, PC %#llx", names[vector % 4],
          (unsigned long long)read_sysreg(esr_el2), (unsigned long long)read_sysreg(far_el2),
          (unsigned long long)regs->pc);
}
