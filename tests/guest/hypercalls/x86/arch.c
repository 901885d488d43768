/* SPDX-License-Identifier: MIT */
/* What of the hypercalls x86-64 alone has, or lacks. */
#include "../hypercalls.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define LVT_PERIODIC (1u << 17)

const char arch_capabilities[] = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64";
const uint32_t arch_features = BIT32(XENFEAT_hvm_callback_vector) | BIT32(XENFEAT_hvm_safe_pvclock);
const uint64_t arch_no_calls[] = {
    __HYPERVISOR_set_trap_table,
    __HYPERVISOR_mmu_update,
    __HYPERVISOR_set_gdt,
    __HYPERVISOR_stack_switch,
    __HYPERVISOR_set_callbacks,
    __HYPERVISOR_fpu_taskswitch,
    __HYPERVISOR_set_debugreg,
    __HYPERVISOR_get_debugreg,
    __HYPERVISOR_update_descriptor,
    __HYPERVISOR_update_va_mapping,
    __HYPERVISOR_set_segment_base,
    __HYPERVISOR_mmuext_op,
    __HYPERVISOR_nmi_op,
    __HYPERVISOR_xenoprof_op,
    __HYPERVISOR_kexec_op,
    __HYPERVISOR_argo_op,
    __HYPERVISOR_hypfs_op,
    __HYPERVISOR_xsm_op,
    __HYPERVISOR_arch_7,
    62,
    63,
    64,
    UINT64_C(1) << 32 | 17,
    UINT64_MAX,
    0,
};

/* ---- the callback ---- */
static void callbacks(void)
{
    uint64_t value = 0;
    struct xen_hvm_evtchn_upcall_vector upcall = { .vcpu = 0, .vector = 0x0f };

    answers(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &value), 0, "callback_irq");
    answers(hypercall_op(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &upcall), -EINVAL,
            "no upcall by a vector of exceptions");
    upcall.vector = VECTOR_UPCALL;
    upcall.vcpu = machine.cpus;
    answers(hypercall_op(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &upcall), -ENOENT,
            "no upcall to no vCPU");
    faults(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, "upcall vector");
    answers(hypercall_op(__HYPERVISOR_hvm_op, HVMOP_flush_tlbs, NULL), 0, "flush_tlbs");
    answers(hypercall_op(__HYPERVISOR_hvm_op, HVMOP_altp2m, NULL), -EOPNOTSUPP, "no altp2m");
}

/* ---- the clock that is told ---- */
static void clock(void)
{
    static struct vcpu_time_info area __attribute__((aligned(64)));
    volatile struct vcpu_time_info *info = &area;
    struct vcpu_register_time_memory_area where = { .addr.v = &area };
    uint64_t stamp;

    answers(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &where), 0, "time area");
    if (!check(wait_until(info->tsc_to_system_mul != 0), "it is filled"))
        return;
    check(info->version % 2 == 0, "its version is even");
    stamp = info->tsc_timestamp;
    check((int64_t)(now() - stamp) >= 0, "it was filled in the past (%lu, now %lu)", stamp, now());
}

/* ---- a timer of events ---- */
static int64_t single(uint64_t vcpu, uint64_t ns, uint32_t flags)
{
    struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = ns, .flags = flags };

    return vcpu_op(VCPUOP_set_singleshot_timer, vcpu, &timer);
}

static void timers(void)
{
    struct vcpu_set_periodic_timer often = { .period_ns = 1000 };

    answers(single(0, 1, 0), 0, "a timer in the past");
    answers(single(0, UINT64_C(1) << 62, 0), 0, "a timer far off");
    answers(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0, "stopped");
    answers(single(machine.cpus, 1, 0), -ENOENT, "no timer of no vCPU");
    if (machine.cpus > 1)
        answers(single(1, 1, 0), -EINVAL, "no timer of another vCPU");
    answers(vcpu_op(VCPUOP_set_periodic_timer, 0, &often), -EINVAL, "not every microsecond");
    answers(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0, "a periodic one stopped");
}

/* ---- vCPUs ---- */
static void vcpus(void)
{
    answers(vcpu_op(VCPUOP_is_up, 0, NULL), 1, "this one is up");
    if (machine.cpus > 1)
        answers(vcpu_op(VCPUOP_is_up, 1, NULL), 0, "the other is not");
    answers(vcpu_op(VCPUOP_is_up, machine.cpus, NULL), -ENOENT, "nobody is");
}

/* The timer comes again and again: once might be before the call. */
static void block(void)
{
    uint64_t before = taken[0][VECTOR_ALARM];
    uint32_t count;

    sleep_until(now()); /* the timer is set up */
    alarm_set(now() + ticks_of_us(2000));
    count = apic_read(APIC_INITIAL);
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_ALARM);
    apic_write(APIC_INITIAL, count);
    irq_on();
    answers(sched(SCHEDOP_block, NULL), 0, "block until an interrupt");
    irq_off();
    apic_write(APIC_INITIAL, 0);
    irq_window();
    check(taken[0][VECTOR_ALARM] > before, "which has come");
}

void arch_calls(void)
{
    callbacks();
    clock();
    timers();
    vcpus();
    block();
}
