/* SPDX-License-Identifier: MIT */
/*
 * A domain's processors as a toolstack reads and writes them: gethvmcontext, sethvmcontext and CPU
 * policies. If these fail libxl cannot start a guest, or a damaged record becomes a state that the
 * hardware does not enter with.
 */
// sources: core/spinlock.c
#include "unit.h"

#include "x86_vcpu.h"

#include <asm/host.h>

#include "../../hypervisor/arch/x86/domctl_context.c"
#include "../../hypervisor/arch/x86/domctl_policy.c"
#include "../../hypervisor/arch/x86/domctl_vcpu.c"
#include "../../hypervisor/arch/x86/mtrr.c"

#define VCPUS 3u

static struct domain dom, caller_dom;
static struct vcpu vcpus[VCPUS], caller;
static struct vcpu *list[VCPUS];
static struct cpu_policy policy;
static struct xen_domctl the_op, told;
static struct domctl the_call;
static uint32_t pauses, resets;
static bool busy;

uint64_t clock_tsc_khz = 2000000;

/* --- what these files use -------------------------------------------------------------------- */

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    if (bytes && from < 8192)
        return -EFAULT;
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    if (to < 8192)
        return -EFAULT;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

int domctl_stop_all(const struct domctl *c)
{
    if (busy)
        return -ERESTART;
    pauses++;
    return 0;
}

void domain_unpause(struct domain *d)
{
    pauses--;
}

void vcpu_up(struct vcpu *v)
{
    v->online = true;
}

void vcpu_down(struct vcpu *v)
{
    v->online = false;
}

void arch_vcpu_reset(struct vcpu *v)
{
    resets++;
    memset(&v->regs, 0, sizeof(v->regs));
}

void control_set(struct vcpu *v, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    fake_cpu.reg[HVM_CR0] = cr0;
    fake_cpu.reg[HVM_CR4] = cr4;
    fake_cpu.reg[HVM_EFER] = efer;
}

uint64_t vtime_tsc(const struct domain *d)
{
    return 12345;
}

static struct cpuid policy_leaf;

void cpu_policy_default(struct cpu_policy *p)
{
    *p = policy;
}

const struct cpuid *cpu_policy_leaf(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    policy_leaf = (struct cpuid){ leaf, leaf + 1, leaf + 2, leaf + 3 };
    return &policy_leaf;
}

static uint32_t leaves_there = 60;

uint32_t cpu_policy_get(const struct cpu_policy *p, xen_cpuid_leaf_t *leaves, uint32_t room)
{
    assert_in_range(leaves_there, 0, room);
    for (uint32_t i = 0; i < leaves_there; i++)
        leaves[i] = (xen_cpuid_leaf_t){ .leaf = i, .a = i };
    return leaves_there;
}

int cpu_policy_set(struct cpu_policy *p, const xen_cpuid_leaf_t *leaf)
{
    if (leaf->leaf > 0xd)
        return -EINVAL;
    p->basic[leaf->leaf].a = leaf->a;
    return 0;
}

void cpu_policy_settle(struct cpu_policy *p)
{
    p->xcr0 = 7;
}

static int setup(void **state)
{
    host_pcpus_init(1);
    memset(&dom, 0, sizeof(dom));
    memset(vcpus, 0, sizeof(vcpus));
    memset(&fake_cpu, 0, sizeof(fake_cpu));
    memset(&the_op, 0, sizeof(the_op));
    memset(&policy, 0, sizeof(policy));
    dom.id = 5;
    dom.max_vcpus = VCPUS;
    dom.vcpus = list;
    dom.lock = SPINLOCK_INIT(LOCK_DOMAIN);
    dom.arch.policy = &policy;
    policy.cr4 = CR4_PAE | CR4_PGE;
    policy.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    for (uint32_t i = 0; i < VCPUS; i++) {
        list[i] = &vcpus[i];
        vcpus[i].domain = &dom;
        vcpus[i].id = i;
        mtrr_reset(&vcpus[i].arch.mtrr);
    }
    fake_cpu.reg[HVM_PAT] = 0x0007040600070406;
    caller.domain = &caller_dom;
    the_call =
        (struct domctl){ .caller = &caller, .d = &dom, .op = &the_op, .address = (uintptr_t)&told };
    pauses = resets = 0;
    busy = false;
    return 0;
}

