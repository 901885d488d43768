/* SPDX-License-Identifier: MIT */
/*
 * Memory maps of x86 domains, as toolstacks set them and guests read them. If these fail a guest
 * believes in memory that it has not got, or one domain changes another's map.
 */
// sources: core/spinlock.c arch/x86/e820.c
#include "unit.h"

#include "../../hypervisor/arch/x86/include/asm/domain.h"
#include "../../hypervisor/arch/x86/include/asm/vcpu.h"

#include "../../hypervisor/arch/x86/memory_op.c"

#include <asm/host.h>
#include <string.h>

static struct domain own, other;
static struct vcpu v;

int guest_read(struct vcpu *vcpu, void *to, uint64_t from, uint64_t bytes)
{
    if (from < 8192)
        return -EFAULT;
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *vcpu, uint64_t to, const void *from, uint64_t bytes)
{
    if (to < 8192)
        return -EFAULT;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

int memory_target(struct vcpu *vcpu, uint16_t domid, struct domain **out)
{
    *out = domid == 9 ? &other : &own;
    return domid == 9 || domid == DOMID_SELF ? 0 : -ESRCH;
}

void memory_target_put(struct vcpu *vcpu, struct domain *d)
{
}

static int64_t op(unsigned int cmd, void *arg)
{
    const uint64_t args[] = { cmd, (uint64_t)(uintptr_t)arg };

    return arch_memory_op(&v, args, cmd);
}

static int setup(void **state)
{
    host_pcpus_init(1);
    memset(&own, 0, sizeof(own));
    memset(&other, 0, sizeof(other));
    own.lock = other.lock = SPINLOCK_INIT(LOCK_DOMAIN);
    own.control = true;
    v.domain = &own;
    return 0;
}

static int finish(void **state)
{
    heap_free(own.arch.map);
    heap_free(other.arch.map);
    return 0;
}

static struct entry entries[E820_MAX + 1];

static int64_t set(uint16_t domid, uint32_t n)
{
    struct xen_foreign_memory_map x = { .domid = domid, .map = { n, { entries } } };

    return op(XENMEM_set_memory_map, &x);
}

static void there_and_back(void **state)
{
    struct entry read[E820_MAX] = { { 0 } };
    struct xen_memory_map x = { .nr_entries = 2, .buffer = { read } };

    entries[0] = (struct entry){ 0, MIB(100), 1 };
    entries[1] = (struct entry){ 0xfeff8000, 0x8000, 2 };
    entries[2] = (struct entry){ 0xfc000000, 0x1000, 4 }; /* in no order: as libxl's */
    assert_int_equal(op(XENMEM_memory_map, &x), -ENOSYS);
    assert_int_equal(set(9, 3), 0);
    v.domain = &other;
    assert_int_equal(op(XENMEM_memory_map, &x), 0);
    assert_int_equal(x.nr_entries, 2);
    x.nr_entries = E820_MAX;
    assert_int_equal(op(XENMEM_memory_map, &x), 0);
    assert_int_equal(x.nr_entries, 3);
    assert_memory_equal(read, entries, 3 * sizeof(entries[0]));
    x.buffer.p = (void *)4096;
    assert_int_equal(op(XENMEM_memory_map, &x), -EFAULT);
    assert_int_equal(op(XENMEM_memory_map, (void *)4096), -EFAULT);
}

static void errors(void **state)
{
    struct xen_foreign_memory_map x = { .domid = 9, .map = { 1, { (void *)4096 } } };
    struct e820 *had;

    assert_int_equal(set(9, E820_MAX + 1), -EINVAL);
    assert_int_equal(set(4, 1), -ESRCH);
    assert_int_equal(op(XENMEM_set_memory_map, &x), -EFAULT);
    assert_int_equal(op(XENMEM_set_memory_map, (void *)4096), -EFAULT);
    assert_null(other.arch.map);
    assert_int_equal(set(9, E820_MAX), 0);
    had = other.arch.map;
    own.control = false;
    assert_int_equal(set(9, 1), -EPERM);
    assert_int_equal(set(DOMID_SELF, 1), -EPERM);
    assert_ptr_equal(other.arch.map, had);
    /* Of the machine a guest learns nothing. */
    assert_int_equal(op(XENMEM_machine_memory_map, &x), -ENOSYS);
    assert_int_equal(op(XENMEM_machphys_mapping, &x), -ENOSYS);
}

static void on_demand(void **state)
{
    struct xen_pod_target x = { .target_pages = 5, .pod_entries = 7, .domid = 9 };

    other.tot_pages = 1000;
    assert_int_equal(op(XENMEM_set_pod_target, &x), 0);
    assert_int_equal(x.tot_pages, 1000);
    assert_int_equal(x.pod_entries, 0);
    x.domid = 4;
    assert_int_equal(op(XENMEM_get_pod_target, &x), -ESRCH);
    own.control = false;
    assert_int_equal(op(XENMEM_get_pod_target, &x), -EPERM);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, finish)
    const struct CMUnitTest tests[] = { TEST(there_and_back), TEST(errors), TEST(on_demand) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
