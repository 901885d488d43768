/* SPDX-License-Identifier: MIT */
/*
 * CPUID policies; <asm/cpu_policy.h> has the contract. AMD APM volume 3, appendix E; Intel SDM
 * volume 2, CPUID.
 *
 * Words of features are what all CPUs have in common, cut down to a list of what Hospes switches,
 * or what needs nothing of it. A feature that stands in no list is not there.
 */
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <asm/fpu.h>
#include <asm/msr.h>
#include <asm/speculation.h>
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <hospes/types.h>
#include <lib/bits.h>

#define EXTENDED 0x80000000u

enum cpuid_register { REG_A, REG_B, REG_C, REG_D };

#define B(n) (1u << (n))

/* --- what guests may have -------------------------------------------------------------------- */

/* FPU VME DE PSE TSC MSR PAE CX8 APIC SEP MTRR PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
#define FEATURES_1_D                                                                        \
    (B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(8) | B(9) | B(11) | B(12) | B(13) | \
     B(15) | B(16) | B(17) | B(19) | B(23) | B(24) | B(25) | B(26))
/* SSE3 PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
#define FEATURES_1_C                                                                              \
    (B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | B(22) | B(23) | B(25) | B(26) | \
     B(28) | B(29) | B(30))
/* What Hospes gives whatever the CPU has: x2APIC, TSC deadline, and that it is there */
#define EMULATED_1_C (B(21) | B(24) | B(31))
/* FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS INVPCID AVX512F,DQ RDSEED ADX SMAP IFMA CLFLUSHOPT CLWB
 * AVX512CD SHA AVX512BW,VL */
#define FEATURES_7_B                                                                           \
    (B(0) | B(3) | B(5) | B(7) | B(8) | B(9) | B(10) | B(16) | B(17) | B(18) | B(19) | B(20) | \
     B(21) | B(23) | B(24) | B(28) | B(29) | B(30) | B(31))
/* VBMI UMIP PKU VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ RDPID CLDEMOTE MOVDIRI
 * MOVDIR64B */
#define FEATURES_7_C                                                                           \
    (B(1) | B(2) | B(3) | B(6) | B(8) | B(9) | B(10) | B(11) | B(12) | B(14) | B(22) | B(25) | \
     B(27) | B(28))
/* FSRM VP2INTERSECT SERIALIZE AVX512_FP16 */
#define FEATURES_7_D (B(4) | B(8) | B(14) | B(23))
/* SHA512 SM3 SM4 AVX_VNNI AVX512_BF16 FZRM FSRS FSRCS AVX_IFMA */
#define FEATURES_71_A (B(0) | B(1) | B(2) | B(4) | B(5) | B(10) | B(11) | B(12) | B(23))
/* XSAVEOPT XSAVEC XGETBV with 1 */
#define FEATURES_D1_A (B(0) | B(1) | B(2))
/* LAHF ALTMOVCR8 ABM SSE4A MISALIGNSSE PREFETCHW XOP FMA4 TBM TOPOEXT */
#define FEATURES_X1_C (B(0) | B(4) | B(5) | B(6) | B(7) | B(8) | B(11) | B(16) | B(21) | B(22))
/* those of leaf 1, SYSCALL NX MMXEXT FFXSR PAGE1GB RDTSCP LM 3DNOWEXT 3DNOW */
#define FEATURES_X1_D                                                                        \
    (B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(8) | B(9) | B(11) | B(12) | B(13) |  \
     B(15) | B(16) | B(17) | B(20) | B(22) | B(23) | B(24) | B(25) | B(26) | B(27) | B(29) | \
     B(30) | B(31))
