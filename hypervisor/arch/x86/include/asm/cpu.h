/* SPDX-License-Identifier: MIT */
/*
 * What the CPUs are and have; control registers, and what each CPU is set to. Intel SDM volume 3,
 * 2.5; AMD APM volume 2, 3.1; CPUID: APM volume 3, appendix E.
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <asm/layout.h>

#define CR0_PE (U_(1) << 0)
#define CR0_MP (U_(1) << 1)
#define CR0_EM (U_(1) << 2)
#define CR0_TS (U_(1) << 3)
#define CR0_ET (U_(1) << 4)
#define CR0_NE (U_(1) << 5)
#define CR0_WP (U_(1) << 16)
#define CR0_AM (U_(1) << 18)
#define CR0_NW (U_(1) << 29)
#define CR0_CD (U_(1) << 30)
#define CR0_PG (U_(1) << 31)

#define CR4_VME        (U_(1) << 0)
#define CR4_PVI        (U_(1) << 1)
#define CR4_TSD        (U_(1) << 2)
#define CR4_DE         (U_(1) << 3)
#define CR4_PSE        (U_(1) << 4)
#define CR4_PAE        (U_(1) << 5)
#define CR4_MCE        (U_(1) << 6)
#define CR4_PGE        (U_(1) << 7)
#define CR4_PCE        (U_(1) << 8)
#define CR4_OSFXSR     (U_(1) << 9)
#define CR4_OSXMMEXCPT (U_(1) << 10)
#define CR4_UMIP       (U_(1) << 11)
#define CR4_LA57       (U_(1) << 12)
#define CR4_VMXE       (U_(1) << 13)
#define CR4_FSGSBASE   (U_(1) << 16)
#define CR4_PCIDE      (U_(1) << 17)
#define CR4_OSXSAVE    (U_(1) << 18)
#define CR4_SMEP       (U_(1) << 20)
#define CR4_SMAP       (U_(1) << 21)
#define CR4_PKE        (U_(1) << 22)
#define CR4_CET        (U_(1) << 23)

#define RFLAGS_CF  (U_(1) << 0)
#define RFLAGS_ONE (U_(1) << 1) /* reads as one */
#define RFLAGS_TF  (U_(1) << 8)
#define RFLAGS_IF  (U_(1) << 9)
#define RFLAGS_DF  (U_(1) << 10)
#define RFLAGS_NT  (U_(1) << 14)
#define RFLAGS_RF  (U_(1) << 16)
#define RFLAGS_VM  (U_(1) << 17)
#define RFLAGS_AC  (U_(1) << 18)

/* Selectors of the hypervisor's GDT. */
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18

/* CR4 and EFER are for the smallest of the CPUs: constant once all have started. */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#define CR_ACCESSORS(n)                                                \
    static inline uint64_t read_cr##n(void)                            \
    {                                                                  \
        uint64_t v;                                                    \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory"); \
        return v;                                                      \
    }                                                                  \
    static inline void write_cr##n(uint64_t v)                         \
    {                                                                  \
        __asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory");     \
    }

CR_ACCESSORS(0)
CR_ACCESSORS(2)
CR_ACCESSORS(3)
CR_ACCESSORS(4)
CR_ACCESSORS(8)
#undef CR_ACCESSORS

