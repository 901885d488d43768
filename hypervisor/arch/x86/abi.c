/* SPDX-License-Identifier: MIT */
/* What of the Xen ABI is different on x86; <hospes/abi.h> has the contract. */
#include <asm/vtime.h>
#include <hospes/abi.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/types.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <xen/features.h>
#include <xen/vcpu.h>
#include <xen/version.h>

/* The ABI's name has kept the number 3.0 through all releases. */
const char arch_abi_capabilities[] = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64";

uint32_t arch_abi_features(const struct domain *d)
{
    (void)d;
    return (uint32_t)(BIT(XENFEAT_hvm_callback_vector) | BIT(XENFEAT_hvm_safe_pvclock));
}

/* An ELF note: hospes.lds.S. */
struct note {
    uint32_t name_bytes, bytes, type;
    char name[4];
    uint8_t id[];
};

extern const struct note _build_id;
extern const char _build_id_end[];

uint32_t arch_build_id(const void **id)
{
    *id = _build_id.id;
    return (const char *)&_build_id == _build_id_end ? 0 : _build_id.bytes;
}

bool arch_vcpu_op_exists(uint32_t cmd)
{
    switch (cmd) {
    case VCPUOP_up:
    case VCPUOP_down:
    case VCPUOP_is_up:
    case VCPUOP_register_vcpu_info:
    case VCPUOP_register_runstate_memory_area:
    case VCPUOP_register_runstate_phys_area:
    case VCPUOP_set_periodic_timer:
    case VCPUOP_stop_periodic_timer:
    case VCPUOP_set_singleshot_timer:
    case VCPUOP_stop_singleshot_timer:
    case VCPUOP_register_vcpu_time_memory_area:
        return true;
    default:
        return false;
    }
}

int64_t arch_vcpu_op(struct vcpu *v, struct vcpu *target, uint32_t cmd, uint64_t at)
{
    struct vcpu_register_time_memory_area r;

    if (cmd != VCPUOP_register_vcpu_time_memory_area)
        return -ENOSYS;
    return guest_read(v, &r, at, sizeof(r)) ? -EFAULT : vtime_place(target, v, r.addr.p);
}
