/* SPDX-License-Identifier: MIT */
/* The first state of arm64's vCPU. */
#include "../toolstack.h"

#define ENTRY 0x40080000u

const uint64_t entry_gfn = ENTRY >> 12;
const uint32_t endless_loop = 0x14000000; /* B . */

static struct vcpu_guest_context context;

static int64_t set_context(uint16_t id, uint64_t pstate)
{
    memset(&context, 0, sizeof(context));
    context.flags = VGCF_online;
    context.user_regs.x0 = 0x48000000;
    context.user_regs.pc64 = ENTRY;
    context.user_regs.cpsr = pstate;
    context.sctlr = SCTLR_GUEST_INIT;
    op.u.vcpucontext.vcpu = 0;
    op.u.vcpucontext.ctxt.p = &context;
    return domctl(XEN_DOMCTL_setvcpucontext, id);
}

int64_t set_state(uint16_t id)
{
    return set_context(id, PSR_GUEST64_INIT);
}

void first_state(uint16_t id)
{
    check_eq((uint64_t)domctl(XEN_DOMCTL_shadow_op, 0), (uint64_t)-ENOSYS, "no shadow tables");
    check_eq((uint64_t)domctl(XEN_DOMCTL_soft_reset, 0), (uint64_t)-EINVAL, "no reset of oneself");
    check_eq((uint64_t)domctl(XEN_DOMCTL_soft_reset, id), (uint64_t)-ENOSYS, "nor of others");
    check_eq((uint64_t)domctl(XEN_DOMCTL_dt_overlay, id), (uint64_t)-EOPNOTSUPP, "no overlay");
    check_eq((uint64_t)sysctl(XEN_SYSCTL_dt_overlay), (uint64_t)-EOPNOTSUPP, "nor of the machine");
    check_eq((uint64_t)set_context(id, PSR_MODE_EL2h), (uint64_t)-EINVAL, "no guest runs at EL2");
    check_eq((uint64_t)set_context(id, PSR_GUEST64_INIT | PSR_MODE_BIT), (uint64_t)-EINVAL,
             "nor in AArch32");
    check_eq((uint64_t)set_state(id), 0, "its first state");
    memset(&context, 0, sizeof(context));
    check_eq((uint64_t)domctl(XEN_DOMCTL_getvcpucontext, id), 0, "read back");
    check_eq(context.user_regs.pc64, ENTRY, "pc");
    check_eq(context.user_regs.x0, 0x48000000, "x0");
    check_eq(context.user_regs.cpsr, PSR_GUEST64_INIT, "pstate");
    check_eq(context.flags, VGCF_online, "online");
}
