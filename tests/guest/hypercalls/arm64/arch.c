/* SPDX-License-Identifier: MIT */
/* What of the hypercalls arm64 alone has, or lacks. */
#include "../hypercalls.h"

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
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

#define PAGE UINT64_C(4096)

static int64_t memory_op(uint64_t cmd, void *what)
{
    return hypercall_op(__HYPERVISOR_memory_op, cmd, what);
}

static int64_t reserve(uint64_t cmd, uint64_t address, unsigned int order)
{
    xen_pfn_t gfn = address / PAGE;
    struct xen_memory_reservation r = { .nr_extents = 1,
                                        .extent_order = order,
                                        .domid = DOMID_SELF };

    r.extent_start.p = &gfn;
    return memory_op(cmd, &r);
}

/* The domain's own number: that of the other end of a channel to itself. */
static domid_t own_number(void)
{
    struct evtchn_alloc_unbound port = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    struct evtchn_status status = { .dom = DOMID_SELF };
    struct evtchn_close close;

    answers(hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &port), 0,
            "a port");
    status.port = port.port;
    answers(hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &status), 0, "its status");
    close.port = port.port;
    answers(hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &close), 0, "closed");
    return status.u.unbound.dom;
}

/*
 * The page of stolen time is taken away like any other; the pages that remain shared are still
 * known to be so: a grant that is mapped is not covered by memory.
 */
static void stolen_page_goes(uint64_t stolen)
{
    static volatile grant_entry_v1_t table[512] __attribute__((aligned(4096)));
    static uint8_t granted[4096] __attribute__((aligned(4096)));
    static uint8_t spare[2][4096] __attribute__((aligned(4096)));
    uint64_t at = (nowhere() & ~(2 * PAGE - 1)) + 1024 * PAGE; /* nowhere() is others' */
    struct xen_add_to_physmap show = { .domid = DOMID_SELF,
                                       .space = XENMAPSPACE_grant_table,
                                       .gpfn = (uint64_t)(uintptr_t)table / PAGE };
    struct xen_remove_from_physmap hide = { .domid = DOMID_SELF, .gpfn = stolen / PAGE };
    gnttab_map_grant_ref_t map = { .host_addr = at, .flags = GNTMAP_host_map, .ref = 9 };
    gnttab_unmap_grant_ref_t unmap = { .host_addr = at };

    answers(memory_op(XENMEM_add_to_physmap, &show), 0, "the grant table");
    map.dom = own_number();
    table[9].domid = map.dom;
    table[9].frame = (uint32_t)((uint64_t)(uintptr_t)granted / PAGE);
    table[9].flags = GTF_permit_access;
    answers(hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref,
                      (uint64_t)(uintptr_t)&map, 1, 0, 0),
            0, "map a grant");
    check_eq((uint64_t)map.status, GNTST_okay, "a grant is mapped");
    answers(memory_op(XENMEM_remove_from_physmap, &hide), 0, "stolen time: taken away");
    answers(memory_op(XENMEM_remove_from_physmap, &hide), -ENOENT, "stolen time: gone");
    hide.gpfn = show.gpfn; /* the grant is the only one now */
    answers(memory_op(XENMEM_remove_from_physmap, &hide), 0, "the grant table: taken away");
    for (int i = 0; i < 2; i++)
        answers(reserve(XENMEM_decrease_reservation, (uint64_t)(uintptr_t)spare[i], 0), 1, "give");
    answers(reserve(XENMEM_populate_physmap, at, 1), 0, "memory over a grant");
    unmap.handle = map.handle;
    answers(hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                      (uint64_t)(uintptr_t)&unmap, 1, 0, 0),
            0, "unmap it");
    check_eq((uint64_t)unmap.status, GNTST_okay, "it is unmapped");
    answers(reserve(XENMEM_populate_physmap, at, 1), 1, "memory where it was");
}

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
    if (!control)
        stolen_page_goes((uint64_t)at);
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
