/* SPDX-License-Identifier: MIT */
/* The stand-in's part of what a toolstack does with domains: a vCPU's state is its pc, and a domain
 * gets nothing. */
#include <hospes/abi.h>
#include <hospes/domain.h>
#include <hospes/domctl.h>
#include <hospes/errno.h>
#include <hospes/memory_op.h>
#include <hospes/sysctl.h>
#include <hospes/vcpu.h>

int arch_domctl_check(struct xen_domctl_createdomain *c)
{
    return c->max_vcpus && c->max_vcpus <= DOMAIN_MAX_VCPUS ? 0 : -EINVAL;
}

int arch_domctl_create(struct domain *d, const struct xen_domctl_createdomain *c)
{
    (void)d, (void)c;
    return 0;
}

void arch_domctl_info(struct xen_domctl_getdomaininfo *info)
{
    info->gpaddr_bits = 40;
}

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    if (c->user_regs.rip == UINT64_MAX)
        return -EINVAL;
    v->regs.pc = c->user_regs.rip;
    return 0;
}

void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *c)
{
    *c = (struct vcpu_guest_context){ .flags = v->online ? VGCF_online : 0 };
    c->user_regs.rip = v->regs.pc;
}

bool arch_context_is_online(const struct vcpu_guest_context *c)
{
    return c->flags & VGCF_online;
}

int64_t arch_domctl(struct domctl *c)
{
    (void)c;
    return -ENOSYS;
}

void arch_sysctl_physinfo(struct xen_sysctl_physinfo *info)
{
    info->cpu_khz = 1000000;
}

int64_t arch_sysctl(struct sysctl *s)
{
    (void)s;
    return -ENOSYS;
}

int64_t arch_platform_op(struct vcpu *v, struct xen_platform_op *op)
{
    (void)v, (void)op;
    return -ENOSYS;
}

int64_t arch_memory_op(struct vcpu *v, const uint64_t *arg, unsigned int op)
{
    (void)v, (void)arg, (void)op;
    return -ENOSYS;
}