static int finish(void **state)
{
    assert_int_equal(pauses, 0);
    return 0;
}

/* --- contexts -------------------------------------------------------------------------------- */

static uint8_t context[16384];

static int64_t get(void *to, uint32_t bytes)
{
    the_op.u.hvmcontext.buffer.p = to;
    the_op.u.hvmcontext.size = bytes;
    return domctl_gethvmcontext(&the_call);
}

static int64_t set(void *from, uint32_t bytes)
{
    /* A copy whose end the sanitizer sees. */
    uint8_t *copy = malloc(bytes + 1);
    int64_t rc;

    memcpy(copy, from, bytes);
    the_op.u.hvmcontext.buffer.p = copy;
    the_op.u.hvmcontext.size = bytes;
    rc = domctl_sethvmcontext(&the_call);
    free(copy);
    return rc;
}

/* As libxl's libraries do it for a PVH guest. */
struct start {
    struct hvm_save_descriptor header_d;
    header_t header;
    struct hvm_save_descriptor cpu_d;
    cpu_t cpu;
    struct hvm_save_descriptor end_d;
};

static void make_start(struct start *s)
{
    memset(s, 0, sizeof(*s));
    assert_int_equal(get(context, sizeof(context)), 0);
    memcpy(s, context, sizeof(s->header_d) + sizeof(s->header));
    s->cpu_d = (struct hvm_save_descriptor){ HVM_SAVE_CODE(CPU), 0, sizeof(cpu_t) };
    s->cpu.cs_limit = s->cpu.ds_limit = s->cpu.es_limit = s->cpu.ss_limit = ~0u;
    s->cpu.tr_limit = 0x67;
    s->cpu.cs_arbytes = 0xc9b;
    s->cpu.ds_arbytes = s->cpu.es_arbytes = s->cpu.ss_arbytes = 0xc93;
    s->cpu.tr_arbytes = 0x8b;
    s->cpu.cr0 = 0x11;
    s->cpu.rip = 0x1000b20;
    s->cpu.rbx = 0x5000;
    s->cpu.dr6 = 0xffff0ff0;
    s->cpu.dr7 = 0x400;
}

static void libxl(void **state)
{
    struct start s;

    assert_int_equal(get(NULL, 0), 0);
    assert_in_range(the_op.u.hvmcontext.size, 1, sizeof(context));
    make_start(&s);
    vcpus[1].online = true;
    assert_int_equal(set(&s, sizeof(s)), 0);
    assert_true(vcpus[0].online && vcpus[0].initialised);
    assert_false(vcpus[1].online); /* of which there was no record */
    assert_int_equal(resets, 1);
    assert_int_equal(vcpus[0].regs.rip, 0x1000b20);
    assert_int_equal(vcpus[0].regs.rbx, 0x5000);
    assert_int_equal(vcpus[0].regs.rflags, 2);
    assert_int_equal(fake_cpu.reg[HVM_CR0], 0x11);
    assert_int_equal(fake_cpu.segment[SEG_CS].attributes, 0xc9b);
    assert_int_equal(fake_cpu.segment[SEG_CS].limit, ~0u);
    assert_int_equal(fake_cpu.segment[SEG_TR].limit, 0x67);
}

/* What xenctx shows. */
static void registers_of_a_vcpu(void **state)
{
    struct vcpu_guest_context c = { 0 };
    struct vcpu *v = &vcpus[1];

    v->regs.rip = 0xffffffff81000000;
    v->regs.r15 = 15;
    for (uint64_t i = 0; i < 4; i++)
        v->arch.dr[i] = 0x1000 + i;
    fake_cpu.reg[HVM_CR3] = 0x3000;
    fake_cpu.reg[HVM_DR7] = 0x455;
    fake_cpu.reg[HVM_KERNEL_GS_BASE] = 0x7000;
    fake_cpu.segment[SEG_CS].selector = 0x10;
    fake_cpu.segment[SEG_GS].base = 0xffff888000000000;
    arch_vcpu_get_context(v, &c);
    assert_false(arch_context_is_online(&c));
    assert_int_equal(c.user_regs.rip, 0xffffffff81000000);
    assert_int_equal(c.user_regs.r15, 15);
    assert_int_equal(c.user_regs.cs, 0x10);
    assert_int_equal(c.gs_base_kernel, 0xffff888000000000);
    assert_int_equal(c.gs_base_user, 0x7000);
    assert_int_equal(c.ctrlreg[3], 0x3000);
    assert_int_equal(c.debugreg[0], 0x1000);
    assert_int_equal(c.debugreg[3], 0x1003);
    assert_int_equal(c.debugreg[7], 0x455);
    fake_cpu.cpl = 3;
    arch_vcpu_get_context(v, &c);
    assert_int_equal(c.gs_base_user, 0xffff888000000000);
    assert_int_equal(c.gs_base_kernel, 0x7000);
    v->regs.r15 = 0;
    assert_int_equal(arch_vcpu_set_context(v, &c), 0);
    assert_int_equal(v->regs.r15, 15);
    assert_int_equal(v->regs.rflags, 2);
}

