/* SPDX-License-Identifier: MIT */
/*
 * Every encoding of MRS, MSR, SYS and of the hint and PSTATE space at EL1 (Arm DDI 0487, C5), and
 * every coprocessor register of AArch32 at EL0: each works or is undefined, and the guest goes on.
 * Then what the ID registers promise.
 */
#include "guest.h"

const char guest_name[] = "sysregs";

#define EC_SYSREG 0x18u

#define CPACR_ALL                            \
    (UINT64_C(3) << 16 | UINT64_C(3) << 20 | \
     UINT64_C(3) << 24) /* ZEN, FPEN, SMEN: no trap to EL1 */

static uint8_t scratch[4096] __attribute__((aligned(4096)));
static bool bare; /* no hypervisor below: CPU features show as they are */
static bool
    reports_ids; /* FEAT_IDST: what is undefined in the space of ID registers has its own class */

static uint32_t encoding(uint32_t op0, uint32_t n)
{
    return SYSREG(op0, n >> 11 & 7, n >> 7 & 15, n >> 3 & 15, n & 7);
}

static bool is_one_of(uint32_t enc, const uint32_t *list, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        if (list[i] == enc)
            return true;
    }
    return false;
}

static void count(uint64_t esr, uint32_t insn, unsigned int *good, unsigned int *undefined,
                  unsigned int *bad)
{
    unsigned int ec = ESR_EC(esr);

    if (esr == 0) {
        ++*good;
    } else if (ec == EC_UNKNOWN ||
               (ec == EC_SYSREG && reports_ids && (insn & 0x18f000) == 0x180000)) {
        ++*undefined;
    } else {
        if (++*bad <= 20)
            note("instruction 0x%x: esr 0x%lx", insn, esr);
    }
}

/* ---- MRS and MSR ---- */
/* Written with anything but what they hold, or at all, these end the guest by its own doing. */
static const uint32_t own_doing[] = {
    SYSREG(3, 0, 1, 0, 0), /* SCTLR_EL1 */
    SYSREG(3, 0, 2, 0, 0), /* TTBR0_EL1 */
    SYSREG(3, 0, 2, 0, 2), /* TCR_EL1 */
    SYSREG(3, 0, 4, 2, 0), /* SPSel */
};
/* And these, if written with all ones. */
static const uint32_t keep_bits[] = {
    SYSREG(2, 0, 0, 2, 2), /* MDSCR_EL1: would single-step */
};

static void all_registers(uint32_t op0)
{
    unsigned int good = 0, undefined = 0, bad = 0, high = 0;

    for (uint32_t n = 0; n < 8 * 16 * 16 * 8; n++) {
        uint64_t x[18] = { 0 };
        uint32_t enc = encoding(op0, n);
        uint64_t esr = probe_insn(MRS_X0 | enc, x);
        count(esr, MRS_X0 | enc, &good, &undefined, &bad);
        if (esr == 0 && (enc >> 16 & 7) >= 4)
            high++;
        if (is_one_of(enc, own_doing, ARRAY_SIZE(own_doing)))
            continue;
        /* Back what was there; zero where nothing could be read. */
        if (esr != 0)
            x[0] = 0;
        esr = probe_insn(MSR_X0 | enc, x);
        count(esr, MSR_X0 | enc, &good, &undefined, &bad);
    }
    note("op0=%u: %u accesses work, %u are undefined", op0, good, undefined);
    check_eq(bad, 0, "MRS and MSR with op0=%u work or are undefined", op0);
    check_eq(high, 0, "registers of EL2 and above with op0=%u are undefined", op0);
}

/* Debug and performance monitors take any value and stay harmless. */
static void ones(uint32_t op0, uint32_t op1, uint32_t crn, uint32_t crm_first, uint32_t crm_last,
                 const char *name)
{
    unsigned int good = 0, undefined = 0, bad = 0;

    for (uint32_t crm = crm_first; crm <= crm_last; crm++) {
        for (uint32_t op2 = 0; op2 < 8; op2++) {
            uint32_t enc = SYSREG(op0, op1, crn, crm, op2);
            uint64_t x[18] = { 0 }, was;
            if (is_one_of(enc, keep_bits, ARRAY_SIZE(keep_bits)))
                continue;
            if (probe_insn(MRS_X0 | enc, x) != 0)
                x[0] = 0;
            was = x[0];
            for (unsigned int i = 0; i < 3; i++) {
                x[0] = i == 0 ? ~UINT64_C(0) : i == 1 ? UINT64_C(0x5555aaaa3333cccc) : was;
                count(probe_insn(MSR_X0 | enc, x), MSR_X0 | enc, &good, &undefined, &bad);
            }
        }
    }
    check_eq(bad, 0, "%s take all ones", name);
}

