/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_event_channel_op: arguments in, errors as the interface has them, results out;
 * <xen/event_channel.h>. What a call has opened is closed again if its answer cannot be written.
 */
#include "evtchn_internal.h"

#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

/* EVTCHNOP_reset_cont, which the header shows to Xen only: a reset goes on. */
#define RESET_GOES_ON 14u

/* Copies the operation's argument in; and the same where an answer goes back to the same place. */
#define read_arg(v, from, op) guest_read((v), &(op), (from), sizeof(op))
#define open_arg(w, from, op) guest_window_read((w), &(op), (from), sizeof(op))

/*
 * The domain `domid`, with a reference, that the caller may act on: itself, or any if it is a
 * control domain. Unlike hypercall_target() tells everybody which ones there are, as Xen does.
 */
static int target(struct vcpu *v, uint16_t domid, struct domain **out)
{
    struct domain *d = domain_get(domid == DOMID_SELF ? v->domain->id : domid);

    if (!d)
        return -ESRCH;
    if (d != v->domain && !v->domain->control) {
        domain_put(d);
        return -EPERM;
    }
    *out = d;
    return 0;
}

/* Writes the answer of a call that has opened `port`. */
static int64_t answer(struct guest_window *w, uint64_t to, const void *op, uint32_t bytes,
                      struct domain *d, uint32_t port)
{
    int err = guest_window_write(w, to, op, bytes);

    if (err)
        (void)evtchn_close(d, port);
    return err;
}

static int64_t alloc_unbound(struct guest_window *w, uint64_t arg)
{
    struct evtchn_alloc_unbound op;
    struct domain *d, *remote;
    int64_t rc;

    if (open_arg(w, arg, op))
        return -EFAULT;
    rc = target(w->v, op.dom, &d);
    if (rc)
        return rc;
    remote = domain_get(op.remote_dom == DOMID_SELF ? w->v->domain->id : op.remote_dom);
    rc = remote ? evtchn_alloc_unbound(d, remote->id, &op.port) : -ESRCH;
    if (!rc)
        rc = answer(w, arg, &op, sizeof(op), d, op.port);
    if (remote)
        domain_put(remote);
    domain_put(d);
    return rc;
}

static int64_t bind_interdomain(struct guest_window *w, uint64_t arg)
{
    struct evtchn_bind_interdomain op;
    struct domain *d = w->v->domain, *remote;
    int64_t rc;

    if (open_arg(w, arg, op))
        return -EFAULT;
    remote = domain_get(op.remote_dom == DOMID_SELF ? d->id : op.remote_dom);
    if (!remote)
        return -ESRCH;
    rc = evtchn_bind_interdomain(d, remote, op.remote_port, &op.local_port);
    if (!rc)
        rc = answer(w, arg, &op, sizeof(op), d, op.local_port);
    domain_put(remote);
    return rc;
}

static int64_t bind_virq(struct guest_window *w, uint64_t arg)
{
    struct evtchn_bind_virq op;
    int64_t rc;

    if (open_arg(w, arg, op))
        return -EFAULT;
    rc = evtchn_bind_virq(w->v->domain, op.virq, op.vcpu, &op.port);
    return rc ? rc : answer(w, arg, &op, sizeof(op), w->v->domain, op.port);
}

static int64_t bind_ipi(struct guest_window *w, uint64_t arg)
{
    struct evtchn_bind_ipi op;
    int64_t rc;

    if (open_arg(w, arg, op))
        return -EFAULT;
    rc = evtchn_bind_ipi(w->v->domain, op.vcpu, &op.port);
    return rc ? rc : answer(w, arg, &op, sizeof(op), w->v->domain, op.port);
}

/* Physical interrupts reach guests as such. */
static int64_t bind_pirq(struct guest_window *w, uint64_t arg)
{
    struct evtchn_bind_pirq op;

    return read_arg(w->v, arg, op) ? -EFAULT : -EOPNOTSUPP;
}

static int64_t close_op(struct guest_window *w, uint64_t arg)
{
    struct evtchn_close op;

    return read_arg(w->v, arg, op) ? -EFAULT : evtchn_close(w->v->domain, op.port);
}

static inline int64_t send(struct vcpu *v, uint64_t arg)
{
    struct evtchn_send op;

    return unlikely(read_arg(v, arg, op)) ? -EFAULT : evtchn_send(v->domain, op.port);
}

