/* SPDX-License-Identifier: MIT */
/* What of the Xen ABI is different on Arm; <hospes/abi.h> has the contract. */
#include <hospes/abi.h>
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/memory_op.h>
#include <lib/bits.h>
#include <xen/hvm/params.h>
#include <xen/vcpu.h>
#include <xen/version.h>

/* The ABI's name has kept the number 3.0 through all releases. */
const char arch_abi_capabilities[] = "xen-3.0-aarch64";

uint32_t arch_abi_features(const struct domain *d)
{
    (void)d;
    return (uint32_t)BIT(XENFEAT_ARM_SMCCC_supported);
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
    return cmd == VCPUOP_register_vcpu_info || cmd == VCPUOP_register_runstate_memory_area ||
           cmd == VCPUOP_register_runstate_phys_area;
}

int64_t arch_vcpu_op(struct vcpu *v, struct vcpu *target, uint32_t cmd, uint64_t at)
{
    (void)v, (void)target, (void)cmd, (void)at;
    return -ENOSYS;
}

enum hvm_param_right arch_hvm_param_right(uint32_t index)
{
    switch (index) {
    case HVM_PARAM_CALLBACK_IRQ:
    case HVM_PARAM_STORE_PFN:
    case HVM_PARAM_STORE_EVTCHN:
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_CONSOLE_EVTCHN:
        return HVM_PARAM_GUEST_READS;
    case HVM_PARAM_MONITOR_RING_PFN:
        return HVM_PARAM_TOOLSTACK;
    default:
        return HVM_PARAM_NOBODY;
    }
}

int arch_hvm_param_set(struct domain *d, uint32_t index, uint64_t value)
{
    write_once(d->hvm_params[index], value);
    return 0;
}

int64_t arch_hvm_op(struct vcpu *v, uint64_t op, uint64_t at)
{
    (void)v, (void)op, (void)at;
    return -ENOSYS;
}

/* Devices are told of by the device tree. */
int64_t arch_physdev_op(struct vcpu *v, uint64_t *arg)
{
    (void)v, (void)arg;
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
