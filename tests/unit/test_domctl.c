/* SPDX-License-Identifier: MIT */
// sources: core/vnuma.c
// sources: core/claim.c
// sources: core/domctl.c core/domctl_create.c core/domctl_domain.c core/domctl_memory.c
// sources: core/domctl_sched.c core/domctl_device.c core/domctl_vcpu.c core/sysctl_sched.c
// sources: core/iomem.c core/boot.c
// sources: core/domain.c core/domain_end.c core/vcpu.c core/pcpu.c core/work.c core/timer.c
// sources: core/vcpu_info.c core/guest_area.c core/spinlock.c core/sched.c core/sched_unit.c core/sched_cap.c core/sched_fair.c
// sources: core/sched_null.c core/irq.c core/mmio.c core/p2m.c core/p2m_batch.c core/pgtable.c
// sources: core/map.c core/frame.c core/frame_free.c core/gnttab.c core/gnttab_use.c
// sources: core/gnttab_maptrack.c
/* What a toolstack does with one domain: results, each error, and that nothing is left behind. */
#include "test_toolstack.h"

#include <hospes/claim.h>
#include <hospes/vnuma.h>

#define FRAMES    300u
#define FIRST_GFN 0x40000u

static uint32_t exceptions, suspends, handler; /* VIRQ_DOM_EXC; its port; who asked for what */

void evtchn_send_global_virq(uint32_t virq)
{
    assert_int_equal(virq, VIRQ_DOM_EXC);
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    exceptions++;
}

int evtchn_send(struct domain *d, uint32_t port)
{
    suspends += port == 5;
    return port == 5 ? 0 : -EINVAL;
}

int evtchn_set_virq_handler(struct domain *d, uint32_t virq)
{
    handler = d->id << 8 | virq;
    return virq == VIRQ_DOM_EXC ? 0 : -EINVAL;
}

/* --- who may call, and how ----------------------------------------------------------------------
 */

/* A guest that asks for what only a toolstack may have learns and changes nothing. */
static void refused_to_others(void **state)
{
    caller->domain->control = false;
    for (uint32_t cmd = 0; cmd < 1010; cmd++)
        assert_int_equal(domctl(cmd, 0), -EPERM);
    assert_int_equal(call(domctl_op, nowhere), -EPERM);
    caller->domain->xenstore = true;
    for (uint32_t cmd = 0; cmd < 1010; cmd++)
        if (cmd != XEN_DOMCTL_getdomaininfo)
            assert_int_equal(domctl(cmd, 0), -EPERM);
    assert_int_equal(domctl(XEN_DOMCTL_getdomaininfo, 0), 0); /* else xenstored misses deaths */
    assert_int_equal(the_op.u.getdomaininfo.domain, 0);
}

/* A toolstack of another release hears so at once, not by strange results. */
static void versions(void **state)
{
    for (uint32_t version = 0; version < 0x20; version++) {
        bool served = version >= DOMCTL_XEN_4_17 && version <= DOMCTL_XEN_4_20;

        the_op =
            (struct xen_domctl){ .cmd = XEN_DOMCTL_getdomaininfo, .interface_version = version };
        assert_int_equal(call(domctl_op, &the_op), served ? 0 : -EACCES);
    }
    assert_int_equal(call(domctl_op, nowhere), -EFAULT);
}

/* What is not there is refused in the way that libxl knows. */
static void unknown(void **state)
{
    static const uint32_t cmds[] = { 0,
                                     6,
                                     XEN_DOMCTL_shadow_op,
                                     XEN_DOMCTL_ioport_permission,
                                     XEN_DOMCTL_gdbsx_guestmemio,
                                     XEN_DOMCTL_gdbsx_domstatus,
                                     500,
                                     UINT32_MAX };

    for (uint32_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
        assert_int_equal(domctl(cmds[i], 0), -ENOSYS);
        assert_int_equal(domctl(cmds[i], 77), -ESRCH);
    }
    assert_int_equal(domctl(XEN_DOMCTL_pausedomain, 77), -ESRCH);
    assert_int_equal(domctl(XEN_DOMCTL_assign_device, 0), -EOPNOTSUPP);
    memset(&the_op, 0, sizeof(the_op));
    assert_int_equal(domctl(XEN_DOMCTL_set_llc_colors, 0), -EOPNOTSUPP);
    the_op.u.set_llc_colors.pad = 1;
    assert_int_equal(domctl(XEN_DOMCTL_set_llc_colors, 0), -EINVAL);
}

