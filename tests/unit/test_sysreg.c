/* SPDX-License-Identifier: MIT */
/*
 * What guests find in system registers that trap, and what they are told of the CPUs. A guest must
 * neither reach a register that is not switched between vCPUs, nor be told of a feature whose
 * registers it does not get.
 */
#include "unit.h"

#include "fake_sysreg.h"

#include <asm/exit.h>
#include <asm/gic.h>
#include <asm/host.h>
#include <hospes/domain.h>
#include <lib/bits.h>

FAKE_SYSREG(mdscr_el1);
FAKE_SYSREG(midr_el1);
FAKE_SYSREG(hcr_el2);
FAKE_SYSREG(sctlr_el1);
FAKE_SYSREG(ttbr0_el1);
FAKE_SYSREG(ttbr1_el1);
FAKE_SYSREG(tcr_el1);
FAKE_SYSREG(afsr0_el1);
FAKE_SYSREG(afsr1_el1);
FAKE_SYSREG(esr_el1);
FAKE_SYSREG(far_el1);
FAKE_SYSREG(mair_el1);
FAKE_SYSREG(amair_el1);
FAKE_SYSREG(contextidr_el1);
FAKE_SYSREG(vpidr_el2);
FAKE_SYSREG(cptr_el2);
FAKE_SYSREG(mdcr_el2);
FAKE_SYSREG(hstr_el2);
FAKE_SYSREG(vtcr_el2);
FAKE_SYSREG(cnthctl_el2);
FAKE_SYSREG(oslar_el1);
FAKE_SYSREG(pmcr_el0);
FAKE_SYSREG(S3_4_C1_C1_4);
FAKE_SYSREG(S3_4_C1_C1_5);
FAKE_SYSREG(S3_4_C1_C1_6);
FAKE_SYSREG(S3_4_C3_C1_4);
FAKE_SYSREG(S3_4_C3_C1_5);
FAKE_SYSREG(S3_4_C1_C2_2);
FAKE_SYSREG(S3_4_C5_C2_3);

