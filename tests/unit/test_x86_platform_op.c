/* SPDX-License-Identifier: MIT */
// sources: core/spinlock.c
/*
 * What dom0 is told of a PC's processors: if it is wrong, xen-ucode names another processor than
 * there is, and tests of Xen's that read MSRs of the machine fail; or dom0 reads more than it may.
 */
#include "unit.h"

#include <asm/host.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>

#include <asm/cpu.h>
#include <asm/pcpu.h>
#include <string.h>

#define SIGNATURE            0x00a20f12u
#define cpuid(leaf, subleaf) ((struct cpuid){ .a = SIGNATURE })
#include "../../hypervisor/arch/x86/platform_op.c"
#undef cpuid

struct cpu_info cpu_info = {
    .vendor_id = "AuthenticAMD", .family = 25, .model = 33, .stepping = 2
};
static struct vcpu caller;
static struct xen_platform_op op;
static struct xenpf_resource_entry entries[4];

uint32_t microcode_revision(uint32_t pcpu)
{
    return 100 + pcpu;
}

int display_describe(struct dom0_vga_console_info *info)
{
    return -ENODEV;
}

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    if (bytes && from < 8192)
        return -EFAULT;
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    if (bytes && to < 8192)
        return -EFAULT;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

static int64_t call(uint32_t cmd)
{
    op.cmd = cmd;
    return arch_platform_op(&caller, &op);
}

static int setup(void **state)
{
    host_pcpus_init(2);
    memset(&op, 0, sizeof(op));
    memset(entries, 0, sizeof(entries));
    op.u.resource_op.entries.p = entries;
    return 0;
}

static void processors(void **state)
{
    op.u.pcpu_version.xen_cpuid = 1;
    assert_int_equal(call(XENPF_get_cpu_version), 0);
    assert_int_equal(op.u.pcpu_version.max_present, 1);
    assert_memory_equal(op.u.pcpu_version.vendor_id, "AuthenticAMD", 12);
    assert_int_equal(op.u.pcpu_version.family, 25);
    assert_int_equal(op.u.pcpu_version.model, 33);
    assert_int_equal(op.u.pcpu_version.stepping, 2);
    op.u.pcpu_version.xen_cpuid = UINT32_MAX;
    assert_int_equal(call(XENPF_get_cpu_version), 0);
    assert_int_equal(op.u.pcpu_version.max_present, 1);
    assert_int_equal(op.u.pcpu_version.vendor_id[0] | op.u.pcpu_version.family, 0);
}

static void microcode(void **state)
{
    op.u.ucode_revision.cpu = 1;
    assert_int_equal(call(XENPF_get_ucode_revision), 0);
    assert_int_equal(op.u.ucode_revision.signature, SIGNATURE);
    assert_int_equal(op.u.ucode_revision.revision, 101);
    op.u.ucode_revision.cpu = 2;
    assert_int_equal(call(XENPF_get_ucode_revision), -ENOENT);
    op.u.ucode_revision.cpu = UINT32_MAX;
    assert_int_equal(call(XENPF_get_ucode_revision), -ENOENT);
}

static void time_of_msrs(void **state)
{
    assert_int_equal(call(XENPF_resource_op), 0); /* nothing is asked for */
    op.u.resource_op.nr_entries = 2;
    entries[0].idx = entries[1].idx = 0x10;
    assert_int_equal(call(XENPF_resource_op), 2);
    assert_in_range(entries[0].val, 0, entries[1].val);
    assert_int_equal(entries[0].u.ret | entries[1].u.ret, 0);
    entries[1].idx = 0x122;
    assert_int_equal(call(XENPF_resource_op), 1);
    assert_int_equal(entries[1].u.ret, -EPERM);
}

/* What one entry alone gets. */
static void refused(uint32_t cmd, uint64_t idx, int32_t ret)
{
    entries[0] = (struct xenpf_resource_entry){ .u.cmd = cmd, .idx = idx };
    op.u.resource_op.nr_entries = 1;
    assert_int_equal(call(XENPF_resource_op), 0);
    assert_int_equal(entries[0].u.ret, ret);
    assert_int_equal(entries[0].val, 0);
}

static void no_other_msr(void **state)
{
    refused(XEN_RESOURCE_OP_MSR_READ, 0xc0000080, -EPERM);
    refused(XEN_RESOURCE_OP_MSR_WRITE, 0x10, -EPERM);
    refused(XEN_RESOURCE_OP_MSR_READ, UINT64_C(0x100000010), -EINVAL);
    refused(2, 0x10, -EOPNOTSUPP);
    entries[0] = (struct xenpf_resource_entry){ .rsvd = 1, .idx = 0x10 };
    assert_int_equal(call(XENPF_resource_op), 0);
    assert_int_equal(entries[0].u.ret, -EINVAL);
    op.u.resource_op.cpu = 2; /* what is refused anyway is, on any CPU */
    refused(XEN_RESOURCE_OP_MSR_READ, 0x122, -EPERM);
}

static void wrong_calls(void **state)
{
    op.u.resource_op.nr_entries = 4;
    assert_int_equal(call(XENPF_resource_op), -EINVAL);
    op.u.resource_op.nr_entries = UINT32_MAX;
    assert_int_equal(call(XENPF_resource_op), -EINVAL);
    op.u.resource_op.nr_entries = 1;
    entries[0].idx = 0x10;
    op.u.resource_op.cpu = 2;
    assert_int_equal(call(XENPF_resource_op), -ENODEV);
    op.u.resource_op.entries.p = (void *)4096;
    assert_int_equal(call(XENPF_resource_op), -EFAULT);
    assert_int_equal(call(9999), -ENOSYS);
}

static int64_t pdc(uint32_t revision, uint32_t count, uint32_t bits)
{
    static uint32_t words[4];
    int64_t rc;

    memcpy(words, (uint32_t[]){ revision, count, bits, 0x55 }, sizeof(words));
    op.u.set_pminfo.type = XEN_PM_PDC;
    op.u.set_pminfo.id = UINT32_MAX;
    op.u.set_pminfo.u.pdc.p = words;
    rc = call(XENPF_set_processor_pminfo);
    assert_int_equal(words[0], revision);
    assert_int_equal(words[1], count);
    assert_int_equal(words[3], 0x55);
    return rc ? rc : words[2];
}

static void words_for_firmware(void **state)
{
    assert_int_equal(pdc(1, 1, UINT32_MAX), 0xa); /* CPUs are halted, and that is all */
    assert_int_equal(pdc(1, 1, 0x308), 0x8);
    assert_int_equal(pdc(1, 2, 0), 0);
    assert_int_equal(pdc(2, 1, 0x8), -EINVAL);
    assert_int_equal(pdc(1, 0, 0x8), -EINVAL);
    op.u.set_pminfo.u.pdc.p = (void *)4096;
    assert_int_equal(call(XENPF_set_processor_pminfo), -EFAULT);
    for (uint32_t type = XEN_PM_CX; type <= XEN_PM_PDC + 1; type++) {
        op.u.set_pminfo.type = type;
        if (type != XEN_PM_PDC)
            assert_int_equal(call(XENPF_set_processor_pminfo), -ENOSYS); /* Linux is silent then */
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        TEST(processors),   TEST(microcode),          TEST(time_of_msrs),
        TEST(no_other_msr), TEST(words_for_firmware), TEST(wrong_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
