/* SPDX-License-Identifier: MIT */
/*
 * What arm64 does with a guest's exits: aborts, waits, calls, and the exceptions that it puts into
 * the guest. Who is asked for memory and devices is the test's own.
 */
#include "unit.h"

#include "fake_sysreg.h"

#include <asm/exit.h>
#include <asm/host.h>
#include <asm/psci.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/vcpu.h>

FAKE_SYSREG(esr_el1);
FAKE_SYSREG(elr_el1);
FAKE_SYSREG(spsr_el1);
FAKE_SYSREG(far_el1);
FAKE_SYSREG(vbar_el1);
FAKE_SYSREG(sctlr_el1);
FAKE_SYSREG(esr_el2);
FAKE_SYSREG(far_el2);
FAKE_SYSREG(hpfar_el2);
FAKE_SYSREG(hcr_el2);
FAKE_SYSREG(id_aa64mmfr1_el1);
FAKE_SYSREG(id_aa64pfr0_el1);
FAKE_SYSREG(S3_0_C12_C1_1);
FAKE_SYSREG(isr_el1);

#define fake_DISR_EL1 fake_S3_0_C12_C1_1

#include "../../hypervisor/arch/arm64/abort.c"
#include "../../hypervisor/arch/arm64/exit.c"
#include "../../hypervisor/arch/arm64/inject.c"

const char _image_start[1];

static struct domain dom;
static struct vcpu vcpu;

/* --- who is asked --------------------------------------------------------------------------------
 */

static enum exit_action answer; /* of devices */
static uint64_t device_value;
static struct mmio_access seen;
static uint32_t dispatched;

enum exit_action mmio_dispatch(struct vcpu *v)
{
    seen = v->access;
    dispatched++;
    if (answer == EXIT_HANDLED && !v->access.write)
        v->access.value = device_value;
    return answer;
}

static uint64_t ram; /* this frame is RAM */
static uint64_t asked;

bool p2m_handle_fault(struct domain *d, gfn_t gfn)
{
    asked = gfn.v;
    return gfn.v == ram;
}

static uint32_t blocked, yielded, crashed, calls;

void vcpu_block(struct vcpu *v)
{
    blocked++;
}

void sched_unit_yield(struct sched_unit *u)
{
    yielded++;
}

void domain_crash(struct vcpu *v, const char *fmt, ...)
{
    crashed++;
}

static int64_t hypercall_result;

static int64_t hypercall(struct vcpu *v, uint64_t *arg)
{
    arg[1]++;
    return hypercall_result;
}

hypercall_fn *const hypercalls[HYPERCALLS] = { [0 ... HYPERCALLS - 1] = hypercall };

enum exit_action smccc_call(struct vcpu *v)
{
    calls++;
    return EXIT_HANDLED;
}

enum exit_action sysreg_trap(struct vcpu *v, uint64_t esr)
{
    return EXIT_UNDEF;
}

bool serror_take(void)
{
    bool pended = fake_isr_el1 & ISR_A;

    fake_isr_el1 = 0;
    return pended;
}

struct vcpu *vcpu_next(struct pcpu *p)
{
    p->pending = 0;
    return NULL;
}

/* --- set-up --------------------------------------------------------------------------------------
 */

#define PC   0x40080000u
#define VBAR 0xffff000010081000u

static int start(void **state)
{
    host_pcpus_init(1);
    vcpu = (struct vcpu){ .domain = &dom };
    dom.mmio.trap_unmapped = true;
    for (uint64_t i = 0; i < 31; i++)
        vcpu.regs.x[i] = 0xfefefefe00000000u + i;
    vcpu.regs.pc = PC;
    vcpu.regs.pstate = PSTATE_EL1H;
    fake_vbar_el1 = VBAR;
    fake_sctlr_el1 = SCTLR_EL1_SPAN;
    fake_esr_el1 = fake_elr_el1 = fake_far_el1 = 0;
    fake_id_aa64mmfr1_el1 = 1 << 20;
    answer = EXIT_FAULT;
    ram = asked = UINT64_MAX;
    dispatched = blocked = yielded = crashed = calls = 0;
    return 0;
}