/* ---- SYS, SYSL, and op0 = 0 ---- */
static void all_sys(void)
{
    unsigned int good = 0, undefined = 0, bad = 0;

    for (uint32_t n = 0; n < 8 * 16 * 16 * 8; n++) {
        for (uint32_t load = 0; load < 2; load++) {
            uint64_t x[18] = { (uint64_t)scratch };
            uint32_t insn = MSR_X0 | load << 21 | encoding(1, n);
            count(probe_insn(insn, x), insn, &good, &undefined, &bad);
        }
    }
    note("SYS: %u work, %u are undefined", good, undefined);
    check_eq(bad, 0, "cache, TLB and address translation instructions work or are undefined");
    for (unsigned int i = 0; i < 3; i++) {
        static const uint32_t set_way[] = { SYSREG(1, 0, 7, 6, 2), SYSREG(1, 0, 7, 10, 2),
                                            SYSREG(1, 0, 7, 14, 2) };
        check_eq(probe_insn(MSR_X0 | set_way[i], NULL), 0,
                 "cache maintenance by set and way, form %u", i);
    }
}

static void all_pstate_and_hints(void)
{
    unsigned int good = 0, undefined = 0, bad = 0;

    for (uint32_t n = 0; n < 8 * 16 * 16 * 8; n++) {
        uint32_t enc = encoding(0, n), insn = MSR_X0 | enc | 31;
        bool sp_sel = (enc >> 12 & 15) == 4 && (enc >> 16 & 7) == 0 && (enc >> 5 & 7) == 5;
        bool wait = enc == SYSREG(0, 3, 2, 0, 2) || enc == SYSREG(0, 3, 2, 0, 3);
        if (sp_sel || wait)
            continue;
        count(probe_insn(insn, NULL), insn, &good, &undefined, &bad);
        count(probe_insn(insn | 1u << 21, NULL), insn, &good, &undefined, &bad);
    }
    note("op0=0: %u work, %u are undefined", good, undefined);
    check_eq(bad, 0, "hints, barriers and PSTATE accesses work or are undefined");
}

/* ---- other instructions that a hypervisor may trap ---- */
static void instructions(void)
{
    static const struct {
        const char *name;
        uint32_t insn;
        unsigned int ec;
    } known[] = {
        { "UDF", 0x00000000, EC_UNKNOWN },
        { "unallocated", 0x02000000, EC_UNKNOWN },
        { "SVC", 0xd4000021, 0x15 },
        { "BRK", 0xd42000e0, 0x3c },
        { "HLT", 0xd4400060, EC_UNKNOWN },
        { "DCPS1", 0xd4a00001, EC_UNKNOWN },
        { "DCPS2", 0xd4a00002, EC_UNKNOWN },
        { "DCPS3", 0xd4a00003, EC_UNKNOWN },
        { "DRPS", 0xd6bf03e0, EC_UNKNOWN },
        { "AT S12E1R", 0xd50c7880, EC_UNKNOWN },
        { "TLBI ALLE1", 0xd50c879f, EC_UNKNOWN },
    };
    uint64_t esr;

    for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
        esr = probe_insn(known[i].insn, NULL);
        check(esr != 0 && ESR_EC(esr) == known[i].ec, "%s: exception class 0x%x (esr 0x%lx)",
              known[i].name, known[i].ec, esr);
    }
    for (unsigned int i = 0; i < 2 && !bare; i++) {
        esr = probe_insn(i == 0 ? 0x2518e3e0 /* PTRUE p0.b */ : 0xd503477f /* SMSTART */, NULL);
        check_eq(esr, UINT64_C(0x02000000), "%s is undefined", i == 0 ? "SVE" : "SME");
    }
    /* An exception return to an illegal state stays in the guest: EC 0x0e. */
    esr = probe_run(scratch, (uint64_t[18]){ 0 }, 0x3c9 /* EL2h */);
    check_eq(ESR_EC(esr), 0x0e, "return to EL2 is an illegal state");
    check_eq(probe_insn(0x1e601000 /* FMOV d0, #2.0 */, NULL), 0, "floating point works");
    check_eq(probe_insn(0x4f00e420 /* MOVI v0.16b, #1 */, NULL), 0, "SIMD works");
}

