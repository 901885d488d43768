/* SPDX-License-Identifier: MIT */
/*
 * Events put into a guest: exceptions, NMIs, interrupts. AMD APM volume 2, 8.2.9 (double faults),
 * 8.5 (priorities), 15.20; the format is EVENTINJ's.
 *
 * There is one place for what goes in at the next entry, v->arch.event. It may hold what the last
 * exit interrupted; an exception that comes on top of that makes a double fault of the two, or, if
 * the processor would deliver them one after the other, takes its place: what was lost comes again
 * with its instruction, and an interrupt goes in later.
 */
#include <asm/cpu.h>
#include <asm/evtchn.h>
#include <asm/exit.h>
#include <asm/hvm.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

/* --- what exits ------------------------------------------------------------------------------ */

static void watch_interrupts(struct vcpu *v, bool on)
{
    if (v->arch.watches_interrupts == on)
        return;
    v->arch.watches_interrupts = on;
    hvm_ops->watch_interrupts(v, on);
}

static void watch_tpr(struct vcpu *v, bool on)
{
    if (likely(v->arch.watches_tpr == on))
        return;
    v->arch.watches_tpr = on;
    hvm_ops->watch_tpr(v, on);
}

/* --- exceptions ------------------------------------------------------------------------------ */

static uint64_t make_event(enum event_type type, uint32_t vector)
{
    return EVENT_VALID | field_prep(EVENT_TYPE, type) | field_prep(EVENT_VECTOR, vector);
}

/* Classes of APM table 8-3, bits of vectors. */
#define CONTRIBUTORY (1u << EXC_DE | 1u << EXC_TS | 1u << EXC_NP | 1u << EXC_SS | 1u << EXC_GP)

static bool is_contributory(uint64_t vector)
{
    return CONTRIBUTORY >> vector & 1;
}

/* True if the second exception, while the first one was being delivered, makes a double fault. */
static bool makes_double_fault(uint64_t first, uint64_t second)
{
    if (is_contributory(first))
        return is_contributory(second);
    return first == EXC_PF && (is_contributory(second) || second == EXC_PF);
}

/* An exception goes in instead of this, which comes later, or again. */
static void displace(struct vcpu *v, uint64_t event)
{
    uint64_t type = field_get(EVENT_TYPE, event);

    if (type == EVENT_NMI) {
        write_once(v->arch.nmi_pending, true);
        v->arch.nmi_masked = false;
        hvm_ops->watch_iret(v, false);
    } else if (type == EVENT_INTERRUPT) {
        v->arch.held = event;
    } else {
        return;
    }
    watch_interrupts(v, true);
}

static void inject(struct vcpu *v, uint64_t event)
{
    uint64_t before = v->arch.event, second = field_get(EVENT_VECTOR, event);

    if (before && field_get(EVENT_TYPE, before) == EVENT_EXCEPTION) {
        uint64_t first = field_get(EVENT_VECTOR, before);

        if (first == EXC_DF && (is_contributory(second) || second == EXC_PF)) {
            v->arch.event = 0;
            inject_shutdown(v);
            return;
        }
        if (makes_double_fault(first, second))
            event = make_event(EVENT_EXCEPTION, EXC_DF) | EVENT_HAS_ERROR;
    }
    if (before)
        displace(v, before);
    v->arch.event = event;
}

void inject_exception(struct vcpu *v, enum exception vector)
{
    inject(v, make_event(EVENT_EXCEPTION, vector));
}

void inject_error(struct vcpu *v, enum exception vector, uint32_t error)
{
    inject(v,
           make_event(EVENT_EXCEPTION, vector) | EVENT_HAS_ERROR | field_prep(EVENT_ERROR, error));
}

void inject_page_fault(struct vcpu *v, uint64_t address, uint32_t error)
{
    hvm_ops->set_reg(v, HVM_CR2, address);
    inject_error(v, EXC_PF, error);
}

void inject_shutdown(struct vcpu *v)
{
    log_guest(v->domain->id, LOG_ERR, "vCPU %u: triple fault at %#llx", v->id,
              (unsigned long long)v->regs.rip);
    arch_vcpu_dump(v);
    domain_stop(v->domain, DOMAIN_REBOOT);
}

/* --- NMIs and interrupts --------------------------------------------------------------------- */

static void inject_nmi(struct vcpu *v)
{
    v->arch.event = make_event(EVENT_NMI, EXC_NMI);
    v->arch.nmi_masked = true;
    hvm_ops->watch_iret(v, true);
}

/* The interrupt that comes next, -1: none. The local APIC's priority is the processor's to know. */
static __force_inline int next_interrupt(struct vcpu *v, bool *is_apics)
{
    int vector = v->arch.upcall_vector ? -1 : evtchn_pending_vector(v); /* its APIC has it */

    *is_apics = vector < 0;
    if (vector < 0 && vlapic_has_any(&v->arch.vlapic))
        return vlapic_pending(v);
    return vector;
}

static void inject_interrupt(struct vcpu *v, int vector, bool is_apics)
{
    v->arch.event = make_event(EVENT_INTERRUPT, (uint32_t)vector);
    if (is_apics)
        vlapic_accept(v, (uint8_t)vector);
}

/* The guest writes CR8 without an exit, and its APIC's register without the processor's help. */
void inject_agree_on_priority(struct vcpu *v)
{
    struct vlapic *l = &v->arch.vlapic;
    uint8_t cr8 = hvm_ops->get_tpr(v);

    if (l->tpr_written) {
        l->tpr_written = false;
        hvm_ops->set_tpr(v, vlapic_cr8(l));
    } else if (cr8 != vlapic_cr8(l)) {
        l->tpr = (uint8_t)(cr8 << 4);
    }
}

void inject_pending(struct vcpu *v)
{
    bool is_apics, more;
    int vector;

    inject_agree_on_priority(v);
    if (unlikely(read_once(v->arch.nmi_pending)) && !v->arch.event && hvm_ops->takes_nmi(v)) {
        write_once(v->arch.nmi_pending, false);
        inject_nmi(v);
    }
    if (unlikely(v->arch.held) && !v->arch.event && hvm_ops->takes_interrupt(v)) {
        v->arch.event = v->arch.held;
        v->arch.held = 0;
    }
    vector = next_interrupt(v, &is_apics);
    if (vector >= 0 && !v->arch.event && hvm_ops->takes_interrupt(v)) {
        inject_interrupt(v, vector, is_apics);
        vector = next_interrupt(v, &is_apics);
    }
    /* An NMI that is masked waits for its IRET. */
    more = vector >= 0 || v->arch.held || (read_once(v->arch.nmi_pending) && !v->arch.nmi_masked);
    watch_interrupts(v, more);
    watch_tpr(v, unlikely(vlapic_has_any(&v->arch.vlapic)) && vlapic_is_held_back(v));
}

bool arch_vcpu_has_interrupt(struct vcpu *v)
{
    bool is_apics;

    if (read_once(v->arch.nmi_pending) || read_once(v->arch.vlapic.init_pending))
        return true;
    return v->regs.rflags & RFLAGS_IF && (v->arch.held || next_interrupt(v, &is_apics) >= 0);
}

void arch_vcpu_deliver(struct vcpu *v)
{
    if (unlikely(read_once(v->arch.vlapic.init_pending)) && vlapic_take_init(v))
        return;
    inject_pending(v);
}
