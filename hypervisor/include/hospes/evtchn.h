/* SPDX-License-Identifier: MIT */
/*
 * Event channels: one bit from one domain to another, from a vCPU to another, or from Hospes to a
 * domain. <xen/event_channel.h> is the interface to guests, doc/event-channels.md explains.
 *
 * A domain names its ends of channels by port. Records of ports come in buckets, as they are
 * needed; a record never moves, and goes with its domain. Of an interdomain channel both records
 * point at each other, so that a send needs the sender's lock only.
 *
 * Locks: evtchn.lock of a domain (LOCK_EVTCHN) for its records but for what says otherwise; both
 * domains', the one at the lower address first, to make and to end a channel between two.
 * evtchn.queue_lock of a vCPU (LOCK_EVTCHN_FIFO), taken inside, for its FIFO queues. A send reads
 * the receiver's record without the receiver's lock: fields marked (R) are read and written at
 * once.
 */
#ifndef HOSPES_EVTCHN_H
#define HOSPES_EVTCHN_H

#include <hospes/compiler.h>
#include <hospes/guest_area.h>
#include <hospes/spinlock.h>
#include <hospes/types.h>
#include <lib/bitmap.h>

struct domain;
struct vcpu;

/* Of the interface; evtchn.c checks that they are. */
#define EVTCHN_VIRQS  24u  /* NR_VIRQS */
#define EVTCHN_QUEUES 16u  /* EVTCHN_FIFO_MAX_QUEUES */
#define EVTCHN_PAGES  128u /* of event words: EVTCHN_FIFO_NR_CHANNELS of them */

#define EVTCHN_VCPUS        128u /* DOMAIN_MAX_VCPUS */
#define EVTCHN_BUCKET_PORTS 64u
#define EVTCHN_NO_LIMIT     UINT32_MAX
#define EVTCHN_GUEST_LIMIT  1023u /* of guests of whom nobody says else, as with xl and Xen */

/* Hospes is sent an event by a port of `d` that it serves. No lock held. */
typedef void evtchn_serve_fn(struct domain *d);

enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_RESERVED, /* port 0, which stands for none */
    EVTCHN_UNBOUND,  /* waits for remote_domid to bind */
    EVTCHN_INTERDOMAIN,
    EVTCHN_VIRQ,
    EVTCHN_IPI,
    EVTCHN_SERVED, /* as INTERDOMAIN; one end is a port that Hospes serves for its domain */
};

/* One port. */
struct evtchn {
    uint8_t state;    /* enum evtchn_state */
    uint8_t notify;   /* (R) number of the vCPU that is told */
    uint8_t priority; /* (R) FIFO: of the queue that it is linked into next time */
    uint8_t missed;   /* FIFO: was sent while it had no event word; atomic */
    uint16_t queue;   /* FIFO: vCPU * EVTCHN_QUEUES + priority of the queue that it was linked into
                         last; under that vCPU's queue_lock */
    uint16_t remote_domid; /* UNBOUND: the domain that may bind */
    uint32_t remote_port;  /* INTERDOMAIN, SERVED: the other end, as are: */
    uint32_t virq;         /* VIRQ: its number */
    struct domain *remote_domain;
    struct evtchn *remote;
};

struct evtchn_bucket {
    struct evtchn *ports; /* [EVTCHN_BUCKET_PORTS] */
    uint32_t used;        /* of these not FREE */
};

struct evtchn_domain {
    struct spinlock lock;
    bool closing;        /* the domain is going: no port is opened any more */
    uint32_t max_port;   /* the highest that it may have; set before it runs */
    uint32_t nr_ports;   /* that have a record */
    uint32_t nr_open;    /* not FREE, without port 0 */
    uint32_t next_reset; /* EVTCHNOP_reset: the port to go on with; 0: none is under way */
    uint32_t released;   /* evtchn_release_step(): how far it is */
    uint32_t capacity;   /* of buckets[] */
    uint32_t served;     /* the port that Hospes serves; 0: none */
    evtchn_serve_fn *serve;
    struct evtchn_bucket *buckets;
    struct guest_area *pages; /* FIFO: [EVTCHN_PAGES] of event words; NULL: 2-level; release */
    uint32_t nr_words;        /* event words there are; release */
    uint32_t nr_pollers;      /* set bits of `pollers`, or more for a moment; atomic */
    DECLARE_BITMAP(pollers, EVTCHN_VCPUS); /* vCPUs in SCHEDOP_poll; atomic */
};

struct evtchn_vcpu {
    uint32_t virq_port[EVTCHN_VIRQS]; /* under the domain's lock; 0: not bound */
    uint32_t poll_port;               /* what it polls for, 0: any of several */
    struct spinlock queue_lock;
    struct guest_area control;    /* FIFO: its control block; once there it stays until a reset */
    uint32_t tail[EVTCHN_QUEUES]; /* FIFO: last port of each queue, 0: the queue is empty; one that
                                     is not linked any more: so is the queue */
};

