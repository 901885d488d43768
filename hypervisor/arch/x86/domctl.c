/* SPDX-License-Identifier: MIT */
/*
 * x86's part of what a toolstack does with domains and asks of the machine. Domains are PVH: with a
 * local APIC and no other device of a PC's.
 */
#include "domctl_internal.h"

#include <asm/clock.h>
#include <asm/control.h>
#include <asm/cpu.h>
#include <asm/hvm.h>
#include <asm/pci.h>
#include <asm/vlapic.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/log.h>
#include <hospes/p2m.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <xen/arch-x86/cpuid.h>

/* --- domains --------------------------------------------------------------------------------- */

int arch_domctl_check(struct xen_domctl_createdomain *c)
{
    if (c->arch.emulation_flags & ~XEN_X86_EMU_LAPIC)
        log_limited(LOG_WARN, "createdomain: there are no HVM guests, only type=\"pvh\"");
    if (c->arch.emulation_flags != XEN_X86_EMU_LAPIC || c->arch.misc_flags)
        return -EINVAL;
    return c->max_vcpus && c->max_vcpus <= DOMAIN_MAX_VCPUS ? 0 : -EINVAL;
}

/* Its local APICs are there from the start. */
int arch_domctl_create(struct domain *d, const struct xen_domctl_createdomain *c)
{
    (void)d, (void)c;
    return 0;
}

void arch_domctl_info(struct xen_domctl_getdomaininfo *info)
{
    info->gpaddr_bits = (uint8_t)cpu_info.physical_bits;
    info->arch_config.emulation_flags = XEN_X86_EMU_LAPIC;
}

int domctl_stop_all(const struct domctl *c)
{
    struct domain *d = c->d;

    if (d == c->caller->domain)
        return -EINVAL;
    domain_pause(d);
    while (!domain_is_quiet(d)) {
        if (read_once(c->caller->sched.pause_count)) {
            domain_unpause(d);
            return -ERESTART;
        }
        pcpu_wait_round();
    }
    return 0;
}

/* --- memory ---------------------------------------------------------------------------------- */

/* There are no shadow page tables; their pool's size has this name too. */
static int64_t shadow_op(const struct domctl *c)
{
    struct xen_domctl_shadow_op *op = &c->op->u.shadow_op;

    switch (op->op) {
    case XEN_DOMCTL_SHADOW_OP_OFF:
        return 0;
    case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
        op->mb = (uint32_t)min(div_round_up(p2m_get_pool(c->d), MIB(1)), (uint64_t)UINT32_MAX);
        return 0;
    case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
        return p2m_set_pool(c->d, MIB(op->mb));
    default:
        return -EOPNOTSUPP; /* nobody keeps a list of what was written */
    }
}

/* --- time ------------------------------------------------------------------------------------ */

/* The TSC is the machine's, with an offset: what a toolstack asks for where it can have that. */
static int64_t settscinfo(const struct domctl *c)
{
    uint32_t mode = c->op->u.tsc_info.tsc_mode;

    if (c->d == c->caller->domain)
        return -EINVAL;
    return mode == XEN_CPUID_TSC_MODE_DEFAULT || mode == XEN_CPUID_TSC_MODE_NEVER_EMULATE
               ? 0
               : -EOPNOTSUPP;
}

static int64_t gettscinfo(const struct domctl *c)
{
    c->op->u.tsc_info = (struct xen_domctl_tsc_info){
        .tsc_mode = XEN_CPUID_TSC_MODE_NEVER_EMULATE,
        .gtsc_khz = (uint32_t)clock_tsc_khz,
    };
    return 0;
}

/* --- triggers -------------------------------------------------------------------------------- */

