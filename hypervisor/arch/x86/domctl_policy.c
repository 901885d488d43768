/* SPDX-License-Identifier: MIT */
/*
 * What CPUID tells a domain, as a toolstack reads and changes it: get_cpu_policy, set_cpu_policy
 * and get_cpu_featureset of <xen/domctl.h> and <xen/sysctl.h>. The two MSRs of Xen's policies are
 * in them, and are 0: guests have neither.
 */
#include "domctl_internal.h"

#include <asm/cpu_policy.h>
#include <asm/msr.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

/* The most that libraries of Xen's releases write; they size their buffers by it. */
#define LEAVES_MAX 192u

/* Hypervisors' own leaves, which are not a domain's choice: toolstacks pass them on. */
#define is_hypervisors(leaf) ((leaf) - 0x40000000u < 0x1000u)

static const uint32_t msrs[] = { MSR_PLATFORM_INFO, MSR_ARCH_CAPS };

static int write_leaves(struct vcpu *v, const struct cpu_policy *p, uint64_t to, bool count,
                        uint32_t *nr)
{
    xen_cpuid_leaf_t *leaves;
    uint32_t had = *nr;
    int rc = 0;

    *nr = LEAVES_MAX;
    if (count)
        return 0;
    leaves = heap_calloc(POLICY_LEAVES, sizeof(*leaves));
    if (!leaves)
        return -ENOMEM;
    *nr = cpu_policy_get(p, leaves, POLICY_LEAVES);
    if (*nr > had)
        rc = -ENOBUFS;
    else if (guest_write(v, to, leaves, *nr * sizeof(*leaves)))
        rc = -EFAULT;
    heap_free(leaves);
    return rc;
}

static int write_msrs(struct vcpu *v, uint64_t to, bool count, uint32_t *nr)
{
    uint32_t had = *nr;

    *nr = array_size(msrs);
    if (count)
        return 0;
    if (had < *nr)
        return -ENOBUFS;
    for (uint32_t i = 0; i < array_size(msrs); i++) {
        xen_msr_entry_t entry = { .idx = msrs[i] };

        if (guest_write(v, to + i * sizeof(entry), &entry, sizeof(entry)))
            return -EFAULT;
    }
    return 0;
}

int64_t domctl_get_cpu_policy(struct domctl *c)
{
    struct xen_domctl_cpu_policy *op = &c->op->u.cpu_policy;
    int rc = write_leaves(c->caller, c->d->arch.policy, guest_address(op->leaves),
                          guest_handle_is_null(op->leaves), &op->nr_leaves);

    return rc ? rc
              : write_msrs(c->caller, guest_address(op->msrs), guest_handle_is_null(op->msrs),
                           &op->nr_msrs);
}

/* Reads and takes leaf by leaf, into a copy. */
static int take_leaves(struct vcpu *v, struct xen_domctl_cpu_policy *op, struct cpu_policy *p)
{
    for (uint32_t i = 0; i < op->nr_leaves; i++) {
        xen_cpuid_leaf_t leaf;

        if (guest_read(v, &leaf, guest_element(op->leaves, i), sizeof(leaf)))
            return -EFAULT;
        if (is_hypervisors(leaf.leaf) || !cpu_policy_set(p, &leaf))
            continue;
        /* One that is not told to guests may be anything that says nothing. */
        if (leaf.a || leaf.b || leaf.c || leaf.d) {
            op->err_leaf = leaf.leaf;
            op->err_subleaf = leaf.subleaf;
            return -EINVAL;
        }
    }
    return 0;
}

static bool is_policy_msr(const xen_msr_entry_t *entry)
{
    for (uint32_t i = 0; i < array_size(msrs); i++)
        if (entry->idx == msrs[i])
            return !entry->flags && !entry->val;
    return false;
}

static int take_msrs(struct vcpu *v, struct xen_domctl_cpu_policy *op)
{
    for (uint32_t i = 0; i < op->nr_msrs; i++) {
        xen_msr_entry_t entry;

        if (guest_read(v, &entry, guest_element(op->msrs, i), sizeof(entry)))
            return -EFAULT;
        if (!is_policy_msr(&entry)) {
            op->err_msr = entry.idx;
            return -EINVAL;
        }
    }
    return 0;
}

/* Only before it has run: guests do not expect their processors to change. */
static bool is_new(const struct domain *d)
{
    const struct vcpu *v;
    uint32_t i;

    domain_for_each_vcpu (d, v, i)
        if (read_once(v->initialised))
            return false;
    return true;
}

