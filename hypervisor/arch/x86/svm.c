/* SPDX-License-Identifier: MIT */
/*
 * AMD's virtualization, behind <asm/hvm.h>: switching it on, the switch of vCPUs, and a guest's
 * registers in the VMCB. AMD APM volume 2, chapter 15.
 *
 * Between exits of one vCPU the processor keeps its FS, GS, TR, LDTR and the registers of SYSCALL
 * and SYSENTER (VMLOAD and VMSAVE, 15.5.2): so does the hypervisor, which uses none of them but FS.
 */
#include <asm/cpu.h>
#include <asm/hvm.h>
#include <asm/msr.h>
#include <asm/svm.h>
#include <asm/svm_code.h>
#include <asm/trap.h>
#include <asm/vmcb.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#include <string.h>

#define CPUID_SVM   0x8000000au
#define DR7_ENABLED 0xffull /* any of DR0 to DR3 */

static struct svm_pcpu *this_svm(void)
{
    return &this_pcpu()->arch.svm;
}

static void vmsave(uint64_t vmcb_maddr)
{
    __asm__ volatile("vmsave %0" : : "a"(vmcb_maddr) : "memory");
}

static void vmload(uint64_t vmcb_maddr)
{
    __asm__ volatile("vmload %0" : : "a"(vmcb_maddr) : "memory");
}

/* --- QEMU ------------------------------------------------------------------------------------ */

#define CPUID_HYPERVISOR 0x40000000u

bool svm_is_qemu;

/* Its signature; without a hypervisor's leaves another one answers. */
static bool is_qemu(void)
{
    const struct cpuid c = cpuid(CPUID_HYPERVISOR, 0);

    return !memcmp(&c.b, "TCGT", 4) && !memcmp(&c.c, "CGTC", 4) && !memcmp(&c.d, "GTCG", 4);
}

/* --- switching it on ------------------------------------------------------------------------- */

static int refuse(const char *why)
{
    log_err("CPU %u cannot run guests: %s", this_pcpu()->id, why);
    return -ENODEV;
}

static int cpu_init(void)
{
    struct pcpu *p = this_pcpu();
    void *host_save, *own;
    uint64_t vm_cr;

    if (!cpu_has(CPU_SVM))
        return refuse("it has no AMD-V");
    if (rdmsr_safe(MSR_VM_CR, &vm_cr) && vm_cr & VM_CR_SVMDIS)
        return refuse("firmware has switched AMD-V off");
    if (!cpu_has(CPU_SVM_NPT))
        return refuse("its AMD-V has no nested paging");
    host_save = heap_alloc_pages(0);
    own = heap_alloc_pages(0);
    if (!host_save || !own || (p->id == 0 && svm_init_permissions())) {
        heap_free_pages(host_save, 0);
        heap_free_pages(own, 0);
        return -ENOMEM;
    }
    svm_is_qemu = is_qemu();
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, arch_virt_to_maddr(host_save).v);
    p->arch.svm.own_maddr = arch_virt_to_maddr(own).v;
    p->arch.svm.has_own = true;
    svm_asid_init(p, cpuid(CPUID_SVM, 0).b - 1, cpu_has(CPU_SVM_FLUSH_ASID));
    return 0;
}

/* --- switching vCPUs ------------------------------------------------------------------------- */

static bool load(struct vcpu *v)
{
    struct svm_pcpu *s = this_svm();
    struct vmcb *c = v->arch.svm.vmcb;

    if (s->has_own) {
        vmsave(s->own_maddr);
        trap_use_last_stack(false);
        s->has_own = false;
    }
    c->clean = 0; /* this pCPU may know an older one at this address */
    vmload(v->arch.svm.vmcb_maddr);
    s->loaded = v;
    return c->dr7 & DR7_ENABLED;
}

static void save(struct vcpu *v, bool more)
{
    struct svm_pcpu *s = this_svm();

    vmsave(v->arch.svm.vmcb_maddr);
    s->loaded = NULL;
    if (more)
        return;
    vmload(s->own_maddr);
    trap_use_last_stack(true);
    s->has_own = true;
}

static __noreturn void enter_first(struct vcpu *v)
{
    struct pcpu *p = this_pcpu();
    struct svm_next next = svm_prepare(p, v);

    svm_enter_first(next.v, next.vmcb_maddr, p->arch.stack_top);
}

/* --- registers ------------------------------------------------------------------------------- */

/* Brings what VMLOAD has taken out of the VMCB back there, to be read; and changes of it in. */
static void take_out(const struct vcpu *v)
{
    if (this_svm()->loaded == v)
        vmsave(v->arch.svm.vmcb_maddr);
}

static void put_in(const struct vcpu *v)
{
    if (this_svm()->loaded == v)
        vmload(v->arch.svm.vmcb_maddr);
}

#define AT(field) ((uint16_t)offsetof(struct vmcb, field))

