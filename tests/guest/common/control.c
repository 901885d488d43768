/* SPDX-License-Identifier: MIT */
#include "control.h"

struct xen_domctl op;
struct xen_sysctl sys;

int64_t domctl(uint32_t cmd, uint16_t id)
{
    op.cmd = cmd;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = id;
    return hypercall(__HYPERVISOR_domctl, (uint64_t)(uintptr_t)&op, 0, 0, 0, 0);
}

int64_t sysctl(uint32_t cmd)
{
    sys.cmd = cmd;
    sys.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_sysctl, (uint64_t)(uintptr_t)&sys, 0, 0, 0, 0);
}

int64_t create_domain(uint32_t max_vcpus, const struct xen_arch_domainconfig *arch)
{
    memset(&op.u, 0, sizeof(op.u));
    op.u.createdomain = (struct xen_domctl_createdomain){
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = max_vcpus,
        .max_evtchn_port = 1023,
        .max_grant_frames = 4,
        .max_maptrack_frames = 1,
        .grant_opts = 1,
        .arch = NEW_DOMAIN_ARCH,
    };
    if (arch)
        op.u.createdomain.arch = *arch;
    return domctl(XEN_DOMCTL_createdomain, 0);
}

uint64_t free_pages(void)
{
    return sysctl(XEN_SYSCTL_physinfo) ? 0 : sys.u.physinfo.free_pages;
}
