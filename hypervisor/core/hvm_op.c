/* SPDX-License-Identifier: MIT */
/*
 * hvm_op: numbers that toolstack and guest tell one another, and who may do which. <xen/hvm/>;
 * as on Xen for Arm, where nothing else of hvm_op is there.
 */
#include <hospes/abi.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/vcpu.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/xen.h>

_Static_assert(DOMAIN_HVM_PARAMS == HVM_NR_PARAMS, "room for all");

enum right { NOBODY, TOOLSTACK, READ_BY_GUEST };

static enum right right_to(uint32_t index)
{
    switch (index) {
    case HVM_PARAM_CALLBACK_IRQ:
    case HVM_PARAM_STORE_PFN:
    case HVM_PARAM_STORE_EVTCHN:
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_CONSOLE_EVTCHN:
        return READ_BY_GUEST;
    case HVM_PARAM_MONITOR_RING_PFN:
        return TOOLSTACK;
    default:
        return NOBODY;
    }
}

/* The domain that `p` is about may be the caller's own. */
static int access_param(struct domain *d, bool own, bool set, struct xen_hvm_param *p)
{
    enum right right = right_to(p->index);

    if (right == NOBODY)
        return -EINVAL;
    if (own && (set || right == TOOLSTACK))
        return -EPERM;
    if (set)
        write_once(d->hvm_params[p->index], p->value);
    else
        p->value = read_once(d->hvm_params[p->index]);
    return 0;
}

static int64_t param(struct vcpu *v, bool set, uint64_t at)
{
    struct xen_hvm_param p;
    struct domain *d;
    int err;

    if (guest_read(v, &p, at, sizeof(p)))
        return -EFAULT;
    err = hypercall_target(v, p.domid, &d);
    if (err)
        return err;
    err = access_param(d, d == v->domain, set, &p);
    domain_put(d);
    return err || set ? err : guest_write(v, at, &p, sizeof(p));
}

int64_t hvm_op(struct vcpu *v, uint64_t *arg)
{
    switch (arg[0]) {
    case HVMOP_set_param:
        return param(v, true, arg[1]);
    case HVMOP_get_param:
        return param(v, false, arg[1]);
    case HVMOP_guest_request_vm_event: /* nobody monitors it */
        return arg[1] ? -EINVAL : 0;
    default:
        return -ENOSYS;
    }
}
