/* SPDX-License-Identifier: MIT */
// sources: core/cmdline.c arch/x86/options.c arch/x86/speculation_option.c arch/x86/microcode_option.c
/*
 * What is done against speculation on which CPU, and what guests get; and that places in the code
 * are changed where that is needed and nowhere else. No emulator has these controls: here is all of
 * their proof.
 */
#include "unit.h"

#include "x86_vcpu.h"

#include <asm/cpu.h>
#include <asm/host.h>
#include <asm/msr.h>
#include <hospes/cmdline.h>
#include <hospes/heap.h>
#include <hospes/map.h>

static struct {
    uint32_t nr;
    uint32_t msr[64];
    uint64_t value[64];
} writes;

static void fake_wrmsr(uint32_t msr, uint64_t value)
{
    assert_true(writes.nr < 64);
    writes.msr[writes.nr] = msr;
    writes.value[writes.nr++] = value;
}

/* Places as assembly would list them: here one for each reason, and one across two pages. */
static uint8_t code[2 * FRAME_SIZE] __attribute__((aligned(FRAME_SIZE)));
static uint8_t *mapped;

static maddr_t fake_maddr(const void *at)
{
    return MADDR((uint64_t)((const uint8_t *)at - code));
}

static void *fake_map(mfn_t mfn)
{
    assert_null(mapped);
    mapped = code + mfn.v * FRAME_SIZE;
    return mapped;
}

static void fake_unmap(const void *at)
{
    assert_ptr_equal(at, mapped);
    mapped = NULL;
}

#define wrmsr(msr, value)      fake_wrmsr(msr, value)
#define rdmsr(msr)             0ull
#define arch_virt_to_maddr(at) fake_maddr(at)
#define frame_map(mfn)         fake_map(mfn)
#define frame_unmap(at)        fake_unmap(at)
#define _patches_start         __start_fake_patches
#define _patches_end           __stop_fake_patches

#include "../../hypervisor/arch/x86/patch.c"
#include "../../hypervisor/arch/x86/speculation.c"
#undef rdmsr

struct cpu_info cpu_info;

static struct patch places[] __attribute__((section("fake_patches"), used)) = {
    { .why = PATCH_NO_RSB_FILL, .bytes = 2, .code = { 0xeb, 100 } },
    { .why = PATCH_NO_RSB_FILL, .bytes = 2, .code = { 0xeb, 101 } },
    { .why = PATCH_NO_IBPB_EXIT, .bytes = 2, .code = { 0xeb, 12 } },
    { .why = PATCH_NO_VERW, .bytes = 2, .code = { 0xeb, 7 } },
    { .why = PATCH_THUNK_JMP, .bytes = 3, .code = { 0xff, 0xe0, 0xcc } },
    { .why = PATCH_THUNK_LFENCE, .bytes = 5, .code = { 0x0f, 0xae, 0xe8, 0xff, 0xe0 } },
};

enum place { RSB_1, RSB_2, IBPB_EXIT, VERW, THUNK_A, THUNK_B, PLACES };

/* The last but one lies across the two pages. */
static const uint32_t offsets[PLACES] = { 16, 256, 512, 768, FRAME_SIZE - 1, 4200 };

static struct domain dom;
static struct vcpu vcpus[2];
static uint64_t guest_features; /* of X8_B */

bool cpu_policy_has(const struct cpu_policy *p, uint32_t feature)
{
    assert_int_equal(feature >> 5, CPU_X8_B);
    return guest_features >> (feature & 31) & 1;
}

static uint64_t registers[2]; /* BP_CFG, DE_CFG */

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = registers[msr == MSR_DE_CFG];
    return true;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
    registers[msr == MSR_DE_CFG] = value;
    return true;
}

static void have(uint32_t feature)
{
    cpu_info.words[feature >> 5] |= 1u << (feature & 31);
}

static bool changed(enum place p)
{
    return code[offsets[p]] != 0x90;
}

