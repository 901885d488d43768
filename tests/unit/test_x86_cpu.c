/* SPDX-License-Identifier: MIT */
/*
 * What processor an x86 guest sees: CPUID, MSRs, control registers. The CPU below is one that has
 * every feature there ever was: what a guest gets of it is the lists' doing.
 */
#include "unit.h"

#include "x86_vcpu.h"

#include <asm/clock.h>
#include <asm/cpu.h>
#include <asm/fpu.h>
#include <asm/hypercall_page.h>
#include <asm/msr.h>
#include <hospes/errno.h>

static struct cpuid fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
    return (struct cpuid){ leaf, subleaf, UINT32_MAX, UINT32_MAX };
}

static uint32_t barriers;

static void fake_wrmsr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, MSR_PRED_CMD);
    assert_int_equal(value, PRED_CMD_IBPB);
    barriers++;
}

#define cpuid(leaf, subleaf) fake_cpuid(leaf, subleaf)
#define wrmsr(msr, value)    fake_wrmsr(msr, value)

#include "../../hypervisor/arch/x86/control.c"
#include "../../hypervisor/arch/x86/cpu_policy.c"
#include "../../hypervisor/arch/x86/cpuid.c"
#include "../../hypervisor/arch/x86/msr.c"
#include "../../hypervisor/arch/x86/mtrr.c"
#include <hospes/cmdline.h>
#undef cpuid

struct cpu_info cpu_info;
struct speculation speculation = { .guest_spec_ctrl = SPEC_CTRL_STIBP };
struct clock_scale clock_scale;
uint64_t clock_tsc_khz = 2000000;

static struct cpu_policy policy;
static struct domain dom;
static struct vcpu vcpu;
static uint8_t code[15];
static uint32_t code_bytes;

/* --- who is asked ---------------------------------------------------------------------------- */

uint64_t fpu_features(void)
{
    return XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU;
}

uint32_t fpu_area_bytes(uint64_t xcr0)
{
    return 512 + (uint32_t)xcr0;
}

uint32_t vlapic_id(const struct vcpu *v)
{
    return 2 * v->id;
}

enum exit_action vlapic_read_msr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = msr;
    return EXIT_HANDLED;
}

enum exit_action vlapic_write_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    return EXIT_HANDLED;
}

enum exit_action vlapic_write_base(struct vcpu *v, uint64_t value)
{
    v->arch.vlapic.base = value;
    return EXIT_HANDLED;
}

uint64_t vlapic_read_deadline(struct vcpu *v)
{
    return v->arch.vlapic.deadline;
}

void vlapic_write_deadline(struct vcpu *v, uint64_t value)
{
    v->arch.vlapic.deadline = value;
}

void inject_agree_on_priority(struct vcpu *v)
{
}

static uint64_t spec_ctrl;

bool speculation_read_guest(const struct vcpu *v, uint64_t *value)
{
    *value = spec_ctrl;
    return true;
}

bool speculation_write_guest(struct vcpu *v, uint64_t value)
{
    if (value & ~speculation.guest_spec_ctrl)
        return false;
    spec_ctrl = value;
    return true;
}

static uint32_t looked;

void inject_pending(struct vcpu *v)
{
    looked++;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = UINT64_MAX;
    return true;
}

int hypercall_page_write(struct domain *d, uint64_t value)
{
    return value & 0xfff ? -EINVAL : 0;
}

uint32_t exit_prefixes(const uint8_t *bytes, uint32_t nr, unsigned int code_bits)
{
    return nr && (bytes[0] == 0xf0 || (code_bits == 64 && (bytes[0] & 0xf0) == 0x40));
}

void exit_skip(struct vcpu *v, uint32_t length)
{
    v->regs.rip += length;
}

uint32_t guest_fetch(struct vcpu *v, uint8_t bytes[15], const struct hvm_code *at)
{
    memcpy(bytes, code, code_bytes);
    return code_bytes;
}

