/* SPDX-License-Identifier: MIT */
/* x86's part of platform_op: the machine's processors and its screen. <xen/platform.h> */
#include <asm/display.h>
#include <asm/pcpu.h>
#include <hospes/abi.h>
#include <hospes/errno.h>
#include <hospes/pcpu.h>
#include <lib/bitmap.h>
#include <xen/platform.h>

static int64_t get_cpuinfo(struct xenpf_pcpuinfo *info)
{
    uint32_t id = info->xen_cpuid;

    info->max_present = nr_pcpus - 1;
    if (id >= nr_pcpus) {
        info->flags = XEN_PCPU_FLAGS_INVALID;
        return 0;
    }
    info->flags = bitmap_test(pcpus_online, id) ? XEN_PCPU_FLAGS_ONLINE : 0;
    info->apic_id = pcpus[id]->arch.apic_id;
    info->acpi_id = id;
    return 0;
}

int64_t arch_platform_op(struct xen_platform_op *op)
{
    switch (op->cmd) {
    case XENPF_get_cpuinfo:
        return get_cpuinfo(&op->u.pcpu_info);
    case XENPF_get_dom0_console:
        return display_describe(&op->u.dom0_console);
    default:
        return -ENOSYS;
    }
}
