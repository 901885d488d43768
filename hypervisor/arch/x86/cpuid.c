/* SPDX-License-Identifier: MIT */
/*
 * CPUID as a vCPU gets it: its domain's policy, with what depends on the vCPU filled in, and the
 * leaves by which a guest finds out that this is Xen's ABI (<xen/arch-x86/cpuid.h>).
 *
 * Topology: each vCPU is a core of one package, with an APIC number of twice its own.
 */
#include <asm/clock.h>
#include <asm/cpu_policy.h>
#include <asm/cpuid.h>
#include <asm/exit.h>
#include <asm/fpu.h>
#include <asm/hvm.h>
#include <asm/hypercall_page.h>
#include <hospes/abi.h>
#include <hospes/cmdline.h>
#include <hospes/domain.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>
#include <xen/arch-x86/cpuid.h>

#define EXTENDED  0x80000000u
#define XEN_LEAF  XEN_CPUID_FIRST_LEAF
#define XEN_LAST  4u /* 0x40000004: what guests under hardware virtualization have */
#define LEAF_SMT  1u /* levels of leaf 0xb */
#define LEAF_CORE 2u

#define LEAF1_OSXSAVE (1u << 27)
#define LEAF1_HTT     (1u << 28)
#define LEAF7_OSPKE   (1u << 4)
#define CMP_LEGACY    (1u << 1)

/* Bits of an APIC number that tell cores of a package apart, the lowest one being a thread's. */
static uint32_t apic_bits(const struct domain *d)
{
    return log2_ceil(2ull * d->max_vcpus);
}

static void topology(const struct vcpu *v, uint32_t subleaf, struct cpuid *r)
{
    *r = (struct cpuid){ .c = subleaf & 0xff, .d = vlapic_id(v) };
    if (subleaf == 0) {
        r->a = 1;
        r->b = 1;
        r->c |= LEAF_SMT << 8;
    } else if (subleaf == 1) {
        r->a = apic_bits(v->domain);
        r->b = v->domain->max_vcpus;
        r->c |= LEAF_CORE << 8;
    }
}

static void xstate(const struct vcpu *v, uint32_t subleaf, struct cpuid *r)
{
    if (subleaf == 0 || subleaf == 1)
        r->b = fpu_area_bytes(v->arch.xcr0);
}

static void basic(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
    switch (leaf) {
    case 1:
        r->b = (r->b & 0x0000ff00u) | vlapic_id(v) << 24;
        r->b |= min(2 * v->domain->max_vcpus, 255u) << 16;
        r->c |= v->arch.cr4 & CR4_OSXSAVE ? LEAF1_OSXSAVE : 0;
        r->d |= v->domain->max_vcpus > 1 ? LEAF1_HTT : 0;
        break;
    case 7:
        r->c |= subleaf == 0 && v->arch.cr4 & CR4_PKE ? LEAF7_OSPKE : 0;
        break;
    case 0xb:
        topology(v, subleaf, r);
        break;
    case 0xd:
        xstate(v, subleaf, r);
        break;
    default:
        break;
    }
}

static void extended(const struct vcpu *v, uint32_t leaf, struct cpuid *r)
{
    switch (leaf) {
    case EXTENDED + 1:
        r->c |= v->domain->max_vcpus > 1 ? CMP_LEGACY : 0;
        break;
    case EXTENDED + 8:
        r->c = apic_bits(v->domain) << 12 | min(2 * v->domain->max_vcpus - 1, 255u);
        break;
    case EXTENDED + 0x1e:
        *r = (struct cpuid){ .a = vlapic_id(v), .b = v->id & 0xff };
        break;
    default:
        break;
    }
}

static void tsc(const struct domain *d, uint32_t subleaf, struct cpuid *r)
{
    if (subleaf == 0) {
        r->a = cpu_has(CPU_TSC_INVARIANT) ? XEN_CPUID_HOST_TSC_RELIABLE : 0;
        r->a |= cpu_has(CPU_RDTSCP) ? XEN_CPUID_RDTSCP_INSTR_AVAIL : 0;
        r->c = (uint32_t)clock_tsc_khz;
    } else if (subleaf == 1) {
        r->a = (uint32_t)d->arch.tsc_offset;
        r->b = (uint32_t)((uint64_t)d->arch.tsc_offset >> 32);
        r->c = clock_scale.mul;
        r->d = (uint32_t)clock_scale.shift;
    } else if (subleaf == 2) {
        r->a = (uint32_t)clock_tsc_khz;
    }
}

static void xen_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
    *r = (struct cpuid){ 0 };
    switch (leaf) {
    case XEN_CPUID_LEAF(0):
        *r = (struct cpuid){ XEN_CPUID_LEAF(XEN_LAST), XEN_CPUID_SIGNATURE_EBX,
                             XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX };
        break;
    case XEN_CPUID_LEAF(1):
        r->a = ABI_MAJOR << 16 | options.xen_minor;
        break;
    case XEN_CPUID_LEAF(2):
        r->a = 1;
        r->b = HYPERCALL_PAGE_MSR;
        break;
    case XEN_CPUID_LEAF(3):
        tsc(v->domain, subleaf, r);
        break;
    case XEN_CPUID_LEAF(4):
        if (subleaf == 0) {
            r->a = XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT |
                   XEN_HVM_CPUID_UPCALL_VECTOR;
            r->b = v->id;
            r->c = v->domain->id;
        }
        break;
    default:
        break;
    }
}

void cpuid_answer(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid *r)
{
    if (leaf - XEN_LEAF < 0x100) {
        xen_leaf(v, leaf, subleaf, r);
        return;
    }
    *r = *cpu_policy_leaf(v->domain->arch.policy, leaf, subleaf);
    if (leaf >= EXTENDED)
        extended(v, leaf, r);
    else
        basic(v, leaf, subleaf, r);
}

enum exit_action exit_cpuid(struct vcpu *v)
{
    struct cpuid r;

    cpuid_answer(v, (uint32_t)v->regs.rax, (uint32_t)v->regs.rcx, &r);
    v->regs.rax = r.a;
    v->regs.rbx = r.b;
    v->regs.rcx = r.c;
    v->regs.rdx = r.d;
    return EXIT_STEP;
}