/* ---------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    memset(&fake_cpu, 0, sizeof(fake_cpu));
    memset(&vcpu, 0, sizeof(vcpu));
    memset(&cpu_info, 0xff, sizeof(cpu_info));
    cpu_info.vendor = VENDOR_AMD;
    cpu_info.physical_bits = 48;
    cpu_info.max_leaf = 0x20;
    cpu_info.max_extended = 0x80000028;
    dom.max_vcpus = 4;
    dom.id = 7;
    dom.arch.policy = &policy;
    vcpu.domain = &dom;
    vcpu.id = 3;
    cpu_policy_default(&policy);
    mtrr_reset(&vcpu.arch.mtrr);
    control_set(&vcpu, CR0_ET, 0, 0);
    code_bytes = 0;
    barriers = 0;
    return 0;
}

static struct cpuid ask(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    cpuid_answer(&vcpu, leaf, subleaf, &r);
    return r;
}

/* A guest that finds a feature uses it: none may show that is not switched, or would be another
 * hypervisor's or the machine's to use. */
static void test_features(void **state)
{
    assert_int_equal(ask(1, 0).c & (B(3) | B(5) | B(6) | B(15)), 0); /* MWAIT VMX SMX PDCM */
    assert_int_equal(ask(1, 0).d & (B(7) | B(14) | B(18) | B(21) | B(22)), 0);
    assert_int_equal(ask(7, 0).b & (B(1) | B(2) | B(4) | B(11) | B(12) | B(14) | B(15) | B(25)), 0);
    assert_int_equal(ask(7, 0).c & (B(5) | B(7) | B(13) | B(16) | B(24) | B(29) | B(30) | B(31)),
                     0); /* WAITPKG CET TME LA57 ... */
    assert_int_equal(ask(7, 0).d & (B(5) | B(20) | B(22) | B(24) | B(25)), 0); /* UINTR CET AMX */
    assert_int_equal(ask(0xd, 1).a & B(3), 0);                                 /* XSAVES */
    assert_int_equal(ask(0x80000001, 0).c & (B(2) | B(10) | B(12) | B(15) | B(23) | B(29)), 0);
    assert_int_equal(ask(0x8000000a, 0).d, 0);
    assert_int_equal(ask(0x8000001f, 0).a, 0); /* SEV */
}

/* What Hospes emulates is there whatever the CPU has. */
static void test_emulated(void **state)
{
    memset(cpu_info.words, 0, sizeof(cpu_info.words));
    cpu_policy_default(&policy);
    assert_int_equal(ask(1, 0).c, EMULATED_1_C);
}

/* Linux finds its vCPUs, and counts them, by these. */
static void test_topology(void **state)
{
    assert_int_equal(ask(1, 0).b >> 24, 6);
    assert_int_equal(ask(0xb, 0).a, 1);
    assert_int_equal(ask(0xb, 1).a, 3);
    assert_int_equal(ask(0xb, 1).b, 4);
    assert_int_equal(ask(0xb, 1).d, 6);
    assert_int_equal(ask(0xb, 2).c, 2);
    assert_int_equal(ask(0x80000008, 0).c, 3u << 12 | 7);
    assert_int_equal(ask(0x8000001e, 0).a, 6);
}

/* A guest looks here for what the kernel has switched on. */
static void test_switched_on(void **state)
{
    assert_int_equal(ask(1, 0).c & LEAF1_OSXSAVE, 0);
    vcpu.arch.cr4 = CR4_OSXSAVE | CR4_PKE;
    vcpu.arch.xcr0 = 7;
    assert_int_not_equal(ask(1, 0).c & LEAF1_OSXSAVE, 0);
    assert_int_not_equal(ask(7, 0).c & LEAF7_OSPKE, 0);
    assert_int_equal(ask(0xd, 0).b, 512 + 7);
}

/* Linux knows Xen by these leaves. */
static void test_xen(void **state)
{
    struct cpuid first = ask(0x40000000, 0);

    options.xen_minor = 20;
    assert_memory_equal(&first.b, "XenVMMXenVMM", 12);
    assert_int_equal(first.a, 0x40000004);
    assert_int_equal(ask(0x40000001, 0).a, 4 << 16 | 20);
    assert_int_equal(ask(0x40000002, 0).b, HYPERCALL_PAGE_MSR);
    assert_int_equal(ask(0x40000003, 0).c, 2000000);
    assert_int_equal(ask(0x40000004, 0).b, 3);
    assert_int_equal(ask(0x40000004, 0).c, 7);
}

/* Any number may be asked for. */
static void test_any_leaf(void **state)
{
    for (unsigned int i = 0; i < 100000; i++)
        ask(unit_random(2) ? (uint32_t)unit_random64() : unit_random(4) << 30 | unit_random(64),
            unit_random(80));
    assert_int_equal(ask(0x15, 0).c, 0);
    assert_int_equal(ask(0x80000023, 0).c, 0);
    assert_int_equal(ask(0xd, 63).a, 0);
    assert_int_equal(ask(0xc0000001, 0).c, 0);
}

