/* SPDX-License-Identifier: MIT */
/* sched_op: a vCPU that has nothing to do, and domains that end. <xen/sched.h> */
#include <hospes/abi.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/evtchn.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>
#include <hospes/vcpu.h>
#include <hospes/watchdog.h>
#include <lib/bitmap.h>
#include <lib/bits.h>
#include <xen/sched.h>
#include <xen/xen.h>

#define POLL_PORTS 128u

/* --- ends ------------------------------------------------------------------------------------ */

/* A reason is a byte of the toolstack's; what Hospes does with a domain knows those it knows. */
static int64_t shutdown(struct vcpu *v, uint64_t at)
{
    struct sched_shutdown s;

    if (guest_read(v, &s, at, sizeof(s)))
        return -EFAULT;
    domain_stop(v->domain, (enum domain_stop)(s.reason & 0xff));
    return 0;
}

static int64_t shutdown_code(struct vcpu *v, uint64_t at)
{
    struct sched_shutdown s;

    if (guest_read(v, &s, at, sizeof(s)))
        return -EFAULT;
    domain_latch_stop(v->domain, (uint8_t)s.reason);
    return 0;
}

static int64_t remote_shutdown(struct vcpu *v, uint64_t at)
{
    struct sched_remote_shutdown s;
    struct domain *d;

    if (guest_read(v, &s, at, sizeof(s)))
        return -EFAULT;
    d = domain_get(s.domain_id);
    if (!d)
        return -ESRCH;
    if (v->domain->control)
        domain_stop(d, (enum domain_stop)(s.reason & 0xff));
    domain_put(d);
    return v->domain->control ? 0 : -EPERM;
}

static int64_t watchdog(struct vcpu *v, uint64_t at)
{
    struct sched_watchdog w;

    if (guest_read(v, &w, at, sizeof(w)))
        return -EFAULT;
    return watchdog_op(v->domain, w.id, w.timeout);
}

/* --- polling --------------------------------------------------------------------------------- */

static void poll_is_over(void *arg)
{
    vcpu_kick(arg);
}

/* When to stop waiting: 0: never. */
static int set_poll_timer(struct vcpu *v, uint64_t expires_ns)
{
    if (!expires_ns && !v->poll_timer)
        return 0;
    if (!v->poll_timer) {
        struct timer *t = heap_alloc(sizeof(*t));

        if (!t || timer_init(t, poll_is_over, v)) {
            heap_free(t);
            return -ENOMEM;
        }
        v->poll_timer = t;
    }
    timer_set(v->poll_timer, this_pcpu(), expires_ns ? expires_ns : TIMER_NEVER);
    return 0;
}

static int look_at(struct vcpu *v, const uint32_t *ports, uint32_t nr)
{
    int found = 0;

    for (uint32_t i = 0; i < nr && !found; i++)
        found = evtchn_poll_look(v, ports[i]);
    return found;
}

static int64_t poll(struct vcpu *v, uint64_t at)
{
    uint32_t ports[POLL_PORTS];
    struct sched_poll p;
    int rc;

    if (guest_read(v, &p, at, sizeof(p)))
        return -EFAULT;
    if (p.nr_ports > POLL_PORTS)
        return -EINVAL;
    if (guest_read(v, ports, guest_address(p.ports), p.nr_ports * sizeof(ports[0])))
        return -EFAULT;
    rc = set_poll_timer(v, p.timeout);
    if (rc)
        return rc;
    evtchn_poll_begin(v, p.nr_ports == 1 ? ports[0] : 0);
    rc = look_at(v, ports, p.nr_ports);
    if (rc)
        evtchn_poll_end(v);
    else
        evtchn_poll_wait(v);
    return min(rc, 0);
}

/* --- pinning --------------------------------------------------------------------------------- */

static int pin_to(struct vcpu *v, uint32_t pcpu)
{
    DECLARE_BITMAP(one, SCHED_MAX_PCPUS) = { 0 };
    DECLARE_BITMAP(soft, SCHED_MAX_PCPUS);
    int rc;

    if (pcpu >= nr_pcpus || !bitmap_test(pcpus_online, pcpu))
        return -EINVAL;
    if (v->pinned)
        return -EBUSY;
    bitmap_set(one, pcpu);
    sched_get_affinity(&v->sched, v->unpinned, soft);
    rc = sched_set_affinity(&v->sched, one);
    v->pinned = !rc;
    return rc;
}

/* Firmware of some machines wants to be called on one CPU. */
static int64_t pin_override(struct vcpu *v, uint64_t at)
{
    struct sched_pin_override p;

    if (!v->domain->hardware)
        return -EPERM;
    if (guest_read(v, &p, at, sizeof(p)))
        return -EFAULT;
    if (p.pcpu >= 0)
        return pin_to(v, (uint32_t)p.pcpu);
    if (!v->pinned)
        return -EINVAL;
    v->pinned = false;
    return sched_set_affinity(&v->sched, v->unpinned);
}

/* --------------------------------------------------------------------------------------------- */

int64_t sched_op(struct vcpu *v, uint64_t *arg)
{
    uint64_t at = arg[1];

    switch ((uint32_t)arg[0]) {
    case SCHEDOP_yield:
        sched_unit_yield(&v->sched);
        return 0;
    case SCHEDOP_block:
        vcpu_block(v);
        return 0;
    case SCHEDOP_shutdown:
        return shutdown(v, at);
    case SCHEDOP_poll:
        return poll(v, at);
    case SCHEDOP_remote_shutdown:
        return remote_shutdown(v, at);
    case SCHEDOP_shutdown_code:
        return shutdown_code(v, at);
    case SCHEDOP_watchdog:
        return watchdog(v, at);
    case SCHEDOP_pin_override:
        return pin_override(v, at);
    default:
        return -ENOSYS;
    }
}
