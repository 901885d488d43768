/* SPDX-License-Identifier: MIT */
// sources: core/vnuma.c
// sources: core/claim.c
// sources: core/sysctl.c core/sysctl_console.c core/sysctl_machine.c core/sysctl_sched.c
// sources: core/domctl.c core/domctl_create.c core/domctl_domain.c core/domctl_memory.c
// sources: core/domctl_sched.c core/domctl_device.c core/domctl_vcpu.c
// sources: core/iomem.c core/boot.c
// sources: core/domain.c core/domain_end.c core/vcpu.c core/pcpu.c core/work.c core/timer.c
// sources: core/vcpu_info.c core/guest_area.c core/spinlock.c core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c
// sources: core/sched_null.c core/irq.c core/mmio.c core/p2m.c core/p2m_batch.c core/pgtable.c
// sources: core/map.c core/frame.c core/frame_free.c core/gnttab.c core/gnttab_use.c
// sources: core/gnttab_maptrack.c
/* What a toolstack asks of the machine: results and each error. */
#include "test_toolstack.h"

#include <hospes/claim.h>

static struct xen_sysctl op;

static int64_t sysctl(uint32_t cmd)
{
    op.cmd = cmd;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return call(sysctl_op, &op);
}

/* --- the console's end --------------------------------------------------------------------------
 */

static char log_text[] = "one two three four";
static uint64_t log_first, log_end; /* positions */
static char pressed[8];

uint64_t console_ring_end(void)
{
    return log_end;
}

uint64_t console_ring_read(uint64_t *pos, char *to, uint64_t bytes)
{
    uint64_t n = 0;

    *pos = max(*pos, log_first);
    while (n < bytes && *pos < log_end)
        to[n++] = log_text[(*pos)++ - log_first];
    return n;
}

void console_press(char key)
{
    strncat(pressed, &key, 1);
}

/* --- tests --------------------------------------------------------------------------------------
 */

/* A guest that asks for what only a toolstack may have learns nothing. */
static void refused_to_others(void **state)
{
    caller->domain->control = false;
    for (uint32_t cmd = 0; cmd < 64; cmd++)
        assert_int_equal(sysctl(cmd), -EPERM);
    assert_int_equal(call(sysctl_op, nowhere), -EPERM);
    caller->domain->xenstore = true;
    memset(&op, 0, sizeof(op));
    for (uint32_t cmd = 0; cmd < 64; cmd++)
        assert_int_equal(sysctl(cmd), cmd == XEN_SYSCTL_getdomaininfolist ? 0 : -EPERM);
}

