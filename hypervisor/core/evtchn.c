/* SPDX-License-Identifier: MIT */
/* Event channels: ports, what they are bound to, and sends; <hospes/evtchn.h> has the contract. */
#include "evtchn_internal.h"

#include <hospes/errno.h>
#include <hospes/guest_atomic.h>
#include <hospes/heap.h>
#include <hospes/vcpu_info.h>
#include <lib/bits.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

#define MAX_BUCKETS   (EVTCHN_FIFO_NR_CHANNELS / EVTCHN_BUCKET_PORTS)
#define FIRST_BUCKETS 8u

/* Closed ports that the guest has not taken out of their queues, looked at for one that is free. */
#define LINKED_LOOKS 1024u

void evtchn_raise(struct vcpu *v)
{
    struct vcpu_info *info = load_acquire(v->info);
    uint8_t old;

    if (!guest_or_u8(&info->evtchn_upcall_pending, 1, &old) || !old)
        arch_evtchn_upcall(v);
}

uint32_t evtchn_ports(const struct domain *d)
{
    return evtchn_is_fifo(d) ? (uint32_t)EVTCHN_FIFO_NR_CHANNELS : (uint32_t)EVTCHN_2L_NR_CHANNELS;
}

/* --- records --------------------------------------------------------------------------------- */

/* One bucket more. Under the lock. */
static int add_bucket(struct evtchn_domain *e)
{
    uint32_t n = e->nr_ports / EVTCHN_BUCKET_PORTS;
    struct evtchn *ports;

    if (n == e->capacity) {
        uint32_t capacity = n ? 2 * n : FIRST_BUCKETS;
        struct evtchn_bucket *more = heap_calloc(capacity, sizeof(*more));

        if (!more)
            return -ENOMEM;
        for (uint32_t i = 0; i < n; i++)
            more[i] = e->buckets[i];
        heap_free(e->buckets);
        e->buckets = more;
        e->capacity = capacity;
    }
    ports = heap_calloc(EVTCHN_BUCKET_PORTS, sizeof(*ports));
    if (!ports)
        return -ENOMEM;
    e->buckets[n] = (struct evtchn_bucket){ .ports = ports };
    e->nr_ports += EVTCHN_BUCKET_PORTS;
    return 0;
}

int evtchn_domain_init(struct domain *d)
{
    struct evtchn_domain *e = &d->evtchn;
    int err;

    e->lock = SPINLOCK_INIT(LOCK_EVTCHN);
    e->max_port = EVTCHN_NO_LIMIT;
    err = add_bucket(e);
    if (err) {
        evtchn_domain_destroy(d);
        return err;
    }
    e->buckets[0].ports[0].state = EVTCHN_RESERVED;
    e->buckets[0].used = 1;
    return 0;
}

void evtchn_domain_destroy(struct domain *d)
{
    struct evtchn_domain *e = &d->evtchn;

    for (uint32_t i = 0; i < e->nr_ports / EVTCHN_BUCKET_PORTS; i++)
        heap_free(e->buckets[i].ports);
    heap_free(e->buckets);
    e->buckets = NULL;
    e->nr_ports = e->capacity = 0;
}

void evtchn_vcpu_init(struct vcpu *v)
{
    v->evtchn.queue_lock = SPINLOCK_INIT(LOCK_EVTCHN_FIFO);
}

/* The lowest free port that has a record; nr_ports: there is none. */
static uint32_t find_free(struct domain *d)
{
    const struct evtchn_domain *e = &d->evtchn;
    uint32_t looks = LINKED_LOOKS;
    bool fifo = evtchn_is_fifo(d);

    for (uint32_t b = 0; b < e->nr_ports / EVTCHN_BUCKET_PORTS; b++) {
        const struct evtchn_bucket *bucket = &e->buckets[b];

        for (uint32_t i = 0; bucket->used < EVTCHN_BUCKET_PORTS && i < EVTCHN_BUCKET_PORTS; i++) {
            uint32_t port = b * EVTCHN_BUCKET_PORTS + i;

            if (bucket->ports[i].state != EVTCHN_FREE)
                continue;
            if (!fifo || !evtchn_fifo_is_linked(d, port))
                return port;
            if (!--looks)
                return EVTCHN_FIFO_NR_CHANNELS;
        }
    }
    return e->nr_ports;
}