static void exit_with(uint64_t class, uint64_t iss)
{
    fake_esr_el2 = field_prep(ESR_EC, class) | ESR_IL | iss;
    assert_ptr_equal(exit_sync(&vcpu), &vcpu);
}

/* A data abort at guest address `ga`, through the virtual address `far`. */
static void data_abort(uint64_t ga, uint64_t far, uint64_t iss)
{
    fake_far_el2 = far;
    fake_hpfar_el2 = ga >> 12 << 4;
    exit_with(EC_DABT_LOW, iss);
}

#define LOAD(sas, reg)  (ISS_DABT_ISV | (sas) << 22 | (uint32_t)(reg) << 16 | FSC_TRANSLATION | 3u)
#define STORE(sas, reg) (LOAD(sas, reg) | ISS_DABT_WNR)

static void assert_aborted(uint64_t class, uint32_t status, uint64_t far)
{
    assert_int_equal(vcpu.regs.pc, VBAR + VECTOR_SPX);
    assert_int_equal(field_get(ESR_EC, fake_esr_el1), class);
    assert_int_equal(fake_esr_el1 & ISS_ABT_FSC, status);
    assert_true(fake_esr_el1 & ESR_IL);
    assert_false(fake_esr_el1 & ISS_DABT_ISV);
    assert_int_equal(fake_far_el1, far);
    assert_int_equal(fake_elr_el1, PC);
    assert_int_equal(fake_spsr_el1, PSTATE_EL1H);
}

/* --- tests ---------------------------------------------------------------------------------------
 */

/* A load fills exactly the register that the guest named, as wide and with the sign that it asked
 * for. */
static void loads(void **state)
{
    answer = EXIT_HANDLED;
    for (uint32_t sas = 0; sas < 4; sas++) {
        uint32_t bits = 8u << sas;
        uint64_t mask = ~(uint64_t)0 >> (64 - bits);

        device_value = 0x8192a3b4c5d6e7f8u & mask;
        for (uint32_t reg = 0; reg < 32; reg++) {
            start(state);
            answer = EXIT_HANDLED;
            data_abort(0x3001ff8, 0xffff00000000aff8, LOAD(sas, reg) | ISS_DABT_SF);
            assert_int_equal(seen.addr.v, 0x3001ff8);
            assert_int_equal(seen.size, bits / 8);
            assert_false(seen.write);
            assert_int_equal(vcpu.regs.pc, PC + 4);
            for (uint32_t i = 0; i < 31; i++)
                assert_int_equal(vcpu.regs.x[i], i == reg ? device_value : 0xfefefefe00000000u + i);
        }
        data_abort(0x3001000, 0, LOAD(sas, 1) | ISS_DABT_SF | ISS_DABT_SSE);
        assert_int_equal(vcpu.regs.x[1], sas == 3 ? device_value : device_value | ~mask);
        if (sas < 2) {
            data_abort(0x3001000, 0, LOAD(sas, 1) | ISS_DABT_SSE);
            assert_int_equal(vcpu.regs.x[1], (uint32_t)(device_value | ~mask));
        }
    }
}

