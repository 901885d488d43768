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
/* What a toolstack gives one domain of the machine: CPUs, and devices. */
#include "test_toolstack.h"

#include <hospes/boot.h>
#include <hospes/iomem.h>
#include <hospes/irq.h>
#include <hospes/sched_cap.h>

/* --- where it runs ------------------------------------------------------------------------------
 */

static int64_t affinity(uint32_t cmd, uint16_t id, uint32_t flags, uint8_t *hard, uint8_t *soft)
{
    the_op.u.vcpuaffinity = (struct xen_domctl_vcpuaffinity){ .vcpu = 0, .flags = flags };
    the_op.u.vcpuaffinity.cpumap_hard = (struct xenctl_bitmap){ { hard }, 12 };
    the_op.u.vcpuaffinity.cpumap_soft = (struct xenctl_bitmap){ { soft }, 12 };
    return domctl(cmd, id);
}

/* `xl vcpu-pin`: what was asked is kept, what comes of it is told. */
static void pinning(void **state)
{
    uint8_t hard[2] = { 0 }, soft[2] = { 0 };
    uint16_t id = made();

    assert_int_equal(affinity(XEN_DOMCTL_getvcpuaffinity, id, 3, hard, soft), 0);
    assert_int_equal(hard[0], 7);
    assert_int_equal(soft[0], 7);
    hard[0] = 0x16;
    hard[1] = 0xff; /* four bits of it count */
    soft[0] = 0x05;
    assert_int_equal(affinity(XEN_DOMCTL_setvcpuaffinity, id, 3, hard, soft), 0);
    assert_int_equal(hard[0], 6);
    assert_int_equal(hard[1], 0);
    assert_int_equal(soft[0], 4);
    assert_false(bitmap_test(look(id)->vcpus[0]->sched.affinity, 12));
    assert_int_equal(affinity(XEN_DOMCTL_getvcpuaffinity, id, 2, hard, soft), 0);
    assert_int_equal(soft[0], 5); /* plainly what was set */
    hard[0] = 0xf8;               /* none that there is */
    hard[1] = 0;
    assert_int_equal(affinity(XEN_DOMCTL_setvcpuaffinity, id, 1, hard, soft), -EINVAL);
    assert_int_equal(affinity(XEN_DOMCTL_setvcpuaffinity, id, 2, hard, hard), -EINVAL);
    assert_int_equal(affinity(XEN_DOMCTL_setvcpuaffinity, id, 0, hard, soft), -EINVAL);
    assert_int_equal(affinity(XEN_DOMCTL_setvcpuaffinity, id, 1, nowhere, soft), -EFAULT);
    assert_int_equal(affinity(XEN_DOMCTL_getvcpuaffinity, id, 2, hard, nowhere), -EFAULT);
    the_op.u.vcpuaffinity.vcpu = 2;
    assert_int_equal(domctl(XEN_DOMCTL_getvcpuaffinity, id), -EINVAL);
    destroyed(id);
}

/* All memory is in one node, and a domain may say so. */
static void nodes(void **state)
{
    uint8_t map[2] = { 0xff, 0xff };
    uint16_t id = made();

    the_op.u.nodeaffinity.nodemap = (struct xenctl_bitmap){ { map }, 16 };
    assert_int_equal(domctl(XEN_DOMCTL_setnodeaffinity, id), 0);
    assert_int_equal(domctl(XEN_DOMCTL_getnodeaffinity, id), 0);
    assert_int_equal(map[0], 1);
    assert_int_equal(map[1], 0);
    map[0] = 2;
    assert_int_equal(domctl(XEN_DOMCTL_setnodeaffinity, id), -EINVAL);
    the_op.u.nodeaffinity.nodemap.bitmap.p = nowhere;
    assert_int_equal(domctl(XEN_DOMCTL_setnodeaffinity, id), -EFAULT);
    destroyed(id);
}

static int64_t sched(uint16_t id, uint32_t cmd, uint16_t weight, uint16_t cap)
{
    the_op.u.scheduler_op = (struct xen_domctl_scheduler_op){
        .sched_id = XEN_SCHEDULER_CREDIT2,
        .cmd = cmd,
        .u.credit2 = { weight, cap },
    };
    return domctl(XEN_DOMCTL_scheduler_op, id);
}

/* `xl sched-credit2`: a weight is each vCPU's, and stays. */
static void weights(void **state)
{
    uint16_t id = made();

    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_getinfo, 9, 9), 0);
    assert_int_equal(the_op.u.scheduler_op.u.credit2.weight, 256);
    assert_int_equal(the_op.u.scheduler_op.u.credit2.cap, 0);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_putinfo, 1000, 0), 0);
    assert_int_equal(look(id)->vcpus[0]->sched.weight, 1000);
    assert_int_equal(look(id)->vcpus[1]->sched.weight, 1000);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_putinfo, 0, 0), 0);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_getinfo, 0, 0), 0);
    assert_int_equal(the_op.u.scheduler_op.u.credit2.weight, 1000);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_putvcpuinfo, 0, 0), -EINVAL);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_getvcpuinfo, 0, 0), -EINVAL);
    the_op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    the_op.u.scheduler_op.sched_id = XEN_SCHEDULER_RTDS;
    assert_int_equal(domctl(XEN_DOMCTL_scheduler_op, id), -EINVAL);
    destroyed(id);
}

