/* SPDX-License-Identifier: MIT */
/*
 * The C side of #VMEXIT: one table from exit codes to handlers, which decode what SVM says and call
 * whose subject it is; and what VMRUN finds. AMD APM volume 2, 15.5 to 15.20, appendix C.
 * doc/exits.md.
 */
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/guest_tlb.h>
#include <asm/hvm.h>
#include <asm/machine_check.h>
#include <asm/svm.h>
#include <asm/svm_code.h>
#include <asm/vmcb.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

_Static_assert(offsetof(struct vcpu, regs) == 0,
               "svm_entry.S finds registers at the vCPU's address");
_Static_assert(offsetof(struct cpu_regs, rcx) == 8 && offsetof(struct cpu_regs, rdi) == 56 &&
                   offsetof(struct cpu_regs, r15) == 120,
               "REGS_* in svm_entry.S");

typedef enum exit_action svm_handler(struct vcpu *v, struct vmcb *c);

static bool __noinline learn_next(struct vcpu *v, enum exit_instruction kind)
{
    const struct hvm_code *code = hvm_ops->locate(v);
    uint32_t length = exit_length(v, kind, code);

    v->arch.next_rip = svm_code_behind(v, code->bits == 64, length);
    return length;
}

/*
 * Finds where an instruction that exited, and is of this kind, ends: v->arch.next_rip. False: it is
 * to be tried again. The processor tells, or it is 64-bit code, and known; all else comes seldom.
 */
static __force_inline bool find_next(struct vcpu *v, const struct vmcb *c,
                                     enum exit_instruction kind)
{
    uint64_t rip = v->regs.rip;
    const struct known_length *k = known_length_at(&v->arch, rip);

    if (svm_tells_next(c)) {
        v->arch.next_rip = c->next_rip;
        return true;
    }
    if (unlikely(!svm_code_is_64(c) || !is_known_length(k, rip, c->cr3, KNOWN_WHAT(kind, 64))))
        return learn_next(v, kind);
    v->arch.next_rip = rip + k->length;
    return true;
}

static __force_inline void step(struct vcpu *v)
{
    v->regs.rip = v->arch.next_rip;
    v->arch.svm.vmcb->interrupt_shadow &= ~INTERRUPT_SHADOW;
    if (unlikely(v->regs.rflags & RFLAGS_TF))
        exit_single_step(v);
}

/* The machine's goes first. What waits for the guest to take it may have had its turn as well:
 * it goes in now, and not by an exit of its own. */
static enum exit_action on_interrupt(struct vcpu *v, struct vmcb *c)
{
    arch_irq_poll();
    (void)c;
    if (unlikely(v->arch.watches_interrupts) && hvm_ops->takes_interrupt(v))
        inject_pending(v);
    return EXIT_HANDLED;
}

/* An NMI, or SMI, came in by itself as soon as svm_entry.S let it. */
static enum exit_action on_nmi(struct vcpu *v, struct vmcb *c)
{
    (void)v, (void)c;
    return EXIT_HANDLED;
}

/* The guest can take an interrupt now. */
static enum exit_action on_window(struct vcpu *v, struct vmcb *c)
{
    (void)c;
    inject_pending(v);
    return EXIT_HANDLED;
}

/* The end of an NMI's handler: another one may come after this instruction. */
static enum exit_action on_iret(struct vcpu *v, struct vmcb *c)
{
    hvm_ops->watch_iret(v, false);
    v->arch.nmi_masked = false;
    c->interrupt_shadow |= INTERRUPT_SHADOW;
    inject_pending(v);
    return EXIT_RETRY;
}

/* DR6 is as it has to be; of a fault of delivery the processor has told, too. */
static enum exit_action on_debug(struct vcpu *v, struct vmcb *c)
{
    (void)c;
    inject_exception(v, EXC_DB);
    return EXIT_INJECTED;
}

static enum exit_action on_alignment(struct vcpu *v, struct vmcb *c)
{
    (void)c;
    inject_error(v, EXC_AC, 0);
    return EXIT_INJECTED;
}