/* invariant TSC */
#define FEATURES_X7_D B(8)
/* CLZERO XSAVEERPTR IBPB SSB_NO BTC_NO IBPB_RET */
#define FEATURES_X8_B (B(0) | B(2) | B(12) | B(26) | B(29) | B(30))
/* IBRS STIBP and how they are meant, SSBD PSFD: unless the user keeps SPEC_CTRL from guests */
#define SPEC_CTRL_X8_B (B(14) | B(15) | B(16) | B(17) | B(18) | B(19) | B(24) | B(28))
/* NO_NEST_BP FS_GS_NS LFENCE_DISPATCH VERW_CLEAR NSCB AutoIBRS FSRS FSRC EPSF FSRSC IBPB_BRTYPE
 * SRSO_NO SRSO_US_NO */
#define FEATURES_X21_A                                                                         \
    (B(0) | B(1) | B(2) | B(5) | B(6) | B(8) | B(10) | B(11) | B(18) | B(19) | B(28) | B(29) | \
     B(30))
/* TSA_SQ_NO TSA_L1_NO */
#define FEATURES_X21_C (B(1) | B(2))

/* Where a word of features stands, and what of it guests may have. */
struct word {
    uint32_t leaf, subleaf;
    enum cpuid_register reg;
    uint32_t allowed, emulated;
};

static const struct word words[CPU_WORDS] = {
    [CPU_1_C] = { 1, 0, REG_C, FEATURES_1_C, EMULATED_1_C },
    [CPU_1_D] = { 1, 0, REG_D, FEATURES_1_D, 0 },
    [CPU_7_B] = { 7, 0, REG_B, FEATURES_7_B, 0 },
    [CPU_7_C] = { 7, 0, REG_C, FEATURES_7_C, 0 },
    [CPU_7_D] = { 7, 0, REG_D, FEATURES_7_D, 0 },
    [CPU_71_A] = { 7, 1, REG_A, FEATURES_71_A, 0 },
    [CPU_D1_A] = { 0xd, 1, REG_A, FEATURES_D1_A, 0 },
    [CPU_X1_C] = { EXTENDED + 1, 0, REG_C, FEATURES_X1_C, 0 },
    [CPU_X1_D] = { EXTENDED + 1, 0, REG_D, FEATURES_X1_D, 0 },
    [CPU_X7_D] = { EXTENDED + 7, 0, REG_D, FEATURES_X7_D, 0 },
    [CPU_X8_B] = { EXTENDED + 8, 0, REG_B, FEATURES_X8_B, 0 },
    [CPU_XA_D] = { EXTENDED + 0xa, 0, REG_D, 0, 0 },
    [CPU_X21_A] = { EXTENDED + 0x21, 0, REG_A, FEATURES_X21_A, 0 },
    [CPU_X21_C] = { EXTENDED + 0x21, 0, REG_C, FEATURES_X21_C, 0 },
};

static uint32_t allowed_features(enum cpu_word w)
{
    uint32_t allowed = words[w].allowed;

    if (w == CPU_X8_B && speculation.guest_spec_ctrl)
        allowed |= SPEC_CTRL_X8_B;
    return (cpu_info.words[w] & allowed) | words[w].emulated;
}

/* --- leaves ---------------------------------------------------------------------------------- */

static struct cpuid *find(struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    if (leaf == 4)
        return subleaf < POLICY_CACHES ? &p->cache[subleaf] : NULL;
    if (leaf == 7)
        return subleaf < POLICY_FEATURES ? &p->feature[subleaf] : NULL;
    if (leaf == 0xd)
        return subleaf < POLICY_XSTATES ? &p->xstate[subleaf] : NULL;
    if (leaf == EXTENDED + 0x1d)
        return subleaf < POLICY_CACHES ? &p->extended_cache[subleaf] : NULL;
    if (leaf < POLICY_BASIC)
        return &p->basic[leaf];
    return leaf - EXTENDED < POLICY_EXTENDED ? &p->extended[leaf - EXTENDED] : NULL;
}

const struct cpuid *cpu_policy_leaf(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    static const struct cpuid none;
    const struct cpuid *found = find((struct cpu_policy *)(uintptr_t)p, leaf, subleaf);

    if (!found || (leaf < EXTENDED ? leaf > p->basic[0].a : leaf > p->extended[0].a))
        return &none;
    return found;
}

