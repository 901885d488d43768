/* SPDX-License-Identifier: MIT */
/* Domains that a toolstack makes: createdomain and max_vcpus of <xen/domctl.h>. */
#include "domctl_internal.h"

#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/domain_config.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/log.h>
#include <hospes/sched.h>
#include <hospes/vcpu.h>
#include <lib/format.h>
#include <string.h>

/* Every guest runs in hardware's virtual machines with hardware's second stage of translation. */
#define FLAGS_NEEDED  (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap)
#define FLAGS_ALLOWED (FLAGS_NEEDED | XEN_DOMCTL_CDF_xs_domain)

static int check(struct xen_domctl_createdomain *c)
{
    if (!(c->flags & XEN_DOMCTL_CDF_hvm)) {
        log_limited(LOG_WARN, "createdomain: there are no PV guests, only type=\"pvh\"");
        return -EINVAL;
    }
    if (c->flags & ~FLAGS_ALLOWED || (c->flags & FLAGS_NEEDED) != FLAGS_NEEDED)
        return -EINVAL;
    if (c->iommu_opts || c->altp2m_opts || c->vmtrace_size)
        return -EINVAL;
    if (XEN_DOMCTL_GRANT_version(c->grant_opts) != c->grant_opts)
        return -EINVAL;
    if (c->cpupool_id)
        return -ENOENT;
    return arch_domctl_check(c);
}

/* Numbers from the device tree stay with their domains, also while these are built anew. */
static bool is_reserved(uint16_t id)
{
    for (uint32_t i = 0; i < domain_configs.nr; i++)
        if (domain_configs.d[i].id == id)
            return true;
    return false;
}

static bool is_free(uint16_t id)
{
    struct domain *d;

    if (is_reserved(id))
        return false;
    d = domain_get(id);
    if (d)
        domain_put(d);
    return !d;
}

/* A new domain under the number that was asked for, or the next one that was not used lately. */
static int create(uint16_t asked, uint32_t max_vcpus, struct domain **out)
{
    static uint16_t last; /* atomic */
    uint16_t id = read_once(last);
    int rc = -EEXIST;

    if (asked && asked < DOMID_FIRST_RESERVED)
        return is_free(asked) ? domain_create(asked, max_vcpus, out) : -EEXIST;
    for (uint32_t i = 0; i < DOMID_FIRST_RESERVED && rc == -EEXIST; i++) {
        id = id + 1 < (int)DOMID_FIRST_RESERVED ? (uint16_t)(id + 1) : 1;
        if (is_free(id))
            rc = domain_create(id, max_vcpus, out);
    }
    if (!rc)
        write_once(last, id);
    return rc == -EEXIST ? -ENOMEM : rc;
}

/* Of a domain that nobody else knows. */
static void undo(struct domain *d)
{
    while (domain_release_step(d))
        ;
    domain_destroy(d);
}

static int equip(struct domain *d, const struct xen_domctl_createdomain *c)
{
    int rc;

    memcpy(d->handle, c->handle, sizeof(d->handle));
    d->evtchn.max_port = c->max_evtchn_port;
    d->xenstore = c->flags & XEN_DOMCTL_CDF_xs_domain;
    rc = gnttab_domain_init(d, c->max_grant_frames, c->max_maptrack_frames,
                            XEN_DOMCTL_GRANT_version(c->grant_opts));
    return rc ? rc : arch_domctl_create(d, c);
}

int64_t domctl_createdomain(struct domctl *c)
{
    struct xen_domctl_createdomain *config = &c->op->u.createdomain;
    struct domain *d;
    int rc = check(config);

    if (!rc)
        rc = create(c->op->domain, config->max_vcpus, &d);
    if (rc)
        return rc;
    rc = equip(d, config);
    if (rc) {
        undo(d);
        return rc;
    }
    c->op->domain = d->id;
    /* The toolstack keeps its name to itself. */
    format(d->name, sizeof(d->name), "made by domain %u", c->caller->domain->id);
    /* Paused until the toolstack says that it is built. Then, at once, anybody may destroy it. */
    spin_lock(&d->lock);
    d->control_pauses = 1;
    d->state = DOMAIN_RUNNING;
    spin_unlock(&d->lock);
    return 0;
}

/* Adds a vCPU, off, and paused as often as the others are. */
static int add_vcpu(struct domain *d, uint32_t id)
{
    struct vcpu *v = vcpu_create(d, id);
    int rc = 0;

    if (!v)
        return -ENOMEM;
    spin_lock(&d->lock);
    if (d->state != DOMAIN_RUNNING)
        rc = -EINVAL;
    else if (d->vcpus[id])
        rc = -EEXIST;
    if (!rc) {
        (void)sched_set_weight(&v->sched, d->sched_weight);
        if (d->sched_cap)
            sched_unit_set_cap(&v->sched, d->sched_cap);
        if (d->control_pauses)
            sched_pause(&v->sched);
        store_release(d->vcpus[id], v);
    }
    spin_unlock(&d->lock);
    if (rc)
        vcpu_destroy(v);
    return rc == -EEXIST ? 0 : rc;
}

int64_t domctl_max_vcpus(struct domctl *c)
{
    struct domain *d = c->d;

    if (d == c->caller->domain || c->op->u.max_vcpus.max != d->max_vcpus)
        return -EINVAL;
    for (uint32_t id = 0; id < d->max_vcpus; id++) {
        int rc = read_once(d->vcpus[id]) ? 0 : add_vcpu(d, id);

        if (rc)
            return rc;
        if (id + 1 < d->max_vcpus && hypercall_should_stop())
            return -ERESTART;
    }
    return 0;
}