/* The guest was running: it alone is lost, unless the processor is. */
static enum exit_action on_machine_check(struct vcpu *v, struct vmcb *c)
{
    (void)v, (void)c;
    if (!machine_check_take(false))
        panic("machine check on CPU %u while a guest ran: it cannot go on", this_pcpu()->id);
    return EXIT_CRASH;
}

static enum exit_action on_debug_register(struct vcpu *v, struct vmcb *c)
{
    (void)c;
    debug_registers_load(v);
    return EXIT_RETRY;
}

static enum exit_action on_control(struct vcpu *v, struct vmcb *c)
{
    (void)c;
    return exit_control(v);
}

static enum exit_action on_cpuid(struct vcpu *v, struct vmcb *c)
{
    return likely(find_next(v, c, INSTRUCTION_CPUID)) ? exit_cpuid(v) : EXIT_RETRY;
}

static enum exit_action on_hlt(struct vcpu *v, struct vmcb *c)
{
    if (unlikely(!find_next(v, c, INSTRUCTION_HLT)))
        return EXIT_RETRY;
    step(v);
    return exit_hlt(v);
}

static enum exit_action on_pause(struct vcpu *v, struct vmcb *c)
{
    return find_next(v, c, INSTRUCTION_PAUSE) ? exit_pause(v) : EXIT_RETRY;
}

/* Devices see the same memory as the caches: there is nothing to write back, and no guest may hold
 * up all CPUs that share one. */
static enum exit_action on_invd(struct vcpu *v, struct vmcb *c)
{
    return find_next(v, c, INSTRUCTION_INVD) ? EXIT_STEP : EXIT_RETRY;
}

static enum exit_action on_wbinvd(struct vcpu *v, struct vmcb *c)
{
    return find_next(v, c, INSTRUCTION_WBINVD) ? EXIT_STEP : EXIT_RETRY;
}

static enum exit_action on_msr(struct vcpu *v, struct vmcb *c)
{
    bool write = c->exit_info1 & 1;

    if (unlikely(!find_next(v, c, write ? INSTRUCTION_WRMSR : INSTRUCTION_RDMSR)))
        return EXIT_RETRY;
    return exit_msr(v, c->cpl, write);
}

static enum exit_action on_hypercall(struct vcpu *v, struct vmcb *c)
{
    if (unlikely(!find_next(v, c, INSTRUCTION_HYPERCALL)))
        return EXIT_RETRY;
    return exit_hypercall(v, c->cpl, svm_code_is_64(c));
}

static enum exit_action on_xsetbv(struct vcpu *v, struct vmcb *c)
{
    return find_next(v, c, INSTRUCTION_XSETBV) ? exit_xsetbv(v) : EXIT_RETRY;
}

static enum exit_action on_port(struct vcpu *v, struct vmcb *c)
{
    uint64_t info = c->exit_info1;
    struct exit_pio x = {
        .port = (uint16_t)field_get(IOIO_PORT, info),
        .size = (uint8_t)field_get(IOIO_SIZE, info), /* the bit's value is the size */
        .write = !(info & IOIO_IN),
        .string = info & IOIO_STRING,
        .rep = info & IOIO_REP,
        .address_bits = (uint8_t)(field_get(IOIO_ADDRESS, info) << 4),
        .segment = cpu_has(CPU_SVM_DECODE) ? (uint8_t)field_get(IOIO_SEGMENT, info) : SEGMENTS,
        .length = (uint8_t)(c->exit_info2 - c->rip),
    };

    return exit_port(v, &x);
}

static enum exit_action on_nested_fault(struct vcpu *v, struct vmcb *c)
{
    return exit_nested_fault(v, GADDR(c->exit_info2), (uint32_t)c->exit_info1,
                             !(c->exit_info1 & NPF_TABLE));
}

/*
 * The processor would reset itself: the guest's fault, but for a machine check while the guest had
 * CR4.MCE clear.
 */