/*
 * What a new domain and a new vCPU have: nothing open. 0 or -ENOMEM. d->evtchn.max_port is
 * EVTCHN_NO_LIMIT until the creator changes it. evtchn_domain_destroy() frees the records after
 * evtchn_release_step(); it takes no lock but the heap's.
 */
int evtchn_domain_init(struct domain *d);
void evtchn_domain_destroy(struct domain *d);
void evtchn_vcpu_init(struct vcpu *v);

/*
 * Part of a domain's end; its vCPUs no longer run. Closes some ports: their peers become unbound.
 * Then lets go of the guest's pages. True while there is more. No lock held.
 */
bool evtchn_release_step(struct domain *d);

/*
 * Opens a port of `d` that domain `remote_domid` may bind. 0, -EINVAL (d is going), -ENOSPC,
 * -ENOMEM. For guests, and for who builds a domain with its store and console.
 */
int evtchn_alloc_unbound(struct domain *d, uint16_t remote_domid, uint32_t *port);

/* Binds a new port of `d` to one of `remote`'s that waits for it, and pends it. Errors as above;
 * -EINVAL too: it does not. */
int evtchn_bind_interdomain(struct domain *d, struct domain *remote, uint32_t remote_port,
                            uint32_t *port);
/* -EINVAL: no such VIRQ, or a global one not on vCPU 0; -ENOENT: no such vCPU; -EEXIST. */
int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port);
int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *port);

/* Who is told of its events from now on. -ENOENT: no vCPU; -EINVAL: no port that may change. */
int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu);

/*
 * A port of `d` that domain `remote_domid` may bind and that Hospes serves instead of `d`, which
 * can neither send by it nor close it: for a device of the domain's that another domain has the
 * other end of. evtchn_serve_send() pends that, if it is there. evtchn_serve_end() for who did not
 * get on. Errors as above, and -EEXIST: a domain has one.
 */
int evtchn_serve(struct domain *d, uint16_t remote_domid, evtchn_serve_fn *serve, uint32_t *port);
void evtchn_serve_send(struct domain *d);
void evtchn_serve_end(struct domain *d);

/* Its peer, if it has one, is unbound then. 0 or -EINVAL: it is not open. */
int evtchn_close(struct domain *d, uint32_t port);

/* Pends the other end. 0, or -EINVAL: no port to send by. Locks ranked before LOCK_EVTCHN may be
 * held, here and below. */
int evtchn_send(struct domain *d, uint32_t port);

/* Pends what `v` has bound to a VIRQ of each vCPU's own (VIRQ_TIMER, VIRQ_DEBUG ...), if it has. */
void evtchn_send_virq(struct vcpu *v, uint32_t virq);

/*
 * Pends a VIRQ that the machine has once (VIRQ_DOM_EXC, VIRQ_CON_RING ...), in the domain that was
 * chosen for it, else in the hardware domain. No lock held.
 */
void evtchn_send_global_virq(uint32_t virq);

/* Chooses. 0 or -EINVAL: no such VIRQ. No lock held. */
int evtchn_set_virq_handler(struct domain *d, uint32_t virq);

/* FIFO: which queue it is linked into, 0 first .. EVTCHN_QUEUES - 1. -EINVAL, -ENOSYS (2-level). */
int evtchn_set_priority(struct domain *d, uint32_t port, uint32_t priority);

/* Lets events of `port` through, and makes up for what came meanwhile. 0 or -EINVAL. */
int evtchn_unmask(struct domain *d, uint32_t port);

/*
 * Closes all ports, and goes back to the 2-level interface. `resuming`: as before, after -ERESTART.
 * -EBUSY: somebody does so already; -EAGAIN: ports were opened meanwhile.
 */
int evtchn_reset(struct domain *d, bool resuming);

/*
 * SCHEDOP_poll by the current vCPU: begin, look at each port that it names, then wait, or end if
 * any look gave other than 0. `only`: the one port, 0: there are several. A send to them from
 * begin() on, or an interrupt, ends the wait; so does whoever calls vcpu_kick() (a timer).
 */
void evtchn_poll_begin(struct vcpu *v, uint32_t only);
int evtchn_poll_look(struct vcpu *v, uint32_t port); /* 1: pending, 0: not, -EINVAL: no port */
void evtchn_poll_wait(struct vcpu *v);
void evtchn_poll_end(struct vcpu *v);

/* The hypercall: of EVTCHNOP_* and the address of its argument. */
int64_t event_channel_op(struct vcpu *v, uint64_t *arg);

/* For the console's debug keys: the ports of all domains, as many lines as a key may print. */
void evtchn_dump_all(void);

#endif
