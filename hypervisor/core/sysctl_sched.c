/* SPDX-License-Identifier: MIT */
/* The scheduler and its pCPUs, of <xen/sysctl.h>. There is one pool of pCPUs, number 0. */
#include "sysctl_internal.h"

#include <hospes/cmdline.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <lib/bits.h>

/* Fair sharing by weight is Credit2's manner. */
uint32_t sysctl_scheduler(void)
{
    return options.sched == SCHED_NULL ? XEN_SCHEDULER_NULL : XEN_SCHEDULER_CREDIT2;
}

int64_t sysctl_sched_id(struct sysctl *s)
{
    s->op->u.sched_id.sched_id = sysctl_scheduler();
    return 0;
}

int64_t sysctl_getcpuinfo(struct sysctl *s)
{
    struct xen_sysctl_getcpuinfo *op = &s->op->u.getcpuinfo;
    uint32_t nr = min(op->max_cpus, nr_pcpus);

    for (uint32_t i = 0; i < nr; i++) {
        const struct xen_sysctl_cpuinfo info = {
            .idletime = bitmap_test(pcpus_online, i) ? sched_idle_ns(pcpus[i]) : 0,
        };

        if (guest_write(s->caller, guest_element(op->info, i), &info, sizeof(info)))
            return -EFAULT;
    }
    op->nr_cpus = nr;
    return 0;
}

static void count_one(struct domain *d, void *n)
{
    (void)d;
    ++*(uint32_t *)n;
}

/* The pool with the next number from the one asked for. */
static int64_t pool_info(struct sysctl *s)
{
    struct xen_sysctl_cpupool_op *op = &s->op->u.cpupool_op;
    uint32_t domains = 0;

    if (op->cpupool_id)
        return -ENOENT;
    domain_for_all(count_one, &domains);
    op->sched_id = sysctl_scheduler();
    op->n_dom = domains;
    return sysctl_write_bits(s->caller, &op->cpumap, pcpus_online, nr_pcpus);
}

static int64_t pool_free_info(struct sysctl *s)
{
    DECLARE_BITMAP(none, MAX_PCPUS) = { 0 };

    return sysctl_write_bits(s->caller, &s->op->u.cpupool_op.cpumap, none, nr_pcpus);
}

static int64_t pool_move_domain(const struct xen_sysctl_cpupool_op *op)
{
    struct domain *d = op->domid < DOMID_FIRST_RESERVED ? domain_get((uint16_t)op->domid) : NULL;

    if (!d)
        return -EINVAL;
    domain_put(d);
    return op->cpupool_id ? -ENOENT : 0;
}

static int64_t pool_change(const struct xen_sysctl_cpupool_op *op)
{
    bool any = op->cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY;

    if (op->cpupool_id)
        return -ENOENT;
    if (!any && op->cpu >= nr_pcpus)
        return -EINVAL;
    /* None is free to be added; and no domain may be left without. */
    return op->op == XEN_SYSCTL_CPUPOOL_OP_ADDCPU ? -ENODEV : -EBUSY;
}

int64_t sysctl_cpupool_op(struct sysctl *s)
{
    const struct xen_sysctl_cpupool_op *op = &s->op->u.cpupool_op;

    switch (op->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return -EOPNOTSUPP;
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return op->cpupool_id ? -ENOENT : -EBUSY;
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return pool_info(s);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return pool_change(op);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return pool_move_domain(op);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return pool_free_info(s);
    default:
        return -ENOSYS;
    }
}

/* Switches are not rate-limited. */
int64_t sysctl_scheduler_op(struct sysctl *s)
{
    struct xen_sysctl_scheduler_op *op = &s->op->u.scheduler_op;

    if (op->cpupool_id)
        return -ESRCH;
    if (op->sched_id != sysctl_scheduler() || op->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    switch (op->cmd) {
    case XEN_SYSCTL_SCHEDOP_putinfo:
        return op->u.sched_credit2.ratelimit_us ? -EOPNOTSUPP : 0;
    case XEN_SYSCTL_SCHEDOP_getinfo:
        op->u.sched_credit2.ratelimit_us = 0;
        return 0;
    default:
        return -EINVAL;
    }
}
