/* SPDX-License-Identifier: MIT */
/* Where vCPUs may run, and how much, of <xen/domctl.h>. */
#include "domctl_internal.h"
#include "sysctl_internal.h"

#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/heap.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/sched_cap.h>
#include <hospes/vcpu.h>
#include <lib/bitmap.h>
#include <lib/bits.h>

/* --- bitmaps in guests' memory ---------------------------------------------------------------- */

/* A caller's map may be longer or shorter than ours: what is beyond either's end is 0. */
static int read_bits(struct vcpu *v, const struct xenctl_bitmap *from, unsigned long *to)
{
    uint8_t bytes[SCHED_MAX_PCPUS / 8] = { 0 };
    uint32_t nr = min(from->nr_bits, (uint32_t)SCHED_MAX_PCPUS);

    if (nr && guest_read(v, bytes, guest_address(from->bitmap), div_round_up(nr, 8)))
        return -EFAULT;
    bitmap_zero(to, SCHED_MAX_PCPUS);
    for (uint32_t i = 0; i < nr; i++)
        if (bytes[i / 8] >> i % 8 & 1)
            bitmap_set(to, i);
    return 0;
}

/* No machine has more CPUs; what is written at once has an end. */
#define MAP_BITS_MAX 65536u

int sysctl_write_bits(struct vcpu *v, const struct xenctl_bitmap *to, const unsigned long *from,
                      uint32_t nr)
{
    uint8_t bytes[SCHED_MAX_PCPUS / 8] = { 0 };
    uint64_t room = div_round_up((uint64_t)to->nr_bits, 8), done, n = min(room, sizeof(bytes));
    uint64_t address = guest_address(to->bitmap);

    if (to->nr_bits > MAP_BITS_MAX)
        return -E2BIG;
    for (uint32_t i = 0; i < min(nr, to->nr_bits); i++)
        if (bitmap_test(from, i))
            bytes[i / 8] |= (uint8_t)(1u << i % 8);
    if (n && guest_write(v, address, bytes, n))
        return -EFAULT;
    for (done = n; done < room; done += n) {
        static const uint8_t zeroes[64];

        n = min(room - done, sizeof(zeroes));
        if (guest_write(v, address + done, zeroes, n))
            return -EFAULT;
    }
    return 0;
}

/* --- affinity --------------------------------------------------------------------------------- */

#define AFFINITY_BOTH (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)

static int affinity_vcpu(const struct domctl *c, struct vcpu **out)
{
    const struct xen_domctl_vcpuaffinity *op = &c->op->u.vcpuaffinity;

    if (op->vcpu >= c->d->max_vcpus || !(op->flags & AFFINITY_BOTH))
        return -EINVAL;
    *out = load_acquire(c->d->vcpus[op->vcpu]);
    return *out ? 0 : -ESRCH;
}

static int set_hard(const struct domctl *c, struct vcpu *v)
{
    const struct xenctl_bitmap *map = &c->op->u.vcpuaffinity.cpumap_hard;
    DECLARE_BITMAP(cpus, SCHED_MAX_PCPUS);
    int rc = read_bits(c->caller, map, cpus);

    return rc ? rc : sched_set_affinity(&v->sched, cpus);
}

static int set_soft(const struct domctl *c, struct vcpu *v)
{
    const struct xenctl_bitmap *map = &c->op->u.vcpuaffinity.cpumap_soft;
    DECLARE_BITMAP(cpus, SCHED_MAX_PCPUS);
    int rc = read_bits(c->caller, map, cpus);

    if (rc)
        return rc;
    if (!bitmap_intersects(cpus, pcpus_online, SCHED_MAX_PCPUS))
        return -EINVAL;
    sched_set_soft_affinity(&v->sched, cpus);
    return 0;
}

/* What came of it: the pCPUs that there are. */
static int tell_effective(const struct domctl *c, struct vcpu *v)
{
    const struct xen_domctl_vcpuaffinity *op = &c->op->u.vcpuaffinity;
    DECLARE_BITMAP(hard, SCHED_MAX_PCPUS);
    DECLARE_BITMAP(soft, SCHED_MAX_PCPUS);
    int rc = 0;

    sched_get_affinity(&v->sched, hard, soft);
    bitmap_and(hard, hard, pcpus_online, SCHED_MAX_PCPUS);
    bitmap_and(soft, soft, hard, SCHED_MAX_PCPUS);
    if (op->flags & XEN_VCPUAFFINITY_HARD)
        rc = sysctl_write_bits(c->caller, &op->cpumap_hard, hard, nr_pcpus);
    if (!rc && op->flags & XEN_VCPUAFFINITY_SOFT)
        rc = sysctl_write_bits(c->caller, &op->cpumap_soft, soft, nr_pcpus);
    return rc;
}

