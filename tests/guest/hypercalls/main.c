/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls about the hypervisor, vCPUs, time, the console and the end: exact answers, every
 * error. With `control` among the boot arguments it is the hardware domain, which is answered more;
 * domain 1 is somebody else then, unless other=0. With end=N it ends by SCHEDOP_shutdown for reason
 * N; end=latch: by PSCI, but with SHUTDOWN_reboot said before; end=watchdog: by not coming back.
 */
#include "hypercalls.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

const char guest_name[] = "hypercalls";

bool control;
static uint64_t page[1024] __attribute__((aligned(4096)));

uint64_t nowhere(void)
{
    const struct range *last = &machine.mem[machine.mems - 1];

    return ((last->base + last->bytes) & ~UINT64_C(4095)) + GIB;
}

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Pointers that no call may believe. */
void faults(uint64_t nr, uint64_t op, const char *name)
{
    answers(hypercall(nr, op, nowhere(), 0, 0, 0), -EFAULT, "%s: no memory", name);
    answers(hypercall(nr, op, UNMAPPED, 0, 0, 0), -EFAULT, "%s: nothing mapped", name);
    answers(hypercall(nr, op, UINT64_MAX - 3, 0, 0, 0), -EFAULT, "%s: end of addresses", name);
    answers(hypercall(nr, op, NO_ADDRESS, 0, 0, 0), -EFAULT, "%s: no address", name);
}

/* ---- xen_version ---- */
static int64_t version(uint64_t op, void *p)
{
    return hypercall_op(__HYPERVISOR_xen_version, op, p);
}

static void text_of(uint64_t op, uint64_t bytes, const char *want, const char *name)
{
    char *text = (char *)page;

    memset(page, 0x55, sizeof(page));
    answers(version(op, page), 0, "%s", name);
    check(same(text, want), "%s is '%s'", name, want);
    if (bytes)
        check(text[bytes - 1] == 0 && text[bytes] == 0x55, "%s has %lu bytes", name, bytes);
}

static void varbuf_of(uint64_t op, const char *want, const char *name)
{
    struct xen_varbuf *b = (void *)page;
    int64_t length = version(op, NULL);
    uint64_t n = 0;

    while (want[n])
        n++;
    answers(length, n, "%s: its length", name);
    memset(page, 0x55, sizeof(page));
    b->len = (uint32_t)n - 1;
    answers(version(op, b), -ENOBUFS, "%s: too little room", name);
    b->len = (uint32_t)n + 7;
    answers(version(op, b), n, "%s: enough room", name);
    check(b->buf[n] == 0x55, "%s: no zero behind it", name);
    b->buf[n] = 0;
    check(same((char *)b->buf, want), "%s is '%s'", name, want);
}

static void features(void)
{
    struct xen_feature_info f = { .submap_idx = 0 };
    uint32_t want = BIT32(XENFEAT_writable_page_tables) | BIT32(XENFEAT_auto_translated_physmap) |
                    BIT32(XENFEAT_memory_op_vnode_supported) | BIT32(XENFEAT_runstate_phys_area) |
                    arch_features;

    want |= control ? BIT32(XENFEAT_dom0) | BIT32(XENFEAT_direct_mapped)
                    : BIT32(XENFEAT_not_direct_mapped);
    answers(version(XENVER_get_features, &f), 0, "features");
    check_eq(f.submap, want, "features: which");
    f.submap_idx = 1;
    answers(version(XENVER_get_features, &f), -EINVAL, "features: the next word");
}

