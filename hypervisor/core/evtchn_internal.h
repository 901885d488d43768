/* SPDX-License-Identifier: MIT */
/* What the files of event channels share; <hospes/evtchn.h> has the rest. */
#ifndef EVTCHN_INTERNAL_H
#define EVTCHN_INTERNAL_H

#include <hospes/domain.h>
#include <hospes/evtchn.h>
#include <hospes/vcpu.h>

struct evtchn_init_control;

/* The record of `port`, or NULL. Under the lock. */
static inline struct evtchn *evtchn_find(struct domain *d, uint32_t port)
{
    const struct evtchn_domain *e = &d->evtchn;

    if (unlikely(port >= e->nr_ports))
        return NULL;
    return &e->buckets[port / EVTCHN_BUCKET_PORTS].ports[port % EVTCHN_BUCKET_PORTS];
}

static inline bool evtchn_is_open(const struct evtchn *chn)
{
    return chn->state > EVTCHN_RESERVED;
}

static inline bool evtchn_has_peer(const struct evtchn *chn)
{
    return chn->state == EVTCHN_INTERDOMAIN || chn->state == EVTCHN_SERVED;
}

/* NULL: there is none of that number. */
static inline struct vcpu *evtchn_vcpu(struct domain *d, uint32_t number)
{
    return likely(number < d->max_vcpus) ? load_acquire(d->vcpus[number]) : NULL;
}

static inline bool evtchn_is_fifo(const struct domain *d)
{
    return load_acquire(d->evtchn.pages);
}

/* evtchn_alloc_unbound(), under the lock. */
int evtchn_open_unbound(struct domain *d, uint16_t remote_domid, uint32_t *port);

/* evtchn_send_virq()'s kind is false: each vCPU has its own. */
bool evtchn_virq_is_global(uint32_t virq);

/* Forgets that `d` was chosen for any VIRQ. No lock held. */
void evtchn_drop_virq_handler(struct domain *d);

/* Tells `v` that it has events: sets evtchn_upcall_pending, and interrupts it if that was clear. */
void evtchn_raise(struct vcpu *v);

/* Wakes vCPUs of `d` that poll for `port`, which is pending. */
void evtchn_wake_pollers(struct domain *d, uint32_t port);

static inline void evtchn_check_pollers(struct domain *d, uint32_t port)
{
    /* Ordered after the store that made it pending: evtchn_poll_begin(). */
    if (unlikely(__atomic_load_n(&d->evtchn.nr_pollers, __ATOMIC_SEQ_CST)))
        evtchn_wake_pollers(d, port);
}

/*
 * The two formats. pend() needs the lock of whoever makes `chn` stay open: its domain, or that of
 * its other end. The others need the domain's. is_linked(): the guest has not yet taken the event
 * word out of its queue.
 */
void evtchn_2l_pend(struct domain *d, struct evtchn *chn, uint32_t port);
void evtchn_2l_unmask(struct domain *d, struct evtchn *chn, uint32_t port);
void evtchn_2l_clear(struct domain *d, uint32_t port);
bool evtchn_2l_is_pending(struct domain *d, uint32_t port);
bool evtchn_2l_is_masked(struct domain *d, uint32_t port);

void evtchn_fifo_pend(struct domain *d, struct evtchn *chn, uint32_t port);
void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn, uint32_t port);
void evtchn_fifo_clear(struct domain *d, uint32_t port);
bool evtchn_fifo_is_pending(struct domain *d, uint32_t port);
bool evtchn_fifo_is_masked(struct domain *d, uint32_t port);
bool evtchn_fifo_is_linked(struct domain *d, uint32_t port);

/* Ports that the format has; those that the domain may have are fewer, perhaps. */
uint32_t evtchn_ports(const struct domain *d);

static inline void evtchn_pend(struct domain *d, struct evtchn *chn, uint32_t port)
{
    if (likely(evtchn_is_fifo(d)))
        evtchn_fifo_pend(d, chn, port);
    else
        evtchn_2l_pend(d, chn, port);
}

static inline bool evtchn_is_pending(struct domain *d, uint32_t port)
{
    return evtchn_is_fifo(d) ? evtchn_fifo_is_pending(d, port) : evtchn_2l_is_pending(d, port);
}

static inline bool evtchn_is_masked(struct domain *d, uint32_t port)
{
    return evtchn_is_fifo(d) ? evtchn_fifo_is_masked(d, port) : evtchn_2l_is_masked(d, port);
}

/*
 * EVTCHNOP_init_control and EVTCHNOP_expand_array of the domain's own. Without lock. The first of
 * all control blocks makes the domain use the FIFO interface.
 */
int evtchn_fifo_init_control(struct domain *d, struct evtchn_init_control *c);
int evtchn_fifo_expand_array(struct domain *d, uint64_t gfn);

/* Back to 2-level: lets go of all the guest's pages. Under the lock, with no port open. */
void evtchn_fifo_destroy(struct domain *d);

#endif