int64_t domctl_setvcpuaffinity(struct domctl *c)
{
    uint32_t flags = c->op->u.vcpuaffinity.flags;
    struct vcpu *v;
    int rc = affinity_vcpu(c, &v);

    if (!rc && flags & XEN_VCPUAFFINITY_HARD)
        rc = set_hard(c, v);
    if (!rc && flags & XEN_VCPUAFFINITY_SOFT)
        rc = set_soft(c, v);
    return rc ? rc : tell_effective(c, v);
}

int64_t domctl_getvcpuaffinity(struct domctl *c)
{
    const struct xen_domctl_vcpuaffinity *op = &c->op->u.vcpuaffinity;
    DECLARE_BITMAP(hard, SCHED_MAX_PCPUS);
    DECLARE_BITMAP(soft, SCHED_MAX_PCPUS);
    struct vcpu *v;
    int rc = affinity_vcpu(c, &v);

    if (rc)
        return rc;
    sched_get_affinity(&v->sched, hard, soft);
    if (op->flags & XEN_VCPUAFFINITY_HARD)
        rc = sysctl_write_bits(c->caller, &op->cpumap_hard, hard, nr_pcpus);
    if (!rc && op->flags & XEN_VCPUAFFINITY_SOFT)
        rc = sysctl_write_bits(c->caller, &op->cpumap_soft, soft, nr_pcpus);
    return rc;
}

/* All memory is in node 0. */
int64_t domctl_setnodeaffinity(struct domctl *c)
{
    DECLARE_BITMAP(nodes, SCHED_MAX_PCPUS);
    int rc = read_bits(c->caller, &c->op->u.nodeaffinity.nodemap, nodes);

    if (rc)
        return rc;
    return bitmap_test(nodes, 0) ? 0 : -EINVAL;
}

int64_t domctl_getnodeaffinity(struct domctl *c)
{
    DECLARE_BITMAP(nodes, SCHED_MAX_PCPUS) = { 1 };

    return sysctl_write_bits(c->caller, &c->op->u.nodeaffinity.nodemap, nodes, 1);
}

/* --- weights and caps
 * ---------------------------------------------------------------------------------- */

static int set_weight(struct domain *d, uint32_t weight)
{
    struct vcpu *v;
    uint32_t i;
    int rc = 0;

    spin_lock(&d->lock);
    d->sched_weight = weight;
    domain_for_each_vcpu (d, v, i)
        rc |= sched_set_weight(&v->sched, weight);
    spin_unlock(&d->lock);
    return rc;
}

/* A domain has no cap until it is given one for the first time. Under d->lock. */
static int make_cap(struct domain *d)
{
    struct sched_cap *cap = heap_alloc(sizeof(*cap));
    int rc = cap ? sched_cap_init(cap, d->max_vcpus) : -ENOMEM;

    if (rc)
        heap_free(cap);
    else
        write_once(d->sched_cap, cap);
    return rc;
}

static int set_cap(struct domain *d, uint32_t percent)
{
    struct vcpu *v;
    uint32_t i;
    int rc = 0;

    spin_lock(&d->lock);
    if (!d->sched_cap && percent)
        rc = make_cap(d);
    if (!rc && d->sched_cap && d->sched_cap->percent != percent) {
        if (!d->sched_cap->percent)
            domain_for_each_vcpu (d, v, i)
                sched_unit_set_cap(&v->sched, d->sched_cap);
        sched_cap_set(d->sched_cap, percent);
        domain_for_each_vcpu (d, v, i)
            sched_unit_look(&v->sched);
    }
    spin_unlock(&d->lock);
    return rc;
}

static uint16_t get_cap(const struct domain *d)
{
    const struct sched_cap *cap = read_once(d->sched_cap);

    return cap ? (uint16_t)read_once(cap->percent) : 0;
}

static int put_credit2(struct domain *d, const struct xen_domctl_sched_credit2 *given)
{
    int rc = set_cap(d, given->cap);

    return rc || !given->weight ? rc : set_weight(d, given->weight);
}

/* As Credit2 has it: each vCPU of a domain has the domain's weight; 0 leaves it as it is.
 * The cap is all its vCPUs'; 0 takes it away. */
int64_t domctl_scheduler_op(struct domctl *c)
{
    struct xen_domctl_scheduler_op *op = &c->op->u.scheduler_op;

    if (op->sched_id != sysctl_scheduler() || op->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    switch (op->cmd) {
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return put_credit2(c->d, &op->u.credit2);
    case XEN_DOMCTL_SCHEDOP_getinfo:
        op->u.credit2.weight = (uint16_t)read_once(c->d->sched_weight);
        op->u.credit2.cap = get_cap(c->d);
        return 0;
    default:
        return -EINVAL;
    }
}
