/* SPDX-License-Identifier: MIT */
/*
 * Events that Hospes sends itself: VIRQs. Some belong to a vCPU each, the others the machine has
 * once; <xen/xen.h> lists them.
 */
#include "evtchn_internal.h"

#include <hospes/errno.h>
#include <xen/xen.h>

_Static_assert(EVTCHN_VIRQS == NR_VIRQS, "of the interface");

/* Who gets a global one; with a reference; NULL: the hardware domain. Under handlers_lock. */
static struct domain *handlers[EVTCHN_VIRQS];
static struct spinlock handlers_lock = SPINLOCK_INIT(LOCK_CONFIG);

bool evtchn_virq_is_global(uint32_t virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

void evtchn_send_virq(struct vcpu *v, uint32_t virq)
{
    struct domain *d = v->domain;
    uint32_t port;

    if (!read_once(v->evtchn.virq_port[virq]))
        return;
    spin_lock(&d->evtchn.lock);
    port = v->evtchn.virq_port[virq];
    if (port)
        evtchn_pend(d, evtchn_find(d, port), port);
    spin_unlock(&d->evtchn.lock);
}

void evtchn_send_global_virq(uint32_t virq)
{
    struct domain *d;
    struct vcpu *v;

    spin_lock(&handlers_lock);
    d = handlers[virq];
    if (d)
        domain_hold(d);
    spin_unlock(&handlers_lock);
    if (!d)
        d = domain_get(HARDWARE_DOMAIN);
    if (!d)
        return;
    v = evtchn_vcpu(d, 0); /* where global ones are bound, whoever is told */
    if (v)
        evtchn_send_virq(v, virq);
    domain_put(d);
}

int evtchn_set_virq_handler(struct domain *d, uint32_t virq)
{
    struct domain *old = NULL;
    int err = 0;

    if (virq >= EVTCHN_VIRQS || !evtchn_virq_is_global(virq))
        return -EINVAL;
    spin_lock(&handlers_lock);
    if (read_once(d->evtchn.closing)) {
        err = -EINVAL;
    } else {
        domain_hold(d);
        old = handlers[virq];
        handlers[virq] = d;
    }
    spin_unlock(&handlers_lock);
    if (old)
        domain_put(old);
    return err;
}

void evtchn_drop_virq_handler(struct domain *d)
{
    uint32_t drop = 0;

    spin_lock(&handlers_lock);
    for (uint32_t virq = 0; virq < EVTCHN_VIRQS; virq++) {
        if (handlers[virq] == d) {
            handlers[virq] = NULL;
            drop++;
        }
    }
    spin_unlock(&handlers_lock);
    while (drop--)
        domain_put(d);
}