/* What was read can be written, and is the same when it is read again. */
static void round_trip(void **state)
{
    static uint8_t again[sizeof(context)];
    struct start s;
    uint32_t bytes;

    make_start(&s);
    for (uint64_t *p = &s.cpu.rax; p <= &s.cpu.r15; p++)
        *p = unit_random64();
    s.cpu.msr_tsc_aux = 77;
    s.cpu.dr2 = 0x1234;
    s.cpu.cr3 = 0x5000;
    assert_int_equal(set(&s, sizeof(s)), 0);
    assert_int_equal(get(context, sizeof(context)), 0);
    bytes = the_op.u.hvmcontext.size;
    assert_int_equal(set(context, bytes), 0);
    assert_int_equal(get(again, sizeof(again)), 0);
    assert_int_equal(the_op.u.hvmcontext.size, bytes);
    assert_memory_equal(context, again, bytes);
    assert_int_equal(vcpus[0].regs.r15, s.cpu.r15);
    assert_int_equal(vcpus[0].regs.rsp, s.cpu.rsp);
    assert_int_equal(vcpus[0].arch.dr[2], 0x1234);
}

static void impossible(void **state)
{
    static const struct {
        uint16_t at;
        uint64_t value;
    } wrong[] = {
        { offsetof(cpu_t, cr0), 0x80000000 },    /* paging without protection */
        { offsetof(cpu_t, cr0), 0x20000011 },    /* NW without CD */
        { offsetof(cpu_t, cr0), 1ull << 32 },    /* reserved */
        { offsetof(cpu_t, cr4), 1ull << 13 },    /* VMXE: not the guest's */
        { offsetof(cpu_t, msr_efer), 1u << 12 }, /* SVME */
        { offsetof(cpu_t, msr_efer), 1u << 10 }, /* LMA alone */
        { offsetof(cpu_t, rflags), 1u << 15 },      { offsetof(cpu_t, dr7), 1ull << 40 },
        { offsetof(cpu_t, dr6), 1ull << 40 },       { offsetof(cpu_t, cs_base), 1ull << 60 },
        { offsetof(cpu_t, msr_lstar), 1ull << 60 }, { offsetof(cpu_t, cs_arbytes), 0x10000 },
    };

    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct start s;

        make_start(&s);
        put64(&s.cpu, wrong[i].at, wrong[i].value);
        vcpus[0].regs.rip = 99;
        assert_int_equal(set(&s, sizeof(s)), -EINVAL);
        assert_int_equal(vcpus[0].regs.rip, 99);
        assert_false(vcpus[0].online);
    }
}

/* Nothing counts unless all is good: a good record comes before one of a vCPU that is not there. */
static void all_or_nothing(void **state)
{
    const struct hvm_save_descriptor d = { HVM_SAVE_CODE(MTRR), 9, sizeof(mtrr_t) }, end = { 0 };
    uint8_t both[sizeof(struct start) + sizeof(d) + sizeof(mtrr_t)] = { 0 };
    uint32_t at = offsetof(struct start, end_d);
    struct start s;

    make_start(&s);
    memcpy(both, &s, at);
    memcpy(both + at, &d, sizeof(d));
    memcpy(both + at + sizeof(d) + sizeof(mtrr_t), &end, sizeof(end));
    assert_int_equal(set(both, sizeof(both)), -EINVAL);
    assert_false(vcpus[0].online);
    assert_int_equal(resets, 0);
}