static int setup(void **state)
{
    host_pcpus_init(2);
    memset(&cpu_info, 0, sizeof(cpu_info));
    cpu_info.vendor = VENDOR_AMD;
    cpu_info.family = 0x19;
    memset(code, 0x90, sizeof(code));
    memset(&writes, 0, sizeof(writes));
    memset(registers, 0, sizeof(registers));
    memset(spec_pcpus, 0, sizeof(spec_pcpus));
    guest_features = 0;
    for (uint32_t i = 0; i < PLACES; i++)
        places[i].at = (int32_t)(code + offsets[i] - (uint8_t *)&places[i].at);
    for (uint32_t i = 0; i < 2; i++) {
        memset(&vcpus[i], 0, sizeof(vcpus[i]));
        vcpus[i].domain = &dom;
        speculation_vcpu_init(&vcpus[i]);
    }
    return 0;
}

/* A CPU that starts with this line. */
static void start(const char *line)
{
    x86_options.spec = (struct spec_options){ 0 };
    host_log_clear();
    cmdline_parse(line);
    cmdline_report();
    assert_null(strstr(host_log, "ignored"));
    speculation_init();
    speculation_pcpu_init();
}

static uint32_t wrote(uint32_t msr, uint64_t value)
{
    uint32_t nr = 0;

    for (uint32_t i = 0; i < writes.nr; i++)
        nr += writes.msr[i] == msr && writes.value[i] == value;
    return nr;
}

/* Nothing is known of the CPU: what needs nothing of it is done, and no register is touched that it
 * may not have. */
static void test_plain_cpu(void **state)
{
    start("");
    assert_false(changed(RSB_1) || changed(RSB_2) || changed(THUNK_A) || changed(THUNK_B));
    assert_true(changed(IBPB_EXIT) && changed(VERW));
    assert_int_equal(writes.nr, 0);
    assert_int_equal(registers[1], DE_CFG_LFENCE);
    assert_non_null(
        strstr(host_log, "indirect branches retpolines; used: RSB-fill; for guests: none"));
    speculation_vcpu_load(&vcpus[0]);
    assert_int_equal(writes.nr, 0);
}

/* The CPU keeps predictions apart itself: the image does nothing for it. */
static void test_auto_ibrs(void **state)
{
    have(CPU_AUTO_IBRS);
    start("");
    assert_int_equal(wrote(MSR_EFER, EFER_AIBRSE), 1);
    assert_true(changed(RSB_1) && changed(RSB_2) && changed(THUNK_A) && !changed(THUNK_B));
    assert_int_equal(code[FRAME_SIZE - 1], 0xff);
    assert_int_equal(code[FRAME_SIZE], 0xe0);
    assert_int_equal(code[FRAME_SIZE + 1], 0xcc);
    assert_int_equal(code[FRAME_SIZE + 2], 0x90);
    assert_int_equal(code[FRAME_SIZE - 2], 0x90);
}

/* Switched off by the user, the rest has to stand in for it. */
static void test_no_ibrs(void **state)
{
    have(CPU_AUTO_IBRS);
    start("spec-ctrl=no-ibrs");
    assert_int_equal(writes.nr, 0);
    assert_false(changed(RSB_1) || changed(THUNK_A));
}

/* Families that confuse returns forget all predictions at exits, until CPUID says that they need
 * not, or the CPU is told to be careful. */
static void test_returns(void **state)
{
    have(CPU_AMD_IBPB);
    cpu_info.family = 0x17;
    start("");
    assert_false(changed(IBPB_EXIT));
    assert_null(strstr(host_log, "can train this CPU's predictions of returns"));
    setup(state);
    have(CPU_AMD_IBPB);
    have(CPU_BTC_NO);
    cpu_info.family = 0x17;
    start("");
    assert_true(changed(IBPB_EXIT));
    setup(state);
    have(CPU_AMD_IBPB);
    have(CPU_IBPB_BRTYPE);
    start("");
    assert_false(changed(IBPB_EXIT));
    setup(state);
    have(CPU_AMD_IBPB);
    have(CPU_IBPB_BRTYPE);
    have(CPU_BP_SPEC_REDUCE);
    start("");
    assert_true(changed(IBPB_EXIT));
    assert_int_equal(registers[0], BP_CFG_SPEC_REDUCE);
    setup(state);
    cpu_info.family = 0x17; /* no barrier to use */
    start("");
    assert_true(changed(IBPB_EXIT));
    assert_non_null(strstr(host_log, "can train this CPU's predictions of returns"));
}