static void versions(void)
{
    struct xen_compile_info *c = (void *)page;
    static const char extra[] = ".0-hospes", changeset[] = "Hospes";

    answers(version(XENVER_version, NULL), 0x40014, "version is 4.20");
    answers(hypercall(__HYPERVISOR_xen_version, (UINT64_C(1) << 32) + XENVER_version, 0, 0, 0, 0),
            0x40014, "sub-operations have 32 bits");
    text_of(XENVER_extraversion, 16, extra, "extraversion");
    text_of(XENVER_capabilities, 1024, arch_capabilities, "capabilities");
    text_of(XENVER_changeset, 64, changeset, "changeset");
    varbuf_of(XENVER_extraversion2, extra, "extraversion2");
    varbuf_of(XENVER_capabilities2, arch_capabilities, "capabilities2");
    varbuf_of(XENVER_changeset2, changeset, "changeset2");
    answers(version(XENVER_compile_info, c), 0, "compile_info");
    check(c->compiler[0] && !c->compiler[sizeof(c->compiler) - 1], "compiler: %s", c->compiler);
    page[0] = 1;
    answers(version(XENVER_platform_parameters, page), 0, "platform_parameters");
    check_eq(page[0], 0, "platform_parameters: no hypervisor in our addresses");
    features();
    answers(version(XENVER_pagesize, NULL), 4096, "pagesize");
    answers(version(XENVER_pagesize, page), -EINVAL, "pagesize of something");
    page[0] = page[1] = 1;
    page[2] = 7;
    answers(version(XENVER_guest_handle, page), 0, "guest_handle");
    check(!page[0] && !page[1] && page[2] == 7, "guest_handle: none, in 16 bytes");
    answers(version(15, page), -ENOSYS, "xen_version: 15");
    answers(version(99, page), -ENOSYS, "xen_version: 99");
    faults(__HYPERVISOR_xen_version, XENVER_extraversion, "extraversion");
    faults(__HYPERVISOR_xen_version, XENVER_compile_info, "compile_info");
    faults(__HYPERVISOR_xen_version, XENVER_get_features, "features");
    faults(__HYPERVISOR_xen_version, XENVER_changeset2, "changeset2");
}

static void secrets(void)
{
    if (control) {
        answers(version(XENVER_commandline, page), 0, "commandline");
        note("command line: %s", (char *)page);
        check(version(XENVER_commandline2, NULL) > 0, "commandline2");
        answers(version(XENVER_build_id, NULL), 20, "build_id: SHA-1");
        ((struct xen_build_id *)(void *)page)->len = 20;
        answers(version(XENVER_build_id, page), 20, "build_id");
    } else {
        text_of(XENVER_commandline, 0, "<denied>", "commandline");
        answers(version(XENVER_commandline2, page), -EPERM, "commandline2");
        answers(version(XENVER_build_id, NULL), -EPERM, "build_id");
    }
}

/* ---- calls that are not there, and short ones ---- */
static void not_there(void)
{
    for (const uint64_t *number = arch_no_calls; *number; number++)
        answers(hypercall(*number, 0, (uint64_t)(uintptr_t)page, 0, 0, 0), -ENOSYS,
                "hypercall %lu is not there", *number);
}

static int64_t assist(uint64_t cmd, uint64_t type)
{
    return hypercall(__HYPERVISOR_vm_assist, cmd, type, 0, 0, 0);
}

static void vm_assist(void)
{
    answers(assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0, "vm_assist: enable");
    answers(assist(VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag), 0, "vm_assist: disable");
    answers(assist(2, VMASST_TYPE_runstate_update_flag), -ENOSYS, "vm_assist: neither");
    answers(assist(0, VMASST_TYPE_4gb_segments), -EINVAL, "vm_assist: for PV only");
    answers(assist(0, 31), -EINVAL, "vm_assist: 31");
    answers(assist(0, 32), -EINVAL, "vm_assist: 32");
    answers(assist(0, 64), -EINVAL, "vm_assist: 64");
}

/* ---- hvm_op ---- */
int64_t param(uint64_t op, domid_t domid, uint32_t index, uint64_t *value)
{
    struct xen_hvm_param p = { .domid = domid, .index = index, .value = *value };
    int64_t result = hypercall_op(__HYPERVISOR_hvm_op, op, &p);

    *value = p.value;
    return result;
}

