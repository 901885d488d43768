/* SPDX-License-Identifier: MIT */
/*
 * What the CPUs are, and what each is set to. AMD APM volume 3, appendix E (CPUID); volume 2, 3.1
 * (control registers); Intel SDM volume 2, CPUID.
 */
#include <asm/cpu.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include <hospes/compiler.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>

#include <string.h>

#define EXTENDED 0x80000000u

/* Write-back, write-through, uncached-, uncached; then write-protect and write-combining: as Xen
 * sets it, and guests of it find it. */
#define PAT_OURS 0x050100070406ull

struct cpu_info cpu_info;

static bool have_first;

/* What libraries find at %fs:0x28: their own guard. */
static uint64_t library_block[8];
extern uintptr_t __stack_chk_guard;

static const struct {
    uint32_t leaf, subleaf;
    uint8_t reg; /* 0..3: a..d */
} words[CPU_WORDS] = {
    [CPU_1_C] = { 1, 0, 2 },
    [CPU_1_D] = { 1, 0, 3 },
    [CPU_7_B] = { 7, 0, 1 },
    [CPU_7_C] = { 7, 0, 2 },
    [CPU_7_D] = { 7, 0, 3 },
    [CPU_71_A] = { 7, 1, 0 },
    [CPU_D1_A] = { 0xd, 1, 0 },
    [CPU_X1_C] = { EXTENDED + 1, 0, 2 },
    [CPU_X1_D] = { EXTENDED + 1, 0, 3 },
    [CPU_X7_D] = { EXTENDED + 7, 0, 3 },
    [CPU_X8_B] = { EXTENDED + 8, 0, 1 },
    [CPU_XA_D] = { EXTENDED + 0xa, 0, 3 },
    [CPU_X21_A] = { EXTENDED + 0x21, 0, 0 },
    [CPU_X21_C] = { EXTENDED + 0x21, 0, 2 },
};

static uint32_t read_word(enum cpu_word w)
{
    uint32_t leaf = words[w].leaf;
    uint32_t most = leaf < EXTENDED ? cpu_info.max_leaf : cpu_info.max_extended;
    struct cpuid r;

    if (leaf > most || (leaf == 7 && words[w].subleaf > cpuid(7, 0).a))
        return 0;
    r = cpuid(leaf, words[w].subleaf);
    switch (words[w].reg) {
    case 0:
        return r.a;
    case 1:
        return r.b;
    case 2:
        return r.c;
    default:
        return r.d;
    }
}

static void read_name(void)
{
    struct cpuid r = cpuid(0, 0);
    uint32_t name[3] = { r.b, r.d, r.c }, signature;

    cpu_info.max_leaf = r.a;
    memcpy(cpu_info.vendor_id, name, 12);
    if (!strcmp(cpu_info.vendor_id, "AuthenticAMD") || !strcmp(cpu_info.vendor_id, "HygonGenuine"))
        cpu_info.vendor = VENDOR_AMD;
    else if (!strcmp(cpu_info.vendor_id, "GenuineIntel"))
        cpu_info.vendor = VENDOR_INTEL;
    r = cpuid(EXTENDED, 0);
    cpu_info.max_extended = r.a;
    for (uint32_t i = 0; i < 3 && r.a >= EXTENDED + 4; i++) {
        struct cpuid part = cpuid(EXTENDED + 2 + i, 0);

        memcpy(&cpu_info.brand[(size_t)i * 16], &part, 16);
    }
    signature = cpuid(1, 0).a;
    cpu_info.family = signature >> 8 & 15;
    if (cpu_info.family == 15)
        cpu_info.family += signature >> 20 & 255;
    cpu_info.model = (signature >> 4 & 15) | (signature >> 12 & 0xf0);
    cpu_info.stepping = signature & 15;
}

void cpu_init_features(void)
{
    uint32_t bits;

    if (!have_first)
        read_name();
    for (uint32_t i = 0; i < CPU_WORDS; i++) {
        uint32_t word = read_word((enum cpu_word)i);

        cpu_info.words[i] = have_first ? cpu_info.words[i] & word : word;
    }
    bits = cpu_info.max_extended >= EXTENDED + 8 ? cpuid(EXTENDED + 8, 0).a & 255 : 36;
    cpu_info.physical_bits = have_first ? min(bits, cpu_info.physical_bits) : bits;
    have_first = true;
}

void cpu_reread_features(void)
{
    have_first = false;
    cpu_init_features();
}

void cpu_own_fs(void)
{
    wrmsr(MSR_FS_BASE, (uint64_t)(uintptr_t)library_block);
}

void cpu_init_control(void)
{
    uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    if (cpu_has(CPU_SMEP))
        cr4 |= CR4_SMEP;
    if (cpu_has(CPU_SMAP))
        cr4 |= CR4_SMAP;
    if (cpu_has(CPU_UMIP))
        cr4 |= CR4_UMIP;
    if (cpu_has(CPU_XSAVE))
        cr4 |= CR4_OSXSAVE;
    write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    write_cr4(cr4);
    wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA | EFER_SVME)) | EFER_NXE);
    wrmsr(MSR_PAT, PAT_OURS);
    library_block[5] = __stack_chk_guard;
    library_block[0] = (uint64_t)(uintptr_t)library_block;
    cpu_own_fs();
}

bool cpu_random(uint64_t *number)
{
    uint8_t ok = 0;

    for (unsigned int i = 0; i < 10 && !ok; i++) {
        if (cpu_has(CPU_RDSEED))
            __asm__ volatile("rdseed %0\n\tsetc %1" : "=r"(*number), "=q"(ok) : : "cc");
        else if (cpu_has(CPU_RDRAND))
            __asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(*number), "=q"(ok) : : "cc");
        if (!ok)
            __asm__ volatile("pause");
    }
    return ok;
}

void cpu_report(void)
{
    const char *brand = cpu_info.brand;

    while (*brand == ' ')
        brand++;
    log_info("CPU: %s (%s, family %#x, model %#x, stepping %u)", *brand ? brand : "unnamed",
             cpu_info.vendor_id, cpu_info.family, cpu_info.model, cpu_info.stepping);
    log_debug("CPU: %u bits of machine address;%s%s%s%s%s%s", cpu_info.physical_bits,
              cpu_has(CPU_SMEP) ? " SMEP" : "", cpu_has(CPU_SMAP) ? " SMAP" : "",
              cpu_has(CPU_UMIP) ? " UMIP" : "", cpu_has(CPU_PAGE_1G) ? " 1G-pages" : "",
              cpu_has(CPU_X2APIC) ? " x2APIC" : "",
              cpu_has(CPU_TSC_INVARIANT) ? " invariant-TSC" : "");
}
