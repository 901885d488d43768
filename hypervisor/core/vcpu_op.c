/* SPDX-License-Identifier: MIT */
/* vcpu_op: what a domain asks about its own vCPUs. <xen/vcpu.h> */
#include <hospes/abi.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/runstate.h>
#include <hospes/vcpu.h>
#include <hospes/vcpu_info.h>
#include <hospes/vcpu_timer.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

static int64_t register_info(struct vcpu *v, struct vcpu *target, uint64_t at)
{
    struct vcpu_register_vcpu_info r;
    gaddr_t a;

    if (guest_read(v, &r, at, sizeof(r)))
        return -EFAULT;
    a = gaddr_add(gfn_to_gaddr(GFN(r.mfn)), r.offset);
    if (r.mfn != gaddr_to_gfn(a).v) /* an offset beyond the page, a frame beyond all */
        return -EINVAL;
    return vcpu_info_register(target, a);
}

static int64_t register_runstate(struct vcpu *v, struct vcpu *target, uint64_t at)
{
    struct vcpu_register_runstate_memory_area r;

    if (guest_read(v, &r, at, sizeof(r)))
        return -EFAULT;
    return runstate_place_virtual(target, v, r.addr.p);
}

static int64_t register_runstate_physical(struct vcpu *v, struct vcpu *target, uint64_t at)
{
    struct vcpu_register_runstate_memory_area r;

    if (guest_read(v, &r, at, sizeof(r)))
        return -EFAULT;
    return runstate_place_physical(target, GADDR(r.addr.p));
}

/* One that had a state to begin with, or was switched off, goes on. */
static int64_t switch_on(struct vcpu *target)
{
    struct domain *d = target->domain;
    int64_t rc = 0;

    spin_lock(&d->lock);
    if (!target->initialised)
        rc = -EINVAL;
    else if (!target->online && sched_is_running(&target->sched))
        rc = -ERESTART; /* it has not left yet */
    else if (!target->online)
        vcpu_up(target);
    spin_unlock(&d->lock);
    return rc;
}

/* A vCPU switches itself off; others are not stopped in the middle of what they do. */
static int64_t switch_off(struct vcpu *v, struct vcpu *target)
{
    if (target != v)
        return read_once(target->online) ? -EOPNOTSUPP : 0;
    spin_lock(&v->domain->lock);
    vcpu_down(v);
    spin_unlock(&v->domain->lock);
    return 0;
}

int64_t vcpu_op(struct vcpu *v, uint64_t *arg)
{
    uint32_t cmd = (uint32_t)arg[0], id = (uint32_t)arg[1];
    struct domain *d = v->domain;
    struct vcpu *target = id < d->max_vcpus ? d->vcpus[id] : NULL;

    if (!target)
        return -ENOENT;
    if (!arch_vcpu_op_exists(cmd))
        return -EINVAL;
    switch (cmd) {
    case VCPUOP_register_vcpu_info:
        return register_info(v, target, arg[2]);
    case VCPUOP_register_runstate_memory_area:
        return register_runstate(v, target, arg[2]);
    case VCPUOP_register_runstate_phys_area:
        return register_runstate_physical(v, target, arg[2]);
    case VCPUOP_set_periodic_timer:
    case VCPUOP_stop_periodic_timer:
    case VCPUOP_set_singleshot_timer:
    case VCPUOP_stop_singleshot_timer:
        return vcpu_timer_op(v, target, cmd, arg[2]);
    case VCPUOP_is_up:
        return read_once(target->online);
    case VCPUOP_up:
        return switch_on(target);
    case VCPUOP_down:
        return switch_off(v, target);
    default:
        return arch_vcpu_op(v, target, cmd, arg[2]);
    }
}
