/* SPDX-License-Identifier: MIT */
/*
 * The registers of a guest's local APIC, by both ways to reach them: a page of memory, 32 bits at
 * offsets that are multiples of 16, and MSRs. Intel SDM volume 3, table 11-1, 11-6 and 11.12.1.
 */
#include "vlapic_internal.h"

#include <asm/apic_regs.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

/* Integrated, with six entries in the vector table, and no EOIs that are kept to oneself. */
#define VERSION (0x14u | (uint32_t)field_prep(APIC_VERSION_MAX_LVT, VLAPIC_LVTS - 1))

#define LVT_WRITABLE       (APIC_VECTOR | APIC_MODE | APIC_MASKED)
#define LVT_LINT_WRITABLE  (LVT_WRITABLE | APIC_POLARITY_LOW | APIC_TRIGGER)
#define LVT_TIMER_WRITABLE (APIC_VECTOR | APIC_MASKED | APIC_TIMER_MODE)
#define LVT_ERROR_WRITABLE (APIC_VECTOR | APIC_MASKED)
#define ICR_WRITABLE       (APIC_ICR_DEST | MASK(19, 18) | MASK(15, 14) | MASK(11, 0))
#define SVR_WRITABLE       (APIC_SVR_VECTOR | APIC_SVR_ENABLE | BIT(9))

static uint64_t lvt_writable(unsigned int i)
{
    switch (i) {
    case LVT_TIMER:
        return LVT_TIMER_WRITABLE;
    case LVT_LINT0:
    case LVT_LINT1:
        return LVT_LINT_WRITABLE;
    case LVT_ERROR:
        return LVT_ERROR_WRITABLE;
    default:
        return LVT_WRITABLE;
    }
}

static uint32_t piece(const uint64_t *bits, uint32_t offset)
{
    uint32_t i = offset / 16 & 7;

    return (uint32_t)(read_once(bits[i / 2]) >> 32 * (i & 1));
}

/* --- reading ---------------------------------------------------------------------------------- */

