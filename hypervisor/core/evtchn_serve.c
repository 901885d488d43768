/* SPDX-License-Identifier: MIT */
/* The port of a domain's that Hospes serves in its place; <hospes/evtchn.h> has the contract. */
#include "evtchn_internal.h"

#include <hospes/errno.h>

int evtchn_serve(struct domain *d, uint16_t remote_domid, evtchn_serve_fn *serve, uint32_t *port)
{
    int err;

    spin_lock(&d->evtchn.lock);
    err = d->evtchn.served ? -EEXIST : evtchn_open_unbound(d, remote_domid, port);
    if (!err) {
        d->evtchn.serve = serve;
        d->evtchn.served = *port;
    }
    spin_unlock(&d->evtchn.lock);
    return err;
}

void evtchn_serve_send(struct domain *d)
{
    const struct evtchn *chn;

    spin_lock(&d->evtchn.lock);
    chn = evtchn_find(d, d->evtchn.served);
    if (chn && chn->state == EVTCHN_SERVED)
        evtchn_pend(chn->remote_domain, chn->remote, chn->remote_port);
    spin_unlock(&d->evtchn.lock);
}

void evtchn_serve_end(struct domain *d)
{
    uint32_t port;

    spin_lock(&d->evtchn.lock);
    port = d->evtchn.served;
    d->evtchn.served = 0;
    spin_unlock(&d->evtchn.lock);
    (void)evtchn_close(d, port);
}
