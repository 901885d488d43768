/* SPDX-License-Identifier: MIT */
/* vm_assist: ways of working that a domain chooses for itself. <xen/xen.h> */
#include <hospes/abi.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <xen/xen.h>

#define VALID ((uint32_t)BIT(VMASST_TYPE_runstate_update_flag))

int64_t vm_assist_op(struct vcpu *v, uint64_t *arg)
{
    uint32_t cmd = (uint32_t)arg[0], type = (uint32_t)arg[1];

    if (type >= 32 || !(VALID & BIT(type)))
        return -EINVAL;
    switch (cmd) {
    case VMASST_CMD_enable:
        __atomic_fetch_or(&v->domain->vm_assist, (uint32_t)BIT(type), __ATOMIC_RELAXED);
        return 0;
    case VMASST_CMD_disable:
        __atomic_fetch_and(&v->domain->vm_assist, ~(uint32_t)BIT(type), __ATOMIC_RELAXED);
        return 0;
    default:
        return -ENOSYS;
    }
}
