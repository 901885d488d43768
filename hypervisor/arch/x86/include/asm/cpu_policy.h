/* SPDX-License-Identifier: MIT */
/*
 * What a domain's processors have: the leaves of CPUID, and what follows from them for control
 * registers. A new domain has all that this machine and Hospes can give; a toolstack may take some
 * away before it runs. What depends on the vCPU that asks (its number, what it has switched on) is
 * filled in as it asks: cpuid.c.
 */
#ifndef ASM_CPU_POLICY_H
#define ASM_CPU_POLICY_H

#include <asm/cpu.h>
#include <hospes/types.h>
#include <xen/arch-x86/xen.h>

#define POLICY_BASIC    0xeu  /* leaves 0 to 0xd */
#define POLICY_CACHES   5u    /* subleaves of leaves 4 and 0x8000001d */
#define POLICY_FEATURES 2u    /* of leaf 7 */
#define POLICY_XSTATES  10u   /* of leaf 0xd */
#define POLICY_EXTENDED 0x22u /* leaves 0x80000000 to 0x80000021 */

/* So many xen_cpuid_leaf_t at most. */
#define POLICY_LEAVES \
    (POLICY_BASIC + POLICY_CACHES + POLICY_FEATURES + POLICY_XSTATES + POLICY_EXTENDED + 2u)

struct cpu_policy {
    struct cpuid basic[POLICY_BASIC];
    struct cpuid cache[POLICY_CACHES], extended_cache[POLICY_CACHES];
    struct cpuid feature[POLICY_FEATURES];
    struct cpuid xstate[POLICY_XSTATES];
    struct cpuid extended[POLICY_EXTENDED];
    /* What may be set, as the leaves tell: */
    uint64_t cr4, efer, xcr0;
};

/* All that there is. Once all CPUs have started. */
void cpu_policy_default(struct cpu_policy *p);

/* The leaf, or one of zeros where there is none. */
const struct cpuid *cpu_policy_leaf(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf);

/* Leaf by leaf, for a toolstack; how many there are, of which the first `room` were written. */
uint32_t cpu_policy_get(const struct cpu_policy *p, xen_cpuid_leaf_t *leaves, uint32_t room);

/*
 * Takes a leaf from a toolstack: features that are not in the default stay off. For a domain that
 * does not run yet; cpu_policy_settle() when all have been taken. 0, or -EINVAL: no such leaf.
 */
int cpu_policy_set(struct cpu_policy *p, const xen_cpuid_leaf_t *leaf);
void cpu_policy_settle(struct cpu_policy *p);

/* `feature`: enum cpu_feature, or any CPU_FEATURE(). */
bool cpu_policy_has(const struct cpu_policy *p, uint32_t feature);

static inline uint64_t cpu_policy_cr4(const struct cpu_policy *p)
{
    return p->cr4;
}
static inline uint64_t cpu_policy_efer(const struct cpu_policy *p)
{
    return p->efer;
}
static inline uint64_t cpu_policy_xcr0(const struct cpu_policy *p)
{
    return p->xcr0;
}

#endif
