/* SPDX-License-Identifier: MIT */
/* Event channels for people: what the debug key prints. */
#include "evtchn_internal.h"

#include <hospes/log.h>
#include <lib/format.h>

#define DUMP_PORTS 64u /* of a domain */

static void dump_port(struct domain *d, const struct evtchn *chn, uint32_t port)
{
    char what[48] = "IPI";

    if (chn->state == EVTCHN_UNBOUND)
        format(what, sizeof(what), "waits for domain %u", chn->remote_domid);
    else if (evtchn_has_peer(chn))
        format(what, sizeof(what), "to port %u of domain %u", chn->remote_port,
               chn->remote_domain->id);
    else if (chn->state == EVTCHN_VIRQ)
        format(what, sizeof(what), "VIRQ %u", chn->virq);
    log_info("  %u: %s, vCPU %u%s%s", port, what, chn->notify,
             evtchn_is_pending(d, port) ? ", pending" : "",
             evtchn_is_masked(d, port) ? ", masked" : "");
}

static void dump_domain(struct domain *d, void *unused)
{
    struct evtchn_domain *e = &d->evtchn;
    uint32_t lines = DUMP_PORTS;

    (void)unused;
    spin_lock(&e->lock);
    log_info("domain %u: %u event channels, %s", d->id, e->nr_open,
             evtchn_is_fifo(d) ? "FIFO" : "2-level");
    for (uint32_t port = 1; port < e->nr_ports && lines; port++) {
        const struct evtchn *chn = evtchn_find(d, port);

        if (evtchn_is_open(chn)) {
            dump_port(d, chn, port);
            lines--;
        }
    }
    spin_unlock(&e->lock);
}

void evtchn_dump_all(void)
{
    domain_for_all(dump_domain, NULL);
}