/* The ID registers: *ids[CRm][op2]. */
#define FAKE_ROW(c)                \
    FAKE_SYSREG(S3_0_C0_C##c##_0); \
    FAKE_SYSREG(S3_0_C0_C##c##_1); \
    FAKE_SYSREG(S3_0_C0_C##c##_2); \
    FAKE_SYSREG(S3_0_C0_C##c##_3); \
    FAKE_SYSREG(S3_0_C0_C##c##_4); \
    FAKE_SYSREG(S3_0_C0_C##c##_5); \
    FAKE_SYSREG(S3_0_C0_C##c##_6); \
    FAKE_SYSREG(S3_0_C0_C##c##_7)
#define ROW(c)                                                                \
    { &fake_S3_0_C0_C##c##_0, &fake_S3_0_C0_C##c##_1, &fake_S3_0_C0_C##c##_2, \
      &fake_S3_0_C0_C##c##_3, &fake_S3_0_C0_C##c##_4, &fake_S3_0_C0_C##c##_5, \
      &fake_S3_0_C0_C##c##_6, &fake_S3_0_C0_C##c##_7 }
FAKE_ROW(1);
FAKE_ROW(2);
FAKE_ROW(3);
FAKE_ROW(4);
FAKE_ROW(5);
FAKE_ROW(6);
FAKE_ROW(7);
static uint64_t *const ids[8][8] = { { NULL }, ROW(1), ROW(2), ROW(3),
                                     ROW(4),   ROW(5), ROW(6), ROW(7) };
#define fake_id_aa64mmfr0_el1 fake_S3_0_C0_C7_0
#define fake_id_aa64mmfr1_el1 fake_S3_0_C0_C7_1
#define fake_id_aa64dfr0_el1  fake_S3_0_C0_C5_0
#define fake_id_aa64pfr0_el1  fake_S3_0_C0_C4_0

#include "../../hypervisor/arch/arm64/cpu.c"
#include "../../hypervisor/arch/arm64/set_way.c"
#include "../../hypervisor/arch/arm64/sysreg.c"

/* --- who is asked --------------------------------------------------------------------------------
 */

struct gic_info gic;
static struct gic_driver driver = { .version = 3 };
static uint64_t sgi1, sgi0, dir;

void vgic_write_sgi1r(struct vcpu *v, uint64_t value)
{
    sgi1 = value;
}

void vgic_write_sgi0r(struct vcpu *v, uint64_t value)
{
    sgi0 = value;
}

void vgic_write_dir(struct vcpu *v, uint64_t value)
{
    dir = value;
}

static uint32_t clean_steps, cleaned; /* that cleaning takes; that were done */
static uint64_t sctlr_then;           /* when the last was done */

bool p2m_clean_step(struct domain *d, gfn_t *next)
{
    assert_int_equal(next->v, cleaned % clean_steps);
    sctlr_then = fake_sctlr_el1;
    cleaned++;
    *next = GFN(cleaned % clean_steps);
    return next->v;
}

uint64_t stage2_vtcr(void)
{
    return 0x1234;
}

/* --- set-up --------------------------------------------------------------------------------------
 */

#define PC      0x40080000u
#define X(n)    (0xfefefefe00000000u + (n))
#define NO_CALL 0xdddddddddddddddd

static struct domain dom;
static struct vcpu vcpu;

static void reset(void)
{
    vcpu = (struct vcpu){ .domain = &dom };
    for (uint64_t i = 0; i < 31; i++)
        vcpu.regs.x[i] = X(i);
    vcpu.regs.pc = PC;
    sgi1 = sgi0 = dir = NO_CALL;
    fake_mdscr_el1 = fake_hcr_el2 = fake_sctlr_el1 = 0;
    clean_steps = 1;
    cleaned = 0;
}

static int start(void **state)
{
    gic.driver = &driver;
    driver.version = 3;
    have_first = false;
    for (uint32_t crm = 1; crm < 8; crm++)
        for (uint32_t op2 = 0; op2 < 8; op2++)
            *ids[crm][op2] = 0;
    reset();
    return 0;
}

#define READ  1u
#define WRITE 0u

static enum exit_action trap(uint64_t reg, uint32_t read, uint32_t rt)
{
    return sysreg_trap(&vcpu, field_prep(ESR_EC, EC_SYSREG) | ESR_IL | reg | rt << 5 | read);
}

/* --- registers -----------------------------------------------------------------------------------
 */

/* Every register there is, read and written: an answer or "undefined", and nothing else changes. */
static void every_register(void **state)
{
    uint32_t handled[2] = { 0, 0 };

    for (uint32_t n = 0; n < 1u << 16; n++) {
        uint64_t reg = ISS_SYSREG((n >> 14 & 3), n >> 11 & 7, n >> 7 & 15, n >> 3 & 15, n & 7);

        for (uint32_t read = 0; read < 2; read++) {
            for (uint32_t rt = 30; rt < 32; rt++) {
                reset();
                enum exit_action action = trap(reg, read, rt);

                assert_true(action == EXIT_HANDLED || action == EXIT_UNDEF);
                assert_int_equal(vcpu.regs.pc, action == EXIT_HANDLED ? PC + 4 : PC);
                for (uint32_t i = 0; i < 30; i++)
                    assert_int_equal(vcpu.regs.x[i], X(i));
                if (!read || rt == 31 || action == EXIT_UNDEF)
                    assert_int_equal(vcpu.regs.x[30], X(30));
                handled[read] += action == EXIT_HANDLED && rt == 30;
            }
        }
    }
    /* 8 * 16 ID registers, 4 of debug that are only read, and 20 others. */
    assert_int_equal(handled[READ], 8 * 16 + 4 + 20);
    /* 20 others, and what is only written: OSLAR_EL1, three SGIs, DIR; three of set and way, and
     * eleven that trap after them. */
    assert_int_equal(handled[WRITE], 20 + 5 + 3 + 11);
}

/* ID registers cannot be written, and there are no others around them. */
static void id_registers(void **state)
{
    *ids[4][0] = 0x11;
    cpu_init_features();
    assert_int_equal(trap(REG(3, 0, 0, 4, 0), READ, 7), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.x[7], 0x11);
    assert_int_equal(trap(REG(3, 0, 0, 4, 0), WRITE, 7), EXIT_UNDEF);
    for (uint32_t op1 = 1; op1 < 8; op1++)
        assert_int_equal(trap(ISS_SYSREG(3u, op1, 0u, 4u, 0u), READ, 7), EXIT_UNDEF);
    /* What is not named yet reads as zero, as the architecture wants. */
    assert_int_equal(trap(REG(3, 0, 0, 7, 7), READ, 7), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.x[7], 0);
    assert_int_equal(trap(REG(3, 0, 0, 15, 0), READ, 8), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.x[8], 0);
}

/* A kernel's debugger keeps what it wrote, and can single-step; breakpoints that are not switched
 * stay off. */
static void debug_registers(void **state)
{
    vcpu.regs.x[3] = UINT64_MAX;
    assert_int_equal(trap(REG_MDSCR, WRITE, 3), EXIT_HANDLED);
    assert_int_equal(fake_mdscr_el1, MDSCR_SS | MDSCR_KDE);
    assert_int_equal(trap(REG_MDSCR, READ, 4), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.x[4], UINT64_MAX);

    assert_int_equal(trap(REG_OSLSR, READ, 4), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.x[4], OSLSR_OSLM0);
    vcpu.regs.x[3] = 1;
    assert_int_equal(trap(REG_OSLAR, WRITE, 3), EXIT_HANDLED);
    assert_int_equal(trap(REG_OSLSR, READ, 4), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.x[4], OSLSR_OSLM0 | OSLSR_OSLK);
    assert_int_equal(trap(REG_OSLAR, WRITE, 31), EXIT_HANDLED);
    assert_int_equal(trap(REG_OSLSR, READ, 4), EXIT_HANDLED);
    assert_int_equal(vcpu.regs.x[4], OSLSR_OSLM0);
    assert_int_equal(trap(REG_OSLAR, READ, 3), EXIT_UNDEF);
    assert_int_equal(trap(REG_OSLSR, WRITE, 3), EXIT_UNDEF);

    for (uint32_t n = 0; n < 16; n++)
        for (uint32_t op2 = 4; op2 < 8; op2++)
            assert_int_equal(trap(ISS_SYSREG(2u, 0u, 0u, n, op2), READ, 5),
                             n < 2 ? EXIT_HANDLED : EXIT_UNDEF);
    /* Trace. */
    assert_int_equal(trap(REG(2, 1, 0, 0, 4), READ, 5), EXIT_UNDEF);
}

/* Interrupts between CPUs go to the interrupt controller, each kind to its own. */
static void interrupts(void **state)
{
    static const uint64_t write_only[] = { REG_SGI1R, REG_SGI0R, REG_ASGI1R, REG_DIR };

    assert_int_equal(trap(REG_SGI1R, WRITE, 9), EXIT_HANDLED);
    assert_int_equal(sgi1, X(9));
    assert_int_equal(sgi0, NO_CALL);
    assert_int_equal(trap(REG_SGI1R, WRITE, 31), EXIT_HANDLED);
    assert_int_equal(sgi1, 0);
    assert_int_equal(trap(REG_SGI0R, WRITE, 8), EXIT_HANDLED);
    assert_int_equal(sgi0, X(8));
    assert_int_equal(trap(REG_ASGI1R, WRITE, 7), EXIT_HANDLED);
    assert_int_equal(sgi0, X(7));
    assert_int_equal(trap(REG_DIR, WRITE, 6), EXIT_HANDLED);
    assert_int_equal(dir, X(6));
    reset();
    for (size_t i = 0; i < array_size(write_only); i++)
        assert_int_equal(trap(write_only[i], READ, 6), EXIT_UNDEF);
    assert_true(sgi1 == NO_CALL && sgi0 == NO_CALL && dir == NO_CALL);
}

static enum exit_action write_sctlr(uint64_t value)
{
    vcpu.regs.x[5] = value;
    return trap(REG_SCTLR, WRITE, 5);
}

/*
 * A boot loader that cleans its caches line by line and then switches them finds in memory what it
 * wrote, whichever CPUs it ran on: it would start a kernel full of holes.
 */
static void set_and_way(void **state)
{
    static const uint64_t lines[] = { REG_DC_ISW, REG_DC_CSW, REG_DC_CISW };
    uint64_t hcr = cpu_guest_hcr();

    assert_true(hcr & HCR_TSW);
    for (size_t i = 0; i < array_size(lines); i++) {
        reset();
        clean_steps = 3;
        fake_hcr_el2 = hcr;
        fake_sctlr_el1 = CACHES_ON | BIT(12);
        /* The first cleans all, in steps between which interrupts come; the others need not. */
        assert_int_equal(trap(lines[i], WRITE, 2), EXIT_RETRY);
        assert_int_equal(trap(lines[i], WRITE, 2), EXIT_RETRY);
        assert_int_equal(vcpu.regs.pc, PC);
        assert_int_equal(trap(lines[i], WRITE, 2), EXIT_HANDLED);
        assert_int_equal(vcpu.regs.pc, PC + 4);
        for (uint32_t n = 0; n < 1000; n++)
            assert_int_equal(trap(lines[i], WRITE, 2), EXIT_HANDLED);
        assert_int_equal(cleaned, 3);
        assert_int_equal(fake_hcr_el2, hcr | HCR_TVM);
        assert_int_equal(vcpu.arch.hcr_el2, hcr | HCR_TVM);

        /* Other bits: nothing to do. Off: they are off while it is cleaned. */
        fake_sctlr_el1 = CACHES_ON;
        assert_int_equal(write_sctlr(CACHES_ON | BIT(12)), EXIT_HANDLED);
        assert_int_equal(fake_sctlr_el1, CACHES_ON | BIT(12));
        assert_int_equal(cleaned, 3);
        fake_hcr_el2 = hcr | HCR_TVM;
        assert_int_equal(write_sctlr(SCTLR_EL1_M), EXIT_RETRY);
        assert_int_equal(write_sctlr(SCTLR_EL1_M), EXIT_RETRY);
        assert_int_equal(write_sctlr(SCTLR_EL1_M), EXIT_HANDLED);
        assert_int_equal(cleaned, 6);
        assert_int_equal(sctlr_then, SCTLR_EL1_M);
        assert_int_equal(fake_hcr_el2, hcr | HCR_TVM);

        /* And on again: cleaned first, and from then on nothing traps. */
        assert_int_equal(write_sctlr(CACHES_ON), EXIT_RETRY);
        assert_int_equal(write_sctlr(CACHES_ON), EXIT_RETRY);
        assert_int_equal(write_sctlr(CACHES_ON), EXIT_HANDLED);
        assert_int_equal(cleaned, 9);
        assert_int_equal(sctlr_then, SCTLR_EL1_M);
        assert_int_equal(fake_sctlr_el1, CACHES_ON);
        assert_int_equal(fake_hcr_el2, hcr);
    }
    /* What traps along is written as if it had not. */
    vcpu.regs.x[9] = 0x1234;
    assert_int_equal(trap(REG(3, 0, 2, 0, 1), WRITE, 9), EXIT_HANDLED);
    assert_int_equal(fake_ttbr1_el1, 0x1234);
    assert_int_equal(trap(REG(3, 0, 10, 2, 0), WRITE, 31), EXIT_HANDLED);
    assert_int_equal(fake_mair_el1, 0);
}

/* --- features ------------------------------------------------------------------------------------
 */

static uint64_t field(uint32_t row, uint32_t op2, uint32_t shift)
{
    return cpu_id_register(row + 1, op2) >> shift & 15;
}

static void all_ids(uint64_t value)
{
    for (uint32_t crm = 1; crm < 8; crm++)
        for (uint32_t op2 = 0; op2 < 8; op2++)
            *ids[crm][op2] = value;
}

/* A CPU with everything there may ever be shows what is switched, and nothing that is not. */
static void hides_the_rest(void **state)
{
    all_ids(0x7777777777777777);
    cpu_init_features();
    assert_int_equal(field(3, 0, 0), 2);  /* EL0: both */
    assert_int_equal(field(3, 0, 4), 1);  /* EL1: AArch64 */
    assert_int_equal(field(3, 0, 8), 0);  /* no EL2 */
    assert_int_equal(field(3, 0, 12), 0); /* no EL3 */
    assert_int_equal(field(3, 0, 24), 1); /* GIC registers */
    static const uint32_t pfr0_hidden[] = {
        28, 32, 36, 40, 44, 52
    }; /* RAS SVE SEL2 MPAM AMU RME */
    for (size_t i = 0; i < array_size(pfr0_hidden); i++)
        assert_int_equal(field(3, 0, pfr0_hidden[i]), 0);
    static const uint32_t pfr1_hidden[] = {
        8, 12, 16, 24, 28, 32, 36, 40, 44
    }; /* MTE SME NMI GCS ... */
    for (size_t i = 0; i < array_size(pfr1_hidden); i++)
        assert_int_equal(field(3, 1, pfr1_hidden[i]), 0);
    for (uint32_t op2 = 2; op2 < 8; op2++)
        assert_int_equal(cpu_id_register(4, op2), 0); /* PFR2, ZFR0, SMFR0 */
    assert_int_equal(field(4, 0, 4), 0);              /* trace */
    assert_int_equal(field(4, 0, 8), 0);              /* PMU */
    assert_int_equal(field(4, 0, 12), 1);             /* two breakpoints */
    assert_int_equal(field(4, 0, 32), 0);             /* SPE */
    assert_int_equal(field(4, 0, 40), 0);             /* trace filter */
    assert_int_equal(field(4, 0, 44), 0);             /* trace buffer */
    assert_int_equal(field(5, 0, 24), 0);             /* TME */
    assert_int_equal(field(5, 1, 56), 0);             /* XS */
    assert_int_equal(field(5, 1, 60), 0);             /* LS64 */
    assert_int_equal(field(5, 2, 16), 0);             /* MOPS: HCRX_EL2 has it off */
    assert_true(field(6, 0, 0) <= 2);                 /* 40 bits: what stage 2 has */
    assert_int_equal(field(6, 0, 56), 0);             /* FGT */
    assert_int_equal(field(6, 1, 8), 0);              /* VHE */
    assert_int_equal(field(6, 2, 24), 0);             /* NV */
    for (uint32_t op2 = 3; op2 < 8; op2++)
        assert_int_equal(cpu_id_register(7, op2), 0);
    /* AArch32: no performance monitors. */
    assert_int_equal(cpu_id_register(1, 2) >> 24 & 15, 0);
    assert_true(cpu_has_pauth());
    assert_true(cpu_guest_hcr() & HCR_API && cpu_guest_hcr() & HCR_APK);

    driver.version = 2;
    assert_int_equal(field(3, 0, 24), 0);
}

/* Whatever the numbers are, no field shows more than the CPU has. */
static void never_more(void **state)
{
    for (uint32_t i = 0; i < 2000; i++) {
        uint64_t first[8][8], second[8][8];

        start(state);
        for (uint32_t crm = 1; crm < 8; crm++)
            for (uint32_t op2 = 0; op2 < 8; op2++)
                *ids[crm][op2] = first[crm][op2] = unit_random64();
        cpu_init_features();
        for (uint32_t crm = 1; crm < 8; crm++)
            for (uint32_t op2 = 0; op2 < 8; op2++)
                *ids[crm][op2] = second[crm][op2] = unit_random64();
        cpu_init_features();
        for (uint32_t crm = 1; crm < 8; crm++) {
            for (uint32_t op2 = 0; op2 < 8; op2++) {
                uint64_t shown = cpu_id_register(crm, op2);
                for (uint32_t shift = 0; shift < 64; shift += 4) {
                    uint64_t f = shown >> shift & 15;
                    uint64_t a = first[crm][op2] >> shift & 15, b = second[crm][op2] >> shift & 15;

                    if (is_signed(crm - 1, op2, shift) && (a == 15 || b == 15))
                        assert_int_equal(f, 15);
                    else
                        assert_true(f <= a && f <= b);
                }
            }
        }
    }
}

/* A machine of two kinds of CPUs: what one lacks, a guest that may run on it is not told of. */
static void two_kinds(void **state)
{
    all_ids(0);
    *ids[4][0] = 0x1111; /* FP, AdvSIMD; AArch32 nowhere */
    *ids[6][0] = 0x21111 | (uint64_t)2 << 20;
    *ids[6][1] = 0x10;
    fake_midr_el1 = 0x410fd034;
    cpu_init_features();
    assert_true(cpu_has_pauth());
    assert_int_equal(field(5, 0, 20), 2);
    *ids[4][0] = 0xff1111; /* no FP */
    *ids[6][0] = 0x1111;
    *ids[6][1] = 0;
    fake_midr_el1 = 0x410fd082;
    cpu_init_features();
    assert_int_equal(field(3, 0, 16), 15);
    assert_int_equal(field(3, 0, 20), 15);
    assert_int_equal(field(5, 0, 20), 0);
    assert_false(cpu_has_pauth());
    assert_false(cpu_guest_hcr() & (HCR_API | HCR_APK));
    /* And it is the same CPU wherever the vCPU goes. */
    cpu_init_traps();
    assert_int_equal(fake_vpidr_el2, 0x410fd034);
}

/* What must trap traps, on CPUs old and new; registers of the new ones are not touched on the old.
 */
static void traps(void **state)
{
    cpu_init_features();
    fake_S3_4_C1_C2_2 = fake_S3_4_C1_C1_4 = fake_S3_4_C5_C2_3 = NO_CALL;
    fake_oslar_el1 = 1;
    fake_pmcr_el0 = 0x3fu << 11;
    cpu_init_traps();
    assert_int_equal(fake_cptr_el2 &
                         (CPTR_EL2_TZ | CPTR_EL2_TFP | CPTR_EL2_TTA | CPTR_EL2_TAM | CPTR_EL2_TSM),
                     CPTR_EL2_TZ | CPTR_EL2_TTA | CPTR_EL2_TAM | CPTR_EL2_TSM);
    assert_int_equal(fake_mdcr_el2 &
                         (MDCR_EL2_TPM | MDCR_EL2_TPMCR | MDCR_EL2_TDA | MDCR_EL2_TDOSA |
                          MDCR_EL2_TDRA | MDCR_EL2_TPMS | MDCR_EL2_TTRF | MDCR_EL2_TDE),
                     MDCR_EL2_TPM | MDCR_EL2_TPMCR | MDCR_EL2_TDA | MDCR_EL2_TDOSA | MDCR_EL2_TDRA |
                         MDCR_EL2_TPMS | MDCR_EL2_TTRF);
    assert_int_equal(fake_mdcr_el2 & MDCR_EL2_HPMN,
                     0); /* no PMU: PMCR_EL0 is not there to be read */
    assert_int_equal(fake_vtcr_el2, 0x1234);
    assert_int_equal(fake_oslar_el1, 0);
    assert_true(fake_S3_4_C1_C2_2 == NO_CALL && fake_S3_4_C1_C1_4 == NO_CALL &&
                fake_S3_4_C5_C2_3 == NO_CALL);

    *ids[4][0] = 1 << 28;
    *ids[5][0] = 6 << 8;
    *ids[7][0] = BIT(56);
    *ids[7][1] = BIT(40);
    fake_pmcr_el0 = 6u << 11;
    cpu_init_traps();
    assert_int_equal(fake_mdcr_el2 & MDCR_EL2_HPMN, 6);
    assert_true(fake_S3_4_C1_C2_2 == 0 && fake_S3_4_C1_C1_4 == 0 && fake_S3_4_C5_C2_3 == 0);
    assert_int_equal(cpu_guest_hcr() &
                         (HCR_VM | HCR_IMO | HCR_FMO | HCR_AMO | HCR_TSC | HCR_TID3 | HCR_TACR |
                          HCR_TIDCP | HCR_TERR | HCR_TLOR | HCR_SWIO | HCR_RW),
                     HCR_VM | HCR_IMO | HCR_FMO | HCR_AMO | HCR_TSC | HCR_TID3 | HCR_TACR |
                         HCR_TIDCP | HCR_TERR | HCR_TLOR | HCR_SWIO | HCR_RW);
}

#define TEST(fn) cmocka_unit_test_setup(fn, start)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(every_register), TEST(id_registers), TEST(debug_registers),
        TEST(interrupts),     TEST(set_and_way),  TEST(hides_the_rest),
        TEST(never_more),     TEST(two_kinds),    TEST(traps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
