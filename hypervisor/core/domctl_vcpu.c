/* SPDX-License-Identifier: MIT */
/* vCPUs' states, of <xen/domctl.h>. */
#include "domctl_internal.h"

#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/vcpu.h>

static struct vcpu *find_vcpu(const struct domain *d, uint32_t id)
{
    return id < d->max_vcpus ? load_acquire(d->vcpus[id]) : NULL;
}

/* It runs no more; its registers are in memory. Undone by sched_unpause(). */
static void stop_vcpu(const struct domctl *c, struct vcpu *v)
{
    sched_pause(&v->sched);
    while (sched_is_running(&v->sched) && !read_once(c->caller->sched.pause_count))
        pcpu_wait_round();
}

static int set_context(const struct domctl *c, struct vcpu *v, const struct vcpu_guest_context *ctx)
{
    struct domain *d = v->domain;
    int rc = -ERESTART;

    stop_vcpu(c, v);
    spin_lock(&d->lock);
    if (!sched_is_running(&v->sched))
        rc = arch_vcpu_set_context(v, ctx);
    if (!rc) {
        v->initialised = true;
        if (!arch_context_is_online(ctx))
            vcpu_down(v);
        else if (!v->online)
            vcpu_up(v);
    }
    spin_unlock(&d->lock);
    sched_unpause(&v->sched);
    return rc;
}

/* Without a context: off, as it was when it was made. */
static int reset(const struct domctl *c, struct vcpu *v)
{
    struct domain *d = v->domain;
    int rc = -ERESTART;

    stop_vcpu(c, v);
    spin_lock(&d->lock);
    if (!sched_is_running(&v->sched)) {
        vcpu_down(v);
        arch_vcpu_reset(v);
        v->initialised = false;
        rc = 0;
    }
    spin_unlock(&d->lock);
    sched_unpause(&v->sched);
    return rc;
}

int64_t domctl_setvcpucontext(struct domctl *c)
{
    const struct xen_domctl_vcpucontext *op = &c->op->u.vcpucontext;
    struct vcpu *v = find_vcpu(c->d, op->vcpu);
    struct vcpu_guest_context *ctx;
    int rc = -EFAULT;

    if (c->d == c->caller->domain || !v)
        return -EINVAL;
    if (guest_handle_is_null(op->ctxt))
        return reset(c, v);
    ctx = heap_alloc(sizeof(*ctx));
    if (!ctx)
        return -ENOMEM;
    if (!guest_read(c->caller, ctx, guest_address(op->ctxt), sizeof(*ctx)))
        rc = set_context(c, v, ctx);
    heap_free(ctx);
    return rc;
}

int64_t domctl_getvcpucontext(struct domctl *c)
{
    const struct xen_domctl_vcpucontext *op = &c->op->u.vcpucontext;
    struct vcpu *v = find_vcpu(c->d, op->vcpu);
    struct vcpu_guest_context *ctx;
    int rc = -ERESTART;

    if (!v || v == c->caller)
        return -EINVAL;
    if (!read_once(v->initialised))
        return -ENODATA;
    ctx = heap_alloc(sizeof(*ctx));
    if (!ctx)
        return -ENOMEM;
    stop_vcpu(c, v);
    if (!sched_is_running(&v->sched)) {
        arch_vcpu_get_context(v, ctx);
        rc = 0;
    }
    sched_unpause(&v->sched);
    if (!rc && guest_write(c->caller, guest_address(op->ctxt), ctx, sizeof(*ctx)))
        rc = -EFAULT;
    heap_free(ctx);
    return rc;
}

/* Not one that waits, though its state may be loaded yet on a pCPU that idles. */
static bool is_running(const struct vcpu *v)
{
    return sched_is_running(&v->sched) && !read_once(v->blocked);
}

int64_t domctl_getvcpuinfo(struct domctl *c)
{
    struct xen_domctl_getvcpuinfo *info = &c->op->u.getvcpuinfo;
    const struct vcpu *v = find_vcpu(c->d, info->vcpu);

    if (info->vcpu >= c->d->max_vcpus)
        return -EINVAL;
    if (!v)
        return -ESRCH;
    info->online = read_once(v->online);
    info->blocked = read_once(v->blocked);
    info->running = is_running(v);
    info->cpu_time = sched_runtime_ns(&v->sched);
    info->cpu = read_once(v->sched.pcpu)->id;
    return 0;
}
