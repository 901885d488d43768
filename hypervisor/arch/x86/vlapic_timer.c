/* SPDX-License-Identifier: MIT */
/*
 * The timer of a guest's local APIC. Intel SDM volume 3, 11.5.4. It counts at 100 MHz before its
 * divisor, as under Xen; the deadline is in the guest's TSC.
 */
#include "vlapic_internal.h"

#include <asm/apic_regs.h>
#include <asm/vtime.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>

#define BUS_CYCLE_NS 10u

/* A guest that asks for less would live in its timer's interrupts, and we in ours. */
#define PERIOD_MIN_NS 50000u

static enum apic_timer_mode mode(const struct vlapic *l)
{
    return (enum apic_timer_mode)field_get(APIC_TIMER_MODE, l->lvt[LVT_TIMER]);
}

/* TDCR: bits 3, 1, 0 are log2 of the divisor less 1; 7 stands for dividing by 1. */
static unsigned int divide_shift(uint32_t divide)
{
    return ((divide & 3) + ((divide >> 1) & 4) + 1) & 7;
}

static uint64_t ns_of_count(const struct vlapic *l, uint32_t count)
{
    return ((uint64_t)count * BUS_CYCLE_NS) << divide_shift(l->divide);
}

static uint64_t period_ns(const struct vlapic *l)
{
    uint64_t ns = ns_of_count(l, l->count);

    return ns > PERIOD_MIN_NS ? ns : PERIOD_MIN_NS;
}

/*
 * Runs on a pCPU that need not be the vCPU's. It reads what the guest may change meanwhile, which
 * then sets the timer anew; and sets it itself only while `periodic` says that nobody else does.
 */
static void fire(void *arg)
{
    struct vcpu *v = arg;
    struct vlapic *l = &v->arch.vlapic;
    uint32_t lvt = read_once(l->lvt[LVT_TIMER]);

    if (load_acquire(l->periodic)) {
        /* Periods that passed while nobody looked are lost, as interrupts of a real one merge. */
        uint64_t now = clock_ns(), period = period_ns(l), behind = now - l->started_ns;

        timer_set(&l->timer, this_pcpu(), now + period - behind % period);
    }
    if (!(lvt & APIC_MASKED))
        vlapic_raise(v, (uint8_t)field_get(APIC_VECTOR, lvt), false);
}

/* When it returns nobody but the vCPU sets the timer, and it is not set. */
static void stop(struct vlapic *l)
{
    bool was_periodic = l->periodic;

    store_release(l->periodic, false);
    timer_set(&l->timer, this_pcpu(), TIMER_NEVER);
    if (was_periodic) {
        /* One that was firing may have set it once more. */
        timer_stop(&l->timer);
        timer_stop(&l->timer);
    }
}

static void start_count(struct vlapic *l)
{
    stop(l);
    if (!l->count)
        return;
    l->started_ns = clock_ns();
    if (mode(l) == APIC_ONE_SHOT) {
        timer_set(&l->timer, this_pcpu(), l->started_ns + ns_of_count(l, l->count));
    } else {
        timer_set(&l->timer, this_pcpu(), l->started_ns + period_ns(l));
        store_release(l->periodic, true);
    }
}

void vlapic_timer_start(struct vcpu *v, uint32_t count)
{
    struct vlapic *l = &v->arch.vlapic;

    if (mode(l) == APIC_DEADLINE)
        return;
    l->count = count;
    start_count(l);
}

void vlapic_timer_set_divide(struct vcpu *v, uint32_t divide)
{
    struct vlapic *l = &v->arch.vlapic;

    if (divide_shift(divide) == divide_shift(l->divide)) {
        l->divide = divide;
        return;
    }
    /* The count begins anew, which no driver does while it counts. */
    stop(l);
    l->divide = divide;
    if (mode(l) != APIC_DEADLINE)
        start_count(l);
}

void vlapic_timer_set_lvt(struct vcpu *v, uint32_t lvt)
{
    struct vlapic *l = &v->arch.vlapic;
    enum apic_timer_mode before = mode(l);

    write_once(l->lvt[LVT_TIMER], lvt);
    if (mode(l) == before)
        return;
    stop(l);
    l->deadline = 0;
    if (mode(l) == APIC_DEADLINE || before == APIC_DEADLINE)
        l->count = 0;
    else
        start_count(l);
}

uint32_t vlapic_timer_current(const struct vcpu *v)
{
    const struct vlapic *l = &v->arch.vlapic;
    uint64_t passed, all;

    if (mode(l) == APIC_DEADLINE || !l->count)
        return 0;
    passed = (clock_ns() - l->started_ns) / BUS_CYCLE_NS >> divide_shift(l->divide);
    all = l->count;
    if (passed >= all && mode(l) == APIC_ONE_SHOT)
        return 0;
    return (uint32_t)(all - passed % all);
}

uint64_t vlapic_read_deadline(struct vcpu *v)
{
    struct vlapic *l = &v->arch.vlapic;

    if (l->deadline && vtime_tsc(v->domain) >= l->deadline)
        l->deadline = 0;
    return l->deadline;
}

void vlapic_write_deadline(struct vcpu *v, uint64_t value)
{
    struct vlapic *l = &v->arch.vlapic;

    if (mode(l) != APIC_DEADLINE)
        return;
    l->deadline = value;
    timer_set(&l->timer, this_pcpu(), value ? vtime_ns_of_tsc(v->domain, value) : TIMER_NEVER);
}

int vlapic_timer_init(struct vcpu *v)
{
    return timer_init(&v->arch.vlapic.timer, fire, v);
}

void vlapic_timer_reset(struct vcpu *v)
{
    struct vlapic *l = &v->arch.vlapic;

    stop(l);
    l->divide = l->count = 0;
    l->started_ns = l->deadline = 0;
}
