/* SPDX-License-Identifier: MIT */
/* x86's part of platform_op: the machine's processors and its screen. <xen/platform.h> */
#include <asm/cpu.h>
#include <asm/display.h>
#include <asm/microcode.h>
#include <asm/msr.h>
#include <asm/pcpu.h>
#include <hospes/abi.h>
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>
#include <hospes/vcpu.h>
#include <lib/bitmap.h>
#include <lib/bits.h>
#include <string.h>
#include <xen/platform.h>

static bool is_online(uint32_t id)
{
    return id < nr_pcpus && bitmap_test(pcpus_online, id);
}

static int64_t get_cpuinfo(struct xenpf_pcpuinfo *info)
{
    uint32_t id = info->xen_cpuid;

    info->max_present = nr_pcpus - 1;
    if (id >= nr_pcpus) {
        info->flags = XEN_PCPU_FLAGS_INVALID;
        return 0;
    }
    info->flags = is_online(id) ? XEN_PCPU_FLAGS_ONLINE : 0;
    info->apic_id = pcpus[id]->arch.apic_id;
    info->acpi_id = id;
    return 0;
}

/* Those of one machine are alike. */
static int64_t get_cpu_version(struct xenpf_pcpu_version *version)
{
    uint32_t id = version->xen_cpuid;

    *version = (struct xenpf_pcpu_version){ .xen_cpuid = id, .max_present = nr_pcpus - 1 };
    if (!is_online(id))
        return 0;
    memcpy(version->vendor_id, cpu_info.vendor_id, sizeof(version->vendor_id));
    version->family = cpu_info.family;
    version->model = cpu_info.model;
    version->stepping = cpu_info.stepping;
    return 0;
}

static int64_t get_ucode_revision(struct xenpf_ucode_revision *revision)
{
    if (!is_online(revision->cpu))
        return -ENOENT;
    revision->signature = cpuid(1, 0).a;
    revision->pf = 0;
    revision->revision = microcode_revision(revision->cpu);
    return 0;
}

/* --- MSRs of the machine: none but the TSC, which is told as the system time ------------------ */

#define ENTRIES_MOST 3u

static int32_t check_entry(const struct xenpf_resource_entry *e)
{
    if (e->rsvd)
        return -EINVAL;
    if (e->u.cmd != XEN_RESOURCE_OP_MSR_READ && e->u.cmd != XEN_RESOURCE_OP_MSR_WRITE)
        return -EOPNOTSUPP;
    if (e->idx >> 32)
        return -EINVAL;
    return e->u.cmd == XEN_RESOURCE_OP_MSR_READ && e->idx == MSR_TSC ? 0 : -EPERM;
}

/* How many were read; the first that was not has the reason in it. */
static int64_t resource_op(struct vcpu *v, const struct xenpf_resource_op *op)
{
    struct xenpf_resource_entry entries[ENTRIES_MOST];
    uint64_t at = guest_address(op->entries);
    uint32_t done = 0;

    if (op->nr_entries > ENTRIES_MOST)
        return -EINVAL;
    if (guest_read(v, entries, at, op->nr_entries * sizeof(entries[0])))
        return -EFAULT;
    while (done < op->nr_entries) {
        struct xenpf_resource_entry *e = &entries[done];
        int32_t ret = check_entry(e);

        if (ret) {
            e->u.ret = ret;
            break;
        }
        e->val = clock_ns();
        done++;
    }
    if (done && !is_online(op->cpu))
        return -ENODEV;
    if (guest_write(v, at, entries, min(done + 1, op->nr_entries) * sizeof(entries[0])))
        return -EFAULT;
    return done;
}

/* --- power: CPUs are halted when they have nothing to do, each by itself; no more is done ------
 */

/* Intel Processor Vendor-Specific ACPI (302223), section 3: what an operating system tells firmware
 * by _PDC that it can do. */
#define PDC_REVISION 1u
#define PDC_C1_HALT  (1u << 1)
#define PDC_SMP_C1   (1u << 3) /* each CPU by itself */

/* Leaves of dom0's words for firmware what is true of the machine that firmware runs on. */
static int64_t answer_pdc(struct vcpu *v, uint64_t at)
{
    struct {
        uint32_t revision, count, bits; /* the first of `count` */
    } pdc;

    if (guest_read(v, &pdc, at, offsetof(typeof(pdc), bits)))
        return -EFAULT;
    if (pdc.revision != PDC_REVISION || !pdc.count)
        return -EINVAL;
    at += offsetof(typeof(pdc), bits);
    if (guest_read(v, &pdc.bits, at, sizeof(pdc.bits)))
        return -EFAULT;
    pdc.bits &= PDC_C1_HALT | PDC_SMP_C1;
    return guest_write(v, at, &pdc.bits, sizeof(pdc.bits)) ? -EFAULT : 0;
}

static int64_t set_pminfo(struct vcpu *v, const struct xenpf_set_processor_pminfo *info)
{
    return info->type == XEN_PM_PDC ? answer_pdc(v, guest_address(info->u.pdc)) : -ENOSYS;
}

int64_t arch_platform_op(struct vcpu *v, struct xen_platform_op *op)
{
    switch (op->cmd) {
    case XENPF_get_cpuinfo:
        return get_cpuinfo(&op->u.pcpu_info);
    case XENPF_get_cpu_version:
        return get_cpu_version(&op->u.pcpu_version);
    case XENPF_get_ucode_revision:
        return get_ucode_revision(&op->u.ucode_revision);
    case XENPF_set_processor_pminfo:
        return set_pminfo(v, &op->u.set_pminfo);
    case XENPF_resource_op:
        return resource_op(v, &op->u.resource_op);
    case XENPF_get_dom0_console:
        return display_describe(&op->u.dom0_console);
    default:
        return -ENOSYS;
    }
}
