/* SPDX-License-Identifier: MIT */
/* The switch of x87, SSE, AVX ... registers, and XCR0; <asm/fpu.h>. */
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <asm/exit.h>
#include <asm/fpu.h>
#include <asm/hvm.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/pcpu.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <string.h>

#define CPUID_XSAVE  0xdu
#define AREA_LEGACY  512u
#define AREA_HEADER  64u
#define AT_FCW       0u
#define AT_MXCSR     24u
#define FCW_RESET    0x37fu
#define MXCSR_RESET  0x1f80u
#define AT_ST        32u
#define AT_XMM       160u
#define AT_XSTATE_BV 512u

#define SUPPORTED (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

static uint64_t features = XCR0_X87 | XCR0_SSE; /* constant after boot, as is: */
static uint32_t state_bytes = AREA_LEGACY;

static void xsetbv(uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

void fpu_cpu_init(void)
{
    struct cpuid leaf;

    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    if (!cpu_has(CPU_XSAVE))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    leaf = cpuid(CPUID_XSAVE, 0);
    if (this_pcpu()->id == 0) {
        features = (leaf.a | (uint64_t)leaf.d << 32) & SUPPORTED;
        if (!fpu_is_xcr0(features, SUPPORTED))
            features &= ~(XCR0_AVX512 | XCR0_AVX);
        state_bytes = fpu_area_bytes(features);
    }
    xsetbv(features);
}

uint64_t fpu_features(void)
{
    return features;
}

uint32_t fpu_state_bytes(void)
{
    return state_bytes;
}

uint32_t fpu_area_bytes(uint64_t xcr0)
{
    uint32_t bytes = AREA_LEGACY + AREA_HEADER;

    for (unsigned int i = 2; i < 63; i++)
        if (xcr0 >> i & 1) {
            struct cpuid leaf = cpuid(CPUID_XSAVE, i);

            bytes = max(bytes, leaf.a + leaf.b);
        }
    return bytes;
}

int fpu_vcpu_init(struct vcpu *v)
{
    v->arch.xstate = heap_alloc(state_bytes);
    return v->arch.xstate ? 0 : -ENOMEM;
}

void fpu_vcpu_destroy(struct vcpu *v)
{
    heap_free(v->arch.xstate);
}

void fpu_vcpu_reset(struct vcpu *v)
{
    uint8_t *area = v->arch.xstate;

    memset(area, 0, state_bytes);
    *(uint16_t *)(void *)(area + AT_FCW) = FCW_RESET;
    *(uint32_t *)(void *)(area + AT_MXCSR) = MXCSR_RESET;
    v->arch.xcr0 = XCR0_X87;
}

/*
 * Says in the area that x87 is in its initial state, if it is: XRSTOR then makes that state instead
 * of loading it. Processors do so by themselves, and QEMU does not: whenever any of its CPUs loads
 * x87, it changes a word of the first CPU's state without a lock. Bits in there that the first CPU
 * changes at that moment are lost, and one is whether pages are nested: a guest then runs without
 * nested page tables, or the hypervisor with them. (QEMU 10.0, cpu_clear_ignne() of its
 * target/i386. What a guest loads by itself does it as well.)
 */
static void mark_initial_x87(uint8_t *area)
{
    const uint64_t *word = (const uint64_t *)(const void *)area;
    uint64_t *in_use = (uint64_t *)(void *)(area + AT_XSTATE_BV);
    uint64_t other = (word[0] ^ FCW_RESET) | word[1] | word[2];

    if (!(*in_use & XCR0_X87))
        return;
    for (unsigned int i = AT_ST / 8; i < AT_XMM / 8; i++)
        other |= word[i];
    if (!other)
        *in_use &= ~XCR0_X87;
}

/* A guest's XCR0 may leave out what it had in use before. */
void fpu_save(struct vcpu *v)
{
    uint8_t *area = v->arch.xstate;

    if (!cpu_has(CPU_XSAVE)) {
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
        return;
    }
    if (v->arch.xcr0 != features)
        xsetbv(features);
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(UINT32_MAX), "d"(UINT32_MAX) : "memory");
    mark_initial_x87(area);
}

void fpu_load(struct vcpu *v)
{
    const uint8_t *area = v->arch.xstate;

    if (!cpu_has(CPU_XSAVE)) {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
        return;
    }
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(UINT32_MAX), "d"(UINT32_MAX) : "memory");
    if (v->arch.xcr0 != features)
        xsetbv(v->arch.xcr0);
}

bool fpu_is_xcr0(uint64_t value, uint64_t allowed)
{
    if (!(value & XCR0_X87) || value & ~allowed)
        return false;
    if (value & XCR0_AVX && !(value & XCR0_SSE))
        return false;
    return !(value & XCR0_AVX512) || ((value & XCR0_AVX512) == XCR0_AVX512 && value & XCR0_AVX);
}

enum exit_action exit_xsetbv(struct vcpu *v)
{
    uint64_t value = (uint32_t)v->regs.rax | v->regs.rdx << 32;

    if (!(v->arch.cr4 & CR4_OSXSAVE))
        return EXIT_UNDEF;
    if (hvm_ops->cpl(v) || (uint32_t)v->regs.rcx ||
        !fpu_is_xcr0(value, cpu_policy_xcr0(v->domain->arch.policy)))
        return EXIT_FAULT;
    v->arch.xcr0 = value;
    xsetbv(value);
    return EXIT_STEP;
}
