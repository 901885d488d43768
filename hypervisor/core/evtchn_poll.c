/* SPDX-License-Identifier: MIT */
/*
 * vCPUs that wait for ports (SCHEDOP_poll), whether or not these are masked.
 *
 * None is missed: the vCPU first says what it polls for, then looks at the ports; who sends first
 * makes the port pending, then looks for pollers. And once it is asleep it looks whether somebody
 * found it in between: only then can vcpu_kick() wake it.
 */
#include "evtchn_internal.h"

#include <hospes/errno.h>

_Static_assert(EVTCHN_VCPUS == DOMAIN_MAX_VCPUS, "a bit for each vCPU");

void evtchn_poll_begin(struct vcpu *v, uint32_t only)
{
    struct evtchn_domain *e = &v->domain->evtchn;

    write_once(v->evtchn.poll_port, only);
    if (!bitmap_test_and_set(e->pollers, v->id))
        __atomic_fetch_add(&e->nr_pollers, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

int evtchn_poll_look(struct vcpu *v, uint32_t port)
{
    struct domain *d = v->domain;
    const struct evtchn *chn;
    int rc = -EINVAL;

    spin_lock(&d->evtchn.lock);
    if (port < evtchn_ports(d)) {
        chn = evtchn_find(d, port);
        rc = chn && evtchn_is_open(chn) && evtchn_is_pending(d, port);
    }
    spin_unlock(&d->evtchn.lock);
    return rc;
}

/* True for the one who took it off the list. */
static bool take_off(struct domain *d, uint32_t vcpu)
{
    if (!bitmap_test_and_clear(d->evtchn.pollers, vcpu))
        return false;
    __atomic_fetch_sub(&d->evtchn.nr_pollers, 1, __ATOMIC_RELAXED);
    return true;
}

void evtchn_poll_wait(struct vcpu *v)
{
    vcpu_block(v);
    if (!bitmap_test(v->domain->evtchn.pollers, v->id))
        vcpu_kick(v);
}

void evtchn_poll_end(struct vcpu *v)
{
    take_off(v->domain, v->id);
}

void evtchn_wake_pollers(struct domain *d, uint32_t port)
{
    unsigned int i;

    bitmap_for_each_set (i, d->evtchn.pollers, EVTCHN_VCPUS) {
        struct vcpu *v = evtchn_vcpu(d, i);
        uint32_t only = read_once(v->evtchn.poll_port);

        if ((!only || only == port) && take_off(d, i))
            vcpu_kick(v);
    }
}