static void wrong_records(void **state)
{
    struct start s, good;

    make_start(&good);
    for (uint32_t bytes = 0; bytes < sizeof(good); bytes++)
        assert_int_equal(set(&good, bytes), -EINVAL);
    s = good;
    s.header.magic++;
    assert_int_equal(set(&s, sizeof(s)), -EINVAL);
    s = good;
    s.cpu_d.instance = VCPUS;
    assert_int_equal(set(&s, sizeof(s)), -EINVAL);
    s = good;
    s.cpu_d.typecode = HVM_SAVE_CODE(PIT);
    assert_int_equal(set(&s, sizeof(s)), -EINVAL);
    s = good;
    s.cpu_d.length = UINT32_MAX;
    assert_int_equal(set(&s, sizeof(s)), -EINVAL);
    for (int i = 0; i < 20000; i++) {
        s = good;
        for (uint64_t n = unit_random(4) + 1; n; n--)
            ((uint8_t *)&s)[unit_random(sizeof(s))] = (uint8_t)unit_random(256);
        (void)set(&s, sizeof(s));
    }
    the_op.u.hvmcontext.size = UINT32_MAX;
    assert_int_equal(domctl_sethvmcontext(&the_call), -E2BIG);
    the_op.u.hvmcontext.size = 100;
    the_op.u.hvmcontext.buffer.p = (void *)4096;
    assert_int_equal(domctl_sethvmcontext(&the_call), -EFAULT);
    assert_int_equal(get((void *)4096, 16384), -EFAULT);
    assert_int_equal(get(context, 10), -ENOSPC);
    busy = true;
    assert_int_equal(set(&good, sizeof(good)), -ERESTART);
    assert_int_equal(get(context, sizeof(context)), -ERESTART);
}

static void memory_types(void **state)
{
    struct {
        struct hvm_save_descriptor header_d;
        header_t header;
        struct hvm_save_descriptor mtrr_d;
        mtrr_t mtrr;
        struct hvm_save_descriptor end_d;
    } m = { .mtrr_d = { HVM_SAVE_CODE(MTRR), 2, sizeof(mtrr_t) } };
    struct start s;

    make_start(&s);
    m.header_d = s.header_d;
    m.header = s.header;
    m.mtrr.msr_pat_cr = 0x0606060606060606;
    m.mtrr.msr_mtrr_def_type = 0x806;
    assert_int_equal(set(&m, sizeof(m)), 0);
    assert_int_equal(fake_cpu.reg[HVM_PAT], 0x0606060606060606);
    assert_int_equal(vcpus[2].arch.mtrr.def_type, 0x806);
    m.mtrr.msr_pat_cr = 2;
    assert_int_equal(set(&m, sizeof(m)), -EINVAL);
    the_op.u.hvmcontext_partial.type = HVM_SAVE_CODE(MTRR);
    the_op.u.hvmcontext_partial.instance = 2;
    the_op.u.hvmcontext_partial.bufsz = sizeof(context);
    the_op.u.hvmcontext_partial.buffer.p = context;
    assert_int_equal(domctl_gethvmcontext_partial(&the_call), 0);
    memcpy(&m.mtrr, context, sizeof(m.mtrr));
    assert_int_equal(m.mtrr.msr_mtrr_def_type, 0x806);
    the_op.u.hvmcontext_partial.instance = VCPUS;
    assert_int_equal(domctl_gethvmcontext_partial(&the_call), -ENOENT);
}

/* --- policies -------------------------------------------------------------------------------- */

static void policies(void **state)
{
    xen_cpuid_leaf_t leaves[200] = { { .leaf = 1, .a = 7 }, { .leaf = 0x40000000, .a = 9 } };
    struct xen_domctl_cpu_policy *op = &the_op.u.cpu_policy;

    op->leaves.p = NULL;
    assert_int_equal(domctl_get_cpu_policy(&the_call), 0);
    assert_in_range(op->nr_leaves, leaves_there, 200); /* room for what libraries make of them */
    op->leaves.p = leaves;
    op->nr_leaves = leaves_there - 1;
    assert_int_equal(domctl_get_cpu_policy(&the_call), -ENOBUFS);
    op->nr_leaves = 2;
    op->nr_msrs = 0;
    assert_int_equal(domctl_set_cpu_policy(&the_call), 0);
    assert_int_equal(policy.basic[1].a, 7);
    assert_int_equal(policy.xcr0, 7);
    leaves[1].leaf = 0x99;
    op->nr_leaves = 2;
    leaves[0].a = 8;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -EINVAL);
    assert_int_equal(told.u.cpu_policy.err_leaf, 0x99);
    assert_int_equal(told.u.cpu_policy.err_msr, UINT32_MAX);
    assert_int_equal(policy.basic[1].a, 7);
    op->nr_leaves = 100000;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -E2BIG);
    op->nr_leaves = 1;
    op->leaves.p = (void *)4096;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -EFAULT);
    vcpus[1].initialised = true;
    op->leaves.p = leaves;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -EEXIST);
}

