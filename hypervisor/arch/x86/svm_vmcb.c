/* SPDX-License-Identifier: MIT */
/*
 * What the VMCB of a vCPU says before its first entry: what exits, and the state after INIT. AMD
 * APM volume 2, 14.1.3, 15.5, 15.9 to 15.14. doc/exits.md lists what exits, and why.
 */
#include <asm/cpu.h>
#include <asm/exit.h>
#include <asm/hvm.h>
#include <asm/msr.h>
#include <asm/speculation.h>
#include <asm/svm.h>
#include <asm/vmcb.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <lib/bits.h>
#include <string.h>

/* --- MSR permissions ------------------------------------------------------------------------- */

#define PERMISSION_ORDER 1u /* pages: 2^1 */

/* What needs no look at: the register is the guest's own, the processor or we switch it. */
struct permission {
    uint32_t msr;
    bool read, write;
};

static const struct permission permissions[] = {
    { MSR_TSC, true, false },         { MSR_SYSENTER_CS, true, true },
    { MSR_SYSENTER_ESP, true, true }, { MSR_SYSENTER_EIP, true, true },
    { MSR_PAT, true, true },          { MSR_STAR, true, true },
    { MSR_LSTAR, true, true },        { MSR_CSTAR, true, true },
    { MSR_SFMASK, true, true },       { MSR_FS_BASE, true, true },
    { MSR_GS_BASE, true, true },      { MSR_KERNEL_GS_BASE, true, true },
};

static uint8_t *msr_permissions;
static uint64_t msr_permissions_maddr;

/* Two bits an MSR, first that of reads: set, it exits. */
static void permit(const struct permission *p)
{
    uint32_t bit;

    if (p->msr < 0x2000u)
        bit = p->msr * 2;
    else if (p->msr - 0xc0000000u < 0x2000u)
        bit = 0x800u * 8 + (p->msr - 0xc0000000u) * 2;
    else
        bit = 0x1000u * 8 + (p->msr - 0xc0010000u) * 2;
    if (p->read)
        msr_permissions[bit / 8] &= (uint8_t)~(1u << bit % 8);
    if (p->write)
        msr_permissions[bit / 8] &= (uint8_t)~(2u << bit % 8);
}

int svm_init_permissions(void)
{
    static const struct permission tsc_aux = { MSR_TSC_AUX, true, true };
    static const struct permission spec_ctrl = { MSR_SPEC_CTRL, true, true };

    msr_permissions = heap_alloc_pages(PERMISSION_ORDER);
    if (!msr_permissions)
        return -ENOMEM;
    msr_permissions_maddr = arch_virt_to_maddr(msr_permissions).v;
    memset(msr_permissions, 0xff, FRAME_SIZE << PERMISSION_ORDER);
    for (uint32_t i = 0; i < array_size(permissions); i++)
        permit(&permissions[i]);
    if (cpu_has(CPU_RDTSCP))
        permit(&tsc_aux);
    if (speculation.guest_spec_ctrl && speculation.spec_ctrl_virtual)
        permit(&spec_ctrl); /* the VMCB has the guest's */
    return 0;
}

/* --- what exits ------------------------------------------------------------------------------ */

#define INTERCEPT1                                                                                \
    (INTERCEPT1_INTR | INTERCEPT1_NMI | INTERCEPT1_SMI | INTERCEPT1_CR0_SEL | INTERCEPT1_RDPMC |  \
     INTERCEPT1_CPUID | INTERCEPT1_INVD | INTERCEPT1_HLT | INTERCEPT1_INVLPGA | INTERCEPT1_IOIO | \
     INTERCEPT1_MSR | INTERCEPT1_SHUTDOWN)
#define INTERCEPT2                                                                   \
    (INTERCEPT2_VMRUN | INTERCEPT2_VMMCALL | INTERCEPT2_VMLOAD | INTERCEPT2_VMSAVE | \
     INTERCEPT2_STGI | INTERCEPT2_CLGI | INTERCEPT2_SKINIT | INTERCEPT2_WBINVD |     \
     INTERCEPT2_MONITOR | INTERCEPT2_MWAIT | INTERCEPT2_XSETBV | INTERCEPT2_RDPRU)