static void hvm_op(void)
{
    uint64_t value = 0;

    answers(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_CONSOLE_PFN, &value), 0, "console_pfn");
    answers(param(HVMOP_set_param, DOMID_SELF, HVM_PARAM_STORE_PFN, &value), -EPERM, "set own");
    answers(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_MONITOR_RING_PFN, &value), -EPERM,
            "a toolstack's");
    answers(param(HVMOP_get_param, DOMID_SELF, HVM_NR_PARAMS, &value), -EINVAL, "one too many");
    answers(param(HVMOP_get_param, DOMID_SELF, UINT32_MAX, &value), -EINVAL, "far too many");
    answers(param(HVMOP_get_param, DOMID_IDLE, HVM_PARAM_STORE_PFN, &value),
            control ? -ESRCH : -EPERM, "of nobody");
    faults(__HYPERVISOR_hvm_op, HVMOP_get_param, "get_param");
    faults(__HYPERVISOR_hvm_op, HVMOP_set_param, "set_param");
    answers(hypercall_op(__HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event, NULL), 0, "vm event");
    answers(hypercall_op(__HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event, page), -EINVAL,
            "vm event with something");
}

static void params_of_others(void)
{
    uint64_t value = 0x1234;

    answers(param(HVMOP_set_param, 1, HVM_PARAM_STORE_PFN, &value), control ? 0 : -EPERM,
            "set another's");
    value = 0;
    answers(param(HVMOP_get_param, 1, HVM_PARAM_STORE_PFN, &value), control ? 0 : -EPERM,
            "get another's");
    check_eq(value, control ? 0x1234 : 0, "another's value");
}

/* ---- multicall ---- */
static int64_t multi(void *list, uint64_t calls)
{
    return hypercall(__HYPERVISOR_multicall, (uint64_t)(uintptr_t)list, calls, 0, 0, 0);
}