/* Fills in what `port` is. */
static int describe(struct domain *d, uint32_t port, struct evtchn_status *op)
{
    static const uint8_t status[] = {
        [EVTCHN_FREE] = EVTCHNSTAT_closed,        [EVTCHN_RESERVED] = EVTCHNSTAT_closed,
        [EVTCHN_UNBOUND] = EVTCHNSTAT_unbound,    [EVTCHN_INTERDOMAIN] = EVTCHNSTAT_interdomain,
        [EVTCHN_VIRQ] = EVTCHNSTAT_virq,          [EVTCHN_IPI] = EVTCHNSTAT_ipi,
        [EVTCHN_SERVED] = EVTCHNSTAT_interdomain,
    };
    const struct evtchn *chn;
    int err = 0;

    spin_lock(&d->evtchn.lock);
    chn = evtchn_find(d, port);
    if (!chn) {
        err = -EINVAL;
    } else if (port && port == d->evtchn.served) {
        err = -EACCES;
    } else {
        op->status = status[chn->state];
        op->vcpu = chn->notify;
        if (chn->state == EVTCHN_UNBOUND) {
            op->u.unbound.dom = chn->remote_domid;
        } else if (evtchn_has_peer(chn)) {
            op->u.interdomain.dom = chn->remote_domain->id;
            op->u.interdomain.port = chn->remote_port;
        } else if (chn->state == EVTCHN_VIRQ) {
            op->u.virq = chn->virq;
        }
    }
    spin_unlock(&d->evtchn.lock);
    return err;
}

static int64_t status(struct guest_window *w, uint64_t arg)
{
    struct evtchn_status op;
    struct domain *d;
    int64_t rc;

    if (open_arg(w, arg, op))
        return -EFAULT;
    rc = target(w->v, op.dom, &d);
    if (rc)
        return rc;
    rc = describe(d, op.port, &op);
    domain_put(d);
    return rc ? rc : guest_window_write(w, arg, &op, sizeof(op));
}

static int64_t bind_vcpu(struct guest_window *w, uint64_t arg)
{
    struct evtchn_bind_vcpu op;

    return read_arg(w->v, arg, op) ? -EFAULT : evtchn_bind_vcpu(w->v->domain, op.port, op.vcpu);
}

static int64_t unmask(struct guest_window *w, uint64_t arg)
{
    struct evtchn_unmask op;

    return read_arg(w->v, arg, op) ? -EFAULT : evtchn_unmask(w->v->domain, op.port);
}

/* Of another domain only while the toolstack has paused it. */
static int64_t reset(struct vcpu *v, uint64_t *arg)
{
    struct evtchn_reset op;
    struct domain *d;
    int64_t rc;

    if (read_arg(v, arg[1], op))
        return -EFAULT;
    rc = target(v, op.dom, &d);
    if (rc)
        return rc;
    if (d != v->domain && !read_once(d->control_pauses))
        rc = -EINVAL;
    else
        rc = evtchn_reset(d, (uint32_t)arg[0] == RESET_GOES_ON);
    domain_put(d);
    if (rc == -ERESTART)
        arg[0] = RESET_GOES_ON;
    return rc;
}

static int64_t init_control(struct guest_window *w, uint64_t arg)
{
    struct evtchn_init_control op;
    int64_t rc;

    if (open_arg(w, arg, op))
        return -EFAULT;
    rc = evtchn_fifo_init_control(w->v->domain, &op);
    return rc ? rc : guest_window_write(w, arg, &op, sizeof(op));
}

static int64_t expand_array(struct guest_window *w, uint64_t arg)
{
    struct evtchn_expand_array op;

    return read_arg(w->v, arg, op) ? -EFAULT : evtchn_fifo_expand_array(w->v->domain, op.array_gfn);
}

static int64_t set_priority(struct guest_window *w, uint64_t arg)
{
    struct evtchn_set_priority op;

    return read_arg(w->v, arg, op) ? -EFAULT
                                   : evtchn_set_priority(w->v->domain, op.port, op.priority);
}

/* With the page of the argument, where an answer goes. */
typedef int64_t operation(struct guest_window *w, uint64_t arg);

static int64_t in_window(struct vcpu *v, operation *run, uint64_t arg)
{
    struct guest_window w = { .v = v };
    int64_t rc = run(&w, arg);

    guest_window_close(&w);
    return rc;
}

int64_t event_channel_op(struct vcpu *v, uint64_t *arg)
{
    static operation *const ops[] = {
        [EVTCHNOP_bind_interdomain] = bind_interdomain,
        [EVTCHNOP_bind_virq] = bind_virq,
        [EVTCHNOP_bind_pirq] = bind_pirq,
        [EVTCHNOP_close] = close_op,
        [EVTCHNOP_status] = status,
        [EVTCHNOP_alloc_unbound] = alloc_unbound,
        [EVTCHNOP_bind_ipi] = bind_ipi,
        [EVTCHNOP_bind_vcpu] = bind_vcpu,
        [EVTCHNOP_unmask] = unmask,
        [EVTCHNOP_init_control] = init_control,
        [EVTCHNOP_expand_array] = expand_array,
        [EVTCHNOP_set_priority] = set_priority,
    };
    uint32_t op = (uint32_t)arg[0];

    if (likely(op == EVTCHNOP_send))
        return send(v, arg[1]);
    if (op == EVTCHNOP_reset || op == RESET_GOES_ON)
        return reset(v, arg);
    return op < array_size(ops) && ops[op] ? in_window(v, ops[op], arg[1]) : -ENOSYS;
}