/* --- coming into being --------------------------------------------------------------------------
 */

/* Debian 12's toolstack makes domains as well, though its struct has a field less. */
static void older_layout(void **state)
{
    struct xen_domctl_createdomain *c = config();
    uint8_t *at = (uint8_t *)&c->altp2m_opts;

    c->cpupool_id = 5;
    memmove(at, at + 4, (size_t)((uint8_t *)(c + 1) - at) - 4);
    the_op.cmd = XEN_DOMCTL_createdomain;
    the_op.interface_version = DOMCTL_XEN_4_17;
    assert_int_equal(call(domctl_op, &the_op), -ENOENT);
    c->altp2m_opts = 1; /* read as vmtrace_size */
    assert_int_equal(call(domctl_op, &the_op), -EINVAL);
    c->altp2m_opts = 0;
    c->vmtrace_size = 0; /* read as cpupool_id */
    assert_int_equal(call(domctl_op, &the_op), 0);
    assert_int_not_equal(the_op.domain, 0);
    assert_int_equal(c->grant_opts, 1);
    destroyed(the_op.domain);
}

/* What a new domain cannot have is refused, rather than silently left out. */
static void create_checks(void **state)
{
    int64_t free = (int64_t)frame_free_count(), used = heap_used;

    config()->flags = XEN_DOMCTL_CDF_hap;
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -EINVAL);
    config()->flags = XEN_DOMCTL_CDF_hvm;
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -EINVAL);
    for (uint32_t bit = 2; bit < 32; bit++) {
        config()->flags |= 1u << bit;
        if (1u << bit != XEN_DOMCTL_CDF_xs_domain)
            assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -EINVAL);
    }
    config()->iommu_opts = 1;
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -EINVAL);
    config()->altp2m_opts = 1;
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -EINVAL);
    config()->vmtrace_size = 4096;
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -EINVAL);
    config()->grant_opts = 0x11;
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -EINVAL);
    config()->max_vcpus = 0;
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -EINVAL);
    config()->max_vcpus = DOMAIN_MAX_VCPUS + 1;
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -EINVAL);
    config()->cpupool_id = 1;
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), -ENOENT);
    assert_int_equal(frame_free_count(), free);
    assert_int_equal(heap_used, used);
}

/* Numbers: as asked, else rising, so that one is not soon another's; the device tree's are kept. */
static void numbers(void **state)
{
    uint16_t first;

    config();
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), 0);
    first = the_op.domain;
    config();
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, first), -EEXIST);
    destroyed(first);

    domain_configs.nr = 1;
    domain_configs.d[0].id = (uint16_t)(first + 1);
    config();
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, (uint16_t)(first + 1)), -EEXIST);
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, DOMID_SELF), 0);
    assert_int_equal(the_op.domain, first + 2);
    destroyed((uint16_t)(first + 2));

    config();
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 500), 0);
    assert_int_equal(the_op.domain, 500);
    destroyed(500);
}

/* Wherever memory runs out, nothing of the new domain is left. */
static void create_out_of_memory(void **state)
{
    uint64_t free = frame_free_count();
    int64_t used = heap_used, rc;
    uint64_t n = 0;

    do {
        config();
        heap_left = n++;
        rc = domctl(XEN_DOMCTL_createdomain, 0);
        heap_left = UINT64_MAX;
        if (rc) {
            assert_int_equal(rc, -ENOMEM);
            assert_int_equal(frame_free_count(), free);
            assert_int_equal(heap_used, used);
        }
    } while (rc);
    assert_true(n > 3);

    uint16_t id = the_op.domain;
    the_op.u.max_vcpus.max = 2;
    n = 0;
    do {
        heap_left = n++;
        rc = domctl(XEN_DOMCTL_max_vcpus, id);
        heap_left = UINT64_MAX;
    } while (rc == -ENOMEM);
    assert_int_equal(rc, 0);
    destroyed(id);
    assert_int_equal(frame_free_count(), free);
    assert_int_equal(heap_used, used);
}