/* What is not there is refused in the way that libxl knows. */
static void unknown(void **state)
{
    static const uint32_t cmds[] = { 0,
                                     13,
                                     XEN_SYSCTL_tbuf_op,
                                     XEN_SYSCTL_perfc_op,
                                     XEN_SYSCTL_get_pmstat,
                                     XEN_SYSCTL_cpu_hotplug,
                                     XEN_SYSCTL_pm_op,
                                     XEN_SYSCTL_lockprof_op,
                                     XEN_SYSCTL_livepatch_op,
                                     60,
                                     UINT32_MAX };

    for (uint32_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
        assert_int_equal(sysctl(cmds[i]), -ENOSYS);
    assert_int_equal(sysctl(XEN_SYSCTL_coverage_op), -EOPNOTSUPP);
    op.cmd = XEN_SYSCTL_physinfo;
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION - 1;
    assert_int_equal(call(sysctl_op, &op), -EACCES);
    assert_int_equal(call(sysctl_op, nowhere), -EFAULT);
}

/* `xl info`. */
static void physinfo(void **state)
{
    const struct xen_sysctl_physinfo *p = &op.u.physinfo;

    bitmap_clear(pcpus_online, 1);
    assert_int_equal(sysctl(XEN_SYSCTL_physinfo), 0);
    bitmap_set(pcpus_online, 1);
    assert_int_equal(p->nr_cpus, PCPUS - 1);
    assert_int_equal(p->max_cpu_id, PCPUS - 1);
    assert_int_equal(p->threads_per_core, 1);
    assert_int_equal(p->nr_nodes, 1);
    assert_int_equal(p->total_pages, RAM_BYTES >> FRAME_SHIFT);
    assert_int_equal(p->free_pages, frame_free_count());
    assert_int_equal(p->max_mfn, ((RAM + RAM_BYTES) >> FRAME_SHIFT) - 1);
    assert_int_equal(p->capabilities, XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap |
                                          XEN_SYSCTL_PHYSCAP_gnttab_v1);
    assert_int_equal(p->cpu_khz, 1000000);
    assert_int_equal(p->outstanding_pages, 0);

    /* What toolstacks have claimed for guests that they build is not free for the next one. */
    struct domain claimer = { .max_pages = 16 };
    assert_int_equal(claim_set(&claimer, 16), 0);
    assert_int_equal(sysctl(XEN_SYSCTL_physinfo), 0);
    assert_int_equal(p->outstanding_pages, 16);
    assert_int_equal(claim_set(&claimer, 0), 0);
}

/* `xl info -n`: how many, then each of them; fewer than there are when there is no room. */
static void topology(void **state)
{
    struct xen_sysctl_cputopo cpus[PCPUS + 1];
    struct xen_sysctl_meminfo memory[2];
    uint32_t distance[2] = { 0 };

    memset(&op, 0, sizeof(op));
    assert_int_equal(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    assert_int_equal(op.u.cputopoinfo.num_cpus, PCPUS);
    memset(cpus, 0x55, sizeof(cpus));
    op.u.cputopoinfo.num_cpus = 2;
    op.u.cputopoinfo.cputopo.p = cpus;
    assert_int_equal(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    assert_int_equal(op.u.cputopoinfo.num_cpus, PCPUS);
    assert_int_equal(cpus[1].core, 1);
    assert_int_equal(cpus[2].core, 0x55555555);
    op.u.cputopoinfo.num_cpus = PCPUS + 1;
    bitmap_clear(pcpus_online, 2);
    assert_int_equal(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    bitmap_set(pcpus_online, 2);
    assert_int_equal(cpus[2].core, XEN_INVALID_CORE_ID);
    assert_int_equal(cpus[PCPUS].core, 0x55555555);
    op.u.cputopoinfo.cputopo.p = nowhere;
    assert_int_equal(sysctl(XEN_SYSCTL_cputopoinfo), -EFAULT);

    memset(&op, 0, sizeof(op));
    assert_int_equal(sysctl(XEN_SYSCTL_numainfo), 0);
    assert_int_equal(op.u.numainfo.num_nodes, 1);
    op.u.numainfo.num_nodes = 2;
    op.u.numainfo.meminfo.p = memory;
    op.u.numainfo.distance.p = distance;
    assert_int_equal(sysctl(XEN_SYSCTL_numainfo), 0);
    assert_int_equal(memory[0].memsize, RAM_BYTES);
    assert_int_equal(distance[0], 10);
    assert_int_equal(distance[1], 0);
    op.u.numainfo.meminfo.p = nowhere;
    assert_int_equal(sysctl(XEN_SYSCTL_numainfo), -EFAULT);
    op.u.numainfo.meminfo.p = NULL;
    op.u.numainfo.distance.p = nowhere;
    assert_int_equal(sysctl(XEN_SYSCTL_numainfo), -EFAULT);
}

/* Free memory: of all, or of the one node. */
static void heap(void **state)
{
    op.u.availheap = (struct xen_sysctl_availheap){ .node = -1 };
    assert_int_equal(sysctl(XEN_SYSCTL_availheap), 0);
    assert_int_equal(op.u.availheap.avail_bytes, frame_free_count() << FRAME_SHIFT);
    op.u.availheap.node = 1;
    assert_int_equal(sysctl(XEN_SYSCTL_availheap), 0);
    assert_int_equal(op.u.availheap.avail_bytes, 0);
    op.u.availheap.node = -2;
    assert_int_equal(sysctl(XEN_SYSCTL_availheap), -EINVAL);
    op.u.availheap = (struct xen_sysctl_availheap){ .max_bitwidth = 32 };
    assert_int_equal(sysctl(XEN_SYSCTL_availheap), -EINVAL);
}

/* `xl list`: everybody, in order, from any number on. */
static void domains(void **state)
{
    struct xen_domctl_getdomaininfo list[4] = { 0 };
    uint16_t a = made(), b = made();

    op.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){ .max_domains = 4 };
    op.u.getdomaininfolist.buffer.p = list;
    assert_int_equal(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    assert_int_equal(op.u.getdomaininfolist.num_domains, 3);
    assert_int_equal(list[0].domain, 0);
    assert_int_equal(list[1].domain, a);
    assert_int_equal(list[2].domain, b);
    assert_true(list[1].flags & XEN_DOMINF_paused);
    assert_false(list[0].flags & XEN_DOMINF_paused);
    op.u.getdomaininfolist.first_domain = (uint16_t)(a + 1);
    op.u.getdomaininfolist.max_domains = 1;
    assert_int_equal(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    assert_int_equal(op.u.getdomaininfolist.num_domains, 1);
    assert_int_equal(list[0].domain, b);
    op.u.getdomaininfolist.first_domain = DOMID_SELF;
    assert_int_equal(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    assert_int_equal(op.u.getdomaininfolist.num_domains, 0);
    op.u.getdomaininfolist.first_domain = 0;
    op.u.getdomaininfolist.buffer.p = nowhere;
    assert_int_equal(sysctl(XEN_SYSCTL_getdomaininfolist), -EFAULT);
    destroyed(a);
    destroyed(b);
}

static int64_t pages(uint32_t cmd, uint64_t start, uint64_t end, uint32_t *status)
{
    op.u.page_offline = (struct xen_sysctl_page_offline_op){ .cmd = cmd,
                                                             .start = (uint32_t)start,
                                                             .end = (uint32_t)end };
    op.u.page_offline.status.p = status;
    return sysctl(XEN_SYSCTL_page_offline_op);
}

/* `xen-hptool mem-status`: a page that is told to be bad, or a toolstack that asks for all at once.
 */
static void asks_of_pages(void **state)
{
    uint32_t status[3] = { 7, 7, 7 };
    uint64_t last = frame_highest().v;

    assert_int_equal(pages(sysctl_query_page_offline, last - 1, last, status), 0);
    assert_int_equal(status[0] | status[1], 0);
    assert_int_equal(status[2], 7);
    assert_int_equal(pages(sysctl_query_page_offline, last, last + 1, status), -EINVAL);
    assert_int_equal(pages(sysctl_query_page_offline, UINT32_MAX, UINT32_MAX, status), -EINVAL);
    assert_int_equal(pages(sysctl_query_page_offline, last, last - 1, status), -EINVAL);
    assert_int_equal(pages(sysctl_query_page_offline, 0, UINT32_MAX, status), -E2BIG);
    assert_int_equal(pages(sysctl_query_page_offline, last, last, nowhere), -EFAULT);
    assert_int_equal(pages(sysctl_page_offline, last, last, status), -EOPNOTSUPP);
    assert_int_equal(pages(sysctl_page_online, last, last, status), -EOPNOTSUPP);
    assert_int_equal(pages(0, last, last, status), -EINVAL);
    assert_int_equal(pages(4, last, last, status), -EINVAL);
}

/* More of them than are held at once. */
static void many_domains(void **state)
{
    struct xen_domctl_getdomaininfo list[24] = { 0 };
    uint16_t ids[20];

    for (uint32_t i = 0; i < array_size(ids); i++)
        ids[i] = made();
    op.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){ .max_domains = 24 };
    op.u.getdomaininfolist.buffer.p = list;
    assert_int_equal(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    assert_int_equal(op.u.getdomaininfolist.num_domains, 21);
    for (uint32_t i = 0; i < array_size(ids); i++)
        assert_int_equal(list[i + 1].domain, ids[i]);
    for (uint32_t most = 7; most <= 17; most++) {
        memset(list, 0xff, sizeof(list));
        op.u.getdomaininfolist.first_domain = ids[0];
        op.u.getdomaininfolist.max_domains = most;
        assert_int_equal(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
        assert_int_equal(op.u.getdomaininfolist.num_domains, most);
        assert_int_equal(list[most - 1].domain, ids[most - 1]);
        assert_int_equal(list[most].domain, 0xffff);
    }
    op.u.getdomaininfolist.buffer.p = nowhere;
    assert_int_equal(sysctl(XEN_SYSCTL_getdomaininfolist), -EFAULT);
    for (uint32_t i = 0; i < array_size(ids); i++)
        destroyed(ids[i]);
}

static int64_t read_log(char *to, uint32_t bytes, uint8_t incremental, uint8_t clear)
{
    uint32_t index = op.u.readconsole.index;

    memset(to, 0, bytes);
    op.u.readconsole = (struct xen_sysctl_readconsole){
        .clear = clear, .incremental = incremental, .index = index, .count = bytes
    };
    op.u.readconsole.buffer.p = to;
    return sysctl(XEN_SYSCTL_readconsole);
}

/* `xl dmesg`, `xl dmesg -c`, and xenconsoled's log of the hypervisor, which asks for what is new;
 * also after 4 GiB of it. */
static void reads_console(void **state)
{
    char text[64];

    for (uint64_t first = 0; first < 3; first++) {
        log_first = first * (UINT32_MAX - 7ull);
        log_end = log_first + 7;
        memset(&op, 0, sizeof(op));
        assert_int_equal(read_log(text, sizeof(text), 0, 0), 0);
        assert_int_equal(op.u.readconsole.count, 7);
        assert_string_equal(text, "one two");
        assert_int_equal(op.u.readconsole.index, (uint32_t)log_end);
        log_end += 6;
        assert_int_equal(read_log(text, sizeof(text), 1, 0), 0);
        assert_string_equal(text, " three");
        assert_int_equal(read_log(text, 3, 0, 1), 0); /* clears what it did not show, too */
        assert_int_equal(op.u.readconsole.count, 3);
        log_end += 5;
        assert_int_equal(read_log(text, sizeof(text), 0, 0), 0);
        assert_string_equal(text, " four");
    }
    op.u.readconsole.count = 4;
    op.u.readconsole.incremental = 0;
    op.u.readconsole.buffer.p = nowhere;
    assert_int_equal(sysctl(XEN_SYSCTL_readconsole), -EFAULT);
}

/* `xl debug-keys`. */
static void debug_keys(void **state)
{
    op.u.debug_keys.keys.p = "rq";
    op.u.debug_keys.nr_keys = 2;
    assert_int_equal(sysctl(XEN_SYSCTL_debug_keys), 0);
    assert_string_equal(pressed, "rq");
    op.u.debug_keys.keys.p = nowhere;
    assert_int_equal(sysctl(XEN_SYSCTL_debug_keys), -EFAULT);
    op.u.debug_keys.nr_keys = 17; /* else one call keeps a CPU for as long as dom0 wishes */
    assert_int_equal(sysctl(XEN_SYSCTL_debug_keys), -E2BIG);
}

/* `xl top` and xentop: how idle each CPU is. */
static void cpu_info(void **state)
{
    struct xen_sysctl_cpuinfo info[PCPUS + 1] = { 0 }, later[PCPUS + 1] = { 0 };

    op.u.getcpuinfo.max_cpus = PCPUS + 1;
    op.u.getcpuinfo.info.p = info;
    assert_int_equal(sysctl(XEN_SYSCTL_getcpuinfo), 0);
    assert_int_equal(op.u.getcpuinfo.nr_cpus, PCPUS);
    host_clock_advance(5000);
    op.u.getcpuinfo.max_cpus = 2;
    op.u.getcpuinfo.info.p = later;
    assert_int_equal(sysctl(XEN_SYSCTL_getcpuinfo), 0);
    assert_int_equal(op.u.getcpuinfo.nr_cpus, 2);
    assert_int_equal(later[1].idletime, info[1].idletime + 5000);
    op.u.getcpuinfo.info.p = nowhere;
    assert_int_equal(sysctl(XEN_SYSCTL_getcpuinfo), -EFAULT);
}

static int64_t pool(uint32_t what, uint32_t id, uint32_t cpu, uint8_t *map)
{
    op.u.cpupool_op = (struct xen_sysctl_cpupool_op){ .op = what, .cpupool_id = id, .cpu = cpu };
    op.u.cpupool_op.cpumap = (struct xenctl_bitmap){ { map }, 16 };
    return sysctl(XEN_SYSCTL_cpupool_op);
}

/* `xl cpupool-list`: one pool with every CPU; it cannot be changed, and says so. */
static void pools(void **state)
{
    uint8_t map[2] = { 0xff, 0xff };

    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 0, 0, map), 0);
    assert_int_equal(map[0], 7);
    assert_int_equal(map[1], 0);
    assert_int_equal(op.u.cpupool_op.n_dom, 1);
    assert_int_equal(op.u.cpupool_op.sched_id, XEN_SCHEDULER_CREDIT2);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 1, 0, map), -ENOENT);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 0, 0, nowhere), -EFAULT);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0, 0, map), 0);
    assert_int_equal(map[0], 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_CREATE, 1, 0, map), -EOPNOTSUPP);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 0, 0, map), -EBUSY);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1, 0, map), -ENOENT);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, 1, map), -ENODEV);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, XEN_SYSCTL_CPUPOOL_PAR_ANY, map),
                     -ENODEV);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, PCPUS, map), -EINVAL);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, 1, map), -EBUSY);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 2, 1, map), -ENOENT);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 0, 0, map), 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 1, 0, map), -ENOENT);
    op.u.cpupool_op.domid = 99;
    assert_int_equal(sysctl(XEN_SYSCTL_cpupool_op), -EINVAL);
    assert_int_equal(pool(99, 0, 0, map), -ENOSYS);
}

