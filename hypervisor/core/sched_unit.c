/* SPDX-License-Identifier: MIT */
/* Units of the scheduler: made, set up, and destroyed. <hospes/sched.h> */
#include "sched_internal.h"

#include <hospes/errno.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/sched_policy.h>

static void set_weight(struct sched_unit *u, uint32_t weight)
{
    u->weight = weight;
    u->inv_weight = ((uint64_t)SCHED_WEIGHT_DEFAULT << 32) / weight;
}

static void find_preferred(struct sched_unit *u)
{
    bitmap_and(u->preferred, u->affinity, u->soft_affinity, SCHED_MAX_PCPUS);
    if (!bitmap_intersects(u->preferred, pcpus_online, SCHED_MAX_PCPUS))
        bitmap_copy(u->preferred, u->affinity, SCHED_MAX_PCPUS);
}

static void set_affinity(struct sched_unit *u, const unsigned long *affinity)
{
    bitmap_copy(u->affinity, affinity, SCHED_MAX_PCPUS);
    find_preferred(u);
    u->movable = u->home == NULL && bitmap_weight(affinity, nr_pcpus) > 1;
}

int sched_unit_init(struct sched_unit *u, bool is_vcpu)
{
    DECLARE_BITMAP(all, SCHED_MAX_PCPUS);
    int err;

    bitmap_fill(all, SCHED_MAX_PCPUS);
    *u = (struct sched_unit){
        .is_vcpu = is_vcpu,
        .state_since_ns = clock_ns(),
        .since_ns = clock_ns(),
        .counted_as = is_vcpu ? SCHED_TIME_OFF : SCHED_TIME_BLOCKED,
        .off = is_vcpu,
    };
    bitmap_copy(u->affinity, all, SCHED_MAX_PCPUS);
    bitmap_copy(u->soft_affinity, all, SCHED_MAX_PCPUS);
    set_weight(u, SCHED_WEIGHT_DEFAULT);
    err = sched_policy->attach(u);
    if (err != 0)
        return err;
    set_affinity(u, all);
    return 0;
}

void sched_unit_destroy(struct sched_unit *u)
{
    struct pcpu *p = sched_lock_unit(u);

    assert(u->state == SCHED_BLOCKED && !u->held);
    spin_unlock(&p->sched.lock);
    sched_policy->detach(u);
}

int sched_set_weight(struct sched_unit *u, uint32_t weight)
{
    struct pcpu *p;

    if (weight < SCHED_WEIGHT_MIN || weight > SCHED_WEIGHT_MAX)
        return -EINVAL;
    p = sched_lock_unit(u);
    sched_account(p, clock_ns());
    if ((u->state & 1) != 0)
        sched_add_load(&p->sched, (uint64_t)weight - u->weight);
    set_weight(u, weight);
    spin_unlock(&p->sched.lock);
    return 0;
}

void sched_unit_set_cap(struct sched_unit *u, struct sched_cap *c)
{
    struct pcpu *p = sched_lock_unit(u);

    u->cap = c;
    u->has_piece = false;
    spin_unlock(&p->sched.lock);
}

void sched_unit_look(struct sched_unit *u)
{
    struct pcpu *p = sched_lock_unit(u);
    bool kick = u->state == SCHED_RUNNING;

    if (kick)
        write_once(p->sched.resched, true);
    spin_unlock(&p->sched.lock);
    if (kick)
        pcpu_kick(p, PENDING_SCHED);
}

int sched_set_affinity(struct sched_unit *u, const unsigned long *affinity)
{
    struct pcpu *p;
    int err;

    if (!bitmap_intersects(affinity, pcpus_online, SCHED_MAX_PCPUS))
        return -EINVAL;
    p = sched_lock_unit(u);
    err = sched_policy->set_affinity(u, affinity);
    if (err != 0) {
        spin_unlock(&p->sched.lock);
        return err;
    }
    if (u->state == SCHED_QUEUED) {
        sched_withdraw(u, p);
        set_affinity(u, affinity);
        sched_place_anew(u, p);
        return 0;
    }
    set_affinity(u, affinity);
    if (u->state == SCHED_RUNNING && !sched_allowed(u, p)) {
        write_once(p->sched.resched, true);
        pcpu_kick(p, PENDING_SCHED);
    }
    spin_unlock(&p->sched.lock);
    return 0;
}

void sched_set_soft_affinity(struct sched_unit *u, const unsigned long *affinity)
{
    struct pcpu *p = sched_lock_unit(u);

    bitmap_copy(u->soft_affinity, affinity, SCHED_MAX_PCPUS);
    find_preferred(u);
    spin_unlock(&p->sched.lock);
}

void sched_get_affinity(const struct sched_unit *u, unsigned long *hard, unsigned long *soft)
{
    struct pcpu *p = sched_lock_unit(u);

    bitmap_copy(hard, u->affinity, SCHED_MAX_PCPUS);
    bitmap_copy(soft, u->soft_affinity, SCHED_MAX_PCPUS);
    spin_unlock(&p->sched.lock);
}