/* A store hands over what the register holds, and no more than the width; XZR is zero. */
static void stores(void **state)
{
    for (uint32_t sas = 0; sas < 4; sas++) {
        uint64_t mask = ~(uint64_t)0 >> (64 - (8u << sas));

        for (uint32_t reg = 0; reg < 32; reg++) {
            start(state);
            answer = EXIT_HANDLED;
            data_abort(0x3001008, 0x8, STORE(sas, reg));
            assert_true(seen.write);
            assert_int_equal(seen.value, reg == 31 ? 0 : (0xfefefefe00000000u + reg) & mask);
            assert_int_equal(vcpu.regs.x[1], 0xfefefefe00000001u);
            assert_int_equal(vcpu.regs.pc, PC + 4);
        }
    }
    /* A 16-bit instruction of an AArch32 process. */
    start(state);
    answer = EXIT_HANDLED;
    fake_esr_el2 = field_prep(ESR_EC, EC_DABT_LOW) | STORE(2, 1);
    exit_sync(&vcpu);
    assert_int_equal(vcpu.regs.pc, PC + 2);
}

/* A register wider than the access does not spill into the rest of the guest's. */
static void wide_answers(void **state)
{
    answer = EXIT_HANDLED;
    device_value = 0x8192a3b4c5d6e7f8u;
    for (uint32_t sas = 0; sas < 4; sas++) {
        data_abort(0x3001000, 0, LOAD(sas, 1) | ISS_DABT_SF);
        assert_int_equal(vcpu.regs.x[1], device_value & (~(uint64_t)0 >> (64 - (8u << sas))));
    }
}

/* A big-endian kernel, or a process of the other kind, finds in a device's register what is there.
 */
static void big_endian(void **state)
{
    static const struct {
        uint64_t sctlr, pstate;
        bool big;
    } modes[] = {
        { SCTLR_EL1_EE, PSTATE_EL1H, true },  { SCTLR_EL1_E0E, PSTATE_EL1H, false },
        { SCTLR_EL1_EE, 0, false },           { SCTLR_EL1_E0E, 0, true },
        { SCTLR_EL1_E0E, PSTATE_NRW, false }, { SCTLR_EL1_E0E, PSTATE_NRW | PSTATE_E_A32, true },
    };

    for (size_t i = 0; i < array_size(modes); i++) {
        start(state);
        answer = EXIT_HANDLED;
        fake_sctlr_el1 |= modes[i].sctlr;
        vcpu.regs.pstate = modes[i].pstate;
        device_value = 0x1234;
        data_abort(0x3001000, 0, LOAD(2, 1));
        assert_int_equal(vcpu.regs.x[1], modes[i].big ? 0x34120000 : 0x1234);
        vcpu.regs.x[2] = 0xff00aabbccddeeff;
        data_abort(0x3001000, 0, STORE(2, 2));
        assert_int_equal(seen.value, modes[i].big ? 0xffeeddcc : 0xccddeeff);
        data_abort(0x3001000, 0, STORE(0, 2));
        assert_int_equal(seen.value, 0xff);
        device_value = 0x80; /* signed halfword */
        data_abort(0x3001000, 0, LOAD(1, 1) | ISS_DABT_SSE | ISS_DABT_SF);
        assert_int_equal(vcpu.regs.x[1], modes[i].big ? 0xffffffffffff8000 : 0x80);
    }
}

/* A debugger in the guest that steps over an access to a device stops behind it, not one further.
 */
static void single_step(void **state)
{
    answer = EXIT_HANDLED;
    vcpu.regs.pstate |= PSTATE_SS;
    data_abort(0x3001000, 0, LOAD(2, 1));
    assert_int_equal(vcpu.regs.pc, PC + 4);
    assert_int_equal(vcpu.regs.pstate, PSTATE_EL1H);
    vcpu.regs.pstate |= PSTATE_SS;
    exit_with(EC_WFX, 1);
    assert_int_equal(vcpu.regs.pstate, PSTATE_EL1H);
    /* An instruction that is tried again is still to be stepped. */
    vcpu.regs.pstate |= PSTATE_SS;
    ram = 0x40000;
    answer = EXIT_FAULT;
    data_abort(0x40000ff8, 0xff8, LOAD(3, 0));
    assert_int_equal(vcpu.regs.pstate, PSTATE_EL1H | PSTATE_SS);
}