/* Libraries pass on what they were told of MSRs, and size their buffers by it. */
static void policy_msrs(void **state)
{
    xen_cpuid_leaf_t leaves[200] = { { 0 } };
    xen_msr_entry_t msrs[3] = { { .idx = 1, .flags = 1, .val = 1 } };
    struct xen_domctl_cpu_policy *op = &the_op.u.cpu_policy;

    op->leaves.p = leaves;
    op->nr_leaves = 200;
    assert_int_equal(domctl_get_cpu_policy(&the_call), 0);
    assert_int_equal(op->nr_msrs, 2);
    op->msrs.p = msrs;
    op->nr_msrs = 1;
    assert_int_equal(domctl_get_cpu_policy(&the_call), -ENOBUFS);
    op->nr_msrs = 2;
    assert_int_equal(domctl_get_cpu_policy(&the_call), 0);
    assert_int_equal(op->nr_msrs, 2);
    assert_int_equal(msrs[0].idx, 0xce);
    assert_int_equal(msrs[0].flags | msrs[0].val, 0);
    assert_int_equal(msrs[1].idx, 0x10a);
    op->nr_leaves = 0;
    assert_int_equal(domctl_set_cpu_policy(&the_call), 0);
    op->nr_msrs = 3;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -E2BIG);
    op->nr_msrs = 2;
    msrs[1].val = 1;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -EINVAL);
    assert_int_equal(told.u.cpu_policy.err_msr, 0x10a);
    assert_int_equal(told.u.cpu_policy.err_leaf, UINT32_MAX);
    msrs[1].val = 0;
    msrs[0].flags = 1;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -EINVAL);
    msrs[0] = (xen_msr_entry_t){ .idx = 0x1b };
    assert_int_equal(domctl_set_cpu_policy(&the_call), -EINVAL);
    assert_int_equal(told.u.cpu_policy.err_msr, 0x1b);
    op->msrs.p = (void *)4096;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -EFAULT);
    the_call.address = 4096;
    op->nr_msrs = 3;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -EFAULT);
    the_call.d = &caller_dom;
    assert_int_equal(domctl_set_cpu_policy(&the_call), -EINVAL);
}

static void featuresets(void **state)
{
    uint32_t words[32];
    struct xen_sysctl op = { .cmd = XEN_SYSCTL_get_cpu_featureset };
    struct sysctl s = { &caller, &op };

    assert_int_equal(sysctl_get_cpu_featureset(&s), 0);
    assert_int_equal(op.u.cpu_featureset.nr_features, 19);
    op.u.cpu_featureset.features.p = words;
    assert_int_equal(sysctl_get_cpu_featureset(&s), 0);
    assert_int_equal(words[0], 1 + 3); /* 1.EDX */
    assert_int_equal(words[5], 7 + 1); /* 7.EBX */
    op.u.cpu_featureset.nr_features = 3;
    assert_int_equal(sysctl_get_cpu_featureset(&s), -ENOBUFS);
    assert_int_equal(op.u.cpu_featureset.nr_features, 3);
    op.u.cpu_featureset.index = XEN_SYSCTL_cpu_featureset_pv;
    assert_int_equal(sysctl_get_cpu_featureset(&s), -EOPNOTSUPP);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, finish)
    const struct CMUnitTest tests[] = {
        TEST(libxl),          TEST(registers_of_a_vcpu), TEST(round_trip),   TEST(impossible),
        TEST(all_or_nothing), TEST(wrong_records),       TEST(memory_types), TEST(policies),
        TEST(policy_msrs),    TEST(featuresets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