static enum exit_action on_shutdown(struct vcpu *v, struct vmcb *c)
{
    if (machine_check_pending())
        return on_machine_check(v, c);
    inject_shutdown(v);
    return EXIT_HANDLED;
}

/* What CPUID says is not there. */
static enum exit_action on_undefined(struct vcpu *v, struct vmcb *c)
{
    (void)v, (void)c;
    return EXIT_UNDEF;
}

static enum exit_action on_refused(struct vcpu *v, struct vmcb *c)
{
    (void)v, (void)c;
    return EXIT_FAULT;
}

/* Nothing else was asked for; a VMCB that VMRUN refuses has a code beyond the table too. */
static enum exit_action on_unknown(struct vcpu *v, struct vmcb *c)
{
    (void)v, (void)c;
    return EXIT_CRASH;
}

static svm_handler *const handlers[VMEXIT_TABLE] = {
    [VMEXIT_CR_WRITE + 0] = on_control,
    [VMEXIT_CR_WRITE + 4] = on_control,
    [VMEXIT_CR_WRITE + 8] = on_control,
    [VMEXIT_CR0_SEL_WRITE] = on_control,
    [VMEXIT_DR_READ... VMEXIT_DR_WRITE + 15] = on_debug_register,
    [VMEXIT_EXCEPTION + EXC_DB] = on_debug,
    [VMEXIT_EXCEPTION + EXC_AC] = on_alignment,
    [VMEXIT_EXCEPTION + EXC_MC] = on_machine_check,
    [VMEXIT_INTR] = on_interrupt,
    [VMEXIT_NMI] = on_nmi,
    [VMEXIT_SMI] = on_nmi,
    [VMEXIT_VINTR] = on_window,
    [VMEXIT_RDPMC] = on_refused,
    [VMEXIT_CPUID] = on_cpuid,
    [VMEXIT_IRET] = on_iret,
    [VMEXIT_INVD] = on_invd,
    [VMEXIT_PAUSE] = on_pause,
    [VMEXIT_HLT] = on_hlt,
    [VMEXIT_INVLPGA] = on_undefined,
    [VMEXIT_IOIO] = on_port,
    [VMEXIT_MSR] = on_msr,
    [VMEXIT_SHUTDOWN] = on_shutdown,
    [VMEXIT_VMRUN] = on_undefined,
    [VMEXIT_VMMCALL] = on_hypercall,
    [VMEXIT_VMLOAD... VMEXIT_RDTSCP] = on_undefined,
    [VMEXIT_WBINVD] = on_wbinvd,
    [VMEXIT_MONITOR... VMEXIT_MWAIT_ARMED] = on_undefined,
    [VMEXIT_XSETBV] = on_xsetbv,
    [VMEXIT_RDPRU] = on_undefined,
    [VMEXIT_INVLPGB... VMEXIT_TLBSYNC] = on_undefined,
};

static __force_inline enum exit_action handle(struct vcpu *v, struct vmcb *c)
{
    uint64_t code = c->exit_code;

    if (likely(code < VMEXIT_TABLE && handlers[code]))
        return handlers[code](v, c);
    return code == VMEXIT_NPF ? on_nested_fault(v, c) : on_unknown(v, c);
}

/*
 * The exit came while an event was delivered, which has not reached the guest: it goes in at the
 * next entry. Software's own (INT n, INT3, INTO) come again by themselves.
 */
static void __noinline keep_event(struct vcpu *v, const struct vmcb *c)
{
    uint64_t event = c->exit_int_info;
    uint64_t type = field_get(EVENT_TYPE, event), vector = field_get(EVENT_VECTOR, event);

    if (type == EVENT_INTERRUPT || type == EVENT_NMI ||
        (type == EVENT_EXCEPTION && vector != EXC_BP && vector != EXC_OF))
        v->arch.event = event;
}

/*
 * QEMU gets an interrupt as a virtual one that pends, which it takes at once: the guest can. Where
 * V_IRQ is in use, for what comes after this one, that cannot be. See svm_is_qemu.
 */
