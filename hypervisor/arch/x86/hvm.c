/* SPDX-License-Identifier: MIT */
/* The vendor's virtualization, chosen by the first CPU; and the states in which vCPUs begin. */
#include <asm/control.h>
#include <asm/cpu.h>
#include <asm/fpu.h>
#include <asm/hvm.h>
#include <asm/machine_check.h>
#include <asm/npt.h>
#include <asm/speculation.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <hospes/p2m.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>

const struct hvm_ops *hvm_ops; /* constant after the first pCPU's start */

static int choose(void)
{
    if (cpu_info.vendor != VENDOR_AMD) {
        log_err("guests need a CPU with AMD-V; this is one of %s", cpu_info.vendor_id);
        return -ENODEV;
    }
    hvm_ops = &svm_ops;
    arch_p2m_format = npt_format;
    arch_p2m_format.largest_block = cpu_has(CPU_PAGE_1G) ? 1 : 2;
    return 0;
}

int hvm_cpu_init(void)
{
    int err = this_pcpu()->id == 0 ? choose() : 0;

    if (err)
        return err;
    if (this_pcpu()->id == 0)
        speculation_init();
    speculation_pcpu_init();
    machine_check_init();
    fpu_cpu_init();
    return hvm_ops->cpu_init();
}

/* --- states to begin with -------------------------------------------------------------------- */

#define FLAT_LIMIT 0xffffffffu
#define FLAT_CODE  (SEG_PRESENT | SEG_S | SEG_DB | SEG_G | 0xbu)
#define FLAT_DATA  (SEG_PRESENT | SEG_S | SEG_DB | SEG_G | 0x3u)
#define TSS_BUSY   (SEG_PRESENT | 0xbu)

void hvm_start_at(struct vcpu *v, uint8_t vector)
{
    struct segment cs;

    arch_vcpu_reset(v);
    hvm_ops->get_segment(v, SEG_CS, &cs);
    cs.selector = (uint16_t)(vector << 8);
    cs.base = (uint64_t)vector << 12;
    hvm_ops->set_segment(v, SEG_CS, &cs);
    v->regs.rip = 0;
}

void hvm_start_pvh(struct vcpu *v, uint32_t entry, uint32_t start_info)
{
    static const enum segment_name data[] = { SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS };
    const struct segment flat = { .limit = FLAT_LIMIT, .attributes = FLAT_DATA };
    const struct segment code = { .limit = FLAT_LIMIT, .attributes = FLAT_CODE };
    const struct segment tss = { .limit = 0x67, .attributes = TSS_BUSY };

    arch_vcpu_reset(v);
    for (uint32_t i = 0; i < array_size(data); i++)
        hvm_ops->set_segment(v, data[i], &flat);
    hvm_ops->set_segment(v, SEG_CS, &code);
    hvm_ops->set_segment(v, SEG_TR, &tss);
    control_set(v, CR0_PE | CR0_ET, 0, 0);
    v->regs.rbx = start_info;
    v->regs.rip = entry;
}