/* Its number of vCPUs was fixed when it was made; making them is repeatable. */
static void vcpus(void **state)
{
    uint16_t id;

    config();
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), 0);
    id = the_op.domain;
    the_op.u.max_vcpus.max = 1;
    assert_int_equal(domctl(XEN_DOMCTL_max_vcpus, id), -EINVAL);
    the_op.u.max_vcpus.max = 3;
    assert_int_equal(domctl(XEN_DOMCTL_max_vcpus, id), -EINVAL);
    the_op.u.max_vcpus.max = 1;
    assert_int_equal(domctl(XEN_DOMCTL_max_vcpus, 0), -EINVAL);
    assert_null(look(id)->vcpus[1]);
    the_op.u.max_vcpus.max = 2;
    steps_allowed = 0; /* one at a time */
    assert_int_equal(domctl(XEN_DOMCTL_max_vcpus, id), 0);
    assert_int_equal(domctl(XEN_DOMCTL_max_vcpus, id), 0);
    assert_non_null(look(id)->vcpus[1]);
    assert_int_equal(look(id)->vcpus[1]->sched.pause_count, 1);
    destroyed(id);
}

/* --- running ------------------------------------------------------------------------------------
 */

static void set_context(uint16_t id, uint32_t vcpu, uint64_t pc, bool online)
{
    struct vcpu_guest_context context = { .flags = online ? VGCF_online : 0 };

    context.user_regs.rip = pc;
    the_op.u.vcpucontext.vcpu = vcpu;
    the_op.u.vcpucontext.ctxt.p = &context;
    assert_int_equal(domctl(XEN_DOMCTL_setvcpucontext, id), 0);
}