static __force_inline void put_event(struct vcpu *v, struct vmcb *c, uint64_t event)
{
    v->arch.event = 0;
    if (unlikely(!svm_is_qemu || field_get(EVENT_TYPE, event) != EVENT_INTERRUPT ||
                 c->v_intr & V_IRQ || !(v->regs.rflags & RFLAGS_IF) ||
                 c->interrupt_shadow & INTERRUPT_SHADOW)) {
        c->event_inj = event;
        return;
    }
    c->v_intr |= V_PENDS;
    c->v_vector = (uint32_t)field_get(EVENT_VECTOR, event);
    c->clean &= ~CLEAN_TPR;
}

/* V_IRQ is still there: it watches for when the guest can take an interrupt, or was not taken yet.
 */
static void __noinline keep_virtual(struct vcpu *v, struct vmcb *c)
{
    if (c->intercept1 & INTERCEPT1_VINTR) {
        v->arch.watches_interrupts = true;
        return;
    }
    v->arch.event = EVENT_VALID | field_prep(EVENT_TYPE, EVENT_INTERRUPT) |
                    field_prep(EVENT_VECTOR, c->v_vector);
    c->v_intr &= ~V_PENDS;
    c->clean &= ~CLEAN_TPR;
}

/* Its translations are those of the domain's present generation. */
static inline void enter_translations(struct pcpu *p, struct vcpu *v)
{
    struct svm_vcpu *s = &v->arch.svm;
    uint32_t generation = guest_tlb_enter(p, v->domain);

    s->vmcb->tlb_control = TLB_KEEP;
    if (unlikely(s->asid_round != p->arch.svm.asid_round || s->tlb_seen != generation))
        svm_asid_renew(&p->arch.svm, s, generation);
}

static __force_inline struct svm_next prepare(struct pcpu *p, struct vcpu *v)
{
    struct vmcb *c = v->arch.svm.vmcb;
    uint64_t event = v->arch.event;

    c->rax = v->regs.rax;
    c->rsp = v->regs.rsp;
    c->rip = v->regs.rip;
    c->rflags = v->regs.rflags;
    c->event_inj = 0;
    if (event)
        put_event(v, c, event);
    enter_translations(p, v);
    return (struct svm_next){ v->arch.svm.vmcb_maddr, v };
}

struct svm_next svm_prepare(struct pcpu *p, struct vcpu *v)
{
    return prepare(p, v);
}

/* Whom to enter after v's exit. Most often it has an interrupt, and nothing else is to be done. */
static struct vcpu *next(struct pcpu *p, struct vcpu *v)
{
    if (likely(read_once(p->pending) == PENDING_DELIVER)) {
        __atomic_fetch_and(&p->pending, ~(uint32_t)PENDING_DELIVER, __ATOMIC_SEQ_CST);
        arch_vcpu_deliver(v);
        if (likely(!read_once(p->pending)))
            return v;
    }
    return vcpu_next(p);
}

struct svm_next svm_exit(struct vcpu *v)
{
    struct vmcb *c = v->arch.svm.vmcb;
    struct pcpu *p = this_pcpu();
    enum exit_action action;

    guest_tlb_leave(p);
    c->clean = CLEAN_ALL;
    v->regs.rax = c->rax;
    v->regs.rsp = c->rsp;
    v->regs.rip = c->rip;
    v->regs.rflags = c->rflags;
    v->arch.watches_interrupts = false; /* QEMU may have forgotten it */
    if (unlikely(c->v_intr & V_IRQ))
        keep_virtual(v, c);
    if (unlikely(c->exit_int_info & EVENT_VALID))
        keep_event(v, c);
    action = handle(v, c);
    if (likely(action == EXIT_STEP))
        step(v);
    else if (unlikely(action != EXIT_HANDLED))
        exit_act(v, action, v->arch.svm.vmcb->exit_code);
    if (unlikely(read_once(p->pending)))
        v = next(p, v);
    return prepare(p, v);
}