/* Another guest's vCPU, or another of the same, never runs on what the last one trained. */
static void test_switch(void **state)
{
    have(CPU_AMD_IBPB);
    have(CPU_BTC_NO);
    start("");
    speculation_vcpu_load(&vcpus[0]);
    assert_int_equal(wrote(MSR_PRED_CMD, PRED_CMD_IBPB), 1);
    speculation_vcpu_load(&vcpus[0]);
    assert_int_equal(wrote(MSR_PRED_CMD, PRED_CMD_IBPB), 1);
    speculation_vcpu_load(&vcpus[1]);
    speculation_vcpu_load(&vcpus[0]);
    assert_int_equal(wrote(MSR_PRED_CMD, PRED_CMD_IBPB), 3);
    /* A new vCPU in an old one's place is a stranger. */
    speculation_vcpu_init(&vcpus[0]);
    speculation_vcpu_load(&vcpus[0]);
    assert_int_equal(wrote(MSR_PRED_CMD, PRED_CMD_IBPB), 4);
    /* What another pCPU learned is no concern of this one. */
    host_set_pcpu(1);
    speculation_vcpu_load(&vcpus[0]);
    assert_int_equal(wrote(MSR_PRED_CMD, PRED_CMD_IBPB), 5);
    host_set_pcpu(0);
}

/* Without a SPEC_CTRL in the VMCB each guest's is set with its vCPU, and ours stays in it. */
static void test_guest_spec_ctrl(void **state)
{
    uint64_t value;

    have(CPU_AMD_STIBP);
    have(CPU_AMD_SSBD);
    guest_features = 1u << (CPU_AMD_STIBP & 31);
    start("spec-ctrl=ssbd");
    assert_int_equal(wrote(MSR_SPEC_CTRL, SPEC_CTRL_SSBD), 1);
    speculation_vcpu_load(&vcpus[0]);
    assert_true(speculation_write_guest(&vcpus[0], SPEC_CTRL_STIBP));
    assert_int_equal(wrote(MSR_SPEC_CTRL, SPEC_CTRL_SSBD | SPEC_CTRL_STIBP), 1);
    assert_true(speculation_read_guest(&vcpus[0], &value));
    assert_int_equal(value, SPEC_CTRL_STIBP);
    speculation_vcpu_load(&vcpus[1]);
    assert_int_equal(wrote(MSR_SPEC_CTRL, SPEC_CTRL_SSBD), 2);
    assert_true(speculation_read_guest(&vcpus[1], &value));
    assert_int_equal(value, 0);
    speculation_vcpu_load(&vcpus[0]);
    assert_int_equal(wrote(MSR_SPEC_CTRL, SPEC_CTRL_SSBD | SPEC_CTRL_STIBP), 2);
}

/* What its CPUID does not tell of, a guest cannot set; nor bits that are nobody's. */
static void test_guest_bad(void **state)
{
    uint64_t value;

    have(CPU_AMD_STIBP);
    have(CPU_AMD_SSBD);
    start("");
    writes.nr = 0;
    assert_false(speculation_read_guest(&vcpus[0], &value));
    assert_false(speculation_write_guest(&vcpus[0], 0));
    guest_features = 1u << (CPU_AMD_STIBP & 31) | 1u << (CPU_AMD_IBRS & 31);
    for (unsigned int bit = 0; bit < 64; bit++)
        assert_int_equal(speculation_write_guest(&vcpus[0], 1ull << bit), bit == 1);
    assert_int_equal(writes.nr, 1);
    start("spec-ctrl=no-msr-sc");
    assert_false(speculation_write_guest(&vcpus[0], SPEC_CTRL_STIBP));
}