static void multicall(void)
{
    static struct multicall_entry list[300];
    uint32_t wrong = 0;

    list[0].op = __HYPERVISOR_xen_version;
    list[1].op = 63;
    list[2].op = __HYPERVISOR_xen_version;
    list[2].args[0] = XENVER_pagesize;
    list[3].op = __HYPERVISOR_multicall;
    list[4].op = UINT64_MAX;
    answers(multi(list, 5), 0, "multicall");
    check_eq(list[0].result, 0x40014, "multicall: the first's result");
    answers(list[1].result, -ENOSYS, "multicall: one that is not there");
    check_eq(list[2].result, 4096, "multicall: its arguments");
    answers(list[3].result, -EINVAL, "multicall: no multicall within");
    answers(list[4].result, -ENOSYS, "multicall: a wild number");
    answers(multi(list, 0), 0, "multicall of nothing");
    answers(multi(NULL, 0), 0, "multicall of nothing, nowhere");
    for (uint32_t i = 0; i < ARRAY_SIZE(list); i++)
        list[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
    answers(multi(list, ARRAY_SIZE(list)), 0, "multicall of many");
    for (uint32_t i = 0; i < ARRAY_SIZE(list); i++)
        wrong += list[i].result != 0x40014;
    check_eq(wrong, 0, "multicall of many: all results");
    answers(multi((void *)(uintptr_t)nowhere(), 1), -EFAULT, "multicall: no memory");
    answers(multi((void *)(uintptr_t)UNMAPPED, UINT32_MAX), -EFAULT, "multicall: nothing mapped");
}

/* ---- vcpu_op ---- */
int64_t vcpu_op(uint64_t cmd, uint64_t vcpu, void *p)
{
    return hypercall(__HYPERVISOR_vcpu_op, cmd, vcpu, (uint64_t)(uintptr_t)p, 0, 0);
}

static int64_t register_info(uint64_t vcpu, uint64_t at, uint32_t offset)
{
    struct vcpu_register_vcpu_info r = { .mfn = at >> 12, .offset = offset };

    return vcpu_op(VCPUOP_register_vcpu_info, vcpu, &r);
}

static void vcpu_info(void)
{
    uint64_t at = (uint64_t)(uintptr_t)page;
    volatile struct vcpu_info *info = (void *)((char *)page + 64);
    bool told = false; /* the macro asks once more when it is done */

    memset(page, 0, sizeof(page));
    answers(vcpu_op(VCPUOP_register_vcpu_info, machine.cpus, page), -ENOENT, "vcpu_op: no vCPU");
    answers(vcpu_op(VCPUOP_register_vcpu_info, UINT32_MAX, page), -ENOENT, "vcpu_op: vCPU -1");
    answers(vcpu_op(99, 0, page), -EINVAL, "vcpu_op: 99");
    answers(vcpu_op(VCPUOP_register_vcpu_info, 0, (void *)(uintptr_t)UNMAPPED), -EFAULT,
            "vcpu_info: no argument");
    answers(register_info(0, at, 4096), -EINVAL, "vcpu_info: beyond its page");
    answers(register_info(0, at, 4096 - 8), -ENXIO, "vcpu_info: across a page's end");
    answers(register_info(0, at, 4), -ENXIO, "vcpu_info: not aligned");
    answers(register_info(0, nowhere(), 0), -EINVAL, "vcpu_info: no memory");
    answers(register_info(0, UINT64_MAX, 0), -EINVAL, "vcpu_info: no frame");
    upcall_init();
    answers(register_info(0, at, 64), 0, "vcpu_info");
    check_eq(info->evtchn_upcall_pending, 1, "vcpu_info: look for events");
    check_eq(info->evtchn_pending_sel, UINT64_MAX, "vcpu_info: everywhere");
    check(wait_until(told || (told = upcall_take(&info->evtchn_upcall_pending))),
          "vcpu_info: its interrupt comes");
    check(!upcall_take(&info->evtchn_upcall_pending), "vcpu_info: once");
    answers(register_info(0, at, 64), -EBUSY, "vcpu_info: again");
    if (machine.cpus > 1)
        answers(register_info(1, at, 128), 0, "vcpu_info: another vCPU's");
}

/* A little sleep: a timer wakes. */
static void nap(void)
{
    sleep_until(now() + ticks_of_us(10000));
}

static void shown(volatile struct vcpu_runstate_info *r, const char *name)
{
    uint64_t blocked = r->time[RUNSTATE_blocked], entry = r->state_entry_time;

    check_eq((uint64_t)(int64_t)r->state, RUNSTATE_running, "%s: we run", name);
    check(r->time[RUNSTATE_offline] > 0, "%s: we did not always", name);
    for (uint32_t i = 0; i < 50 && r->time[RUNSTATE_blocked] == blocked; i++)
        nap(); /* a machine that is slow may come too late to sleep */
    check(r->time[RUNSTATE_blocked] > blocked, "%s: slept", name);
    check(r->state_entry_time > entry, "%s: runs again, since later", name);
    check(!(r->state_entry_time & XEN_RUNSTATE_UPDATE), "%s: whole", name);
}

static int64_t place_runstate(uint64_t op, uint64_t vcpu, uint64_t where)
{
    struct vcpu_register_runstate_memory_area r = { .addr.p = where };

    return vcpu_op(op, vcpu, &r);
}

static void runstate(void)
{
    static char two[8192 + 64] __attribute__((aligned(8192)));
    uint64_t at = (uint64_t)(uintptr_t)page + 512, across = (uint64_t)(uintptr_t)two + 4096 - 20;
    struct vcpu_runstate_info copy;
    uint64_t op = VCPUOP_register_runstate_memory_area;

    answers(vcpu_op(op, 0, (void *)(uintptr_t)UNMAPPED), -EFAULT, "runstate: no argument");
    answers(place_runstate(op, 0, UNMAPPED), -EINVAL, "runstate: nothing mapped");
    answers(place_runstate(op, 0, nowhere()), -EINVAL, "runstate: no memory");
    answers(place_runstate(op, 0, at), 0, "runstate");
    shown((void *)(uintptr_t)at, "runstate");
    assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag);
    shown((void *)(uintptr_t)at, "runstate with a flag");
    answers(place_runstate(op, 0, across), 0, "runstate across pages");
    nap();
    memcpy(&copy, (void *)(uintptr_t)across, sizeof(copy));
    check(copy.state == RUNSTATE_running && copy.time[RUNSTATE_blocked] &&
              !(copy.state_entry_time >> 60),
          "runstate across pages: shown");
    op = VCPUOP_register_runstate_phys_area;
    answers(place_runstate(op, 0, across), -ENXIO, "runstate by address: across pages");
    answers(place_runstate(op, 0, nowhere()), -EINVAL, "runstate by address: no memory");
    answers(place_runstate(op, 0, at), 0, "runstate by address");
    shown((void *)(uintptr_t)at, "runstate by address");
    answers(place_runstate(op, 0, UINT64_MAX), 0, "runstate by address: no more");
    memset(page, 0, sizeof(page));
    nap();
    check_eq(page[64 + 1], 0, "runstate by address: not shown any more");
}