/* False: there is no such register. `wide`: x2APIC, whose numbers are not shifted. */
static bool read_register(const struct vcpu *v, uint32_t offset, bool wide, uint32_t *value)
{
    const struct vlapic *l = &v->arch.vlapic;

    if (offset >= APIC_ISR && offset < APIC_ESR) {
        const uint64_t *bits = offset < APIC_TMR ? l->isr : offset < APIC_IRR ? l->tmr : l->irr;
        *value = piece(bits, offset);
        return true;
    }
    if (offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR) {
        *value = l->lvt[(offset - APIC_LVT_TIMER) / 16];
        return true;
    }
    switch (offset) {
    case APIC_ID:
        *value = wide ? vlapic_id(v) : vlapic_id(v) << 24;
        return true;
    case APIC_VERSION:
        *value = VERSION;
        return true;
    case APIC_TPR:
        *value = l->tpr;
        return true;
    case APIC_PPR:
        *value = (uint32_t)vlapic_priority(l);
        return true;
    case APIC_LDR:
        *value = l->ldr;
        return true;
    case APIC_DFR:
        *value = l->dfr;
        return !wide;
    case APIC_SVR:
        *value = l->svr;
        return true;
    case APIC_ESR:
        *value = l->esr;
        return true;
    case APIC_ICR:
        *value = (uint32_t)l->icr;
        return true;
    case APIC_ICR_HIGH:
        *value = (uint32_t)(l->icr >> 32);
        return !wide;
    case APIC_COUNT:
        *value = l->count;
        return true;
    case APIC_CURRENT:
        *value = vlapic_timer_current(v);
        return true;
    case APIC_DIVIDE:
        *value = l->divide;
        return true;
    default:
        *value = 0;
        return false;
    }
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_lvt(struct vcpu *v, unsigned int i, uint32_t value)
{
    struct vlapic *l = &v->arch.vlapic;

    value &= (uint32_t)lvt_writable(i);
    if (!(l->svr & APIC_SVR_ENABLE))
        value |= (uint32_t)APIC_MASKED;
    if (i == LVT_TIMER)
        vlapic_timer_set_lvt(v, value);
    else
        l->lvt[i] = value;
}

/* What is pending may be taken now. */
static void look_again(void)
{
    __atomic_fetch_or(&this_pcpu()->pending, PENDING_DELIVER, __ATOMIC_RELAXED);
}

static void write_svr(struct vcpu *v, uint32_t value)
{
    struct vlapic *l = &v->arch.vlapic;

    write_once(l->svr, value & (uint32_t)SVR_WRITABLE);
    look_again();
    if (l->svr & APIC_SVR_ENABLE)
        return;
    for (unsigned int i = 0; i < VLAPIC_LVTS; i++)
        write_lvt(v, i, l->lvt[i]);
}

static void write_tpr(struct vcpu *v, uint32_t value)
{
    v->arch.vlapic.tpr = (uint8_t)value;
    v->arch.vlapic.tpr_written = true;
    look_again();
}

static enum exit_action send(struct vcpu *v, uint64_t icr)
{
    enum exit_action action = vlapic_send(v, icr & ICR_WRITABLE);

    if (action == EXIT_HANDLED)
        v->arch.vlapic.icr = icr & ICR_WRITABLE;
    return action;
}

/* Bits that the guest may not set were dropped, or refused, before. EXIT_FAULT: it is not written
 * to. */
static enum exit_action write_register(struct vcpu *v, uint32_t offset, uint32_t value)
{
    struct vlapic *l = &v->arch.vlapic;

    if (offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR) {
        write_lvt(v, (offset - APIC_LVT_TIMER) / 16, value);
        return EXIT_HANDLED;
    }
    switch (offset) {
    case APIC_TPR:
        write_tpr(v, value);
        return EXIT_HANDLED;
    case APIC_EOI:
        vlapic_eoi(v);
        return EXIT_HANDLED;
    case APIC_SVR:
        write_svr(v, value);
        return EXIT_HANDLED;
    case APIC_ESR:
        l->esr = __atomic_exchange_n(&l->errors, 0, __ATOMIC_RELAXED);
        return EXIT_HANDLED;
    case APIC_COUNT:
        vlapic_timer_start(v, value);
        return EXIT_HANDLED;
    case APIC_DIVIDE:
        vlapic_timer_set_divide(v, value & 0xb);
        return EXIT_HANDLED;
    default:
        return EXIT_FAULT;
    }
}

/* --- in memory -------------------------------------------------------------------------------- */

static enum exit_action write_memory(struct vcpu *v, uint32_t offset, uint32_t value)
{
    struct vlapic *l = &v->arch.vlapic;

    switch (offset) {
    case APIC_LDR:
        write_once(l->ldr, value & (uint32_t)APIC_XAPIC_DEST);
        return EXIT_HANDLED;
    case APIC_DFR:
        write_once(l->dfr, value | 0x0fffffff);
        return EXIT_HANDLED;
    case APIC_ICR:
        return send(v, (l->icr & APIC_ICR_DEST) | value);
    case APIC_ICR_HIGH:
        l->icr = (uint32_t)l->icr | (uint64_t)(value & (uint32_t)APIC_XAPIC_DEST) << 32;
        return EXIT_HANDLED;
    default:
        if (write_register(v, offset, value) == EXIT_FAULT)
            __atomic_fetch_or(&l->errors, (uint32_t)APIC_ESR_REGISTER, __ATOMIC_RELAXED);
        return EXIT_HANDLED;
    }
}

/*
 * 11.4.1: whole registers of 32 bits. Other loads, which the manual leaves undefined, get the bytes
 * that are there; other stores do nothing, nor does anything while registers are MSRs or the APIC
 * is off: then the page is as one where nobody answers.
 */
static enum exit_action access_page(struct vcpu *v, struct mmio_access *a, void *unused)
{
    struct vlapic *l = &v->arch.vlapic;
    uint32_t offset = (uint32_t)a->offset, value;

    (void)unused;
    if ((l->base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) != APIC_BASE_ENABLE) {
        if (!a->write)
            a->value = UINT64_MAX;
        return EXIT_HANDLED;
    }
    if (a->write)
        return a->size == 4 && !(offset & 15) ? write_memory(v, offset, (uint32_t)a->value)
                                              : EXIT_HANDLED;
    if ((offset & 15) + a->size > 4) {
        a->value = 0;
        return EXIT_HANDLED;
    }
    if (!read_register(v, offset & ~15u, false, &value))
        __atomic_fetch_or(&l->errors, (uint32_t)APIC_ESR_REGISTER, __ATOMIC_RELAXED);
    a->value = value >> 8 * (offset & 3);
    return EXIT_HANDLED;
}

int vlapic_domain_init(struct domain *d)
{
    return mmio_add(d, GADDR(VLAPIC_PAGE), FRAME_SIZE, access_page, NULL);
}

/* --- as MSRs ---------------------------------------------------------------------------------- */

enum exit_action vlapic_read_msr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct vlapic *l = &v->arch.vlapic;
    uint32_t offset = (msr - MSR_X2APIC_FIRST) * 16, low;

    if (!(l->base & APIC_BASE_X2APIC))
        return EXIT_FAULT;
    if (offset == APIC_ICR) {
        *value = l->icr;
        return EXIT_HANDLED;
    }
    if (!read_register(v, offset, true, &low))
        return EXIT_FAULT;
    *value = low;
    return EXIT_HANDLED;
}

