/* SPDX-License-Identifier: MIT */
/*
 * The domctl hypercall: who may call it, its versions, the table of what it does. <hospes/domctl.h>
 * has the contract.
 */
#include "domctl_internal.h"

#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/vcpu.h>
#include <string.h>

struct entry {
    domctl_fn *fn;
    bool no_domain; /* `domain` does not name one that there is */
    bool copy_back; /* has results, or writes down how far it has come */
};

/* Those that are not here are the architecture's, or unknown. doc/abi.md is checked against this
 * table. */
static const struct entry entries[] = {
    [XEN_DOMCTL_createdomain] = { .fn = domctl_createdomain, .no_domain = true, .copy_back = true },
    [XEN_DOMCTL_destroydomain] = { .fn = domctl_destroydomain },
    [XEN_DOMCTL_pausedomain] = { .fn = domctl_pausedomain },
    [XEN_DOMCTL_unpausedomain] = { .fn = domctl_unpausedomain },
    [XEN_DOMCTL_getdomaininfo] = { .fn = domctl_getdomaininfo,
                                   .no_domain = true,
                                   .copy_back = true },
    [XEN_DOMCTL_setvcpuaffinity] = { .fn = domctl_setvcpuaffinity },
    [XEN_DOMCTL_max_mem] = { .fn = domctl_max_mem },
    [XEN_DOMCTL_setvcpucontext] = { .fn = domctl_setvcpucontext },
    [XEN_DOMCTL_getvcpucontext] = { .fn = domctl_getvcpucontext },
    [XEN_DOMCTL_getvcpuinfo] = { .fn = domctl_getvcpuinfo, .copy_back = true },
    [XEN_DOMCTL_max_vcpus] = { .fn = domctl_max_vcpus },
    [XEN_DOMCTL_scheduler_op] = { .fn = domctl_scheduler_op, .copy_back = true },
    [XEN_DOMCTL_setdomainhandle] = { .fn = domctl_setdomainhandle },
    [XEN_DOMCTL_setdebugging] = { .fn = domctl_setdebugging },
    [XEN_DOMCTL_settimeoffset] = { .fn = domctl_settimeoffset },
    [XEN_DOMCTL_getvcpuaffinity] = { .fn = domctl_getvcpuaffinity },
    [XEN_DOMCTL_resumedomain] = { .fn = domctl_resumedomain },
    [XEN_DOMCTL_subscribe] = { .fn = domctl_subscribe },
    [XEN_DOMCTL_irq_permission] = { .fn = domctl_irq_permission },
    [XEN_DOMCTL_iomem_permission] = { .fn = domctl_iomem_permission },
    [XEN_DOMCTL_memory_mapping] = { .fn = domctl_memory_mapping },
    [XEN_DOMCTL_assign_device] = { .fn = domctl_no_iommu },
    [XEN_DOMCTL_test_assign_device] = { .fn = domctl_no_iommu },
    [XEN_DOMCTL_deassign_device] = { .fn = domctl_no_iommu },
    [XEN_DOMCTL_get_device_group] = { .fn = domctl_no_iommu },
    [XEN_DOMCTL_set_virq_handler] = { .fn = domctl_set_virq_handler },
    [XEN_DOMCTL_setnodeaffinity] = { .fn = domctl_setnodeaffinity },
    [XEN_DOMCTL_getnodeaffinity] = { .fn = domctl_getnodeaffinity },
    [XEN_DOMCTL_cacheflush] = { .fn = domctl_cacheflush, .copy_back = true },
    [XEN_DOMCTL_get_paging_mempool_size] = { .fn = domctl_get_paging_mempool_size,
                                             .copy_back = true },
    [XEN_DOMCTL_set_paging_mempool_size] = { .fn = domctl_set_paging_mempool_size },
    [XEN_DOMCTL_setvnumainfo] = { .fn = domctl_setvnumainfo },
    [XEN_DOMCTL_set_llc_colors] = { .fn = domctl_set_llc_colors },
};

static const struct entry arch_entry = { .fn = arch_domctl, .copy_back = true };

static const struct entry *find(uint32_t cmd)
{
    if (cmd < sizeof(entries) / sizeof(entries[0]) && entries[cmd].fn)
        return &entries[cmd];
    return &arch_entry;
}

bool domctl_allowed(const struct vcpu *v)
{
    return v->domain->control;
}

/* A domain that serves xenstore has to see who comes and goes. */
static bool may_call(const struct vcpu *v, uint32_t cmd)
{
    return domctl_allowed(v) || (v->domain->xenstore && cmd == XEN_DOMCTL_getdomaininfo);
}

/* Until 4.18 createdomain had no `altp2m_opts`: what comes after it stood 4 bytes earlier. */
#define ALTP2M_OPTS offsetof(struct xen_domctl, u.createdomain.altp2m_opts)
#define BEHIND_IT   offsetof(struct xen_domctl, u.createdomain.vmtrace_size)
#define ITS_END                                         \
    (offsetof(struct xen_domctl, u.createdomain.arch) + \
     sizeof(((struct xen_domctl *)0)->u.createdomain.arch))

static bool is_short_createdomain(const struct domctl *c)
{
    return c->op->cmd == XEN_DOMCTL_createdomain && c->version < DOMCTL_XEN_4_20;
}

/* Brings an older release's struct into the newest's layout. -EACCES where it cannot be told. */
static int from_version(struct domctl *c)
{
    uint8_t *op = (uint8_t *)c->op;

    switch (c->version) {
    case DOMCTL_XEN_4_17:
    case DOMCTL_XEN_4_18:
        if (is_short_createdomain(c)) {
            memmove(op + BEHIND_IT, op + ALTP2M_OPTS, ITS_END - BEHIND_IT);
            c->op->u.createdomain.altp2m_opts = 0;
        }
        return 0;
    case DOMCTL_XEN_4_20:
        return 0;
    default:
        return -EACCES;
    }
}

static void to_version(const struct domctl *c)
{
    uint8_t *op = (uint8_t *)c->op;

    if (is_short_createdomain(c))
        memmove(op + ALTP2M_OPTS, op + BEHIND_IT, ITS_END - BEHIND_IT);
}

static int64_t call(struct domctl *c)
{
    const struct entry *e = find(c->op->cmd);
    int64_t rc;

    if (!e->no_domain) {
        c->d = domain_get(c->op->domain);
        if (!c->d)
            return -ESRCH;
    }
    /* One that is being built is not there yet. */
    rc = c->d && read_once(c->d->state) == DOMAIN_CREATED ? -ESRCH : e->fn(c);
    if (c->d)
        domain_put(c->d);
    if (e->copy_back && (rc >= 0 || rc == -ERESTART)) {
        to_version(c);
        if (guest_write(c->caller, c->address, c->op, sizeof(*c->op)))
            rc = -EFAULT;
    }
    return rc;
}

int64_t domctl_op(struct vcpu *v, uint64_t *arg)
{
    struct xen_domctl op;
    struct domctl c = { .caller = v, .op = &op, .address = arg[0] };
    int rc;

    if (!domctl_allowed(v) && !v->domain->xenstore)
        return -EPERM;
    if (guest_read(v, &op, arg[0], sizeof(op)))
        return -EFAULT;
    c.version = op.interface_version;
    rc = from_version(&c);
    if (rc)
        return rc;
    return may_call(v, op.cmd) ? call(&c) : -EPERM;
}