/* `xl sched-credit2 -s`. */
static void scheduler(void **state)
{
    struct xen_sysctl_scheduler_op *s = &op.u.scheduler_op;

    assert_int_equal(sysctl(XEN_SYSCTL_sched_id), 0);
    assert_int_equal(op.u.sched_id.sched_id, XEN_SCHEDULER_CREDIT2);
    options.sched = SCHED_NULL;
    assert_int_equal(sysctl(XEN_SYSCTL_sched_id), 0);
    options.sched = SCHED_FAIR;
    assert_int_equal(op.u.sched_id.sched_id, XEN_SCHEDULER_NULL);

    *s = (struct xen_sysctl_scheduler_op){ .sched_id = XEN_SCHEDULER_CREDIT2,
                                           .cmd = XEN_SYSCTL_SCHEDOP_getinfo };
    s->u.sched_credit2.ratelimit_us = 7;
    assert_int_equal(sysctl(XEN_SYSCTL_scheduler_op), 0);
    assert_int_equal(s->u.sched_credit2.ratelimit_us, 0);
    s->cmd = XEN_SYSCTL_SCHEDOP_putinfo;
    assert_int_equal(sysctl(XEN_SYSCTL_scheduler_op), 0);
    s->u.sched_credit2.ratelimit_us = 1000;
    assert_int_equal(sysctl(XEN_SYSCTL_scheduler_op), -EOPNOTSUPP);
    s->cmd = 2;
    assert_int_equal(sysctl(XEN_SYSCTL_scheduler_op), -EINVAL);
    s->sched_id = XEN_SCHEDULER_CREDIT;
    assert_int_equal(sysctl(XEN_SYSCTL_scheduler_op), -EINVAL);
    s->cpupool_id = 1;
    assert_int_equal(sysctl(XEN_SYSCTL_scheduler_op), -ESRCH);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(refused_to_others), TEST(unknown),       TEST(physinfo),
        TEST(topology),          TEST(heap),          TEST(domains),
        TEST(many_domains),      TEST(asks_of_pages), TEST(reads_console),
        TEST(debug_keys),        TEST(cpu_info),      TEST(pools),
        TEST(scheduler),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
