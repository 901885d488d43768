/* SPDX-License-Identifier: MIT */
/*
 * What guests are told of the CPUs, and the traps that make it so.
 *
 * A feature is shown only if every CPU has it and its state is switched between vCPUs. So each ID
 * register is the least of all CPUs', field by field, limited by a table here. Fields, four bits
 * each: Arm ARM D24.2.
 */
#include <asm/cpu.h>
#include <asm/gic.h>
#include <asm/stage2.h>
#include <asm/sysreg.h>
#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <lib/bits.h>

#define ID_ROWS 7 /* CRm 1..7 */

static uint64_t id_regs[ID_ROWS][8];
static uint64_t first_midr;
static bool have_first;

/* Rows of the table by name. */
#define PFR0  3, 0
#define PFR1  3, 1
#define DFR0  4, 0
#define ISAR0 5, 0
#define ISAR1 5, 1
#define ISAR2 5, 2
#define MMFR0 6, 0
#define MMFR1 6, 1
#define MMFR2 6, 2

/* A field keeps at most this value; AArch64 registers show only fields that stand here. */
struct id_limit {
    uint8_t row, op2, shift, most;
};

static const struct id_limit id_limits[] = {
    { PFR0, 0, 2 },   /* EL0: AArch32 too if the CPU does */
    { PFR0, 4, 1 },   /* EL1: AArch64 only */
    { PFR0, 16, 15 }, /* FP; 15 is none */
    { PFR0, 20, 15 }, /* AdvSIMD; 15 is none */
    { PFR0, 24, 1 },  /* GIC system registers; with a GICv3 only */
    { PFR0, 48, 1 },  /* DIT */
    { PFR0, 56, 1 },  /* CSV2, without SCXTNUM */
    { PFR0, 60, 1 },  /* CSV3 */
    { PFR1, 0, 1 },   /* BT */
    { PFR1, 4, 2 },   /* SSBS */
    { DFR0, 0, 6 },   /* debug architecture v8 */
    { DFR0, 12, 1 },  /* two breakpoints */
    { DFR0, 20, 1 },  /* two watchpoints */
    { ISAR0, 4, 15 },  { ISAR0, 8, 15 },  { ISAR0, 12, 15 }, { ISAR0, 16, 15 }, { ISAR0, 20, 15 },
    { ISAR0, 28, 15 }, { ISAR0, 32, 15 }, { ISAR0, 36, 15 }, { ISAR0, 40, 15 }, { ISAR0, 44, 15 },
    { ISAR0, 48, 15 }, { ISAR0, 52, 15 }, { ISAR0, 56, 15 }, { ISAR0, 60, 15 }, /* no TME */
    { ISAR1, 0, 15 },  { ISAR1, 4, 15 },  { ISAR1, 8, 15 },  { ISAR1, 12, 15 }, { ISAR1, 16, 15 },
    { ISAR1, 20, 15 }, { ISAR1, 24, 15 }, { ISAR1, 28, 15 }, { ISAR1, 32, 15 }, { ISAR1, 36, 15 },
    { ISAR1, 40, 1 },  { ISAR1, 44, 15 }, { ISAR1, 48, 15 }, { ISAR1, 52, 15 }, /* no XS, LS64 */
    { ISAR2, 0, 2 },                                                            /* WFxT */
    { ISAR2, 4, 1 },                                                            /* RPRES */
    { ISAR2, 8, 15 },  { ISAR2, 12, 15 }, /* pointer authentication, QARMA3 */
    { ISAR2, 20, 1 },                     /* BC */
    { ISAR2, 24, 1 },                     /* PAC_frac */
    { ISAR2, 28, 1 },                     /* CLRBHB */
    { MMFR0, 0, 2 },                      /* 40 bits of physical address */
    { MMFR0, 4, 2 },   { MMFR0, 8, 1 },   { MMFR0, 12, 1 },  { MMFR0, 16, 1 },  { MMFR0, 20, 15 },
    { MMFR0, 24, 15 }, { MMFR0, 28, 15 }, /* granules; 15 is none */
    { MMFR0, 44, 1 },                     /* ExS */
    { MMFR1, 0, 2 },                      /* HAFDBS */
    { MMFR1, 4, 2 },                      /* VMIDBits: as the architecture has it */
    { MMFR1, 12, 2 },                     /* HPDS */
    { MMFR1, 20, 3 },                     /* PAN */
    { MMFR1, 36, 2 },                     /* ETS */
    { MMFR1, 44, 1 },                     /* AFP */
    { MMFR2, 0, 1 },   { MMFR2, 4, 1 },   { MMFR2, 8, 1 },   { MMFR2, 12, 1 },  { MMFR2, 16, 1 },
    { MMFR2, 20, 1 },  { MMFR2, 28, 1 },  { MMFR2, 32, 1 },  { MMFR2, 36, 1 },  { MMFR2, 48, 1 },
    { MMFR2, 52, 2 },  { MMFR2, 60, 1 }, /* no NV, FWB, EVT */
};

/* Reserved encodings of this space read as zero, so all can be read. */
#define READ_ID(crm, op2) read_sysreg(S3_0_C0_C##crm##_##op2)
#define READ_ROW(crm)                                                     \
    { READ_ID(crm, 0), READ_ID(crm, 1), READ_ID(crm, 2), READ_ID(crm, 3), \
      READ_ID(crm, 4), READ_ID(crm, 5), READ_ID(crm, 6), READ_ID(crm, 7) }

/* Where a larger number means less: -1 is "none". */
static bool is_signed(unsigned int row, unsigned int op2, unsigned int shift)
{
    return (row == 3 && op2 == 0 && (shift == 16 || shift == 20)) ||
           (row == 6 && op2 == 0 && (shift == 24 || shift == 28));
}