/* xl reads a policy, changes it and gives it back: what it adds is not believed. */
static void test_toolstack(void **state)
{
    static xen_cpuid_leaf_t leaves[POLICY_LEAVES];
    struct cpu_policy again = policy;
    uint32_t nr = cpu_policy_get(&policy, leaves, POLICY_LEAVES);

    assert_true(nr <= POLICY_LEAVES);
    assert_int_equal(cpu_policy_get(&policy, NULL, 0), nr);
    /* Hypervisors' own leaves are told, so that libraries find room for them, and are not taken. */
    for (uint32_t i = 0; i < nr; i++)
        assert_int_equal(cpu_policy_set(&again, &leaves[i]),
                         leaves[i].leaf >> 28 == 4 ? -EINVAL : 0);
    cpu_policy_settle(&again);
    assert_memory_equal(&again, &policy, sizeof(policy));
    for (uint32_t i = 0; i < nr; i++) {
        leaves[i].a = leaves[i].b = leaves[i].c = leaves[i].d = UINT32_MAX;
        (void)cpu_policy_set(&policy, &leaves[i]);
    }
    cpu_policy_settle(&policy);
    test_features(state);
    assert_int_equal(policy.xcr0 & ~fpu_features(), 0);
    assert_int_equal(cpu_policy_set(&policy, &(xen_cpuid_leaf_t){ .leaf = 0x40000000 }), -EINVAL);
    assert_int_equal(cpu_policy_set(&policy, &(xen_cpuid_leaf_t){ .leaf = 7, .subleaf = 9 }),
                     -EINVAL);
}

/* Without AVX, nothing that is built on it, nor its registers. */
static void test_dependencies(void **state)
{
    xen_cpuid_leaf_t leaf = { 1, XEN_CPUID_NO_SUBLEAF, 0, 0, ~B(28), UINT32_MAX };

    cpu_policy_set(&policy, &leaf);
    cpu_policy_settle(&policy);
    assert_false(cpu_policy_has(&policy, CPU_FEATURE(CPU_7_B, 16)));
    assert_int_equal(policy.xcr0 & (XCR0_AVX | XCR0_AVX512), 0);
}

/* --- MSRs ------------------------------------------------------------------------------------ */