static const struct {
    uint16_t at;
    uint16_t dirties; /* CLEAN_* */
    bool kept;        /* by VMLOAD */
} regs[HVM_REGS] = {
    [HVM_CR0] = { AT(cr0), CLEAN_CR, false },
    [HVM_CR2] = { AT(cr2), CLEAN_CR2, false },
    [HVM_CR3] = { AT(cr3), CLEAN_CR, false },
    [HVM_CR4] = { AT(cr4), CLEAN_CR, false },
    [HVM_EFER] = { AT(efer), CLEAN_CR, false },
    [HVM_DR6] = { AT(dr6), CLEAN_DR, false },
    [HVM_DR7] = { AT(dr7), CLEAN_DR, false },
    [HVM_PAT] = { AT(pat), CLEAN_NESTED, false },
    [HVM_STAR] = { AT(star), 0, true },
    [HVM_LSTAR] = { AT(lstar), 0, true },
    [HVM_CSTAR] = { AT(cstar), 0, true },
    [HVM_SFMASK] = { AT(sfmask), 0, true },
    [HVM_KERNEL_GS_BASE] = { AT(kernel_gs_base), 0, true },
    [HVM_SYSENTER_CS] = { AT(sysenter_cs), 0, true },
    [HVM_SYSENTER_ESP] = { AT(sysenter_esp), 0, true },
    [HVM_SYSENTER_EIP] = { AT(sysenter_eip), 0, true },
};

static uint64_t get_reg(const struct vcpu *v, enum hvm_reg reg)
{
    const struct vmcb *c = v->arch.svm.vmcb;
    uint64_t value;

    if (regs[reg].kept)
        take_out(v);
    value = *(const uint64_t *)(const void *)((const uint8_t *)c + regs[reg].at);
    return reg == HVM_EFER ? value & ~(uint64_t)EFER_SVME : value;
}

static uint64_t get_cr3(const struct vcpu *v)
{
    return v->arch.svm.vmcb->cr3;
}

static void set_reg(struct vcpu *v, enum hvm_reg reg, uint64_t value)
{
    struct vmcb *c = v->arch.svm.vmcb;

    if (regs[reg].kept)
        take_out(v);
    if (reg == HVM_EFER)
        value |= EFER_SVME;
    *(uint64_t *)(void *)((uint8_t *)c + regs[reg].at) = value;
    c->clean &= ~(uint32_t)regs[reg].dirties;
    if (regs[reg].kept)
        put_in(v);
}

static const struct {
    uint16_t at;
    uint16_t dirties;
    bool kept;
} segments[SEGMENTS] = {
    [SEG_ES] = { AT(es), CLEAN_SEGMENTS, false },
    [SEG_CS] = { AT(cs), CLEAN_SEGMENTS, false },
    [SEG_SS] = { AT(ss), CLEAN_SEGMENTS, false },
    [SEG_DS] = { AT(ds), CLEAN_SEGMENTS, false },
    [SEG_FS] = { AT(fs), 0, true },
    [SEG_GS] = { AT(gs), 0, true },
    [SEG_LDTR] = { AT(ldtr), 0, true },
    [SEG_TR] = { AT(tr), 0, true },
    [SEG_GDTR] = { AT(gdtr), CLEAN_TABLES, false },
    [SEG_IDTR] = { AT(idtr), CLEAN_TABLES, false },
};

static struct vmcb_segment *segment_of(const struct vcpu *v, enum segment_name name)
{
    return (struct vmcb_segment *)(void *)((uint8_t *)v->arch.svm.vmcb + segments[name].at);
}

static void get_segment(const struct vcpu *v, enum segment_name name, struct segment *s)
{
    const struct vmcb_segment *from = segment_of(v, name);

    if (segments[name].kept)
        take_out(v);
    *s = (struct segment){
        .base = from->base,
        .limit = from->limit,
        .selector = from->selector,
        .attributes = from->attributes,
    };
}

/* The privilege level is the stack segment's. */
static void set_segment(struct vcpu *v, enum segment_name name, const struct segment *s)
{
    struct vmcb *c = v->arch.svm.vmcb;

    if (segments[name].kept)
        take_out(v);
    *segment_of(v, name) = (struct vmcb_segment){
        .selector = s->selector,
        .attributes = s->attributes,
        .limit = s->limit,
        .base = s->base,
    };
    if (name == SEG_SS)
        c->cpl = (uint8_t)field_get(SEG_DPL, s->attributes);
    c->clean &= ~(uint32_t)segments[name].dirties;
    if (segments[name].kept)
        put_in(v);
}

static unsigned int cpl(const struct vcpu *v)
{
    return v->arch.svm.vmcb->cpl;
}

/* --- what exits, as it changes --------------------------------------------------------------- */

static void step_over(struct vcpu *v, uint32_t length)
{
    struct vmcb *c = v->arch.svm.vmcb;

    v->regs.rip = svm_code_behind(v, svm_code_is_64(c), length);
    c->interrupt_shadow &= ~INTERRUPT_SHADOW;
}