static uint64_t least(uint64_t a, uint64_t b, bool negative)
{
    if (negative && (a == 15 || b == 15))
        return 15;
    return min(a, b);
}

static uint64_t common(uint64_t a, uint64_t b, unsigned int row, unsigned int op2)
{
    uint64_t result = 0;

    for (unsigned int shift = 0; shift < 64; shift += 4)
        result |= least(a >> shift & 15, b >> shift & 15, is_signed(row, op2, shift)) << shift;
    return result;
}

/* Cuts the first CPU's AArch64 registers down to what stands in id_limits[]. */
static void limit_all(uint64_t raw[ID_ROWS][8])
{
    for (unsigned int row = 3; row < ID_ROWS; row++)
        for (unsigned int op2 = 0; op2 < 8; op2++)
            id_regs[row][op2] = 0;
    for (unsigned int i = 0; i < array_size(id_limits); i++) {
        const struct id_limit *l = &id_limits[i];
        uint64_t value = raw[l->row][l->op2] >> l->shift & 15;

        if (!(is_signed(l->row, l->op2, l->shift) && value == 15))
            value = min(value, (uint64_t)l->most);
        id_regs[l->row][l->op2] |= value << l->shift;
    }
    /* ID_DFR0_EL1: no performance monitors, no trace for AArch32 either. */
    id_regs[0][2] &= ~0x0f0ff000ull;
}

void cpu_init_features(void)
{
    uint64_t raw[ID_ROWS][8] = { READ_ROW(1), READ_ROW(2), READ_ROW(3), READ_ROW(4),
                                 READ_ROW(5), READ_ROW(6), READ_ROW(7) };

    if (!have_first) {
        for (unsigned int row = 0; row < ID_ROWS; row++)
            for (unsigned int op2 = 0; op2 < 8; op2++)
                id_regs[row][op2] = raw[row][op2];
        limit_all(raw);
        first_midr = read_sysreg(midr_el1);
        have_first = true;
        return;
    }
    for (unsigned int row = 0; row < ID_ROWS; row++)
        for (unsigned int op2 = 0; op2 < 8; op2++)
            id_regs[row][op2] = common(id_regs[row][op2], raw[row][op2], row, op2);
}

uint64_t cpu_id_register(uint32_t crm, uint32_t op2)
{
    uint64_t value;

    if (crm < 1 || crm > ID_ROWS)
        return 0;
    value = id_regs[crm - 1][op2];
    if (crm == 4 && op2 == 0 && gic.driver->version < 3)
        value &= ~(0xfull << 24);
    return value;
}

bool cpu_has_pauth(void)
{
    return (id_regs[5][1] & 0xff0) || (id_regs[5][2] & 0xf000);
}

uint64_t cpu_guest_hcr(void)
{
    uint64_t hcr = HCR_VM | HCR_SWIO | HCR_FMO | HCR_IMO | HCR_AMO | HCR_BSU_INNER | HCR_FB |
                   HCR_TWI | HCR_TWE | HCR_TSC | HCR_TID3 | HCR_TIDCP | HCR_TACR | HCR_RW |
                   HCR_TLOR | HCR_TERR | HCR_TSW;

    return hcr | (cpu_has_pauth() ? HCR_API | HCR_APK : 0);
}

/* Counters that are not EL2's: all, as after reset; none is not a legal number for most CPUs. */
static uint64_t event_counters(void)
{
    uint64_t version = read_sysreg(id_aa64dfr0_el1) >> 8 & 15;

    return version == 0 || version == 15 ? 0 : read_sysreg(pmcr_el0) >> 11 & MDCR_EL2_HPMN;
}

void cpu_init_traps(void)
{
    uint64_t mmfr0 = read_sysreg(id_aa64mmfr0_el1);

    write_sysreg(CPTR_EL2_RES1 | CPTR_EL2_TTA | CPTR_EL2_TAM, cptr_el2);
    write_sysreg(MDCR_EL2_TPM | MDCR_EL2_TPMCR | MDCR_EL2_TDA | MDCR_EL2_TDOSA | MDCR_EL2_TDRA |
                     MDCR_EL2_TPMS | MDCR_EL2_TTRF | event_counters(),
                 mdcr_el2);
    write_sysreg(0, hstr_el2);
    write_sysreg(stage2_vtcr(), vtcr_el2);
    write_sysreg(first_midr, vpidr_el2); /* the same wherever a vCPU goes */
    write_sysreg(CNTHCTL_EL1PCTEN | CNTHCTL_EL1PCEN, cnthctl_el2);
    write_sysreg(0, mdscr_el1);
    write_sysreg(0,
                 oslar_el1); /* locked after reset, which would keep guests from single-stepping */
    if (mmfr0 >> 56 &
        15) { /* fine-grained traps: none but those that guard what we do not switch */
        write_sysreg(0, S3_4_C1_C1_4); /* HFGRTR_EL2 */
        write_sysreg(0, S3_4_C1_C1_5); /* HFGWTR_EL2 */
        write_sysreg(0, S3_4_C1_C1_6); /* HFGITR_EL2 */
        write_sysreg(0, S3_4_C3_C1_4); /* HDFGRTR_EL2 */
        write_sysreg(0, S3_4_C3_C1_5); /* HDFGWTR_EL2 */
    }
    if (read_sysreg(id_aa64mmfr1_el1) >> 40 & 15)
        write_sysreg(0, S3_4_C1_C2_2); /* HCRX_EL2 */
    if (read_sysreg(id_aa64pfr0_el1) >> 28 & 15)
        write_sysreg(0, S3_4_C5_C2_3); /* VSESR_EL2: the syndrome of SErrors that we inject */
    isb();
}
