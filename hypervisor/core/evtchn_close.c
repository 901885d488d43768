/* SPDX-License-Identifier: MIT */
/*
 * The end of event channels: of one, of all that a domain has because it asks for that, or because
 * it goes. The other end of a closed channel waits to be bound again, by the same domain.
 */
#include "evtchn_internal.h"

#include <hospes/errno.h>
#include <hospes/hypercall.h>

/* Ports closed between two looks whether something else is more urgent, or in a step of the end. */
#define CLOSE_STEP 64u

/* An open port; of an interdomain channel, with both locks. */
static void close_port(struct domain *d, struct evtchn *chn, uint32_t port)
{
    if (chn->state == EVTCHN_VIRQ) {
        uint32_t vcpu = evtchn_virq_is_global(chn->virq) ? 0 : chn->notify;

        write_once(d->vcpus[vcpu]->evtchn.virq_port[chn->virq], 0);
    } else if (evtchn_has_peer(chn)) {
        chn->remote->state = EVTCHN_UNBOUND;
        chn->remote->remote_domid = d->id;
    }
    /* What comes next by this number must not find an event that was not its own. */
    if (evtchn_is_fifo(d))
        evtchn_fifo_clear(d, port);
    else
        evtchn_2l_clear(d, port);
    __atomic_store_n(&chn->missed, 0, __ATOMIC_RELAXED);
    chn->state = EVTCHN_FREE;
    write_once(chn->notify, 0);
    if (port == d->evtchn.served)
        d->evtchn.served = 0;
    d->evtchn.buckets[port / EVTCHN_BUCKET_PORTS].used--;
    d->evtchn.nr_open--;
}

/*
 * Takes the lock of `peer` too, while that of `d` is held, which may be let go for a moment: then
 * the caller looks again.
 */
static void lock_peer(struct domain *d, struct domain *peer)
{
    if (d < peer) {
        spin_lock_second(&peer->evtchn.lock, LOCK_EVTCHN_PEER);
        return;
    }
    spin_unlock(&d->evtchn.lock);
    spin_lock(&peer->evtchn.lock);
    spin_lock_second(&d->evtchn.lock, LOCK_EVTCHN_PEER);
}

int evtchn_close(struct domain *d, uint32_t port)
{
    struct domain *peer = NULL;
    struct evtchn *chn;
    int err = -EINVAL;

    spin_lock(&d->evtchn.lock);
    chn = evtchn_find(d, port);
    if (chn && evtchn_has_peer(chn) && chn->remote_domain != d) {
        peer = chn->remote_domain;
        domain_hold(peer); /* it may end the channel, and itself, when we let go of the lock */
        lock_peer(d, peer);
    }
    /* Closed and bound to a third domain meanwhile, it was closed all the same. */
    if (chn && evtchn_is_open(chn) && (port != d->evtchn.served || d->evtchn.closing) &&
        !(evtchn_has_peer(chn) && chn->remote_domain != (peer ? peer : d))) {
        close_port(d, chn, port);
        err = 0;
    }
    if (peer)
        spin_unlock(&peer->evtchn.lock);
    spin_unlock(&d->evtchn.lock);
    if (peer)
        domain_put(peer);
    return err;
}

int evtchn_reset(struct domain *d, bool resuming)
{
    struct evtchn_domain *e = &d->evtchn;
    uint32_t port;
    int err = 0;

    spin_lock(&e->lock);
    port = resuming ? e->next_reset : !e->next_reset;
    if (port && !resuming)
        e->next_reset = port;
    spin_unlock(&e->lock);
    if (!port)
        return -EBUSY;
    for (; port < read_once(e->nr_ports); port++) {
        if (port % CLOSE_STEP == 0 && hypercall_should_stop()) {
            spin_lock(&e->lock);
            e->next_reset = port;
            spin_unlock(&e->lock);
            return -ERESTART;
        }
        (void)evtchn_close(d, port);
    }
    spin_lock(&e->lock);
    e->next_reset = 0;
    if (e->nr_open > (e->served ? 1 : 0))
        err = -EAGAIN;
    else
        evtchn_fifo_destroy(d);
    spin_unlock(&e->lock);
    return err;
}

bool evtchn_release_step(struct domain *d)
{
    struct evtchn_domain *e = &d->evtchn;

    spin_lock(&e->lock);
    e->closing = true;
    spin_unlock(&e->lock);
    for (uint32_t n = CLOSE_STEP; n && e->released < e->nr_ports; n--)
        (void)evtchn_close(d, e->released++);
    if (e->released < e->nr_ports)
        return true;
    evtchn_drop_virq_handler(d);
    spin_lock(&e->lock);
    evtchn_fifo_destroy(d);
    spin_unlock(&e->lock);
    return false;
}