static int set_policy(const struct domctl *c, struct xen_domctl_cpu_policy *op)
{
    struct cpu_policy *p;
    int rc;

    if (op->nr_leaves > LEAVES_MAX || op->nr_msrs > array_size(msrs))
        return -E2BIG;
    p = heap_alloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    *p = *c->d->arch.policy;
    rc = take_leaves(c->caller, op, p);
    if (!rc)
        rc = take_msrs(c->caller, op);
    if (!rc) {
        cpu_policy_settle(p);
        spin_lock(&c->d->lock);
        if (is_new(c->d))
            *c->d->arch.policy = *p;
        else
            rc = -EEXIST;
        spin_unlock(&c->d->lock);
    }
    heap_free(p);
    return rc;
}

int64_t domctl_set_cpu_policy(struct domctl *c)
{
    struct xen_domctl_cpu_policy *op = &c->op->u.cpu_policy;
    int rc;

    if (c->d == c->caller->domain)
        return -EINVAL;
    op->err_leaf = op->err_subleaf = op->err_msr = UINT32_MAX;
    rc = set_policy(c, op);
    /* Which leaf or MSR it was: results of what fails are written here alone. */
    if (rc && guest_write(c->caller, c->address, c->op, sizeof(*c->op)))
        rc = -EFAULT;
    return rc;
}

/* --- the machine's ---------------------------------------------------------------------------- */

/* All that this machine and Hospes give: the maximum is the default, and guests are all of one
 * kind.
 */
int64_t sysctl_get_cpu_policy(struct sysctl *s)
{
    struct xen_sysctl_cpu_policy *op = &s->op->u.cpu_policy;
    struct cpu_policy *p;
    int rc;

    if (op->_rsvd || op->index > XEN_SYSCTL_cpu_policy_hvm_default)
        return -EINVAL;
    if (op->index == XEN_SYSCTL_cpu_policy_pv_max || op->index == XEN_SYSCTL_cpu_policy_pv_default)
        return -EOPNOTSUPP;
    p = heap_alloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    cpu_policy_default(p);
    rc = write_leaves(s->caller, p, guest_address(op->leaves), guest_handle_is_null(op->leaves),
                      &op->nr_leaves);
    heap_free(p);
    return rc ? rc
              : write_msrs(s->caller, guest_address(op->msrs), guest_handle_is_null(op->msrs),
                           &op->nr_msrs);
}

/* MSR_ARCH_CAPS, which guests have not got. */
#define NO_LEAF 0x50000000u

/* Words of features in the order of <xen/arch-x86/cpufeatureset.h>. */
static const struct {
    uint32_t leaf, subleaf;
    uint8_t reg; /* 0: EAX ... 3: EDX */
} words[] = {
    { 1, 0, 3 }, { 1, 0, 2 },          { 0x80000001, 0, 3 }, { 0x80000001, 0, 2 }, { 0xd, 1, 0 },
    { 7, 0, 1 }, { 7, 0, 2 },          { 0x80000007, 0, 3 }, { 0x80000008, 0, 1 }, { 7, 0, 3 },
    { 7, 1, 0 }, { 0x80000021, 0, 0 }, { 7, 1, 1 },          { 7, 2, 3 },          { 7, 1, 2 },
    { 7, 1, 3 }, { NO_LEAF, 0, 0 },    { NO_LEAF, 0, 0 },    { 0x80000021, 0, 2 },
};

#define WORDS (sizeof(words) / sizeof(words[0]))

static uint32_t word_of(const struct cpu_policy *p, uint32_t i)
{
    const struct cpuid *leaf = cpu_policy_leaf(p, words[i].leaf, words[i].subleaf);
    const uint32_t regs[] = { leaf->a, leaf->b, leaf->c, leaf->d };

    return regs[words[i].reg];
}

static int write_words(struct sysctl *s, uint32_t nr)
{
    uint32_t out[WORDS] = { 0 };
    struct cpu_policy *p = heap_alloc(sizeof(*p));

    if (!p)
        return -ENOMEM;
    cpu_policy_default(p);
    for (uint32_t i = 0; i < WORDS; i++)
        out[i] = word_of(p, i);
    heap_free(p);
    return guest_write(s->caller, guest_address(s->op->u.cpu_featureset.features), out,
                       nr * sizeof(out[0]));
}

int64_t sysctl_get_cpu_featureset(struct sysctl *s)
{
    struct xen_sysctl_cpu_featureset *op = &s->op->u.cpu_featureset;
    uint32_t nr = min(op->nr_features, (uint32_t)(WORDS));
    bool short_of = op->nr_features < WORDS;
    int rc;

    if (op->index > XEN_SYSCTL_cpu_featureset_hvm_max)
        return -EINVAL;
    if (op->index == XEN_SYSCTL_cpu_featureset_pv || op->index == XEN_SYSCTL_cpu_featureset_pv_max)
        return -EOPNOTSUPP;
    op->nr_features = WORDS;
    if (guest_handle_is_null(op->features))
        return 0;
    rc = write_words(s, nr);
    op->nr_features = nr;
    return rc ? rc : short_of ? -ENOBUFS : 0;
}
