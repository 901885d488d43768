/* SPDX-License-Identifier: MIT */
/*
 * Who an interrupt is for, and messages between the vCPUs of a domain. Intel SDM volume 3, 11.6 and
 * 11.12.9; start-up: 9.4.
 *
 * INIT makes a vCPU wait for a start-up message. It takes the INIT itself, on its way into the
 * guest (vlapic_take_init()), and switches itself off. Who sends it the start-up message before it
 * has left tries again: its instruction is executed once more.
 */
#include "vlapic_internal.h"

#include <asm/apic_regs.h>
#include <asm/hvm.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>
#include <hospes/vcpu_info.h>
#include <lib/bits.h>
#include <xen/xen.h>

#define XAPIC_BROADCAST  0xffu
#define X2APIC_BROADCAST UINT32_MAX
#define DFR_FLAT         0xfu /* its upper four bits */

static bool in_x2apic(const struct vlapic *l)
{
    return l->base & APIC_BASE_X2APIC;
}

/* 11.6.2.2: flat, a bit for each of eight; or cluster and four bits. x2APIC: cluster and 16 bits.
 */
static bool matches_logical(const struct vlapic *l, uint32_t dest)
{
    uint32_t ldr = read_once(l->ldr);

    if (in_x2apic(l))
        return ldr >> 16 == dest >> 16 && ldr & dest & 0xffff;
    ldr >>= 24;
    if (read_once(l->dfr) >> 28 == DFR_FLAT)
        return ldr & dest;
    return ldr >> 4 == dest >> 4 && ldr & dest & 0xf;
}

static bool matches(const struct vcpu *v, const struct vlapic_message *m)
{
    if (m->dest == (m->wide ? X2APIC_BROADCAST : XAPIC_BROADCAST))
        return true;
    return m->logical ? matches_logical(&v->arch.vlapic, m->dest) : vlapic_id(v) == m->dest;
}

void vlapic_raise_nmi(struct vcpu *v)
{
    write_once(v->arch.nmi_pending, true);
    vcpu_kick(v);
}

static void deliver_to(struct vcpu *v, const struct vlapic_message *m)
{
    switch (m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (vlapic_enabled(v))
            vlapic_raise(v, m->vector, m->level);
        break;
    case APIC_NMI:
        vlapic_raise_nmi(v);
        break;
    default:
        break;
    }
}

bool vlapic_deliver(struct domain *d, const struct vlapic_message *m)
{
    bool any = false;
    struct vcpu *v;
    uint32_t i;

    if (!m->logical && m->dest != (m->wide ? X2APIC_BROADCAST : XAPIC_BROADCAST)) {
        v = vlapic_find(d, m->dest);
        if (v)
            deliver_to(v, m);
        return v;
    }
    domain_for_each_vcpu (d, v, i) {
        if (!matches(v, m) || (m->mode == APIC_LOWEST && !vlapic_enabled(v)))
            continue;
        deliver_to(v, m);
        any = true;
        if (m->mode == APIC_LOWEST)
            break; /* all are of the same priority: the first of them */
    }
    return any;
}

/* --- INIT and start-up ------------------------------------------------------------------------ */

static void send_init(struct vcpu *to)
{
    struct domain *d = to->domain;
    bool online;

    spin_lock(&d->lock);
    online = to->online;
    write_once(to->arch.vlapic.init_pending, online);
    spin_unlock(&d->lock);
    if (online)
        vcpu_kick(to);
}

bool vlapic_take_init(struct vcpu *v)
{
    struct domain *d = v->domain;

    if (likely(!read_once(v->arch.vlapic.init_pending)))
        return false;
    spin_lock(&d->lock);
    v->arch.vlapic.init_pending = false;
    vcpu_down(v);
    spin_unlock(&d->lock);
    return true;
}

static enum exit_action send_startup(struct vcpu *to, uint8_t vector)
{
    struct domain *d = to->domain;
    enum exit_action action = EXIT_HANDLED;

    spin_lock(&d->lock);
    if (to->arch.vlapic.init_pending || (!to->online && sched_is_running(&to->sched))) {
        action = EXIT_RETRY;
    } else if (!to->online) {
        arch_vcpu_reset(to);
        hvm_start_at(to, vector);
        /* The reset forgot that it was told of events, which it has not looked at. */
        if (to->arch.upcall_vector && read_once(to->info->evtchn_upcall_pending))
            vlapic_raise(to, to->arch.upcall_vector, false);
        vcpu_up(to);
    }
    spin_unlock(&d->lock);
    return action;
}