/* `xl create` to the guest's first instruction: it runs when it is unpaused, not before. */
static void starts(void **state)
{
    uint16_t id = made();
    struct domain *d = look(id);

    set_context(id, 0, 0x40080000, true);
    assert_int_equal(d->vcpus[0]->regs.pc, 0x40080000);
    assert_int_equal(d->vcpus[0]->sched.state, SCHED_BLOCKED);
    assert_int_equal(domctl(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(d->vcpus[0]->sched.state, SCHED_QUEUED);
    assert_int_equal(d->vcpus[1]->sched.state, SCHED_BLOCKED); /* PSCI's to switch on */
    assert_int_equal(domctl(XEN_DOMCTL_unpausedomain, id), -EINVAL);
    destroyed(id);
}

/* Who paused it twice has to let it go twice. */
static void pauses(void **state)
{
    uint16_t id = made();
    struct domain *d = look(id);

    set_context(id, 0, 0, true);
    assert_int_equal(domctl(XEN_DOMCTL_pausedomain, id), 0);
    assert_int_equal(domctl(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(d->vcpus[0]->sched.state, SCHED_BLOCKED);
    assert_int_equal(domctl(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(d->vcpus[0]->sched.state, SCHED_QUEUED);
    for (uint32_t i = 0; i < 255; i++)
        assert_int_equal(domctl(XEN_DOMCTL_pausedomain, id), 0);
    assert_int_equal(domctl(XEN_DOMCTL_pausedomain, id), -EOVERFLOW);
    assert_int_equal(d->vcpus[0]->sched.pause_count, 1);
    assert_int_equal(domctl(XEN_DOMCTL_pausedomain, 0), -EINVAL); /* nobody would unpause it */
    destroyed(id);
}

/* A vCPU's state can be set and read back, and only its own domain's toolstack's way. */
static void contexts(void **state)
{
    struct vcpu_guest_context context;
    uint16_t id = made();

    the_op.u.vcpucontext.ctxt.p = &context;
    the_op.u.vcpucontext.vcpu = 1;
    assert_int_equal(domctl(XEN_DOMCTL_getvcpucontext, id), -ENODATA);
    set_context(id, 1, 0x1234, false);
    the_op.u.vcpucontext.ctxt.p = &context;
    assert_int_equal(domctl(XEN_DOMCTL_getvcpucontext, id), 0);
    assert_int_equal(context.user_regs.rip, 0x1234);
    assert_int_equal(context.flags, 0);
    assert_false(look(id)->vcpus[1]->online);

    context.user_regs.rip = UINT64_MAX; /* what no vCPU can have */
    assert_int_equal(domctl(XEN_DOMCTL_setvcpucontext, id), -EINVAL);
    the_op.u.vcpucontext.ctxt.p = nowhere;
    assert_int_equal(domctl(XEN_DOMCTL_setvcpucontext, id), -EFAULT);
    assert_int_equal(domctl(XEN_DOMCTL_getvcpucontext, id), -EFAULT);
    the_op.u.vcpucontext.ctxt.p = &context;
    the_op.u.vcpucontext.vcpu = 2;
    assert_int_equal(domctl(XEN_DOMCTL_setvcpucontext, id), -EINVAL);
    assert_int_equal(domctl(XEN_DOMCTL_getvcpucontext, id), -EINVAL);
    the_op.u.vcpucontext.vcpu = 0;
    assert_int_equal(domctl(XEN_DOMCTL_setvcpucontext, 0), -EINVAL);
    assert_int_equal(domctl(XEN_DOMCTL_getvcpucontext, 0), -EINVAL);
    heap_left = 0;
    assert_int_equal(domctl(XEN_DOMCTL_setvcpucontext, id), -ENOMEM);
    heap_left = UINT64_MAX;

    set_context(id, 0, 0x1234, true);
    assert_true(look(id)->vcpus[0]->online);
    the_op.u.vcpucontext.ctxt.p = NULL; /* off again, as it was made */
    the_op.u.vcpucontext.vcpu = 0;
    assert_int_equal(domctl(XEN_DOMCTL_setvcpucontext, id), 0);
    assert_false(look(id)->vcpus[0]->online);
    assert_int_equal(look(id)->vcpus[0]->regs.pc, 0);
    assert_int_equal(look(id)->vcpus[0]->sched.pause_count, 1);
    destroyed(id);
}

/* `xl vcpu-list`. */
static void vcpu_info(void **state)
{
    uint16_t id = made();

    set_context(id, 0, 0, true);
    the_op.u.getvcpuinfo.vcpu = 0;
    assert_int_equal(domctl(XEN_DOMCTL_getvcpuinfo, id), 0);
    assert_int_equal(the_op.u.getvcpuinfo.online, 1);
    assert_int_equal(the_op.u.getvcpuinfo.running, 0);
    assert_true(the_op.u.getvcpuinfo.cpu < PCPUS);
    the_op.u.getvcpuinfo.vcpu = 1;
    assert_int_equal(domctl(XEN_DOMCTL_getvcpuinfo, id), 0);
    assert_int_equal(the_op.u.getvcpuinfo.online, 0);
    the_op.u.getvcpuinfo.vcpu = 2;
    assert_int_equal(domctl(XEN_DOMCTL_getvcpuinfo, id), -EINVAL);
    destroyed(id);

    config();
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), 0);
    id = the_op.domain;
    the_op.u.getvcpuinfo.vcpu = 1;
    assert_int_equal(domctl(XEN_DOMCTL_getvcpuinfo, id), -ESRCH);
    destroyed(id);
}

/* --- what is told -------------------------------------------------------------------------------
 */

static uint32_t flags_of(uint16_t id)
{
    assert_int_equal(domctl(XEN_DOMCTL_getdomaininfo, id), 0);
    assert_int_equal(the_op.domain, id);
    assert_int_equal(the_op.u.getdomaininfo.domain, id);
    return the_op.u.getdomaininfo.flags & ~(XEN_DOMINF_hvm_guest | XEN_DOMINF_hap);
}

static void run_work(void)
{
    for (uint32_t i = 0; i < 20; i++)
        work_run();
}

/* `xl list` shows what the domain does, and why it stopped. */
static void info(void **state)
{
    struct xen_domctl_getdomaininfo *i = &the_op.u.getdomaininfo;
    uint16_t id;
    struct domain *d;

    config();
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), 0);
    id = the_op.domain;
    d = look(id);
    assert_int_equal(flags_of(id), XEN_DOMINF_paused | XEN_DOMINF_blocked);
    assert_int_equal(i->max_vcpu_id, XEN_INVALID_MAX_VCPU_ID);
    assert_int_equal(i->handle[1], 2);
    assert_int_equal(i->cpupool, 0);
    the_op.u.max_vcpus.max = 2;
    assert_int_equal(domctl(XEN_DOMCTL_max_vcpus, id), 0);
    the_op.u.max_mem.max_memkb = 4099;
    assert_int_equal(domctl(XEN_DOMCTL_max_mem, id), 0);
    memset(&the_op.u, 9, sizeof(the_op.u));
    assert_int_equal(domctl(XEN_DOMCTL_setdomainhandle, id), 0);
    assert_int_equal(domctl(XEN_DOMCTL_setdebugging, id), 0);
    assert_int_equal(domctl(XEN_DOMCTL_setdebugging, 0), -EINVAL);

    set_context(id, 0, 0, true);
    assert_int_equal(domctl(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(flags_of(id), XEN_DOMINF_debugged);
    assert_int_equal(i->max_vcpu_id, 1);
    assert_int_equal(i->nr_online_vcpus, 1);
    assert_int_equal(i->max_pages, 1024);
    assert_int_equal(i->handle[0], 9);
    assert_int_equal(i->gpaddr_bits, 40);

    domain_stop(d, DOMAIN_REBOOT);
    assert_int_equal(flags_of(id) & XEN_DOMINF_shutdown, 0);
    run_work();
    assert_int_equal(flags_of(id), XEN_DOMINF_debugged | XEN_DOMINF_shutdown |
                                       (uint32_t)DOMAIN_REBOOT << XEN_DOMINF_shutdownshift);
    destroyed(id);
    assert_int_equal(domctl(XEN_DOMCTL_getdomaininfo, id), -ESRCH);
}

/* Debian 12's xl walks through the domains with getdomaininfo; a number that is not there means
 * the next one to it, and an error to everybody since. */
static void next_domain(void **state)
{
    uint16_t id = made();

    the_op = (struct xen_domctl){ .cmd = XEN_DOMCTL_getdomaininfo, .domain = 1 };
    the_op.interface_version = DOMCTL_XEN_4_17;
    assert_int_equal(call(domctl_op, &the_op), 0);
    assert_int_equal(the_op.domain, id);
    the_op.domain = (uint16_t)(id + 1);
    assert_int_equal(call(domctl_op, &the_op), -ESRCH);
    the_op.interface_version = DOMCTL_XEN_4_18;
    the_op.domain = (uint16_t)(id - 1);
    assert_int_equal(call(domctl_op, &the_op), id == 1 ? 0 : -ESRCH);
    destroyed(id);
}

/* A domain that is still being built is not shown, nor touched. */
static void half_made(void **state)
{
    struct domain *d;

    assert_int_equal(domain_create(900, 1, &d), 0);
    assert_int_equal(domctl(XEN_DOMCTL_getdomaininfo, 900), -ESRCH);
    assert_int_equal(domctl(XEN_DOMCTL_destroydomain, 900), -ESRCH);
    domain_destroy(d);
}

/* --- memory -------------------------------------------------------------------------------------
 */

static void give_memory(struct domain *d)
{
    mfn_t m;

    the_op.u.paging_mempool.size = MIB(1);
    assert_int_equal(domctl(XEN_DOMCTL_set_paging_mempool_size, d->id), 0);
    assert_int_equal(frame_alloc_range(d->id, FRAMES, FRAME_DIRTY_OK, &m), 0);
    assert_int_equal(p2m_map(d, GFN(FIRST_GFN), m, FRAMES, P2M_RAM), 0);
    d->tot_pages += FRAMES;
}

static int64_t flush(uint16_t id, uint64_t start, uint64_t frames)
{
    the_op.u.cacheflush = (struct xen_domctl_cacheflush){ start, frames };
    return domctl(XEN_DOMCTL_cacheflush, id);
}

/* A builder says what it wrote; however large, nobody else waits for it. */
static void cacheflush(void **state)
{
    uint16_t id = made();

    give_memory(look(id));
    steps_allowed = 0;
    assert_int_equal(flush(id, FIRST_GFN - 10, FRAMES + 20), 0);
    assert_int_equal(the_op.u.cacheflush.nr_pfns, 0);
    assert_int_equal(flush(id, 0, 0), 0);
    assert_int_equal(flush(id, 0, UINT64_MAX), -EINVAL);
    assert_int_equal(flush(id, UINT64_MAX, 2), -EINVAL);
    assert_int_equal(flush(id, UINT64_MAX - 3, 2), 0);
    destroyed(id);
}

/* The toolstack pays for a domain's tables, in whole pages. */
static void pool(void **state)
{
    uint16_t id = made();

    the_op.u.paging_mempool.size = MIB(2);
    assert_int_equal(domctl(XEN_DOMCTL_set_paging_mempool_size, id), 0);
    the_op.u.paging_mempool.size = 5;
    assert_int_equal(domctl(XEN_DOMCTL_set_paging_mempool_size, id), -EINVAL);
    assert_int_equal(domctl(XEN_DOMCTL_get_paging_mempool_size, id), 0);
    assert_int_equal(the_op.u.paging_mempool.size, MIB(2));
    destroyed(id);
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static struct xen_vmemrange ranges[3] = { { 0x1000, 0x2000, 0, 0 },
                                          { 0x2000, 0x4000, 0, 1 },
                                          { 0x8000, 0x8000, 7, 1 } };
static unsigned int between[4] = { 10, 20, 21, 11 }, node_of_vcpu[2] = { 1, 0 }, placed[2];

static struct xen_domctl_vnuma two_nodes(void)
{
    struct xen_domctl_vnuma op = { .nr_vnodes = 2, .nr_vmemranges = 3, .nr_vcpus = 2 };

    op.vdistance.p = between;
    op.vcpu_to_vnode.p = node_of_vcpu;
    op.vnode_to_pnode.p = placed;
    op.vmemrange.p = ranges;
    return op;
}

static int64_t set_nodes(uint16_t id, struct xen_domctl_vnuma op)
{
    the_op.u.vnuma = op;
    return domctl(XEN_DOMCTL_setvnumainfo, id);
}

/* `vnuma=` in a guest's configuration: the guest is told that, and no more than it has room for. */
static void nodes_are_told(void **state)
{
    struct xen_vmemrange got_ranges[4] = { 0 };
    unsigned int got_between[5] = { 9, 9, 9, 9, 9 }, got_node[3] = { 9, 9, 9 };
    struct xen_vnuma_topology_info t = { .nr_vnodes = 1, .nr_vcpus = 2, .nr_vmemranges = 3 };
    uint16_t id = made();
    struct domain *d = domain_get(id);
    uint64_t at = (uint64_t)(uintptr_t)&t;

    assert_int_equal(vnuma_tell(caller, d, &t, at), -EOPNOTSUPP);
    assert_int_equal(set_nodes(id, two_nodes()), 0);
    assert_int_equal(set_nodes(id, two_nodes()), -EEXIST);
    t.vmemrange.h.p = got_ranges;
    t.vdistance.h.p = got_between;
    t.vcpu_to_vnode.h.p = got_node;
    assert_int_equal(vnuma_tell(caller, d, &t, at), -ENOBUFS);
    assert_int_equal(t.nr_vnodes, 2);
    assert_int_equal(got_between[0], 9);
    t.nr_vmemranges = 4;
    assert_int_equal(vnuma_tell(caller, d, &t, at), 0);
    assert_int_equal(t.nr_vmemranges, 3);
    assert_memory_equal(got_ranges, ranges, sizeof(ranges));
    assert_memory_equal(got_between, between, sizeof(between));
    assert_memory_equal(got_node, node_of_vcpu, sizeof(node_of_vcpu));
    assert_int_equal(got_ranges[3].end, 0);
    assert_int_equal(got_between[4], 9);
    assert_int_equal(got_node[2], 9);
    assert_int_equal(vnuma_tell(caller, d, &t, NOWHERE), -EFAULT);
    t.vdistance.h.p = nowhere;
    assert_int_equal(vnuma_tell(caller, d, &t, at), -EFAULT);
    t.nr_vcpus = 1;
    assert_int_equal(vnuma_tell(caller, d, &t, at), -ENOBUFS);
    domain_put(d);
    destroyed(id);
}

static void wrong_nodes(void **state)
{
    struct xen_domctl_vnuma op;
    int64_t used;
    uint16_t id = made();

    used = heap_used;
#define REFUSED(change, error)                      \
    do {                                            \
        op = two_nodes();                           \
        change;                                     \
        assert_int_equal(set_nodes(id, op), error); \
    } while (0)
    REFUSED(op.nr_vnodes = 0, -EINVAL);
    REFUSED(op.nr_vmemranges = 0, -EINVAL);
    REFUSED(op.nr_vcpus = 1, -EINVAL);
    REFUSED(op.nr_vcpus = UINT32_MAX, -EINVAL);
    REFUSED(op.pad = 1, -EINVAL);
    REFUSED(op.vdistance.p = NULL, -EINVAL);
    REFUSED(op.vcpu_to_vnode.p = NULL, -EINVAL);
    REFUSED(op.vnode_to_pnode.p = NULL, -EINVAL);
    REFUSED(op.vmemrange.p = NULL, -EINVAL);
    REFUSED(op.nr_vnodes = 33, -E2BIG);
    REFUSED(op.nr_vnodes = UINT32_MAX, -E2BIG);
    REFUSED(op.nr_vmemranges = UINT32_MAX, -E2BIG);
    REFUSED(op.vdistance.p = nowhere, -EFAULT);
    REFUSED(op.vcpu_to_vnode.p = nowhere, -EFAULT);
    REFUSED(op.vmemrange.p = nowhere, -EFAULT);
    REFUSED(op.nr_vnodes = 1, -EINVAL); /* the second range's is 1 */
    ranges[1].end = 0x1fff;
    REFUSED((void)0, -EINVAL);
    ranges[1].end = 0x4000;
    node_of_vcpu[1] = 2;
    REFUSED((void)0, -EINVAL);
    node_of_vcpu[1] = 0;
#undef REFUSED
    assert_int_equal(heap_used, used);
    destroyed(id);
}

/* --- going --------------------------------------------------------------------------------------
 */

/* `xl destroy` at any time, in small steps; nobody saws off the branch he sits on. */
static void destroys(void **state)
{
    uint64_t free = frame_free_count();
    int64_t used = heap_used;

    for (uint32_t when = 0; when < 4; when++) {
        uint16_t id = made();

        give_memory(look(id));
        if (when > 0)
            set_context(id, 0, 0, true);
        if (when > 1)
            assert_int_equal(domctl(XEN_DOMCTL_unpausedomain, id), 0);
        if (when > 2)
            domain_stop(look(id), DOMAIN_CRASH);
        steps_allowed = 0;
        destroyed(id);
        run_work();
        assert_int_equal(frame_free_count(), free);
        assert_int_equal(heap_used, used);
    }
    assert_int_equal(domctl(XEN_DOMCTL_destroydomain, 0), -EINVAL);
}

/* What another domain still has mapped stays, as nobody's, until that lets go. */
static void frames_in_use(void **state)
{
    uint64_t free = frame_free_count();
    uint16_t id = made();
    enum p2m_type type;
    mfn_t m;

    give_memory(look(id));
    m = p2m_lookup(look(id), GFN(FIRST_GFN), &type, NULL);
    assert_int_equal(frame_get(m, id), 0);
    destroyed(id);
    assert_int_equal(frame_free_count(), free - 1);
    assert_int_equal(frame_owner(frame_of(m)), OWNER_NONE);
    frame_put(m);
    assert_int_equal(frame_free_count(), free);
}

/* xenstored, thus xl, hears of each shutdown and of each death; who saves a guest, of its suspend.
 */
static void is_told(void **state)
{
    uint16_t id = made();
    struct domain *d = look(id);

    exceptions = suspends = 0;
    assert_int_equal(domctl(XEN_DOMCTL_unpausedomain, id), 0);
    the_op.u.subscribe.port = 5;
    assert_int_equal(domctl(XEN_DOMCTL_subscribe, id), 0);
    domain_stop(d, DOMAIN_SUSPEND);
    run_work();
    assert_int_equal(suspends, 1);
    assert_int_equal(exceptions, 0);
    the_op.u.subscribe.port = 6; /* is not there: better any news than none */
    assert_int_equal(domctl(XEN_DOMCTL_subscribe, id), 0);
    assert_int_equal(domctl(XEN_DOMCTL_resumedomain, id), 0);
    domain_stop(d, DOMAIN_SUSPEND);
    run_work();
    assert_int_equal(exceptions, 1);
    assert_int_equal(domctl(XEN_DOMCTL_resumedomain, id), 0);
    domain_stop(d, DOMAIN_POWEROFF);
    run_work();
    assert_int_equal(exceptions, 2);
    destroyed(id);
    assert_int_equal(exceptions, 3);
    assert_int_equal(suspends, 1);
    the_op.u.set_virq_handler.virq = VIRQ_DOM_EXC;
    assert_int_equal(domctl(XEN_DOMCTL_set_virq_handler, 0), 0);
    assert_int_equal(handler, VIRQ_DOM_EXC);
    the_op.u.set_virq_handler.virq = 99;
    assert_int_equal(domctl(XEN_DOMCTL_set_virq_handler, 0), -EINVAL);
    the_op.u.settimeoffset.time_offset_seconds = -3600;
    assert_int_equal(domctl(XEN_DOMCTL_settimeoffset, 0), 0);
    assert_int_equal(caller->domain->time_offset, -3600);
}

/* Memory claimed for a domain that is gone can be used by others, whoever still maps its grants. */
static void claim_ends(void **state)
{
    struct domain *d = domain_get(made()); /* as who has a grant of it mapped keeps it */

    d->max_pages = 1024;
    assert_int_equal(claim_set(d, 1024), 0);
    destroyed(d->id);
    assert_int_equal(claim_total(), 0);
    domain_put(d);
    assert_int_equal(claim_total(), 0);
}

/* A domain that saved its state goes on; one that is not back yet, or dies, does not. */
static void resumes(void **state)
{
    uint16_t id = made();
    struct domain *d = look(id);

    set_context(id, 0, 0, true);
    assert_int_equal(domctl(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(domctl(XEN_DOMCTL_resumedomain, id), 0); /* it runs */
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t arg[HYPERCALL_ARGS] = { (uintptr_t)&the_op };

        domain_stop(d, DOMAIN_SUSPEND);
        the_op.cmd = XEN_DOMCTL_resumedomain;
        assert_int_equal(domctl_op(caller, arg), -ERESTART);
        run_work();
        assert_int_equal(flags_of(id) >> XEN_DOMINF_shutdownshift, DOMAIN_SUSPEND);
        assert_int_equal(domctl(XEN_DOMCTL_resumedomain, id), 0);
        assert_int_equal(flags_of(id), 0);
        assert_int_equal(d->vcpus[0]->sched.state, SCHED_QUEUED);
    }
    assert_int_equal(domctl(XEN_DOMCTL_resumedomain, 0), -EINVAL);
    destroyed(id);
}

/* Ten thousand guests later the machine is as it was. */
static void again_and_again(void **state)
{
    uint64_t free = frame_free_count();
    int64_t used = heap_used;

    for (uint32_t i = 0; i < 10000; i++) {
        uint16_t id = made();

        if (i % 16 == 0)
            give_memory(look(id));
        set_context(id, 0, i, true);
        if (i % 2)
            assert_int_equal(domctl(XEN_DOMCTL_unpausedomain, id), 0);
        destroyed(id);
        assert_int_equal(heap_used, used);
        assert_int_equal(frame_free_count(), free);
    }
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(refused_to_others),
        TEST(versions),
        TEST(unknown),
        TEST(older_layout),
        TEST(create_checks),
        TEST(numbers),
        TEST(create_out_of_memory),
        TEST(vcpus),
        TEST(starts),
        TEST(pauses),
        TEST(contexts),
        TEST(vcpu_info),
        TEST(info),
        TEST(next_domain),
        TEST(half_made),
        TEST(cacheflush),
        TEST(pool),
        TEST(nodes_are_told),
        TEST(wrong_nodes),
        TEST(destroys),
        TEST(frames_in_use),
        TEST(claim_ends),
        TEST(resumes),
        TEST(is_told),
        TEST(again_and_again),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
