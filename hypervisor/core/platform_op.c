/* SPDX-License-Identifier: MIT */
/* platform_op: what a control domain does with the machine. <xen/platform.h> */
#include <hospes/abi.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/vcpu.h>
#include <hospes/wallclock.h>
#include <xen/platform.h>

#define SECOND_NS 1000000000u

static int64_t set_time(const struct xenpf_settime64 *t)
{
    if (t->mbz)
        return -EINVAL;
    wallclock_set(t->secs * SECOND_NS + t->nsecs - t->system_time);
    return 0;
}

int64_t platform_op(struct vcpu *v, uint64_t *arg)
{
    struct xen_platform_op op;
    int64_t rc;

    if (guest_read(v, &op, arg[0], sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -EACCES;
    if (!v->domain->control)
        return -EPERM;
    if (op.cmd == XENPF_settime64)
        return set_time(&op.u.settime64);
    rc = arch_platform_op(v, &op);
    if (rc < 0)
        return rc;
    return guest_write(v, arg[0], &op, sizeof(op)) ? -EFAULT : rc;
}