struct cpuid {
    uint32_t a, b, c, d;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/* In program order with what stands before it. */
static inline uint64_t rdtsc_ordered(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Words of CPUID in which features stand. */
enum cpu_word {
    CPU_1_C,
    CPU_1_D,
    CPU_7_B,
    CPU_7_C,
    CPU_7_D,
    CPU_71_A, /* leaf 7, subleaf 1 */
    CPU_D1_A, /* leaf 0xd, subleaf 1 */
    CPU_X1_C, /* 0x80000001 */
    CPU_X1_D,
    CPU_X7_D,  /* 0x80000007 */
    CPU_X8_B,  /* 0x80000008 */
    CPU_XA_D,  /* 0x8000000a: SVM */
    CPU_X21_A, /* 0x80000021 */
    CPU_X21_C,
    CPU_WORDS
};

#define CPU_FEATURE(word, bit) ((uint32_t)(word) << 5 | (bit))

enum cpu_feature {
    CPU_X2APIC = CPU_FEATURE(CPU_1_C, 21),
    CPU_TSC_DEADLINE = CPU_FEATURE(CPU_1_C, 24),
    CPU_XSAVE = CPU_FEATURE(CPU_1_C, 26),
    CPU_RDRAND = CPU_FEATURE(CPU_1_C, 30),
    CPU_HYPERVISOR = CPU_FEATURE(CPU_1_C, 31),
    CPU_MCE = CPU_FEATURE(CPU_1_D, 7),
    CPU_MCA = CPU_FEATURE(CPU_1_D, 14),
    CPU_SMEP = CPU_FEATURE(CPU_7_B, 7),
    CPU_RDSEED = CPU_FEATURE(CPU_7_B, 18),
    CPU_SMAP = CPU_FEATURE(CPU_7_B, 20),
    CPU_UMIP = CPU_FEATURE(CPU_7_C, 2),
    CPU_MD_CLEAR = CPU_FEATURE(CPU_7_D, 10),
    CPU_INTEL_IBRS_IBPB = CPU_FEATURE(CPU_7_D, 26),
    CPU_INTEL_STIBP = CPU_FEATURE(CPU_7_D, 27),
    CPU_L1D_FLUSH = CPU_FEATURE(CPU_7_D, 28),
    CPU_ARCH_CAPS = CPU_FEATURE(CPU_7_D, 29),
    CPU_INTEL_SSBD = CPU_FEATURE(CPU_7_D, 31),
    CPU_SVM = CPU_FEATURE(CPU_X1_C, 2),
    CPU_TOPOEXT = CPU_FEATURE(CPU_X1_C, 22),
    CPU_NX = CPU_FEATURE(CPU_X1_D, 20),
    CPU_PAGE_1G = CPU_FEATURE(CPU_X1_D, 26),
    CPU_RDTSCP = CPU_FEATURE(CPU_X1_D, 27),
    CPU_LONG_MODE = CPU_FEATURE(CPU_X1_D, 29),
    CPU_TSC_INVARIANT = CPU_FEATURE(CPU_X7_D, 8),
    CPU_AMD_IBPB = CPU_FEATURE(CPU_X8_B, 12),
    CPU_AMD_IBRS = CPU_FEATURE(CPU_X8_B, 14),
    CPU_AMD_STIBP = CPU_FEATURE(CPU_X8_B, 15),
    CPU_AMD_IBRS_ALWAYS = CPU_FEATURE(CPU_X8_B, 16),
    CPU_AMD_IBRS_SAME_MODE = CPU_FEATURE(CPU_X8_B, 19),
    CPU_AMD_SSBD = CPU_FEATURE(CPU_X8_B, 24),
    CPU_VIRT_SSBD = CPU_FEATURE(CPU_X8_B, 25),
    CPU_PSFD = CPU_FEATURE(CPU_X8_B, 28),
    CPU_BTC_NO = CPU_FEATURE(CPU_X8_B, 29),
    CPU_SVM_NPT = CPU_FEATURE(CPU_XA_D, 0),
    CPU_SVM_NRIPS = CPU_FEATURE(CPU_XA_D, 3),
    CPU_SVM_CLEAN = CPU_FEATURE(CPU_XA_D, 5),
    CPU_SVM_FLUSH_ASID = CPU_FEATURE(CPU_XA_D, 6),
    CPU_SVM_DECODE = CPU_FEATURE(CPU_XA_D, 7),
    CPU_SVM_PAUSE_FILTER = CPU_FEATURE(CPU_XA_D, 10),
    CPU_SVM_PAUSE_THRESHOLD = CPU_FEATURE(CPU_XA_D, 12),
    CPU_SVM_SPEC_CTRL = CPU_FEATURE(CPU_XA_D, 20),
    CPU_LFENCE_ALWAYS = CPU_FEATURE(CPU_X21_A, 2),
    CPU_VERW_CLEAR = CPU_FEATURE(CPU_X21_A, 5),
    CPU_AUTO_IBRS = CPU_FEATURE(CPU_X21_A, 8),
    CPU_IBPB_BRTYPE = CPU_FEATURE(CPU_X21_A, 28),
    CPU_SRSO_NO = CPU_FEATURE(CPU_X21_A, 29),
    CPU_BP_SPEC_REDUCE = CPU_FEATURE(CPU_X21_A, 31),
};

enum cpu_vendor { VENDOR_OTHER, VENDOR_AMD, VENDOR_INTEL };

/* What all CPUs have in common: the first's, less what a later one lacks. Constant after boot. */
struct cpu_info {
    enum cpu_vendor vendor; /* VENDOR_AMD: Hygon too */
    char vendor_id[13], brand[49];
    uint32_t family, model, stepping;
    uint32_t max_leaf, max_extended;
    uint32_t words[CPU_WORDS];
    uint32_t physical_bits; /* of addresses, also where leaf 0x80000008 is missing */
};
extern struct cpu_info cpu_info;

static inline bool cpu_has(enum cpu_feature f)
{
    return cpu_info.words[(uint32_t)f >> 5] >> ((uint32_t)f & 31) & 1;
}

/* Reads this CPU's CPUID into cpu_info; on others than the first: what they have in common. */
void cpu_init_features(void);

/* The first CPU's have changed, before others start. */
void cpu_reread_features(void);

/* Logs what there is, once. */
void cpu_report(void);

/* CR0, CR4, EFER, PAT and what else is set on each CPU alike, by cpu_info. Each CPU, once. */
void cpu_init_control(void);

/*
 * FS base as the libraries need it that are linked in, whose stack protector is found there. A
 * guest's may be in the register; whoever loads one calls this before such code can run again.
 */
void cpu_own_fs(void);
#endif

#endif
