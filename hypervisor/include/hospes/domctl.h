/* SPDX-License-Identifier: MIT */
/*
 * The toolstack's calls about one domain: __HYPERVISOR_domctl of <xen/domctl.h>. doc/abi.md lists
 * what is understood, and of which releases of Xen.
 *
 * A call's struct is copied in once, handled by one function of the table in domctl.c, and copied
 * back where it has results. Handlers hold a reference of the domain they act on, so it and its
 * vCPUs stay, but it may be dying at any time: what changes it checks that under domain->lock.
 */
#ifndef HOSPES_DOMCTL_H
#define HOSPES_DOMCTL_H

#include <hospes/types.h>
#include <xen/domctl.h>

struct domain;
struct vcpu;

/* Interface versions that are served; layouts that differ are brought into the newest's. */
#define DOMCTL_XEN_4_17 0x15u
#define DOMCTL_XEN_4_18 0x16u
#define DOMCTL_XEN_4_20 XEN_DOMCTL_INTERFACE_VERSION /* 4.19's too */

/* A call under way. */
struct domctl {
    struct vcpu *caller;
    struct domain *d;      /* whom it is about; NULL for createdomain */
    struct xen_domctl *op; /* copied in */
    uint64_t address;      /* of the struct in the caller's memory */
    uint32_t version;      /* DOMCTL_XEN_* */
};

/*
 * The hypercall. -EPERM for all but control domains, -EFAULT, -EACCES for an interface version that
 * is not served, -ESRCH, -ENOSYS, or what <xen/domctl.h> says of each.
 */
int64_t domctl_op(struct vcpu *v, uint64_t *arg);

/* True if the caller may use domctl and sysctl. */
bool domctl_allowed(const struct vcpu *v);

/*
 * What getdomaininfo and getdomaininfolist tell: first what is the same for all domains, then what
 * is different, for one after the other.
 */
void domctl_info_init(struct xen_domctl_getdomaininfo *info);
void domctl_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/* --- contract of each architecture ----------------------------------------------------------- */

/*
 * Checks what a toolstack asks of a new domain, and fills in what it left to the hypervisor. 0 or
 * -EINVAL.
 */
int arch_domctl_check(struct xen_domctl_createdomain *c);
/* Gives a new domain its interrupt controller and what else its vCPUs need. 0 or -errno. */
int arch_domctl_create(struct domain *d, const struct xen_domctl_createdomain *c);
/* Adds what the architecture knows, of all domains. */
void arch_domctl_info(struct xen_domctl_getdomaininfo *info);

/*
 * The boot state of a vCPU that does not run, set and read. 0, or -EINVAL for a state that it
 * cannot be in.
 */
int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *c);
/* Both say whether the vCPU is switched on. */
bool arch_context_is_online(const struct vcpu_guest_context *c);

/* Calls that only some architectures have. What <xen/domctl.h> says, -ENOSYS. */
int64_t arch_domctl(struct domctl *c);

#endif