/* What a device refuses, or nobody has, ends in the guest as on a bus where nobody answers. */
static void nobody_answers(void **state)
{
    data_abort(0x7fff0123, 0xffff000000000123, LOAD(2, 5));
    assert_int_equal(dispatched, 1);
    assert_int_equal(asked, 0x7fff0);
    assert_aborted(EC_DABT_CUR, FSC_EXTERNAL, 0xffff000000000123);
    assert_false(fake_esr_el1 & ISS_DABT_WNR);
    assert_int_equal(vcpu.regs.x[5], 0xfefefefe00000005u);

    start(state);
    data_abort(0x7fff0000, 0, STORE(2, 5));
    assert_aborted(EC_DABT_CUR, FSC_EXTERNAL, 0);
    assert_true(fake_esr_el1 & ISS_DABT_WNR);

    /* Pairs, atomics, FP registers: no syndrome, nothing emulated. */
    start(state);
    data_abort(0x3001000, 0, FSC_TRANSLATION | 3 | ISS_DABT_WNR);
    assert_int_equal(dispatched, 0);
    assert_aborted(EC_DABT_CUR, FSC_EXTERNAL, 0);

    /* An address beyond all that there is. */
    start(state);
    data_abort(0xffffffffff000, 0xfff, LOAD(0, 1));
    assert_int_equal(seen.addr.v, 0xffffffffff000 + 0xfff);
    assert_int_equal(asked, 0xffffffffff);
    assert_aborted(EC_DABT_CUR, FSC_EXTERNAL, 0xfff);

    start(state);
    fake_far_el2 = 0x123;
    fake_hpfar_el2 = 0x7fff00;
    exit_with(EC_IABT_LOW, FSC_TRANSLATION | 3);
    assert_int_equal(asked, 0x7fff0);
    assert_aborted(EC_IABT_CUR, FSC_EXTERNAL, 0x123);
}

/* Memory that was not there yet: the same instruction again. */
static void memory(void **state)
{
    ram = 0x40000;
    data_abort(0x40000ff8, 0xff8, LOAD(3, 0));
    assert_int_equal(vcpu.regs.pc, PC);
    data_abort(0x40000ff8, 0xff8, FSC_TRANSLATION | 2); /* a pair */
    assert_int_equal(vcpu.regs.pc, PC);
    data_abort(0x40000ff8, 0xff8, FSC_TRANSLATION | 2 | ISS_DABT_CM);
    assert_int_equal(vcpu.regs.pc, PC);
    /* Where the guest's own tables lie. */
    data_abort(0x40000ff8, 0x1234567, FSC_TRANSLATION | 3 | ISS_DABT_S1PTW);
    assert_int_equal(vcpu.regs.pc, PC);
    fake_hpfar_el2 = 0x400000;
    exit_with(EC_IABT_LOW, FSC_TRANSLATION | 3);
    assert_int_equal(vcpu.regs.pc, PC);
    exit_with(EC_IABT_LOW, FSC_TRANSLATION | 3 | ISS_DABT_S1PTW);
    assert_int_equal(vcpu.regs.pc, PC);
    assert_int_equal(fake_elr_el1, 0);
}

/*
 * Other faults say nothing of the address: HPFAR_EL2 holds what it held. A guest that executes a
 * device's registers, or makes an atomic access to them, must get an abort: not what some other
 * access would, nor another try for ever.
 */
static void other_faults(void **state)
{
    static const uint32_t kinds[] = { FSC_PERMISSION | 3,
                                      0x21 /* alignment */,
                                      0x30 /* TLB conflict */,
                                      0x34,
                                      0x35 /* unsupported exclusive or atomic */,
                                      FSC_ACCESS | 3,
                                      0x3d,
                                      0x00 };

    for (size_t i = 0; i < array_size(kinds); i++) {
        start(state);
        ram = 0x40000;
        data_abort(0x40000000, 0x88, kinds[i] | ISS_DABT_ISV | ISS_DABT_WNR);
        assert_int_equal(asked, UINT64_MAX);
        assert_int_equal(dispatched, 0);
        assert_aborted(EC_DABT_CUR, FSC_EXTERNAL, 0x88);
        start(state);
        ram = 0x40000;
        exit_with(EC_IABT_LOW, kinds[i]);
        assert_int_equal(asked, UINT64_MAX);
        assert_aborted(EC_IABT_CUR, FSC_EXTERNAL, 0x88);
    }
}

