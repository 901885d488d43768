/* SPDX-License-Identifier: MIT */
/* Guests' timers by vcpu_op; <hospes/vcpu_timer.h> has the contract. */
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/vcpu.h>
#include <hospes/vcpu_timer.h>
#include <lib/bits.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

#define PERIOD_MIN_NS 1000000u         /* less is refused, as by Xen */
#define PERIOD_MAX_NS (UINT64_MAX / 4) /* so that no sum overflows */

static void single_fires(void *arg)
{
    const struct vcpu_timers *t = arg;

    evtchn_send_virq(t->vcpu, VIRQ_TIMER);
}

/* Whoever changes period_ns stops the timer afterwards, twice: what was set here is taken back. */
static void period_ends(void *arg)
{
    struct vcpu_timers *t = arg;
    uint64_t period = load_acquire(t->period_ns), now = clock_ns();

    if (!period)
        return;
    /* Periods that passed while nobody looked are lost. */
    timer_set(&t->periodic, this_pcpu(), max(t->periodic.expires_ns + period, now + period / 2));
    evtchn_send_virq(t->vcpu, VIRQ_TIMER);
}

/* --- life ------------------------------------------------------------------------------------ */

static struct vcpu_timers *make(struct vcpu *v)
{
    struct vcpu_timers *t = heap_alloc(sizeof(*t));

    if (!t)
        return NULL;
    t->vcpu = v;
    if (timer_init(&t->single, single_fires, t))
        goto no_single;
    if (timer_init(&t->periodic, period_ends, t))
        goto no_periodic;
    return t;

no_periodic:
    timer_destroy(&t->single);
no_single:
    heap_free(t);
    return NULL;
}

static void destroy(struct vcpu_timers *t)
{
    timer_destroy(&t->single);
    timer_destroy(&t->periodic);
    heap_free(t);
}

/* The timers of `v`, which any vCPU of its domain may ask for first. NULL: no memory. */
static struct vcpu_timers *timers_of(struct vcpu *v)
{
    struct vcpu_timers *t = load_acquire(v->timers), *made;

    if (likely(t))
        return t;
    made = make(v);
    if (!made)
        return NULL;
    if (__atomic_compare_exchange_n(&v->timers, &t, made, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return made;
    destroy(made);
    return t;
}

static void stop_periodic(struct vcpu_timers *t)
{
    store_release(t->period_ns, 0);
    timer_stop(&t->periodic);
    timer_stop(&t->periodic);
}

void vcpu_timer_destroy(struct vcpu *v)
{
    if (!v->timers)
        return;
    stop_periodic(v->timers);
    destroy(v->timers);
    v->timers = NULL;
}

/* --- calls ----------------------------------------------------------------------------------- */

static int64_t set_periodic(struct vcpu *v, struct vcpu *target, uint64_t at)
{
    struct vcpu_set_periodic_timer set;
    struct vcpu_timers *t;

    if (guest_read(v, &set, at, sizeof(set)))
        return -EFAULT;
    if (set.period_ns < PERIOD_MIN_NS || set.period_ns > PERIOD_MAX_NS)
        return -EINVAL;
    t = timers_of(target);
    if (!t)
        return -ENOMEM;
    spin_lock(&target->domain->lock);
    stop_periodic(t);
    timer_set(&t->periodic, this_pcpu(), clock_ns() + set.period_ns);
    store_release(t->period_ns, set.period_ns);
    spin_unlock(&target->domain->lock);
    return 0;
}

static int64_t set_single(struct vcpu *v, struct vcpu *target, uint64_t at)
{
    struct vcpu_set_singleshot_timer set;
    struct vcpu_timers *t;

    if (target != v)
        return -EINVAL;
    if (guest_read(v, &set, at, sizeof(set)))
        return -EFAULT;
    if (set.flags & VCPU_SSHOTTMR_future && set.timeout_abs_ns < clock_ns())
        return -ETIME;
    t = timers_of(v);
    if (!t)
        return -ENOMEM;
    /* A time that does not come is none. */
    timer_set(&t->single, this_pcpu(), set.timeout_abs_ns);
    return 0;
}

int64_t vcpu_timer_op(struct vcpu *v, struct vcpu *target, uint32_t cmd, uint64_t at)
{
    struct vcpu_timers *t = load_acquire(target->timers);

    switch (cmd) {
    case VCPUOP_set_periodic_timer:
        return set_periodic(v, target, at);
    case VCPUOP_set_singleshot_timer:
        return set_single(v, target, at);
    case VCPUOP_stop_periodic_timer:
        if (t) {
            spin_lock(&target->domain->lock);
            stop_periodic(t);
            spin_unlock(&target->domain->lock);
        }
        return 0;
    case VCPUOP_stop_singleshot_timer:
        if (target != v)
            return -EINVAL;
        if (t)
            timer_set(&t->single, this_pcpu(), TIMER_NEVER);
        return 0;
    default:
        return -ENOSYS;
    }
}