/* `xl sched-credit2 -c`: a cap is the domain's, stays, and goes with it or when it is taken away.
 */
static void caps(void **state)
{
    uint16_t id = made();

    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_putinfo, 0, 50), 0);
    assert_int_equal(sched_caps_set, 1);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_getinfo, 9, 9), 0);
    assert_int_equal(the_op.u.scheduler_op.u.credit2.cap, 50);
    assert_int_equal(the_op.u.scheduler_op.u.credit2.weight, 256);
    assert_ptr_equal(look(id)->vcpus[0]->sched.cap, look(id)->sched_cap);
    assert_ptr_equal(look(id)->vcpus[1]->sched.cap, look(id)->sched_cap);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_putinfo, 300, 65535), 0);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_getinfo, 0, 0), 0);
    assert_int_equal(the_op.u.scheduler_op.u.credit2.cap, 65535);
    assert_int_equal(the_op.u.scheduler_op.u.credit2.weight, 300);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_putinfo, 0, 0), 0);
    assert_int_equal(sched_caps_set, 0);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_getinfo, 0, 9), 0);
    assert_int_equal(the_op.u.scheduler_op.u.credit2.cap, 0);
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_putinfo, 0, 7), 0);
    destroyed(id);
    assert_int_equal(sched_caps_set, 0);

    /* Before it has vCPUs. */
    config();
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), 0);
    id = the_op.domain;
    assert_int_equal(sched(id, XEN_DOMCTL_SCHEDOP_putinfo, 0, 20), 0);
    the_op.u.max_vcpus.max = 2;
    assert_int_equal(domctl(XEN_DOMCTL_max_vcpus, id), 0);
    assert_ptr_equal(look(id)->vcpus[1]->sched.cap, look(id)->sched_cap);
    destroyed(id);
}

/* --- devices ------------------------------------------------------------------------------------
 */

static int64_t registers(uint16_t id, uint64_t mfn, uint64_t frames, bool allow)
{
    the_op.u.iomem_permission =
        (struct xen_domctl_iomem_permission){ mfn, frames, .allow_access = allow };
    return domctl(XEN_DOMCTL_iomem_permission, id);
}

static int64_t mapping(uint16_t id, uint64_t gfn, uint64_t mfn, uint64_t frames, bool add)
{
    the_op.u.memory_mapping = (struct xen_domctl_memory_mapping){ gfn, mfn, frames, add, 0 };
    return domctl(XEN_DOMCTL_memory_mapping, id);
}

static int64_t line(uint16_t id, uint32_t irq)
{
    the_op.u.irq_permission = (struct xen_domctl_irq_permission){ .pirq = irq, .allow_access = 1 };
    return domctl(XEN_DOMCTL_irq_permission, id);
}

/* `iomem` and `irqs` of a guest's configuration; what of it is wrong, the user is told. */
static void devices(void **state)
{
    static struct boot_ranges none;
    uint16_t id = made(), other = made();

    assert_int_equal(registers(id, 0x9010, 70, true), -EPERM); /* nobody said what is kept */
    iomem_init(&none);
    the_op.u.paging_mempool.size = MIB(1);
    assert_int_equal(domctl(XEN_DOMCTL_set_paging_mempool_size, id), 0);
    assert_int_equal(registers(id, 0x9010, 70, true), 0);
    assert_int_equal(registers(other, 0x9010, 1, true), -EBUSY);
    assert_int_equal(mapping(id, 0x9010, 0x9010, 65, true), -E2BIG);
    assert_int_equal(mapping(other, 0x9010, 0x9010, 64, true), -EPERM);
    assert_int_equal(mapping(id, 0x9010, 0x9010, 64, true), 0);
    assert_int_equal(mapping(id, 0x9010, 0x9010, 64, true), -EEXIST);
    assert_int_equal(registers(id, 0x9010, 70, false), -EBUSY);
    assert_int_equal(mapping(id, 0x9010, 0x9010, 32, false), 0);
    assert_int_equal(mapping(id, 0x9010, 0x9010, 32, false), -ENOENT);
    assert_int_equal(mapping(id, 0x9010, 0x9010, 0, true), -EINVAL);
    assert_int_equal(domctl(XEN_DOMCTL_memory_mapping, 999), -ESRCH);
    destroyed(id); /* with what it has mapped */
    assert_int_equal(registers(other, 0x9010, 1, true), 0);
    assert_int_equal(registers(other, 0x9010, 1, false), 0);
    iomem_init(NULL);

    assert_int_equal(line(other, 40), 0);
    assert_int_equal(line(other, HOST_IRQS), -EINVAL);
    assert_int_equal(line(other, UINT32_MAX), -EINVAL);
    assert_int_equal(irq_request(41, IRQ_LEVEL, NULL, NULL), 0);
    assert_int_equal(line(other, 41), -EPERM);
    destroyed(other);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(pinning), TEST(nodes), TEST(weights), TEST(caps), TEST(devices),
    };

    return cmocka_run_group_tests(tests, machine, NULL);
}
