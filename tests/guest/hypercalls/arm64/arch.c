/* SPDX-License-Identifier: MIT */
/* What of the hypercalls arm64 alone has, or lacks. */
#include "../hypercalls.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define EVTCHN_PPI 31u

const char arch_capabilities[] = "xen-3.0-aarch64";
const uint32_t arch_features = BIT32(XENFEAT_ARM_SMCCC_supported);
const uint64_t arch_no_calls[] = {
    __HYPERVISOR_set_trap_table,
    __HYPERVISOR_mmu_update,
    __HYPERVISOR_stack_switch,
    __HYPERVISOR_set_timer_op,
    __HYPERVISOR_iret,
    __HYPERVISOR_nmi_op,
    __HYPERVISOR_xenoprof_op,
    __HYPERVISOR_kexec_op,
    __HYPERVISOR_argo_op,
    __HYPERVISOR_xenpmu_op,
    __HYPERVISOR_hypfs_op,
    __HYPERVISOR_xsm_op,
    __HYPERVISOR_physdev_op,
    __HYPERVISOR_arch_0,
    __HYPERVISOR_arch_7,
    62,
    63,
    64,
    UINT64_C(1) << 32 | 17,
    UINT64_MAX,
    0,
};

static void params(void)
{
    uint64_t value = 0;

    answers(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &value), 0, "callback_irq");
    check_eq(value, UINT64_C(0x0200000000000200) | EVTCHN_PPI, "callback_irq: a PPI, active low");
    answers(param(HVMOP_set_param, DOMID_SELF, HVM_PARAM_IDENT_PT, &value), -EINVAL, "set x86's");
    answers(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_IOREQ_PFN, &value), -EINVAL, "x86's");
}

static void of_x86(void)
{
    struct xen_platform_op op = { .cmd = XENPF_get_cpuinfo,
                                  .interface_version = XENPF_INTERFACE_VERSION };

    answers(hypercall_op(__HYPERVISOR_hvm_op, HVMOP_flush_tlbs, NULL), -ENOSYS, "flush_tlbs");
    answers(vcpu_op(VCPUOP_is_up, 0, NULL), -EINVAL, "is_up");
    answers(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op), -EINVAL, "time area");
    answers(hypercall(__HYPERVISOR_platform_op, (uint64_t)(uintptr_t)&op, 0, 0, 0, 0),
            control ? -ENOSYS : -EPERM, "get_cpuinfo");
}

/* ---- stolen time by SMCCC: Arm DEN 0057A ---- */
#define PV_TIME_FEATURES 0xc5000020u
#define PV_TIME_ST       0xc5000021u

static void stolen_time(void)
{
    int64_t at, again;
    uint64_t value;

    answers(smccc(SMCCC_ARCH_FEATURES, PV_TIME_FEATURES, 0, 0), 0, "PV time");
    answers(smccc(PV_TIME_FEATURES, PV_TIME_ST, 0, 0), 0, "PV time: stolen time");
    answers(smccc(PV_TIME_FEATURES, PV_TIME_FEATURES, 0, 0), 0, "PV time: features");
    answers((int64_t)smccc(PV_TIME_FEATURES, PSCI_VERSION, 0, 0), -1, "PV time: something else");
    at = (int64_t)smccc(PV_TIME_ST, 0, 0, 0);
    if (!check(at > 0 && at % 64 == 0, "stolen time is at 0x%lx", at))
        return;
    again = (int64_t)smccc(PV_TIME_ST, 0, 0, 0);
    check_eq((uint64_t)again, (uint64_t)at, "stolen time: stays there");
    check_eq(read64((uint64_t)at), 0, "stolen time: revision and attributes");
    value = read64((uint64_t)at + 8);
    check(value > 0 && value < UINT64_C(1) << 40, "stolen time: %lu ns", value);
    check(probe_write((uint64_t)at + 8, 8, 0) != 0, "stolen time: not ours to write");
}

static void block(void)
{
    uint32_t iar;

    timer_virt(now() + ticks_of_us(1000));
    gic_enable(machine.ppi_virt);
    answers(sched(SCHEDOP_block, NULL), 0, "block until an interrupt");
    timer_virt_off();
    while (((iar = gic_ack()) & 1023) < GIC_SPURIOUS)
        gic_eoi(iar);
}

/* Translation tables in a device, where a walk meets an external abort: QEMU's fw-cfg. */
static void tables_in_device(void)
{
    mmu_set_window(PTE_TABLE | UINT64_C(0x09020000));
    answers(hypercall(__HYPERVISOR_xen_version, XENVER_extraversion, WINDOW + (UINT64_C(256) << 21),
                      0, 0, 0),
            -EFAULT, "tables in a device");
    mmu_set_window(0);
}

void arch_calls(void)
{
    params();
    of_x86();
    stolen_time();
    block();
    if (control)
        tables_in_device();
}