/* A guest whose page tables lie in nowhere is told so, level and all, whatever instruction walked
 * them. */
static void walks(void **state)
{
    for (uint32_t level = 0; level < 4; level++) {
        start(state);
        data_abort(0x7fff0000, 0x77, FSC_TRANSLATION | level | ISS_DABT_S1PTW);
        assert_aborted(EC_DABT_CUR, 0x14 | level, 0x77);
        start(state);
        exit_with(EC_IABT_LOW, FSC_TRANSLATION | level | ISS_DABT_S1PTW);
        assert_aborted(EC_IABT_CUR, 0x14 | level, 0x77);
        start(state);
        data_abort(0x7fff0000, 0x77, FSC_PERMISSION | level | ISS_DABT_S1PTW | ISS_DABT_WNR);
        assert_aborted(EC_DABT_CUR, 0x14 | level, 0x77);
        /* AT, and maintenance by address, must not be taken for done. */
        start(state);
        dom.mmio.trap_unmapped = false;
        data_abort(0x7fff0000, 0x77, FSC_TRANSLATION | level | ISS_DABT_S1PTW | ISS_DABT_CM);
        assert_aborted(EC_DABT_CUR, 0x14 | level, 0x77);
    }
}

/* A domain that is to find ones where nothing is finds as many as it asked for. */
static void reads_ones(void **state)
{
    static const uint64_t expect[4] = { 0xff, 0xffff, 0xffffffff, ~(uint64_t)0 };

    dom.mmio.trap_unmapped = false;
    for (uint32_t sas = 0; sas < 4; sas++) {
        data_abort(0x7fff0000, 0, LOAD(sas, 2));
        assert_int_equal(vcpu.regs.x[2], expect[sas]);
        data_abort(0x7fff0000, 0, LOAD(sas, 3) | ISS_DABT_SSE | ISS_DABT_SF);
        assert_int_equal(vcpu.regs.x[3], ~(uint64_t)0);
        data_abort(0x7fff0000, 0, LOAD(sas, 31));
        data_abort(0x7fff0000, 0, STORE(sas, 4));
        assert_int_equal(vcpu.regs.x[4], 0xfefefefe00000004u);
    }
    data_abort(0x7fff0000, 0, LOAD(0, 3) | ISS_DABT_SSE);
    assert_int_equal(vcpu.regs.x[3], UINT32_MAX);
    assert_int_equal(vcpu.regs.pc, PC + 17 * 4);
    /* Cache maintenance of nothing is done as well, in any domain. */
    dom.mmio.trap_unmapped = true;
    data_abort(0x7fff0000, 0, FSC_TRANSLATION | 3 | ISS_DABT_CM | ISS_DABT_WNR);
    assert_int_equal(vcpu.regs.pc, PC + 18 * 4);
}