/* ---- AArch32 at EL0 ---- */
static uint64_t run32(uint32_t insn)
{
    static uint32_t code[16] __attribute__((aligned(64)));
    static uint64_t at32;
    uint64_t x[18] = { 0 };

    if (at32 == 0) {
        at32 = mmu_window32((uint64_t)code, MAP_USER);
        code[1] = 0xef000000; /* SVC */
    }
    code[0] = insn;
    sync_code(code, sizeof(code));
    return probe_run((const void *)at32, x, 0x1d0 /* User, IRQ masked */);
}

static void all_coprocessor(void)
{
    unsigned int good = 0, undefined = 0, bad = 0;

    if ((sysreg_read(id_aa64pfr0_el1) & 0xf) != 2)
        return;
    check_eq(ESR_EC(run32(0xe320f000 /* NOP */)), 0x11, "AArch32 runs at EL0");
    for (uint32_t n = 0; n < 2 * 16 * 2048; n++) {
        uint32_t cp = 14 + (n >> 15), opc1 = n >> 12 & 7, crn = n >> 8 & 15, crm = n >> 4 & 15,
                 opc2 = n >> 1 & 7;
        uint32_t insn =
            0xee000010 | (n & 1) << 20 | opc1 << 21 | crn << 16 | cp << 8 | opc2 << 5 | crm;
        unsigned int ec = ESR_EC(run32(insn));
        if (ec == 0x11)
            good++;
        else if (ec == EC_UNKNOWN || (ec >= 0x03 && ec <= 0x08) || ec == 0x0c)
            undefined++;
        else if (++bad <= 20)
            note("AArch32 0x%x: exception class 0x%x", insn, ec);
    }
    for (uint32_t n = 0; n < 2 * 2 * 256; n++) {
        uint32_t insn =
            0xec401000 | (n & 1) << 20 | (14 + (n >> 9)) << 8 | (n >> 5 & 15) << 4 | (n >> 1 & 15);
        unsigned int ec = ESR_EC(run32(insn));
        if (ec == 0x11)
            good++;
        else if (ec == EC_UNKNOWN || (ec >= 0x03 && ec <= 0x08) || ec == 0x0c)
            undefined++;
        else if (++bad <= 20)
            note("AArch32 0x%x: exception class 0x%x", insn, ec);
    }
    note("AArch32: %u work, %u are undefined or trapped", good, undefined);
    check_eq(bad, 0, "AArch32 coprocessor accesses work or are undefined");
    check_eq(ESR_EC(run32(0xe1400070 /* HVC */)), EC_UNKNOWN, "AArch32 HVC from EL0 is undefined");
    check_eq(ESR_EC(run32(0xe1600070 /* SMC */)), EC_UNKNOWN, "AArch32 SMC from EL0 is undefined");
}

/* ---- identification ---- */
struct id_field {
    const char *name;
    uint32_t enc;
    unsigned int shift;
    unsigned int most; /* greatest value that promises nothing the hypervisor does not switch */
};
#define PFR0  SYSREG(3, 0, 0, 4, 0)
#define PFR1  SYSREG(3, 0, 0, 4, 1)
#define ZFR0  SYSREG(3, 0, 0, 4, 4)
#define SMFR0 SYSREG(3, 0, 0, 4, 5)
#define DFR0  SYSREG(3, 0, 0, 5, 0)
#define ISAR1 SYSREG(3, 0, 0, 6, 1)
#define MMFR2 SYSREG(3, 0, 0, 7, 2)
static const struct id_field hidden[] = {
    { "SVE", PFR0, 32, 0 },         { "MPAM", PFR0, 40, 0 },    { "AMU", PFR0, 44, 0 },
    { "MTE", PFR1, 8, 1 },          { "SME", PFR1, 24, 0 },     { "GCS", PFR1, 44, 0 },
    { "SPE", DFR0, 32, 0 },         { "TraceVer", DFR0, 4, 0 }, { "TraceFilt", DFR0, 40, 0 },
    { "TraceBuffer", DFR0, 44, 0 }, { "BRBE", DFR0, 52, 0 },    { "LS64", ISAR1, 60, 0 },
    { "NV", MMFR2, 24, 0 },
};