/* A free port and its record, which the caller fills in. Under the lock. */
static int take_port(struct domain *d, uint32_t *port, struct evtchn **chn)
{
    struct evtchn_domain *e = &d->evtchn;
    int err;

    if (e->closing)
        return -EINVAL;
    *port = find_free(d);
    if (*port > e->max_port || *port >= evtchn_ports(d))
        return -ENOSPC;
    if (*port == e->nr_ports) {
        err = add_bucket(e);
        if (err)
            return err;
    }
    *chn = evtchn_find(d, *port);
    return 0;
}

static void open_port(struct domain *d, struct evtchn *chn, uint32_t port, enum evtchn_state state,
                      uint32_t vcpu)
{
    write_once(chn->notify, (uint8_t)vcpu);
    write_once(chn->priority, (uint8_t)EVTCHN_FIFO_PRIORITY_DEFAULT);
    chn->state = (uint8_t)state;
    d->evtchn.buckets[port / EVTCHN_BUCKET_PORTS].used++;
    d->evtchn.nr_open++;
}

/* --- binding --------------------------------------------------------------------------------- */

int evtchn_open_unbound(struct domain *d, uint16_t remote_domid, uint32_t *port)
{
    struct evtchn *chn;
    int err = take_port(d, port, &chn);

    if (err)
        return err;
    open_port(d, chn, *port, EVTCHN_UNBOUND, 0);
    chn->remote_domid = remote_domid;
    return 0;
}

int evtchn_alloc_unbound(struct domain *d, uint16_t remote_domid, uint32_t *port)
{
    int err;

    spin_lock(&d->evtchn.lock);
    err = evtchn_open_unbound(d, remote_domid, port);
    spin_unlock(&d->evtchn.lock);
    return err;
}

static void connect(struct evtchn *chn, struct domain *remote, struct evtchn *remote_chn,
                    uint32_t remote_port)
{
    chn->remote_domain = remote;
    chn->remote = remote_chn;
    chn->remote_port = remote_port;
}

/* A port that nobody else takes until it is opened, or given back. */
static int reserve_port(struct domain *d, uint32_t *port)
{
    struct evtchn *chn;
    int err;

    spin_lock(&d->evtchn.lock);
    err = take_port(d, port, &chn);
    if (!err) {
        chn->state = EVTCHN_RESERVED;
        d->evtchn.buckets[*port / EVTCHN_BUCKET_PORTS].used++;
    }
    spin_unlock(&d->evtchn.lock);
    return err;
}

/* With both locks; `port` is reserved. */
static int bind_interdomain(struct domain *d, struct domain *remote, uint32_t remote_port,
                            uint32_t port)
{
    struct evtchn *chn = evtchn_find(d, port), *there = evtchn_find(remote, remote_port);

    chn->state = EVTCHN_FREE;
    d->evtchn.buckets[port / EVTCHN_BUCKET_PORTS].used--;
    if (!there || there->state != EVTCHN_UNBOUND || there->remote_domid != d->id)
        return -EINVAL;
    open_port(d, chn, port, EVTCHN_INTERDOMAIN, 0);
    connect(chn, remote, there, remote_port);
    connect(there, d, chn, port);
    there->state = EVTCHN_INTERDOMAIN;
    if (remote_port == remote->evtchn.served)
        chn->state = there->state = EVTCHN_SERVED;
    evtchn_pend(d, chn, port); /* something may have been sent before there was an end */
    return 0;
}

int evtchn_bind_interdomain(struct domain *d, struct domain *remote, uint32_t remote_port,
                            uint32_t *port)
{
    struct domain *first = d < remote ? d : remote, *second = d < remote ? remote : d;
    int err = reserve_port(d, port);

    if (err)
        return err;
    /* The other domain's sends wait for this lock: it is held for as little as can be. */
    spin_lock(&first->evtchn.lock);
    if (second != first)
        spin_lock_second(&second->evtchn.lock, LOCK_EVTCHN_PEER);
    err = bind_interdomain(d, remote, remote_port, *port);
    if (second != first)
        spin_unlock(&second->evtchn.lock);
    spin_unlock(&first->evtchn.lock);
    return err;
}