static uint32_t *register_of(struct cpuid *leaf, enum cpuid_register reg)
{
    uint32_t *const regs[] = { &leaf->a, &leaf->b, &leaf->c, &leaf->d };

    return regs[reg];
}

bool cpu_policy_has(const struct cpu_policy *p, uint32_t feature)
{
    const struct word *w = &words[feature >> 5];
    struct cpuid leaf = *cpu_policy_leaf(p, w->leaf, w->subleaf);

    return *register_of(&leaf, w->reg) >> (feature & 31) & 1;
}

/* --- a new domain's -------------------------------------------------------------------------- */

/* Leaves that describe, and promise nothing but in the words of features. */
static const uint32_t descriptions[] = {
    0,
    1,
    2,
    EXTENDED,
    EXTENDED + 1,
    EXTENDED + 2,
    EXTENDED + 3,
    EXTENDED + 4,
    EXTENDED + 5,
    EXTENDED + 6,
    EXTENDED + 8,
    EXTENDED + 0x19,
    EXTENDED + 0x1a,
};

/* What is in them is the machine's. */
static void copy_descriptions(struct cpu_policy *p)
{
    for (uint32_t i = 0; i < array_size(descriptions); i++) {
        uint32_t leaf = descriptions[i];

        if (leaf <= (leaf < EXTENDED ? cpu_info.max_leaf : cpu_info.max_extended))
            *find(p, leaf, 0) = cpuid(leaf, 0);
    }
    for (uint32_t i = 0; i < POLICY_CACHES - 1; i++) {
        if (cpu_info.vendor == VENDOR_INTEL)
            p->cache[i] = cpuid(4, i);
        else if (cpu_info.max_extended >= EXTENDED + 0x1d && cpu_has(CPU_TOPOEXT))
            p->extended_cache[i] = cpuid(EXTENDED + 0x1d, i);
        /* Which logical processors share it is the guest's topology, where none share. */
        p->cache[i].a &= 0x3ffu;
        p->extended_cache[i].a &= 0x3ffu;
    }
}

static void set_features(struct cpu_policy *p)
{
    for (unsigned int w = 0; w < CPU_WORDS; w++)
        if (words[w].allowed)
            *register_of(find(p, words[w].leaf, words[w].subleaf), words[w].reg) =
                allowed_features((enum cpu_word)w);
}

#define FEATURE_LEAF_ARAT B(2) /* 6.EAX: the APIC's timer runs always */

void cpu_policy_default(struct cpu_policy *p)
{
    *p = (struct cpu_policy){ 0 };
    copy_descriptions(p);
    set_features(p);
    p->basic[0].a = POLICY_BASIC - 1;
    p->basic[6].a = FEATURE_LEAF_ARAT;
    p->feature[0].a = POLICY_FEATURES - 1;
    p->extended[0].a = min(cpu_info.max_extended, EXTENDED + POLICY_EXTENDED - 1);
    p->extended[7].a = p->extended[7].b = p->extended[7].c = 0;
    p->extended[8].a = min(cpu_info.physical_bits, 48u) | 48u << 8;
    p->extended[8].c = p->extended[8].d = 0;
    p->extended[0xa] = (struct cpuid){ 0 };
    for (uint32_t i = 2; i < POLICY_XSTATES; i++)
        if (fpu_features() >> i & 1)
            p->xstate[i] = cpuid(0xd, i);
    cpu_policy_settle(p);
}

/* --- what follows ---------------------------------------------------------------------------- */