/* ---- sched_op ---- */
int64_t sched(uint64_t op, void *p)
{
    return hypercall_op(__HYPERVISOR_sched_op, op, p);
}

static int64_t poll(const uint32_t *ports, uint32_t nr, uint64_t timeout)
{
    struct sched_poll p = { .nr_ports = nr, .timeout = timeout };

    p.ports.p = (uint32_t *)(uintptr_t)ports;
    return sched(SCHEDOP_poll, &p);
}

static int64_t watchdog(uint32_t id, uint32_t seconds)
{
    struct sched_watchdog w = { .id = id, .timeout = seconds };

    return sched(SCHEDOP_watchdog, &w);
}

static void sched_op(void)
{
    static const uint32_t wrong[] = { 1000000 };
    struct sched_remote_shutdown r = { .domain_id = 77, .reason = 0 };
    struct sched_pin_override pin = { .pcpu = 0 };

    answers(sched(SCHEDOP_yield, NULL), 0, "yield");
    answers(poll(NULL, 129, 1), -EINVAL, "poll: too many ports");
    answers(poll((uint32_t *)(uintptr_t)UNMAPPED, 1, 1), -EFAULT, "poll: no ports");
    answers(poll(wrong, 1, 1), -EINVAL, "poll: no such port");
    answers(poll(NULL, 0, 1), 0, "poll: nothing, until it was long ago");
    faults(__HYPERVISOR_sched_op, SCHEDOP_poll, "poll");
    faults(__HYPERVISOR_sched_op, SCHEDOP_shutdown, "shutdown");
    faults(__HYPERVISOR_sched_op, SCHEDOP_shutdown_code, "shutdown_code");
    faults(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, "remote_shutdown");
    faults(__HYPERVISOR_sched_op, SCHEDOP_watchdog, "watchdog");
    answers(sched(SCHEDOP_remote_shutdown, &r), -ESRCH, "remote_shutdown of nobody");
    r.domain_id = 1;
    if (!control)
        answers(sched(SCHEDOP_remote_shutdown, &r), -EPERM, "remote_shutdown of another");
    answers(sched(SCHEDOP_pin_override, &pin), control ? 0 : -EPERM, "pin_override");
    answers(sched(8, page), -ENOSYS, "sched_op: 8");
}

static void watchdogs(void)
{
    answers(watchdog(3, 1), -EINVAL, "watchdog: there are two");
    answers(watchdog(1, 1), -EINVAL, "watchdog: not in use");
    answers(watchdog(0, 1000), 1, "watchdog: one");
    answers(watchdog(0, 1000), 2, "watchdog: two");
    answers(watchdog(0, 1000), -ENOSPC, "watchdog: no more");
    answers(watchdog(1, 2000), 0, "watchdog: fed");
    answers(watchdog(1, 0), 0, "watchdog: ended");
    answers(watchdog(1, 0), -EINVAL, "watchdog: ended before");
    answers(watchdog(0, 1000), 1, "watchdog: again");
    answers(watchdog(1, 0), 0, "watchdog: ended again");
    answers(watchdog(2, 0), 0, "watchdog: the other too");
}

