/* SPDX-License-Identifier: MIT */
/*
 * sched=null: each vCPU has a pCPU for itself, its `home`. See doc/scheduler.md.
 *
 * What shares a pCPU with the vCPU is the worker alone. A queue has vCPUs (one; two for the moment
 * in which one leaves for another home) before workers.
 */
#include <hospes/errno.h>
#include <hospes/pcpu.h>
#include <hospes/sched.h>
#include <hospes/sched_policy.h>
#include <hospes/timer.h>

#define VCPU_NS   UINT64_C(9000000) /* the vCPU runs before the worker has a turn */
#define WORKER_NS UINT64_C(1000000) /* the worker runs before the vCPU has its turn again */

static bool null_less(const struct tree_node *a, const struct tree_node *b)
{
    return sched_unit_of(a)->is_vcpu && !sched_unit_of(b)->is_vcpu;
}

/* Makes a pCPU of `affinity` that is nobody's the own of `u`. NULL: there is none. */
static struct pcpu *claim(struct sched_unit *u, const unsigned long *affinity)
{
    uint32_t i;

    pcpu_for_each_online (i) {
        struct sched_unit *nobody = NULL;

        if (bitmap_test(affinity, i) &&
            __atomic_compare_exchange_n(&pcpus[i]->sched.own, &nobody, u, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return pcpus[i];
    }
    return NULL;
}

static int null_attach(struct sched_unit *u)
{
    u->pcpu = this_pcpu();
    if (!u->is_vcpu)
        return 0;
    u->home = claim(u, u->affinity);
    if (u->home == NULL)
        return -EBUSY;
    u->pcpu = u->home;
    return 0;
}

static void null_detach(struct sched_unit *u)
{
    if (u->home != NULL)
        store_release(u->home->sched.own, NULL);
}

static int null_set_affinity(struct sched_unit *u, const unsigned long *affinity)
{
    struct pcpu *home;

    if (u->home == NULL || bitmap_test(affinity, u->home->id))
        return 0;
    home = claim(u, affinity);
    if (home == NULL)
        return -EBUSY;
    store_release(u->home->sched.own, NULL);
    u->home = home;
    return 0;
}

/* A worker goes to an idle pCPU, rather one where no vCPU may want to run in a moment. */
static struct pcpu *null_place(const struct sched_unit *u)
{
    DECLARE_BITMAP(free, SCHED_MAX_PCPUS);
    struct pcpu *p;
    uint32_t i;

    if (u->home != NULL)
        return u->home;
    bitmap_zero(free, SCHED_MAX_PCPUS);
    pcpu_for_each_online (i)
        if (sched_allowed(u, pcpus[i]) && read_once(pcpus[i]->sched.own) == NULL)
            bitmap_set(free, i);
    p = sched_find_idle(free);
    if (p == NULL)
        p = sched_find_idle(u->affinity);
    if (p != NULL || sched_allowed(u, u->pcpu))
        return p != NULL ? p : u->pcpu;
    bitmap_and(free, u->affinity, pcpus_online, SCHED_MAX_PCPUS);
    return pcpus[bitmap_find_first(free, SCHED_MAX_PCPUS)];
}

/* A vCPU does not wait for the worker. */
static uint64_t null_arrive(struct pcpu *p, struct sched_unit *u, uint64_t now_ns)
{
    bool first = p->sched.running != NULL && u->is_vcpu && !p->sched.running->is_vcpu;

    return first ? now_ns : TIMER_NEVER;
}

static struct sched_unit *null_choose(struct pcpu *p, struct sched_unit *cur, bool over)
{
    struct tree_node *n = tree_first(&p->sched.queue);

    if (n == NULL || (cur != NULL && !over))
        return cur;
    return tree_entry(n, struct sched_unit, node);
}

static uint64_t null_slice_ns(const struct pcpu *p, const struct sched_unit *u)
{
    (void)p;
    return u->is_vcpu ? VCPU_NS : WORKER_NS;
}

/* The worker is stolen by a pCPU that goes idle; nothing is passed on. */
static struct pcpu *null_push(struct pcpu *p, const struct sched_unit *u)
{
    (void)p;
    (void)u;
    return NULL;
}

/* There is no virtual time. */
static void null_account(struct pcpu *p, struct sched_unit *u, uint64_t ns)
{
    (void)p;
    (void)u;
    (void)ns;
}

const struct sched_ops sched_ops_null = {
    .name = "null",
    .attach = null_attach,
    .detach = null_detach,
    .set_affinity = null_set_affinity,
    .place = null_place,
    .less = null_less,
    .arrive = null_arrive,
    .leave = null_account,
    .join = null_account,
    .account = null_account,
    .choose = null_choose,
    .slice_ns = null_slice_ns,
    .push = null_push,
};