static uint64_t read_id(uint32_t enc)
{
    uint64_t x[18] = { 0 };

    probe_insn(MRS_X0 | enc, x);
    return x[0];
}

static volatile uint64_t other_ids[6 * 8];

static void read_other_ids(unsigned int id)
{
    (void)id;
    for (uint32_t n = 0; n < 6 * 8; n++)
        other_ids[n] = read_id(SYSREG(3, 0, 0, 2 + n / 8, n % 8));
}

static void identification(void)
{
    unsigned int missing = 0, pmu = (unsigned int)(read_id(DFR0) >> 8 & 0xf);

    /* All of this space reads, what is not allocated as zero: kernels rely on it for features to
     * come. */
    for (uint32_t n = 0; n < 7 * 8; n++)
        missing += probe_insn(MRS_X0 | SYSREG(3, 0, 0, 1 + n / 8, n % 8), NULL) != 0;
    check_eq(missing, 0, "the whole space of ID registers can be read");
    for (unsigned int i = 0; i < ARRAY_SIZE(hidden) && !bare; i++)
        check(((read_id(hidden[i].enc) >> hidden[i].shift) & 0xf) <= hidden[i].most,
              "%s is hidden (0x%lx)", hidden[i].name, read_id(hidden[i].enc));
    check_eq(bare ? 0 : read_id(ZFR0), 0, "ID_AA64ZFR0_EL1");
    check_eq(bare ? 0 : read_id(SMFR0), 0, "ID_AA64SMFR0_EL1");
    check(pmu == 0 || pmu == 0xf ||
              probe_insn(MRS_X0 | SYSREG(3, 3, 9, 12, 0) /* PMCR_EL0 */, NULL) == 0,
          "performance monitors are there if they are promised (PMUVer 0x%x)", pmu);
    check_eq(read_id(PFR0) >> 24 & 0xf, machine.gic == 3 ? 1 : 0, "ID_AA64PFR0_EL1.GIC");
    check_eq(sysreg_read(mpidr_el1) & MPIDR_AFFINITY, machine.mpidr[0], "MPIDR_EL1 is the tree's");
    check_eq(sysreg_read(mpidr_el1) >> 31 & 1, 1, "MPIDR_EL1 bit 31");
    for (uint32_t n = 0; n < 6 * 8 && machine.cpus > 1; n++) {
        if (n == 0) {
            cpu_start(1, read_other_ids);
            cpu_wait_off(1);
        }
        if (other_ids[n] != read_id(SYSREG(3, 0, 0, 2 + n / 8, n % 8)))
            check_eq(other_ids[n], read_id(SYSREG(3, 0, 0, 2 + n / 8, n % 8)),
                     "ID register %u of the second CPU", n);
    }
}