/* Every number is answered, most of them with a fault; none reaches the machine's. */
static void test_any_msr(void **state)
{
    static const uint32_t bases[] = { 0, 0x40000000, 0xc0000000, 0xc0010000, 0xffff0000 };
    uint32_t faults = 0;

    for (unsigned int i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
        for (uint32_t n = 0; n < 0x3000; n++) {
            uint64_t value = 0;

            faults += msr_read(&vcpu, bases[i] + n, &value) == EXIT_FAULT;
            faults += msr_write(&vcpu, bases[i] + n, unit_random64()) == EXIT_FAULT;
        }
    assert_true(faults > 5 * 0x3000 * 2 - 700);
    assert_int_equal(barriers, 0);
    assert_int_equal(
        vcpu.arch.efer & ~(uint64_t)(EFER_SCE | EFER_LME | EFER_NXE | EFER_FFXSR | EFER_AIBRSE), 0);
}

/* SVM is not there to be switched on; nor are reserved bits, and LMA is not the guest's to set. */
static void test_efer(void **state)
{
    assert_int_equal(msr_write(&vcpu, MSR_EFER, EFER_SVME), EXIT_FAULT);
    assert_int_equal(msr_write(&vcpu, MSR_EFER, 1ull << 40), EXIT_FAULT);
    assert_int_equal(msr_write(&vcpu, MSR_EFER, EFER_LME | EFER_LMA | EFER_SCE), EXIT_HANDLED);
    assert_int_equal(vcpu.arch.efer, EFER_LME | EFER_SCE);
    control_set(&vcpu, CR0_PG | CR0_PE | CR0_ET, CR4_PAE, EFER_LME | EFER_LMA);
    assert_int_equal(msr_write(&vcpu, MSR_EFER, 0), EXIT_FAULT);
}

/* The barrier against trained branch predictors works where CPUID says so. */
static void test_barrier(void **state)
{
    assert_int_equal(msr_write(&vcpu, MSR_PRED_CMD, PRED_CMD_IBPB), EXIT_HANDLED);
    assert_int_equal(barriers, 1);
    assert_int_equal(msr_write(&vcpu, MSR_PRED_CMD, 0x80), EXIT_FAULT);
    turn_off(&policy, CPU_AMD_IBPB);
    assert_int_equal(msr_write(&vcpu, MSR_PRED_CMD, PRED_CMD_IBPB), EXIT_FAULT);
    assert_int_equal(barriers, 1);
}

/* What CPUID tells of SPEC_CTRL is there, and only then is any of it told. */
static void test_spec_ctrl(void **state)
{
    uint64_t value;

    assert_true(cpu_policy_has(&policy, CPU_AMD_STIBP));
    assert_int_equal(msr_write(&vcpu, MSR_SPEC_CTRL, SPEC_CTRL_STIBP), EXIT_HANDLED);
    assert_int_equal(msr_read(&vcpu, MSR_SPEC_CTRL, &value), EXIT_HANDLED);
    assert_int_equal(value, SPEC_CTRL_STIBP);
    assert_int_equal(msr_write(&vcpu, MSR_SPEC_CTRL, SPEC_CTRL_STIBP | 1ull << 40), EXIT_FAULT);
    speculation.guest_spec_ctrl = 0;
    cpu_policy_default(&policy);
    assert_false(cpu_policy_has(&policy, CPU_AMD_STIBP) || cpu_policy_has(&policy, CPU_AMD_IBRS) ||
                 cpu_policy_has(&policy, CPU_AMD_SSBD) || cpu_policy_has(&policy, CPU_PSFD));
    speculation.guest_spec_ctrl = SPEC_CTRL_STIBP;
}

/* Linux saves these and writes them back on each CPU. */
static void test_mtrr(void **state)
{
    uint64_t value;

    assert_int_equal(msr_read(&vcpu, 0xfe, &value), EXIT_HANDLED);
    assert_int_equal(value & 0xff, MTRR_VARIABLE);
    assert_int_equal(msr_read(&vcpu, 0x2ff, &value), EXIT_HANDLED);
    assert_int_equal(value, 0x806);
    for (uint32_t msr = 0x200; msr < 0x300; msr++) {
        bool is = msr < 0x210 || msr == 0x250 || msr == 0x258 || msr == 0x259 ||
                  (msr >= 0x268 && msr < 0x270) || msr == 0x2ff;

        assert_int_equal(msr_write(&vcpu, msr, 0), is ? EXIT_HANDLED : EXIT_FAULT);
    }
    assert_int_equal(msr_write(&vcpu, 0x200, 2), EXIT_FAULT);
    assert_int_equal(msr_write(&vcpu, 0x250, 0x0606060606060603), EXIT_FAULT);
    assert_int_equal(msr_write(&vcpu, 0x250, 0x0606060606060600), EXIT_HANDLED);
    assert_int_equal(msr_read(&vcpu, 0x250, &value), EXIT_HANDLED);
    assert_int_equal(value, 0x0606060606060600);
    assert_int_equal(msr_write(&vcpu, 0xfe, 0), EXIT_FAULT);
}

/* RDMSR and WRMSR, from edx:eax; not for user code. */
static void test_instructions(void **state)
{
    vcpu.regs.rcx = 0xffffffff00000000 | MSR_TSC_DEADLINE;
    vcpu.regs.rax = 0xaaaaaaaa11112222;
    vcpu.regs.rdx = 0xbbbbbbbb33334444;
    assert_int_equal(exit_msr(&vcpu, 0, true), EXIT_STEP);
    assert_int_equal(vcpu.arch.vlapic.deadline, 0x3333444411112222);
    vcpu.regs.rax = vcpu.regs.rdx = UINT64_MAX;
    assert_int_equal(exit_msr(&vcpu, 0, false), EXIT_STEP);
    assert_int_equal(vcpu.regs.rax, 0x11112222);
    assert_int_equal(vcpu.regs.rdx, 0x33334444);
    assert_int_equal(exit_msr(&vcpu, 3, false), EXIT_FAULT);
}

/* --- control registers ----------------------------------------------------------------------- */

/* Into long mode and out of it, as kernels do. */
static void test_long_mode(void **state)
{
    assert_true(control_write_cr0(&vcpu, CR0_PE));
    assert_true(control_write_cr4(&vcpu, CR4_PAE));
    assert_true(control_write_efer(&vcpu, EFER_LME | EFER_NXE));
    assert_int_equal(vcpu.arch.paging, PAGING_NONE);
    assert_true(control_write_cr0(&vcpu, CR0_PE | CR0_PG | CR0_WP));
    assert_int_equal(vcpu.arch.paging, PAGING_64);
    assert_int_equal(fake_cpu.reg[HVM_EFER], EFER_LME | EFER_LMA | EFER_NXE);
    assert_int_equal(fake_cpu.reg[HVM_CR0], CR0_PE | CR0_PG | CR0_WP | CR0_ET);
    assert_false(control_write_cr4(&vcpu, 0));
    fake_cpu.segment[SEG_CS].attributes = SEG_L;
    assert_false(control_write_cr0(&vcpu, CR0_PE));
    fake_cpu.segment[SEG_CS].attributes = 0;
    assert_true(control_write_cr0(&vcpu, CR0_PE));
    assert_int_equal(vcpu.arch.efer, EFER_LME | EFER_NXE);
    assert_int_equal(vcpu.arch.paging, PAGING_NONE);
}

/* The guest finds what it wrote; the processor gets LME no sooner than PAE, and loses it with PAE.
 */
static void test_half_long(void **state)
{
    vcpu.regs.rcx = 0xc0000080;
    vcpu.regs.rax = EFER_LME | EFER_NXE;
    vcpu.regs.rdx = 0;
    assert_int_equal(exit_msr(&vcpu, 0, true), EXIT_STEP);
    assert_int_equal(fake_cpu.reg[HVM_EFER], EFER_NXE);
    assert_int_equal(exit_msr(&vcpu, 0, false), EXIT_STEP);
    assert_int_equal(vcpu.regs.rax, EFER_LME | EFER_NXE);
    assert_true(control_write_cr4(&vcpu, CR4_PAE));
    assert_int_equal(fake_cpu.reg[HVM_EFER], EFER_LME | EFER_NXE);
    assert_true(control_write_cr4(&vcpu, 0));
    assert_int_equal(fake_cpu.reg[HVM_EFER], EFER_NXE);
    assert_int_equal(vcpu.arch.efer, EFER_LME | EFER_NXE);
}

/* What VMRUN would refuse, or no processor has, is a fault of the guest's. */
static void test_bad_control(void **state)
{
    assert_false(control_write_cr0(&vcpu, CR0_PG));
    assert_false(control_write_cr0(&vcpu, CR0_NW));
    assert_false(control_write_cr0(&vcpu, 1ull << 32));
    assert_true(control_write_efer(&vcpu, EFER_LME));
    assert_false(control_write_cr0(&vcpu, CR0_PE | CR0_PG)); /* without PAE */
    assert_false(control_write_cr4(&vcpu, CR4_VMXE));
    assert_false(control_write_cr4(&vcpu, CR4_LA57));
    assert_false(control_write_cr4(&vcpu, CR4_CET));
    assert_false(control_write_cr4(&vcpu, 1ull << 60));
    assert_false(control_write_cr4(&vcpu, CR4_PCIDE)); /* outside of long mode */
    assert_true(control_write_cr4(&vcpu, CR4_PAE));
    assert_true(control_write_cr0(&vcpu, CR0_PE | CR0_PG));
    fake_cpu.reg[HVM_CR3] = 1;
    assert_false(control_write_cr4(&vcpu, CR4_PAE | CR4_PCIDE));
    fake_cpu.reg[HVM_CR3] = 0x1000;
    assert_true(control_write_cr4(&vcpu, CR4_PAE | CR4_PCIDE));
    assert_false(control_write_cr0(&vcpu, CR0_PE));
}

/* Caches stay on, whatever a guest says of them; and it must not meet its old translations. */
static void test_caches_and_translations(void **state)
{
    uint32_t forgot = fake_cpu.forgot;

    assert_true(control_write_cr0(&vcpu, CR0_CD | CR0_NW | CR0_PE));
    assert_int_equal(vcpu.arch.cr0, CR0_CD | CR0_NW | CR0_PE | CR0_ET);
    assert_int_equal(fake_cpu.reg[HVM_CR0], CR0_PE | CR0_ET);
    assert_int_not_equal(fake_cpu.forgot, forgot);
}

static void run_code(const char *bytes, uint32_t nr)
{
    memcpy(code, bytes, nr);
    code_bytes = nr;
}

/* The instructions that write them, with the registers that they name. */
static void test_control_instructions(void **state)
{
    vcpu.regs.rcx = CR0_PE | CR0_AM;
    run_code("\x0f\x22\xc1\x90", 4); /* mov ecx, cr0 */
    assert_int_equal(exit_control(&vcpu), EXIT_HANDLED);
    assert_int_equal(vcpu.arch.cr0, CR0_PE | CR0_AM | CR0_ET);
    assert_int_equal(vcpu.regs.rip, 3);
    fake_cpu.segment[SEG_CS].attributes = SEG_L;
    vcpu.regs.r9 = CR4_PSE;
    run_code("\x41\x0f\x22\xe1", 4); /* mov r9, cr4 */
    assert_int_equal(exit_control(&vcpu), EXIT_HANDLED);
    assert_int_equal(vcpu.arch.cr4, CR4_PSE);
    assert_int_equal(vcpu.regs.rip, 7);
    vcpu.regs.r9 = CR4_VMXE;
    assert_int_equal(exit_control(&vcpu), EXIT_FAULT);
    assert_int_equal(vcpu.arch.cr4, CR4_PSE);
    assert_int_equal(vcpu.regs.rip, 7);
    fake_cpu.segment[SEG_CS].attributes = SEG_DB;
    fake_cpu.reg[HVM_CR0] |= CR0_TS; /* the guest has set it by itself */
    vcpu.regs.rdx = CR0_MP;
    run_code("\x0f\x01\xf2\x90", 4); /* lmsw dx: PE stays */
    assert_int_equal(exit_control(&vcpu), EXIT_HANDLED);
    assert_int_equal(vcpu.arch.cr0, CR0_PE | CR0_AM | CR0_ET | CR0_MP);
    fake_cpu.reg[HVM_CR0] |= CR0_TS;
    run_code("\x0f\x06\x90", 3); /* clts */
    assert_int_equal(exit_control(&vcpu), EXIT_HANDLED);
    assert_int_equal(fake_cpu.reg[HVM_CR0] & CR0_TS, 0);
    fake_cpu.segment[SEG_CS].attributes = SEG_L;
    vcpu.regs.rax = 3;
    run_code("\x44\x0f\x22\xc0", 4); /* mov rax, cr8 */
    assert_int_equal(exit_control(&vcpu), EXIT_HANDLED);
    assert_int_equal(fake_cpu.tpr, 3);
    assert_int_equal(looked, 1);
    vcpu.regs.rax = 16;
    assert_int_equal(exit_control(&vcpu), EXIT_FAULT);
    vcpu.regs.rax = 5;
    fake_cpu.segment[SEG_CS].attributes = SEG_DB;
    run_code("\xf0\x0f\x22\xc0", 4); /* lock mov eax, cr0: cr8 for code of 32 bits */
    assert_int_equal(exit_control(&vcpu), EXIT_HANDLED);
    assert_int_equal(fake_cpu.tpr, 5);
    assert_int_equal(vcpu.arch.cr0, CR0_PE | CR0_AM | CR0_ET | CR0_MP);
    run_code("\x0f\x0b\x90", 3);
    assert_int_equal(exit_control(&vcpu), EXIT_FAULT);
    run_code("\x0f", 1);
    assert_int_equal(exit_control(&vcpu), EXIT_FAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_features, setup),
        cmocka_unit_test_setup(test_emulated, setup),
        cmocka_unit_test_setup(test_topology, setup),
        cmocka_unit_test_setup(test_switched_on, setup),
        cmocka_unit_test_setup(test_xen, setup),
        cmocka_unit_test_setup(test_any_leaf, setup),
        cmocka_unit_test_setup(test_toolstack, setup),
        cmocka_unit_test_setup(test_dependencies, setup),
        cmocka_unit_test_setup(test_any_msr, setup),
        cmocka_unit_test_setup(test_efer, setup),
        cmocka_unit_test_setup(test_barrier, setup),
        cmocka_unit_test_setup(test_spec_ctrl, setup),
        cmocka_unit_test_setup(test_mtrr, setup),
        cmocka_unit_test_setup(test_instructions, setup),
        cmocka_unit_test_setup(test_long_mode, setup),
        cmocka_unit_test_setup(test_half_long, setup),
        cmocka_unit_test_setup(test_bad_control, setup),
        cmocka_unit_test_setup(test_caches_and_translations, setup),
        cmocka_unit_test_setup(test_control_instructions, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
