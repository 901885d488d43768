/* SPDX-License-Identifier: MIT */
/*
 * hvm_op: numbers that toolstack and guest tell one another. <xen/hvm/>. Which there are, who may
 * read and set them, and what else of hvm_op is there, the architecture says.
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

/* The domain that `p` is about may be the caller's own. */
static int access_param(struct domain *d, bool own, bool set, struct xen_hvm_param *p)
{
    enum hvm_param_right right = arch_hvm_param_right(p->index);

    if (right == HVM_PARAM_NOBODY)
        return -EINVAL;
    if (own && right < (set ? HVM_PARAM_GUEST_SETS : HVM_PARAM_GUEST_READS))
        return -EPERM;
    if (set)
        return arch_hvm_param_set(d, p->index, p->value);
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
        return arch_hvm_op(v, arg[0], arg[1]);
    }
}