#define INTERCEPT3 \
    (INTERCEPT3_INVLPGB_ALL | INTERCEPT3_INVLPGB | INTERCEPT3_MCOMMIT | INTERCEPT3_TLBSYNC)

/*
 * #DB and #AC, since their delivery may raise them again, for ever, without a point where an
 * interrupt could come in (CVE-2015-5307, CVE-2015-8104); #MC is the machine's.
 */
#define INTERCEPT_EXCEPTIONS (1u << EXC_DB | 1u << EXC_AC | 1u << EXC_MC)

/* A spinning vCPU exits after this many PAUSE near each other (cycles between two). */
#define PAUSE_COUNT     3000u
#define PAUSE_THRESHOLD 128u

static void set_intercepts(struct vmcb *c)
{
    c->intercept_cr = INTERCEPT_CR_WRITE(4);
    c->intercept_dr = INTERCEPT_DR_ALL;
    c->intercept_exceptions = INTERCEPT_EXCEPTIONS;
    c->intercept1 = INTERCEPT1;
    c->intercept2 = INTERCEPT2 | (cpu_has(CPU_RDTSCP) ? 0 : INTERCEPT2_RDTSCP);
    c->intercept3 = INTERCEPT3;
    if (cpu_has(CPU_SVM_PAUSE_FILTER)) {
        c->intercept1 |= INTERCEPT1_PAUSE;
        c->pause_count = PAUSE_COUNT;
        c->pause_threshold = cpu_has(CPU_SVM_PAUSE_THRESHOLD) ? PAUSE_THRESHOLD : 0;
    }
}

int svm_vcpu_init(struct vcpu *v)
{
    struct svm_vcpu *s = &v->arch.svm;

    s->vmcb = heap_alloc_pages(0);
    if (!s->vmcb)
        return -ENOMEM;
    s->vmcb_maddr = arch_virt_to_maddr(s->vmcb).v;
    return 0;
}

void svm_vcpu_destroy(struct vcpu *v)
{
    heap_free_pages(v->arch.svm.vmcb, 0);
}

/* --- after INIT ------------------------------------------------------------------------------ */

#define ATTR_CODE (SEG_PRESENT | SEG_S | 0xbu) /* readable, accessed */
#define ATTR_DATA (SEG_PRESENT | SEG_S | 0x3u) /* writable, accessed */
#define ATTR_LDT  (SEG_PRESENT | 0x2u)
#define ATTR_TSS  (SEG_PRESENT | 0xbu) /* busy */
#define PAT_RESET 0x0007040600070406ull
#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400ull

static void reset_segments(struct vmcb *c)
{
    const struct vmcb_segment data = { 0, ATTR_DATA, 0xffff, 0 };
    const struct vmcb_segment table = { 0, 0, 0xffff, 0 };

    c->es = c->ss = c->ds = c->fs = c->gs = data;
    c->cs = (struct vmcb_segment){ 0xf000, ATTR_CODE, 0xffff, 0xffff0000 };
    c->gdtr = c->idtr = table;
    c->ldtr = (struct vmcb_segment){ 0, ATTR_LDT, 0xffff, 0 };
    c->tr = (struct vmcb_segment){ 0, ATTR_TSS, 0xffff, 0 };
}

void svm_vcpu_reset(struct vcpu *v)
{
    struct svm_vcpu *s = &v->arch.svm;
    struct vmcb *c = s->vmcb;

    memset(c, 0, sizeof(*c));
    set_intercepts(c);
    c->iopm = pio_bitmap_maddr(v->domain).v;
    c->msrpm = msr_permissions_maddr;
    c->tsc_offset = (uint64_t)v->domain->arch.tsc_offset;
    c->v_intr = V_INTR_MASKING;
    c->nested = NP_ENABLE;
    c->nested_cr3 = v->domain->arch.nested_root;
    reset_segments(c);
    c->cr0 = CR0_ET;
    c->efer = EFER_SVME;
    c->rflags = RFLAGS_ONE;
    c->rip = 0xfff0;
    c->dr6 = DR6_RESET;
    c->dr7 = DR7_RESET;
    c->pat = PAT_RESET;
    svm_asid_drop(s);
    v->regs.rip = c->rip;
    v->regs.rflags = c->rflags;
}
