/* SPDX-License-Identifier: MIT */
/* Devices' registers and interrupts for domains, of <xen/domctl.h>. */
#include "domctl_internal.h"

#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/iomem.h>
#include <hospes/irq.h>

int64_t domctl_iomem_permission(struct domctl *c)
{
    const struct xen_domctl_iomem_permission *op = &c->op->u.iomem_permission;
    mfn_t first = MFN(op->first_mfn);

    return op->allow_access ? iomem_permit(c->d, first, op->nr_mfns)
                            : iomem_deny(c->d, first, op->nr_mfns);
}

/* At a time, as Xen on arm: toolstacks then ask for less. Some tens of microseconds. */
#define MOST_FRAMES 64u

int64_t domctl_memory_mapping(struct domctl *c)
{
    const struct xen_domctl_memory_mapping *op = &c->op->u.memory_mapping;
    gfn_t gfn = GFN(op->first_gfn);
    mfn_t mfn = MFN(op->first_mfn);

    if (op->nr_mfns > MOST_FRAMES)
        return -E2BIG;
    return op->add_mapping ? iomem_map(c->d, gfn, mfn, op->nr_mfns)
                           : iomem_unmap(c->d, gfn, mfn, op->nr_mfns);
}

/* A line has an owner, which bind_pt_irq makes; a right to be made that is not kept besides. */
int64_t domctl_irq_permission(struct domctl *c)
{
    const struct xen_domctl_irq_permission *op = &c->op->u.irq_permission;

    return irq_can_give(op->pirq, c->d);
}