/* What Linux touches at boot whatever the features: it does not expect an exception there. */
static void linux_needs(void)
{
    static const struct {
        const char *name;
        uint32_t enc;
        bool write;
    } touched[] = {
        { "OSLAR_EL1", SYSREG(2, 0, 1, 0, 4), true },
        { "OSDLR_EL1", SYSREG(2, 0, 1, 3, 4), true },
        { "MDSCR_EL1", SYSREG(2, 0, 0, 2, 2), true },
        { "MDSCR_EL1", SYSREG(2, 0, 0, 2, 2), false },
        { "DBGBVR0_EL1", SYSREG(2, 0, 0, 0, 4), true },
        { "DBGBCR0_EL1", SYSREG(2, 0, 0, 0, 5), true },
        { "DBGWVR0_EL1", SYSREG(2, 0, 0, 0, 6), true },
        { "DBGWCR0_EL1", SYSREG(2, 0, 0, 0, 7), true },
        { "MIDR_EL1", SYSREG(3, 0, 0, 0, 0), false },
        { "REVIDR_EL1", SYSREG(3, 0, 0, 0, 6), false },
        { "CTR_EL0", SYSREG(3, 3, 0, 0, 1), false },
        { "DCZID_EL0", SYSREG(3, 3, 0, 0, 7), false },
        { "CLIDR_EL1", SYSREG(3, 1, 0, 0, 1), false },
        { "CSSELR_EL1", SYSREG(3, 2, 0, 0, 0), true },
        { "CCSIDR_EL1", SYSREG(3, 1, 0, 0, 0), false },
        { "CONTEXTIDR_EL1", SYSREG(3, 0, 13, 0, 1), true },
        { "CNTKCTL_EL1", SYSREG(3, 0, 14, 1, 0), true },
        { "CNTPCT_EL0", SYSREG(3, 3, 14, 0, 1), false },
        { "CNTP_CTL_EL0", SYSREG(3, 3, 14, 2, 1), true },
        { "CNTV_CTL_EL0", SYSREG(3, 3, 14, 3, 1), true },
        { "AFSR0_EL1", SYSREG(3, 0, 5, 1, 0), false },
        { "ACTLR_EL1", SYSREG(3, 0, 1, 0, 1), false },
        { "PAR_EL1", SYSREG(3, 0, 7, 4, 0), true },
        { "TPIDRRO_EL0", SYSREG(3, 3, 13, 0, 3), true },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(touched); i++)
        check_eq(probe_insn((touched[i].write ? MSR_X0 : MRS_X0) | touched[i].enc, NULL), 0,
                 "%s of %s", touched[i].write ? "write" : "read", touched[i].name);
    check_eq(read_id(SYSREG(2, 0, 1, 1, 4)) & 2, 0,
             "OSLSR_EL1: the OS lock is open once OSLAR_EL1 is zero");
}

/* As a boot loader before the kernel: all lines by set and way, caches off, and on again. What it
 * wrote is there, and the registers hold what it puts into them meanwhile. */
static void boot_loader(void)
{
    uint64_t tables = sysreg_read(ttbr0_el1), control = sysreg_read(sctlr_el1);
    bool same = true;

    for (unsigned int i = 0; i < sizeof(scratch); i++)
        scratch[i] = (uint8_t)(i * 7);
    for (uint64_t set = 0; set < 256; set++)
        __asm__ volatile("dc cisw, %0" : : "r"(set << 6) : "memory");
    __asm__ volatile("dsb sy" ::: "memory");
    mmu_off();
    __asm__ volatile("isb" ::: "memory");
    for (unsigned int i = 0; i < sizeof(scratch); i++)
        same = same && ((volatile uint8_t *)scratch)[i] == (uint8_t)(i * 7);
    check(same, "memory after set and way, with the caches off");
    check_eq(sysreg_read(sctlr_el1) & 5, 0, "SCTLR_EL1: off");
    sysreg_write(contextidr_el1, 0x1234);
    sysreg_write(far_el1, 0x5678);
    sysreg_write(ttbr1_el1, 0x9000);
    mmu_on();
    __asm__ volatile("isb" ::: "memory");
    check_eq(sysreg_read(sctlr_el1), control, "SCTLR_EL1: on again");
    check_eq(sysreg_read(ttbr0_el1), tables, "TTBR0_EL1 after set and way");
    check_eq(sysreg_read(ttbr1_el1), 0x9000, "TTBR1_EL1 after set and way");
    check_eq(sysreg_read(contextidr_el1), 0x1234, "CONTEXTIDR_EL1 after set and way");
    check_eq(sysreg_read(far_el1), 0x5678, "FAR_EL1 after set and way");
}

void guest_main(void)
{
    bare = machine.uart.base != 0x22000000 && !bootarg_number("hv", 0);
    reports_ids = read_id(MMFR2) >> 36 & 0xf;
    sysreg_write(cpacr_el1, CPACR_ALL);
    identification();
    linux_needs();
    instructions();
    all_registers(2);
    all_registers(3);
    ones(2, 0, 0, 0, 15, "debug registers");
    ones(2, 0, 1, 0, 15, "OS lock and debug power registers");
    ones(2, 0, 7, 8, 15, "debug claim and authentication registers");
    ones(3, 3, 9, 12, 14, "performance monitors");
    ones(3, 0, 9, 14, 14, "performance monitors' interrupt enables");
    ones(3, 3, 14, 8, 15, "performance event counters");
    all_sys();
    all_pstate_and_hints();
    all_coprocessor();
    boot_loader();
    linux_needs();
}
