/* SPDX-License-Identifier: MIT */
/*
 * The state of a guest's local APIC, and the way of an interrupt through it: pended (IRR), taken
 * (ISR), ended (EOI). <asm/vlapic.h> has the contract. Intel SDM volume 3, 11.8.
 */
#include "vlapic_internal.h"

#include <asm/apic_regs.h>
#include <asm/vioapic.h>
#include <asm/vlapic.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#define FIRST_VECTOR 16u /* the ones below are exceptions' */
#define CLASS(x)     ((x) & 0xf0)

/* --- bits of 256 vectors ---------------------------------------------------------------------- */

/* -1: none. */
static __force_inline int highest(const uint64_t *bits)
{
    uint64_t word = read_once(bits[3]);

    if (word)
        return 192 + (int)bit_highest(word);
    word = read_once(bits[2]);
    if (word)
        return 128 + (int)bit_highest(word);
    word = read_once(bits[1]);
    if (word)
        return 64 + (int)bit_highest(word);
    word = read_once(bits[0]);
    return word ? (int)bit_highest(word) : -1;
}

static bool is_set(const uint64_t *bits, uint8_t vector)
{
    return read_once(bits[vector / 64]) & BIT(vector % 64);
}

static inline void set_atomic(uint64_t *bits, uint8_t vector)
{
    __atomic_fetch_or(&bits[vector / 64], BIT(vector % 64), __ATOMIC_SEQ_CST);
}

static inline void clear_atomic(uint64_t *bits, uint8_t vector)
{
    __atomic_fetch_and(&bits[vector / 64], ~BIT(vector % 64), __ATOMIC_SEQ_CST);
}

/* --- interrupts ------------------------------------------------------------------------------ */

void vlapic_raise(struct vcpu *v, uint8_t vector, bool level)
{
    struct vlapic *l = &v->arch.vlapic;

    if (vector < FIRST_VECTOR) {
        __atomic_fetch_or(&l->errors, (uint32_t)APIC_ESR_RECEIVE_VECTOR, __ATOMIC_RELAXED);
        return;
    }
    if (unlikely(level != is_set(l->tmr, vector))) {
        if (level)
            set_atomic(l->tmr, vector);
        else
            clear_atomic(l->tmr, vector);
    }
    set_atomic(l->irr, vector);
    vcpu_kick(v);
}

static __force_inline int priority(const struct vlapic *l)
{
    int serving = highest(l->isr);

    return serving >= 0 && CLASS(serving) > CLASS(l->tpr) ? CLASS(serving) : l->tpr;
}

int vlapic_priority(const struct vlapic *l)
{
    return priority(l);
}

int vlapic_pending(const struct vcpu *v)
{
    const struct vlapic *l = &v->arch.vlapic;
    int vector = highest(l->irr);

    if (vector < 0 || !vlapic_enabled(v))
        return -1;
    return CLASS(vector) > CLASS(priority(l)) ? vector : -1;
}

bool vlapic_is_held_back(const struct vcpu *v)
{
    const struct vlapic *l = &v->arch.vlapic;
    int vector = highest(l->irr), serving;

    if (vector < 0 || CLASS(vector) > CLASS(l->tpr))
        return false;
    serving = highest(l->isr);
    return serving < 0 || CLASS(vector) > CLASS(serving);
}

void vlapic_accept(struct vcpu *v, uint8_t vector)
{
    struct vlapic *l = &v->arch.vlapic;

    clear_atomic(l->irr, vector);
    l->isr[vector / 64] |= BIT(vector % 64);
}

void vlapic_eoi(struct vcpu *v)
{
    struct vlapic *l = &v->arch.vlapic;
    int vector = highest(l->isr);

    if (vector < 0)
        return;
    l->isr[vector / 64] &= ~BIT((unsigned int)vector % 64);
    if (is_set(l->tmr, (uint8_t)vector) && !(l->svr & APIC_SVR_NO_EOI))
        vioapic_eoi(v->domain, (uint8_t)vector);
    /* What waited behind it may be taken now. */
    __atomic_fetch_or(&this_pcpu()->pending, PENDING_DELIVER, __ATOMIC_RELAXED);
}

/* --- numbers --------------------------------------------------------------------------------- */

uint32_t vlapic_id(const struct vcpu *v)
{
    return v->id * 2;
}

struct vcpu *vlapic_find(struct domain *d, uint32_t id)
{
    return !(id & 1) && id / 2 < d->max_vcpus ? d->vcpus[id / 2] : NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

int vlapic_vcpu_init(struct vcpu *v)
{
    return vlapic_timer_init(v);
}

void vlapic_vcpu_destroy(struct vcpu *v)
{
    timer_destroy(&v->arch.vlapic.timer);
}

/* x2APIC: the logical number follows from the number. Intel SDM volume 3, 11.12.10.2. */
static uint32_t x2apic_ldr(uint32_t id)
{
    return id >> 4 << 16 | 1u << (id & 15);
}

void vlapic_set_mode(struct vcpu *v, uint64_t base)
{
    struct vlapic *l = &v->arch.vlapic;

    l->base = base;
    l->ldr = base & APIC_BASE_X2APIC ? x2apic_ldr(vlapic_id(v)) : 0;
    l->dfr = UINT32_MAX;
}

void vlapic_vcpu_reset(struct vcpu *v)
{
    struct vlapic *l = &v->arch.vlapic;

    vlapic_timer_reset(v);
    l->init_pending = false;
    for (unsigned int i = 0; i < 4; i++)
        l->irr[i] = l->isr[i] = l->tmr[i] = 0;
    l->icr = 0;
    l->svr = 0xff;
    l->esr = l->errors = 0;
    for (unsigned int i = 0; i < VLAPIC_LVTS; i++)
        l->lvt[i] = (uint32_t)APIC_MASKED;
    l->tpr = 0;
    l->tpr_written = true;
    vlapic_set_mode(v, VLAPIC_PAGE | APIC_BASE_ENABLE | (v->id ? 0 : APIC_BASE_BSP));
}