/* A PVH guest has no buttons. */
static int64_t sendtrigger(const struct domctl *c)
{
    const struct xen_domctl_sendtrigger *op = &c->op->u.sendtrigger;
    struct vcpu *v = op->vcpu < c->d->max_vcpus ? load_acquire(c->d->vcpus[op->vcpu]) : NULL;

    if (!v)
        return -ESRCH;
    if (op->trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
        return -ENOSYS;
    vlapic_raise_nmi(v);
    return 0;
}

/* --- calls ----------------------------------------------------------------------------------- */

/* A PVH guest begins with 32 bits and changes as it likes; pointers of its hypercalls have 64. */
static int64_t address_size(const struct domctl *c, bool set)
{
    if (set)
        return c->op->u.address_size.size == 64 ? 0 : -EINVAL;
    c->op->u.address_size.size = 64;
    return 0;
}

int64_t arch_domctl(struct domctl *c)
{
    switch (c->op->cmd) {
    case XEN_DOMCTL_set_address_size:
        return address_size(c, true);
    case XEN_DOMCTL_get_address_size:
        return address_size(c, false);
    case XEN_DOMCTL_shadow_op:
        return shadow_op(c);
    case XEN_DOMCTL_sendtrigger:
        return sendtrigger(c);
    case XEN_DOMCTL_settscinfo:
        return settscinfo(c);
    case XEN_DOMCTL_gettscinfo:
        return gettscinfo(c);
    case XEN_DOMCTL_gethvmcontext:
        return domctl_gethvmcontext(c);
    case XEN_DOMCTL_sethvmcontext:
        return domctl_sethvmcontext(c);
    case XEN_DOMCTL_gethvmcontext_partial:
        return domctl_gethvmcontext_partial(c);
    case XEN_DOMCTL_get_cpu_policy:
        return domctl_get_cpu_policy(c);
    case XEN_DOMCTL_set_cpu_policy:
        return domctl_set_cpu_policy(c);
    case XEN_DOMCTL_psr_cmt_op:
    case XEN_DOMCTL_psr_alloc:
        return -ENODEV; /* no cache is measured or divided: as on processors that cannot */
    default:
        return -ENOSYS;
    }
}

/* --- the machine ------------------------------------------------------------------------------ */

void arch_sysctl_physinfo(struct xen_sysctl_physinfo *info)
{
    info->cpu_khz = (uint32_t)clock_tsc_khz;
    for (uint32_t i = 0; i < 3; i++)
        info->hw_cap[i] = cpu_info.words[i];
}

#define DEVICES_MOST 64u

/* Libraries go on behind what was done. There is one node, which all devices are at. */
static int64_t pcitopoinfo(const struct sysctl *s)
{
    struct xen_sysctl_pcitopoinfo *op = &s->op->u.pcitopoinfo;

    if (guest_handle_is_null(op->devs) || guest_handle_is_null(op->nodes))
        return -EINVAL;
    op->num_devs = min(op->num_devs, DEVICES_MOST);
    for (uint32_t i = 0; i < op->num_devs; i++) {
        physdev_pci_device_t dev;
        uint32_t node = 0;

        if (guest_read(s->caller, &dev, guest_element(op->devs, i), sizeof(dev)))
            return -EFAULT;
        if (dev.seg || !pci_is_there((uint16_t)(dev.bus << 8 | dev.devfn)))
            node = XEN_INVALID_DEV;
        if (guest_write(s->caller, guest_element(op->nodes, i), &node, sizeof(node)))
            return -EFAULT;
    }
    return 0;
}

int64_t arch_sysctl(struct sysctl *s)
{
    switch (s->op->cmd) {
    case XEN_SYSCTL_pcitopoinfo:
        return pcitopoinfo(s);
    case XEN_SYSCTL_get_cpu_policy:
        return sysctl_get_cpu_policy(s);
    case XEN_SYSCTL_get_cpu_featureset:
        return sysctl_get_cpu_featureset(s);
    case XEN_SYSCTL_get_cpu_levelling_caps:
        s->op->u.cpu_levelling_caps.caps = 0; /* there are no PV guests */
        return 0;
    case XEN_SYSCTL_get_pmstat:
    case XEN_SYSCTL_pm_op:
    case XEN_SYSCTL_psr_cmt_op:
    case XEN_SYSCTL_psr_alloc:
        return -ENODEV; /* nobody sets CPUs' clocks or divides their caches */
    default:
        return -ENOSYS;
    }
}