/* A feature without which another one means nothing: first takes second with it. */
static const struct {
    uint32_t needs, feature; /* enum cpu_feature, or any CPU_FEATURE() */
} dependencies[] = {
    { CPU_XSAVE, CPU_FEATURE(CPU_1_C, 28) },                /* AVX */
    { CPU_FEATURE(CPU_1_C, 28), CPU_FEATURE(CPU_1_C, 12) }, /* FMA */
    { CPU_FEATURE(CPU_1_C, 28), CPU_FEATURE(CPU_1_C, 29) }, /* F16C */
    { CPU_FEATURE(CPU_1_C, 28), CPU_FEATURE(CPU_7_B, 5) },  /* AVX2 */
    { CPU_FEATURE(CPU_7_B, 5), CPU_FEATURE(CPU_7_B, 16) },  /* AVX512F */
    { CPU_XSAVE, CPU_FEATURE(CPU_7_C, 3) },                 /* PKU */
    { CPU_LONG_MODE, CPU_FEATURE(CPU_1_C, 17) },            /* PCID */
    { CPU_FEATURE(CPU_1_C, 17), CPU_FEATURE(CPU_7_B, 10) }, /* INVPCID */
    { CPU_LONG_MODE, CPU_PAGE_1G },
};

static void turn_off(struct cpu_policy *p, uint32_t feature)
{
    const struct word *w = &words[feature >> 5];

    *register_of(find(p, w->leaf, w->subleaf), w->reg) &= ~(1u << (feature & 31));
}

/* A bit that may be set if the feature is there; CPU_WORDS << 5: always. */
#define ALWAYS ((uint32_t)CPU_WORDS << 5)

struct gate {
    uint64_t bit;
    uint32_t feature; /* enum cpu_feature, or any CPU_FEATURE() */
};

static const struct gate cr4_gates[] = {
    { CR4_VME | CR4_PVI, CPU_FEATURE(CPU_1_D, 1) },
    { CR4_TSD | CR4_MCE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT, ALWAYS },
    { CR4_DE, CPU_FEATURE(CPU_1_D, 2) },
    { CR4_PSE, CPU_FEATURE(CPU_1_D, 3) },
    { CR4_PAE, CPU_FEATURE(CPU_1_D, 6) },
    { CR4_PGE, CPU_FEATURE(CPU_1_D, 13) },
    { CR4_UMIP, CPU_UMIP },
    { CR4_FSGSBASE, CPU_FEATURE(CPU_7_B, 0) },
    { CR4_PCIDE, CPU_FEATURE(CPU_1_C, 17) },
    { CR4_OSXSAVE, CPU_XSAVE },
    { CR4_SMEP, CPU_SMEP },
    { CR4_SMAP, CPU_SMAP },
    { CR4_PKE, CPU_FEATURE(CPU_7_C, 3) },
};

static const struct gate efer_gates[] = {
    { EFER_SCE, CPU_FEATURE(CPU_X1_D, 11) },   { EFER_LME, CPU_LONG_MODE },    { EFER_NXE, CPU_NX },
    { EFER_FFXSR, CPU_FEATURE(CPU_X1_D, 25) }, { EFER_AIBRSE, CPU_AUTO_IBRS },
};

static const struct gate xcr0_gates[] = {
    { XCR0_X87 | XCR0_SSE, CPU_XSAVE },
    { XCR0_AVX, CPU_FEATURE(CPU_1_C, 28) },
    { XCR0_AVX512, CPU_FEATURE(CPU_7_B, 16) },
    { XCR0_PKRU, CPU_FEATURE(CPU_7_C, 3) },
};

static uint64_t open_gates(const struct cpu_policy *p, const struct gate *gates, uint32_t nr)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < nr; i++)
        if (gates[i].feature == ALWAYS || cpu_policy_has(p, gates[i].feature))
            bits |= gates[i].bit;
    return bits;
}

void cpu_policy_settle(struct cpu_policy *p)
{
    for (uint32_t i = 0; i < array_size(dependencies); i++)
        if (!cpu_policy_has(p, dependencies[i].needs))
            turn_off(p, dependencies[i].feature);
    p->cr4 = open_gates(p, cr4_gates, array_size(cr4_gates));
    p->efer = open_gates(p, efer_gates, array_size(efer_gates));
    p->xcr0 = open_gates(p, xcr0_gates, array_size(xcr0_gates)) & fpu_features();
    p->xstate[0].a = (uint32_t)p->xcr0;
    p->xstate[0].d = (uint32_t)(p->xcr0 >> 32);
    p->xstate[0].c = fpu_area_bytes(p->xcr0);
}