/* ---- console_io, platform_op ---- */
static void console_io(void)
{
    static char text[] = "by console_io\n";
    uint64_t nr = __HYPERVISOR_console_io, at = (uint64_t)(uintptr_t)text;
    uint64_t bytes = sizeof(text) - 1;

    answers(hypercall(nr, CONSOLEIO_write, bytes, at, 0, 0), control ? 0 : -EPERM, "write");
    answers(hypercall(nr, CONSOLEIO_read, 16, (uint64_t)(uintptr_t)page, 0, 0),
            control ? 0 : -EPERM, "read");
    answers(hypercall(nr, 2, 0, 0, 0, 0), control ? -ENOSYS : -EPERM, "console_io: 2");
    if (!control)
        return;
    answers(hypercall(nr, CONSOLEIO_write, 1, UNMAPPED, 0, 0), -EFAULT, "write: nothing mapped");
    answers(hypercall(nr, CONSOLEIO_read, UINT32_MAX, at, 0, 0), -EINVAL, "read: too much");
    answers(hypercall(nr, CONSOLEIO_write, 0, UNMAPPED, 0, 0), 0, "write: nothing");
}

static int64_t platform(struct xen_platform_op *op)
{
    return hypercall(__HYPERVISOR_platform_op, (uint64_t)(uintptr_t)op, 0, 0, 0, 0);
}

static void platform_op(void)
{
    struct xen_platform_op op = { .cmd = XENPF_settime64, .interface_version = 1 };

    answers(platform((void *)(uintptr_t)UNMAPPED), -EFAULT, "platform_op: nothing mapped");
    answers(platform(&op), -EACCES, "platform_op: another version");
    op.interface_version = XENPF_INTERFACE_VERSION;
    op.u.settime64.secs = 1700000000;
    answers(platform(&op), control ? 0 : -EPERM, "platform_op: the time");
    op.u.settime64.mbz = 1;
    answers(platform(&op), control ? -EINVAL : -EPERM, "platform_op: the time, and more");
    op.cmd = 9999;
    answers(platform(&op), control ? -ENOSYS : -EPERM, "platform_op: 9999");
}

/* ---- what only the hardware domain can try ---- */
static void controls(void)
{
    struct sched_pin_override pin = { .pcpu = 0 };

    answers(sched(SCHEDOP_pin_override, &pin), -EBUSY, "pin_override: once");
    pin.pcpu = -1;
    answers(sched(SCHEDOP_pin_override, &pin), 0, "pin_override: no more");
    answers(sched(SCHEDOP_pin_override, &pin), -EINVAL, "pin_override: was not");
    pin.pcpu = 9999;
    answers(sched(SCHEDOP_pin_override, &pin), -EINVAL, "pin_override: no such CPU");
}

/* ---- ends ---- */
static void end(void)
{
    struct sched_shutdown s = { .reason = SHUTDOWN_reboot };
    char how[16];

    if (!bootarg("end", how, sizeof(how)))
        return;
    if (same(how, "watchdog")) {
        answers(watchdog(0, 1), 1, "watchdog");
        for (;;)
            wfi();
    } else if (same(how, "latch")) {
        answers(sched(SCHEDOP_shutdown_code, &s), 0, "shutdown_code");
        s.reason = SHUTDOWN_poweroff;
        answers(sched(SCHEDOP_shutdown_code, &s), 0, "shutdown_code: the first counts");
        system_off();
    }
    s.reason = (uint32_t)bootarg_number("end", 0);
    sched(SCHEDOP_shutdown, &s);
    put("not reached\n");
}

void guest_main(void)
{
    control = bootarg_number("control", 0) != 0;
    end();
    versions();
    secrets();
    not_there();
    vm_assist();
    hvm_op();
    if (bootarg_number("other", 1))
        params_of_others();
    multicall();
    vcpu_info();
    runstate();
    arch_calls();
    sched_op();
    watchdogs();
    console_io();
    platform_op();
    if (control)
        controls();
    finish();
}