/* --- ICR -------------------------------------------------------------------------------------- */

static enum exit_action send_one(struct vcpu *from, struct vcpu *to, const struct vlapic_message *m)
{
    (void)from;
    switch (m->mode) {
    case APIC_INIT:
        send_init(to);
        return EXIT_HANDLED;
    case APIC_STARTUP:
        return send_startup(to, m->vector);
    default:
        deliver_to(to, m);
        return EXIT_HANDLED;
    }
}

static bool is_meant(const struct vcpu *from, const struct vcpu *to, const struct vlapic_message *m,
                     enum apic_shorthand shorthand)
{
    switch (shorthand) {
    case APIC_TO_SELF:
        return to == from;
    case APIC_TO_ALL:
        return true;
    case APIC_TO_OTHERS:
        return to != from;
    case APIC_TO_DEST:
    default:
        return matches(to, m);
    }
}

static enum exit_action send_to_many(struct vcpu *from, const struct vlapic_message *m,
                                     enum apic_shorthand shorthand)
{
    struct domain *d = from->domain;
    enum exit_action action = EXIT_HANDLED;
    struct vcpu *to;
    uint32_t i;

    domain_for_each_vcpu (d, to, i) {
        if (!is_meant(from, to, m, shorthand))
            continue;
        /* A message that is tried again reaches the others twice: a second start-up does nothing.
         */
        if (send_one(from, to, m) == EXIT_RETRY)
            action = EXIT_RETRY;
        if (m->mode == APIC_LOWEST)
            break;
    }
    return action;
}

static __noinline enum exit_action send_any(struct vcpu *v, uint64_t icr)
{
    struct vlapic *l = &v->arch.vlapic;
    enum apic_shorthand shorthand = (enum apic_shorthand)field_get(APIC_ICR_SHORTHAND, icr);
    struct vlapic_message m = {
        .dest = (uint32_t)field_get(APIC_ICR_DEST, icr),
        .vector = (uint8_t)field_get(APIC_VECTOR, icr),
        .mode = (uint8_t)field_get(APIC_MODE, icr),
        .logical = icr & APIC_DEST_LOGICAL,
        .wide = in_x2apic(l),
    };
    struct vcpu *to;

    if (!m.wide)
        m.dest >>= 24;
    /* INIT with level de-assert only synchronises arbitration, which is none. */
    if (m.mode == APIC_INIT && icr & APIC_TRIGGER && !(icr & APIC_ICR_ASSERT))
        return EXIT_HANDLED;
    if ((m.mode == APIC_FIXED || m.mode == APIC_LOWEST) && m.vector < 16) {
        __atomic_fetch_or(&l->errors, (uint32_t)APIC_ESR_SEND_VECTOR, __ATOMIC_RELAXED);
        return EXIT_HANDLED;
    }
    if (shorthand != APIC_TO_DEST || m.logical ||
        m.dest == (m.wide ? X2APIC_BROADCAST : XAPIC_BROADCAST))
        return send_to_many(v, &m, shorthand);
    to = vlapic_find(v->domain, m.dest);
    return to ? send_one(v, to, &m) : EXIT_HANDLED;
}

/* An interrupt for one, in x2APIC mode, is what kernels send most. */
#define ICR_NOT_SIMPLE (APIC_MODE | APIC_DEST_LOGICAL | APIC_ICR_SHORTHAND)

enum exit_action vlapic_send(struct vcpu *v, uint64_t icr)
{
    uint32_t dest = (uint32_t)field_get(APIC_ICR_DEST, icr);
    uint8_t vector = (uint8_t)field_get(APIC_VECTOR, icr);
    struct vcpu *to;

    if (unlikely(icr & ICR_NOT_SIMPLE || vector < 16 || !in_x2apic(&v->arch.vlapic) ||
                 dest == X2APIC_BROADCAST))
        return send_any(v, icr);
    to = vlapic_find(v->domain, dest);
    if (likely(to) && vlapic_enabled(to))
        vlapic_raise(to, vector, false);
    return EXIT_HANDLED;
}