/* --- a toolstack's --------------------------------------------------------------------------- */

static void put(xen_cpuid_leaf_t *leaves, uint32_t room, uint32_t *nr, uint32_t leaf,
                uint32_t subleaf, const struct cpuid *c)
{
    if (*nr < room)
        leaves[*nr] = (xen_cpuid_leaf_t){ leaf, subleaf, c->a, c->b, c->c, c->d };
    ++*nr;
}

static void put_subleaves(xen_cpuid_leaf_t *leaves, uint32_t room, uint32_t *nr, uint32_t leaf,
                          const struct cpuid *c, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        put(leaves, room, nr, leaf, i, &c[i]);
}

/*
 * As libraries of Xen's toolstack write it themselves: they take the number of leaves that they
 * read for the room that there is for what they made of them.
 */
uint32_t cpu_policy_get(const struct cpu_policy *p, xen_cpuid_leaf_t *leaves, uint32_t room)
{
    static const struct cpuid none;
    uint32_t nr = 0;

    for (uint32_t i = 0; i < POLICY_BASIC; i++) {
        if (i == 4)
            put_subleaves(leaves, room, &nr, i, p->cache, POLICY_CACHES);
        else if (i == 7)
            put_subleaves(leaves, room, &nr, i, p->feature, POLICY_FEATURES);
        else if (i == 0xb) /* the vCPU's place: filled in as it asks */
            put_subleaves(leaves, room, &nr, i, &p->basic[i], 1);
        else if (i == 0xd)
            put_subleaves(leaves, room, &nr, i, p->xstate, POLICY_XSTATES);
        else
            put(leaves, room, &nr, i, XEN_CPUID_NO_SUBLEAF, &p->basic[i]);
    }
    /* How many leaves hypervisors' interfaces have; 0: Hospes' choice. */
    put(leaves, room, &nr, 0x40000000, XEN_CPUID_NO_SUBLEAF, &none);
    put(leaves, room, &nr, 0x40000100, XEN_CPUID_NO_SUBLEAF, &none);
    for (uint32_t i = 0; i < POLICY_EXTENDED && EXTENDED + i <= p->extended[0].a; i++)
        put(leaves, room, &nr, EXTENDED + i, XEN_CPUID_NO_SUBLEAF,
            i == 0x1d ? &p->extended_cache[0] : &p->extended[i]);
    return nr;
}

static bool is_description(uint32_t leaf)
{
    for (uint32_t i = 0; i < array_size(descriptions); i++)
        if (leaf == descriptions[i])
            return true;
    return leaf == 4 || leaf == EXTENDED + 0x1d;
}

/* Of description a toolstack may say what it likes; of features, less. */
static void take(const xen_cpuid_leaf_t *l, uint32_t subleaf, struct cpuid *to)
{
    struct cpuid value = { l->a, l->b, l->c, l->d };
    struct cpuid result = is_description(l->leaf) ? value : *to;

    for (unsigned int w = 0; w < CPU_WORDS; w++)
        if (words[w].leaf == l->leaf && words[w].subleaf == subleaf)
            *register_of(&result, words[w].reg) =
                *register_of(&value, words[w].reg) & allowed_features((enum cpu_word)w);
    if (l->leaf == 0)
        result.a = min(result.a, POLICY_BASIC - 1);
    if (l->leaf == EXTENDED)
        result.a = min(result.a, EXTENDED + POLICY_EXTENDED - 1);
    *to = result;
}

int cpu_policy_set(struct cpu_policy *p, const xen_cpuid_leaf_t *leaf)
{
    uint32_t subleaf = leaf->subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : leaf->subleaf;
    struct cpuid *to = find(p, leaf->leaf, subleaf);

    if (!to)
        return -EINVAL;
    take(leaf, subleaf, to);
    return 0;
}