/* Exceptions go to the vector that the hardware would take, from each level and stack pointer. */
static void vectors_by_source(void **state)
{
    static const struct {
        uint64_t pstate;
        uint64_t vector, class;
    } from[] = {
        { PSTATE_EL1H, 0x200, EC_DABT_CUR },
        { 0x4, 0x000, EC_DABT_CUR }, /* EL1t */
        { 0x0, 0x400, EC_DABT_LOW },
        { 0x10, 0x600, EC_DABT_LOW }, /* AArch32 */
        { 0x30 /* Thumb */, 0x600, EC_DABT_LOW },
    };

    for (size_t i = 0; i < array_size(from); i++) {
        start(state);
        vcpu.regs.pstate = from[i].pstate | BIT(30) | PSTATE_SS | PSTATE_IL;
        data_abort(0x7fff0000, 5, LOAD(0, 0));
        assert_int_equal(vcpu.regs.pc, VBAR + from[i].vector);
        assert_int_equal(field_get(ESR_EC, fake_esr_el1), from[i].class);
        assert_int_equal(fake_spsr_el1, from[i].pstate | BIT(30) | PSTATE_SS | PSTATE_IL);
        assert_int_equal(vcpu.regs.pstate,
                         PSTATE_EL1H | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F | BIT(30));
        start(state);
        vcpu.regs.pstate = from[i].pstate;
        exit_with(EC_SVE, 0);
        assert_int_equal(vcpu.regs.pc, VBAR + from[i].vector);
        assert_int_equal(fake_esr_el1, ESR_IL); /* EC: unknown */
    }
}

/* A guest kernel runs its handler with the protection that it set up: PAN and SSBS. */
static void protection(void **state)
{
    fake_sctlr_el1 = 0;
    exit_with(EC_UNKNOWN, 0);
    assert_true(vcpu.regs.pstate & PSTATE_PAN);
    assert_false(vcpu.regs.pstate & PSTATE_SSBS);

    start(state);
    fake_sctlr_el1 = 0;
    fake_id_aa64mmfr1_el1 = 0; /* no PAN */
    exit_with(EC_UNKNOWN, 0);
    assert_false(vcpu.regs.pstate & PSTATE_PAN);

    start(state);
    vcpu.regs.pstate |= PSTATE_PAN | PSTATE_DIT | PSTATE_UAO | PSTATE_SSBS;
    exit_with(EC_UNKNOWN, 0);
    assert_true(vcpu.regs.pstate & PSTATE_PAN);
    assert_true(vcpu.regs.pstate & PSTATE_DIT);
    assert_false(vcpu.regs.pstate & (PSTATE_UAO | PSTATE_SSBS));

    start(state);
    fake_sctlr_el1 |= SCTLR_EL1_DSSBS;
    exit_with(EC_UNKNOWN, 0);
    assert_true(vcpu.regs.pstate & PSTATE_SSBS);
}

/* WFI sleeps, WFE lets others run. WFIT must end in time although nothing comes: a guest's delays
 * would never end. */
static void waits(void **state)
{
    exit_with(EC_WFX, 0);
    assert_int_equal(blocked, 1);
    exit_with(EC_WFX, 1);
    assert_int_equal(yielded, 1);
    exit_with(EC_WFX, 2);
    assert_int_equal(blocked, 1);
    assert_int_equal(yielded, 2);
    exit_with(EC_WFX, 3);
    assert_int_equal(yielded, 3);
    assert_int_equal(vcpu.regs.pc, PC + 16);
}

/* Calls: HVC #0 and SMC #0 are firmware's; what is no call at all is undefined, at its own address.
 */
static void firmware_calls(void **state)
{
    exit_with(EC_HVC64, 0);
    assert_int_equal(calls, 1);
    assert_int_equal(vcpu.regs.pc, PC); /* the hardware has stepped over it */
    exit_with(EC_SMC64, 0);
    assert_int_equal(calls, 2);
    assert_int_equal(vcpu.regs.pc, PC + 4);
    exit_with(EC_SMC64, 1);
    assert_int_equal(calls, 2);
    assert_int_equal(vcpu.regs.x[0], (uint64_t)PSCI_NOT_SUPPORTED);
    exit_with(EC_HVC64, 1);
    assert_int_equal(fake_elr_el1, PC + 4);
    assert_int_equal(fake_esr_el1, ESR_IL);
}