int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    struct evtchn *chn;
    struct vcpu *v;
    int err;

    if (virq >= EVTCHN_VIRQS || (evtchn_virq_is_global(virq) && vcpu))
        return -EINVAL;
    v = evtchn_vcpu(d, vcpu);
    if (!v)
        return -ENOENT;
    spin_lock(&d->evtchn.lock);
    err = v->evtchn.virq_port[virq] ? -EEXIST : take_port(d, port, &chn);
    if (!err) {
        open_port(d, chn, *port, EVTCHN_VIRQ, vcpu);
        chn->virq = virq;
        write_once(v->evtchn.virq_port[virq], *port);
    }
    spin_unlock(&d->evtchn.lock);
    return err;
}

int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port)
{
    struct evtchn *chn;
    int err;

    if (!evtchn_vcpu(d, vcpu))
        return -ENOENT;
    spin_lock(&d->evtchn.lock);
    err = take_port(d, port, &chn);
    if (!err)
        open_port(d, chn, *port, EVTCHN_IPI, vcpu);
    spin_unlock(&d->evtchn.lock);
    return err;
}

int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
    struct evtchn *chn;
    int err = -EINVAL;

    if (!evtchn_vcpu(d, vcpu))
        return -ENOENT;
    spin_lock(&d->evtchn.lock);
    chn = evtchn_find(d, port);
    if (chn && port != d->evtchn.served &&
        (chn->state == EVTCHN_UNBOUND || evtchn_has_peer(chn) ||
         (chn->state == EVTCHN_VIRQ && evtchn_virq_is_global(chn->virq)))) {
        write_once(chn->notify, (uint8_t)vcpu);
        err = 0;
    }
    spin_unlock(&d->evtchn.lock);
    return err;
}

/* --- use ------------------------------------------------------------------------------------- */

/* By a port that is no end of a common channel. Takes the lock over, and lets it go. */
static __noinline int send_elsewhere(struct domain *d, struct evtchn *chn, uint32_t port)
{
    enum evtchn_state state = chn && port != d->evtchn.served ? chn->state : EVTCHN_FREE;
    struct domain *served = NULL;
    int err = 0;

    if (state == EVTCHN_IPI) {
        evtchn_pend(d, chn, port);
    } else if (state == EVTCHN_SERVED) {
        served = chn->remote_domain;
        domain_hold(served);
    } else if (state != EVTCHN_UNBOUND) { /* to nobody: lost */
        err = -EINVAL;
    }
    spin_unlock(&d->evtchn.lock);
    if (served) {
        served->evtchn.serve(served);
        domain_put(served);
    }
    return err;
}

int evtchn_send(struct domain *d, uint32_t port)
{
    struct evtchn *chn;

    spin_lock(&d->evtchn.lock);
    chn = evtchn_find(d, port);
    if (unlikely(!chn || chn->state != EVTCHN_INTERDOMAIN))
        return send_elsewhere(d, chn, port);
    evtchn_pend(chn->remote_domain, chn->remote, chn->remote_port);
    spin_unlock(&d->evtchn.lock);
    return 0;
}

int evtchn_set_priority(struct domain *d, uint32_t port, uint32_t priority)
{
    struct evtchn *chn;
    int err = 0;

    spin_lock(&d->evtchn.lock);
    chn = evtchn_find(d, port);
    if (chn && !evtchn_is_fifo(d))
        err = -ENOSYS;
    else if (!chn || priority > EVTCHN_FIFO_PRIORITY_MIN)
        err = -EINVAL;
    else
        write_once(chn->priority, (uint8_t)priority);
    spin_unlock(&d->evtchn.lock);
    return err;
}

int evtchn_unmask(struct domain *d, uint32_t port)
{
    struct evtchn *chn;

    spin_lock(&d->evtchn.lock);
    chn = evtchn_find(d, port);
    if (chn && evtchn_is_open(chn)) {
        if (evtchn_is_fifo(d))
            evtchn_fifo_unmask(d, chn, port);
        else
            evtchn_2l_unmask(d, chn, port);
    }
    spin_unlock(&d->evtchn.lock);
    return chn ? 0 : -EINVAL;
}