/* What may be set in an x2APIC register; bits beyond give #GP. 11.12.1.2. */
static uint64_t msr_writable(uint32_t offset)
{
    if (offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR)
        return lvt_writable((offset - APIC_LVT_TIMER) / 16) | APIC_PENDING;
    switch (offset) {
    case APIC_TPR:
    case APIC_SELF_IPI:
        return 0xff;
    case APIC_SVR:
        return SVR_WRITABLE;
    case APIC_COUNT:
        return UINT32_MAX;
    case APIC_DIVIDE:
        return 0xb;
    default: /* EOI, ESR, and what is not written to */
        return 0;
    }
}

enum exit_action vlapic_write_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    const struct vlapic *l = &v->arch.vlapic;
    uint32_t offset = (msr - MSR_X2APIC_FIRST) * 16;

    if (!(l->base & APIC_BASE_X2APIC))
        return EXIT_FAULT;
    if (likely(offset == APIC_ICR)) /* before the others: written to most often */
        return value & ~(uint64_t)ICR_WRITABLE ? EXIT_FAULT : send(v, value);
    if (value & ~msr_writable(offset))
        return EXIT_FAULT;
    switch (offset) {
    case APIC_SELF_IPI:
        return vlapic_send(v, value | field_prep(APIC_ICR_SHORTHAND, APIC_TO_SELF));
    default:
        return write_register(v, offset, (uint32_t)value);
    }
}

/* 11.12.5: from memory to MSRs, off from either, on again in memory; nothing else. */
static bool may_change(uint64_t from, uint64_t to)
{
    uint64_t mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;

    if ((to & mode) == APIC_BASE_X2APIC)
        return false;
    if ((from & mode) == mode)
        return (to & mode) != APIC_BASE_ENABLE;
    return from & APIC_BASE_ENABLE || (to & mode) != mode;
}

enum exit_action vlapic_write_base(struct vcpu *v, uint64_t value)
{
    struct vlapic *l = &v->arch.vlapic;
    uint64_t mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;

    if ((value & ~mode) != (l->base & ~mode) || !may_change(l->base, value))
        return EXIT_FAULT;
    if (value != l->base)
        vlapic_set_mode(v, value);
    look_again();
    return EXIT_HANDLED;
}
