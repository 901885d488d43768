/* SPDX-License-Identifier: MIT */
/* Domains' lives and what is told of them, of <xen/domctl.h>. */
#include "domctl_internal.h"

#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/evtchn.h>
#include <hospes/hypercall.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/vcpu.h>
#include <hospes/wallclock.h>
#include <string.h>

/* More than any toolstack needs, and the scheduler's count has room for. */
#define MOST_PAUSES 255u

/* --- life ------------------------------------------------------------------------------------- */

/* The hardware domain's end is the machine's, and nobody saws off the branch he sits on. */
int64_t domctl_destroydomain(struct domctl *c)
{
    if (c->d == c->caller->domain || c->d->hardware)
        return -EINVAL;
    (void)domain_kill(c->d);
    while (domain_teardown_step(c->d)) {
        if (hypercall_should_stop())
            return -ERESTART;
        pcpu_wait_round();
    }
    return 0;
}

/* Until its vCPUs have left the guest; they do at once, unless we are the one who is to leave. */
static void wait_quiet(const struct domctl *c)
{
    while (!domain_is_quiet(c->d) && !read_once(c->caller->sched.pause_count))
        pcpu_wait_round();
}

int64_t domctl_pausedomain(struct domctl *c)
{
    struct domain *d = c->d;
    int rc = 0;

    if (d == c->caller->domain)
        return -EINVAL;
    spin_lock(&d->lock);
    if (d->control_pauses == MOST_PAUSES)
        rc = -EOVERFLOW;
    else if (d->control_pauses++ == 0)
        domain_pause(d);
    spin_unlock(&d->lock);
    if (!rc)
        wait_quiet(c);
    return rc;
}

int64_t domctl_unpausedomain(struct domctl *c)
{
    struct domain *d = c->d;
    int rc = 0;

    spin_lock(&d->lock);
    if (d->control_pauses == 0)
        rc = -EINVAL;
    else if (--d->control_pauses == 0)
        domain_unpause(d);
    spin_unlock(&d->lock);
    return rc;
}

int64_t domctl_resumedomain(struct domctl *c)
{
    return c->d == c->caller->domain ? -EINVAL : domain_resume(c->d);
}

/* --- settings --------------------------------------------------------------------------------- */

int64_t domctl_setdomainhandle(struct domctl *c)
{
    spin_lock(&c->d->lock);
    memcpy(c->d->handle, c->op->u.setdomainhandle.handle, sizeof(c->d->handle));
    spin_unlock(&c->d->lock);
    return 0;
}

int64_t domctl_setdebugging(struct domctl *c)
{
    if (c->d == c->caller->domain)
        return -EINVAL;
    write_once(c->d->debugged, c->op->u.setdebugging.enable != 0);
    return 0;
}

int64_t domctl_settimeoffset(struct domctl *c)
{
    spin_lock(&c->d->lock);
    c->d->time_offset = c->op->u.settimeoffset.time_offset_seconds;
    spin_unlock(&c->d->lock);
    wallclock_tell(c->d);
    return 0;
}

/* A port that is not there is noticed when it is to be used. */
int64_t domctl_subscribe(struct domctl *c)
{
    spin_lock(&c->d->lock);
    c->d->suspend_port = c->op->u.subscribe.port;
    spin_unlock(&c->d->lock);
    return 0;
}

int64_t domctl_set_virq_handler(struct domctl *c)
{
    return evtchn_set_virq_handler(c->d, c->op->u.set_virq_handler.virq);
}

/* Caches are not partitioned; a toolstack asks this of every domain. */
int64_t domctl_set_llc_colors(struct domctl *c)
{
    return c->op->u.set_llc_colors.pad ? -EINVAL : -EOPNOTSUPP;
}

/* No SMMU is driven, so no device can be assigned that way. */
int64_t domctl_no_iommu(struct domctl *c)
{
    (void)c;
    return -EOPNOTSUPP;
}

/* --- what is told ----------------------------------------------------------------------------- */

static uint32_t state_flags(const struct domain *d)
{
    uint32_t flags = XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;

    if (d->shut_down)
        flags |= XEN_DOMINF_shutdown | (uint32_t)d->stop_reason << XEN_DOMINF_shutdownshift;
    if (d->state == DOMAIN_DYING)
        flags |= XEN_DOMINF_dying;
    if (d->control_pauses)
        flags |= XEN_DOMINF_paused;
    return flags | d->debugged * XEN_DOMINF_debugged | d->xenstore * XEN_DOMINF_xs_domain;
}

static void add_vcpus(const struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint32_t i, highest = XEN_INVALID_MAX_VCPU_ID, online = 0, flags = XEN_DOMINF_blocked;
    const struct vcpu *v;
    uint64_t ns = 0;

    domain_for_each_vcpu (d, v, i) {
        highest = i;
        ns += sched_runtime_ns(&v->sched);
        if (!read_once(v->online))
            continue;
        online++;
        if (read_once(v->blocked))
            continue;
        flags &= ~(uint32_t)XEN_DOMINF_blocked;
        if (sched_is_running(&v->sched))
            flags |= XEN_DOMINF_running;
    }
    info->max_vcpu_id = highest;
    info->nr_online_vcpus = online;
    info->cpu_time = ns;
    info->flags |= flags;
}

void domctl_info_init(struct xen_domctl_getdomaininfo *info)
{
    *info = (struct xen_domctl_getdomaininfo){ .shared_info_frame = UINT64_MAX };
    arch_domctl_info(info);
}

void domctl_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    info->domain = d->id;
    spin_lock(&d->lock);
    info->flags = state_flags(d);
    memcpy(info->handle, d->handle, sizeof(info->handle));
    spin_unlock(&d->lock);
    info->tot_pages = read_once(d->tot_pages);
    info->max_pages = read_once(d->max_pages);
    add_vcpus(d, info);
}

/* Until 4.17 the next domain from the number on was meant. */
int64_t domctl_getdomaininfo(struct domctl *c)
{
    c->d = domain_get_from(c->op->domain);
    if (!c->d || (c->d->id != c->op->domain && c->version > DOMCTL_XEN_4_17))
        return -ESRCH;
    domctl_info_init(&c->op->u.getdomaininfo);
    domctl_domain_info(c->d, &c->op->u.getdomaininfo);
    c->op->domain = c->d->id;
    return 0;
}