/* All that a CPU can have, and a user who wants none of it. */
static void test_all_off(void **state)
{
    memset(cpu_info.words, 0xff, sizeof(cpu_info.words));
    start("spec-ctrl=no");
    assert_true(changed(RSB_1) && changed(RSB_2) && changed(IBPB_EXIT) && changed(VERW) &&
                changed(THUNK_A));
    assert_int_equal(wrote(MSR_EFER, EFER_AIBRSE), 0);
    assert_int_equal(wrote(MSR_SPEC_CTRL, 0), 1); /* whatever firmware left there */
    speculation_vcpu_load(&vcpus[0]);
    assert_int_equal(wrote(MSR_PRED_CMD, PRED_CMD_IBPB), 0);
    assert_non_null(strstr(host_log, "indirect branches plain; used: none"));
    start("spec-ctrl=no-xen");
    assert_non_null(strstr(
        host_log,
        "indirect branches plain; used: IBPB-between-vCPUs; for guests: PRED_CMD SPEC_CTRL"));
    start("spec-ctrl=no,verw,bti-thunk=lfence");
    assert_non_null(strstr(host_log, "indirect branches lfence; used: VERW-at-entries;"));
}

/* Xen's words: known ones are read, what means nothing here is told, what is none is refused. */
static void test_words(void **state)
{
    static const char *const good[] = {
        "spec-ctrl=yes",
        "spec-ctrl=off",
        "spec-ctrl=xen=no,hvm=1",
        "spec-ctrl=rsb=hvm,verw=hvm=no",
        "spec-ctrl=ibpb-entry=off,ibpb=no,ssbd=yes,psfd",
        "spec-ctrl=no-bp-spec-reduce,md-clear",
    };
    static const char *const others_known[] = { "spec-ctrl=eager-fpu",
                                                "spec-ctrl=no-l1d-flush,ibpb-alt=no",
                                                "spec-ctrl=pv=no,gds-mit=yes" };
    static const char *const bad[] = {
        "spec-ctrl=",           "spec-ctrl",
        "spec-ctrl=,",          "spec-ctrl=ibpb,",
        "spec-ctrl=ibpbx",      "spec-ctrl=ibpb=",
        "spec-ctrl=ibpb=maybe", "spec-ctrl=no-ibpb=yes",
        "spec-ctrl=bti-thunk=", "spec-ctrl=bti-thunk=x",
        "spec-ctrl=no-no-ibpb", "spec-ctrl=no-",
        "spec-ctrl=rsb=hvm=",   "spec-ctrl=yesno",
    };

    for (uint32_t i = 0; i < array_size(good); i++) {
        start(good[i]);
        assert_null(strstr(host_log, "mean nothing"));
    }
    for (uint32_t i = 0; i < array_size(others_known); i++) {
        start(others_known[i]);
        assert_non_null(strstr(host_log, "mean nothing"));
    }
    for (uint32_t i = 0; i < array_size(bad); i++) {
        x86_options.spec = (struct spec_options){ .rsb = SPEC_OFF };
        host_log_clear();
        cmdline_parse(bad[i]);
        cmdline_report();
        if (!strstr(host_log, "ignored") || x86_options.spec.rsb != SPEC_OFF)
            fail_msg("%s: not refused: %s", bad[i], host_log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_plain_cpu, setup),
        cmocka_unit_test_setup(test_auto_ibrs, setup),
        cmocka_unit_test_setup(test_no_ibrs, setup),
        cmocka_unit_test_setup(test_returns, setup),
        cmocka_unit_test_setup(test_switch, setup),
        cmocka_unit_test_setup(test_guest_spec_ctrl, setup),
        cmocka_unit_test_setup(test_guest_bad, setup),
        cmocka_unit_test_setup(test_all_off, setup),
        cmocka_unit_test_setup(test_words, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