static const struct hvm_code *locate(struct vcpu *v)
{
    const struct vmcb *c = v->arch.svm.vmcb;
    struct hvm_code *code = &v->arch.code;

    code->cr3 = c->cr3;
    code->level = c->cpl;
    code->length = svm_tells_next(c) ? (uint8_t)(c->next_rip - c->rip) : 0;
    if (likely(svm_code_is_64(c))) {
        code->address = v->regs.rip;
        code->bits = 64;
    } else {
        code->address = (uint32_t)(c->cs.base + v->regs.rip);
        code->bits = c->cs.attributes & SEG_DB ? 32 : 16;
    }
    return code;
}

static uint32_t told_bytes(const struct vcpu *v, uint8_t bytes[15])
{
    const struct vmcb *c = v->arch.svm.vmcb;

    if (!cpu_has(CPU_SVM_DECODE) || c->exit_code != VMEXIT_NPF || c->fetched > 15)
        return 0;
    for (uint32_t i = 0; i < c->fetched; i++)
        bytes[i] = c->instruction[i];
    return c->fetched;
}

static bool takes_interrupt(const struct vcpu *v)
{
    return v->regs.rflags & RFLAGS_IF && !(v->arch.svm.vmcb->interrupt_shadow & INTERRUPT_SHADOW);
}

static bool takes_nmi(const struct vcpu *v)
{
    return !v->arch.nmi_masked && !(v->arch.svm.vmcb->interrupt_shadow & INTERRUPT_SHADOW);
}

/* A virtual interrupt of the highest priority pends: what exits is its delivery. */
static void watch_interrupts(struct vcpu *v, bool on)
{
    struct vmcb *c = v->arch.svm.vmcb;

    if (on) {
        c->v_intr |= V_PENDS;
        c->intercept1 |= INTERCEPT1_VINTR;
    } else {
        c->v_intr &= ~V_PENDS;
        c->intercept1 &= ~INTERCEPT1_VINTR;
    }
    c->clean &= ~(CLEAN_TPR | CLEAN_INTERCEPTS);
}

static void watch_iret(struct vcpu *v, bool on)
{
    struct vmcb *c = v->arch.svm.vmcb;

    c->intercept1 = on ? c->intercept1 | INTERCEPT1_IRET : c->intercept1 & ~INTERCEPT1_IRET;
    c->clean &= ~CLEAN_INTERCEPTS;
}

static void watch_tpr(struct vcpu *v, bool on)
{
    struct vmcb *c = v->arch.svm.vmcb;

    c->intercept_cr =
        on ? c->intercept_cr | INTERCEPT_CR_WRITE(8) : c->intercept_cr & ~INTERCEPT_CR_WRITE(8);
    c->clean &= ~CLEAN_INTERCEPTS;
}

static void watch_debug(struct vcpu *v, bool on)
{
    struct vmcb *c = v->arch.svm.vmcb;

    c->intercept_dr = on ? INTERCEPT_DR_ALL : 0;
    c->clean &= ~CLEAN_INTERCEPTS;
}

static void set_tsc_offset(struct vcpu *v, int64_t offset)
{
    v->arch.svm.vmcb->tsc_offset = (uint64_t)offset;
    v->arch.svm.vmcb->clean &= ~CLEAN_INTERCEPTS;
}

static uint8_t get_tpr(const struct vcpu *v)
{
    return (uint8_t)field_get(V_TPR, v->arch.svm.vmcb->v_intr) & 15;
}

static void set_tpr(struct vcpu *v, uint8_t cr8)
{
    struct vmcb *c = v->arch.svm.vmcb;

    c->v_intr = (c->v_intr & ~V_TPR) | cr8;
    c->clean &= ~CLEAN_TPR;
}

static void forget_tlb(struct vcpu *v)
{
    svm_asid_drop(&v->arch.svm);
}

static void dump(const struct vcpu *v)
{
    const struct vmcb *c = v->arch.svm.vmcb;
    uint16_t id = v->domain->id;

    log_guest(id, LOG_ERR, "exit %#llx, %#llx, %#llx; delivering %#llx",
              (unsigned long long)c->exit_code, (unsigned long long)c->exit_info1,
              (unsigned long long)c->exit_info2, (unsigned long long)c->exit_int_info);
}

const struct hvm_ops svm_ops = {
    .name = "AMD-V",
    .cpu_init = cpu_init,
    .vcpu_init = svm_vcpu_init,
    .vcpu_destroy = svm_vcpu_destroy,
    .vcpu_reset = svm_vcpu_reset,
    .save = save,
    .load = load,
    .enter_first = enter_first,
    .get_reg = get_reg,
    .set_reg = set_reg,
    .get_cr3 = get_cr3,
    .get_segment = get_segment,
    .set_segment = set_segment,
    .cpl = cpl,
    .step_over = step_over,
    .locate = locate,
    .told_bytes = told_bytes,
    .takes_interrupt = takes_interrupt,
    .takes_nmi = takes_nmi,
    .watch_interrupts = watch_interrupts,
    .watch_iret = watch_iret,
    .watch_tpr = watch_tpr,
    .watch_debug = watch_debug,
    .set_tsc_offset = set_tsc_offset,
    .get_tpr = get_tpr,
    .set_tpr = set_tpr,
    .forget_tlb = forget_tlb,
    .dump = dump,
};