/* A write that a device refuses late is the error of who wrote: the vCPU that comes next on this
 * CPU must not get it, nor the hypervisor stop. With and without RAS, which notes it elsewhere. */
static void serrors(void **state)
{
    for (uint64_t ras = 0; ras < 3; ras++) {
        fake_id_aa64pfr0_el1 = ras << 28;
        fake_DISR_EL1 = fake_isr_el1 = fake_hcr_el2 = vcpu.arch.hcr_el2 = 0;
        assert_false(serror_settle(&vcpu));
        assert_int_equal(vcpu.arch.hcr_el2, 0);
        fake_DISR_EL1 = ras ? DISR_A | 0x123 : 0;
        fake_isr_el1 = ras ? 0 : ISR_A;
        vcpu.arch.hcr_el2 = HCR_VM;
        assert_true(serror_settle(&vcpu));
        assert_int_equal(vcpu.arch.hcr_el2, HCR_VM | HCR_VSE);
        assert_int_equal(fake_hcr_el2, HCR_VM | HCR_VSE);
        assert_int_equal(fake_DISR_EL1 | fake_isr_el1, 0);
        assert_false(serror_settle(&vcpu));
    }
    exit_serror(&vcpu);
    assert_true(fake_hcr_el2 & HCR_VSE);
}

/* Hypercalls: the result is in x0, unless the call is to be made again as it is now. */
static void hypercall_calls(void **state)
{
    vcpu.regs.x[16] = 3;
    hypercall_result = -ENOSYS;
    exit_with(EC_HVC64, 0xea1);
    assert_int_equal(vcpu.regs.x[0], (uint64_t)-ENOSYS);
    assert_int_equal(vcpu.regs.pc, PC);
    vcpu.regs.x[0] = 7;
    vcpu.regs.x[1] = 0;
    hypercall_result = -ERESTART;
    exit_with(EC_HVC64, 0xea1);
    assert_int_equal(vcpu.regs.x[0], 7);
    assert_int_equal(vcpu.regs.x[1], 1);
    assert_int_equal(vcpu.regs.pc, PC - 4);
}

/* No class of exception, and no syndrome, is without an answer; none crashes the guest. */
static void any_exit(void **state)
{
    for (uint64_t class = 0; class < 64; class ++) {
        for (uint32_t i = 0; i < 2000; i++) {
            start(state);
            ram = unit_random(4) ? UINT64_MAX : 0x40000;
            answer = unit_random(2) ? EXIT_HANDLED : EXIT_FAULT;
            dom.mmio.trap_unmapped = unit_random(2);
            vcpu.regs.pstate = unit_random64() & (PSTATE_FLAGS | PSTATE_PAN | PSTATE_SS | 0x15);
            fake_far_el2 = unit_random64();
            fake_hpfar_el2 = unit_random(2) ? 0x400000 : unit_random64();
            fake_esr_el2 = field_prep(ESR_EC, class) | (unit_random64() & (ESR_ISS | ESR_IL));
            this_pcpu()->pending = unit_random(8) ? 0 : PENDING_SCHED;
            struct vcpu *expect = this_pcpu()->pending ? NULL : &vcpu;
            assert_ptr_equal(exit_sync(&vcpu), expect);
            assert_int_equal(crashed, 0);
            /* It never gets to run at a level that is not its own. */
            assert_true((vcpu.regs.pstate & 0xf) <= PSTATE_EL1H);
        }
    }
}

#define TEST(fn) cmocka_unit_test_setup(fn, start)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(loads),
        TEST(stores),
        TEST(wide_answers),
        TEST(big_endian),
        TEST(single_step),
        TEST(nobody_answers),
        TEST(memory),
        TEST(other_faults),
        TEST(walks),
        TEST(reads_ones),
        TEST(vectors_by_source),
        TEST(protection),
        TEST(waits),
        TEST(firmware_calls),
        TEST(serrors),
        TEST(hypercall_calls),
        TEST(any_exit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
