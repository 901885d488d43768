/* SPDX-License-Identifier: MIT */
/* Domains: their list and their parts; <hospes/domain.h> has their states, domain_end.c their end.
 */
#include "domain_end.h"

#include <hospes/claim.h>
#include <hospes/console.h>
#include <hospes/console_io.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/iomem.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/sched_cap.h>
#include <hospes/vcpu_info.h>
#include <hospes/wallclock.h>
#include <hospes/watchdog.h>

static struct spinlock list_lock = SPINLOCK_INIT(LOCK_DOMAIN_LIST);
static struct list domains = LIST_INIT(domains);

static struct domain *find(uint16_t id)
{
    struct domain *d;

    list_for_each (d, &domains, node)
        if (d->id == id)
            return d;
    return NULL;
}

/* Into the list, ordered by number. */
static int insert(struct domain *d)
{
    struct list_node *at = &domains.head;
    struct domain *other;
    int err = 0;

    spin_lock(&list_lock);
    if (find(d->id)) {
        err = -EEXIST;
    } else {
        list_for_each (other, &domains, node) {
            if (other->id > d->id) {
                at = &other->node;
                break;
            }
        }
        list_insert_before(at, &d->node);
    }
    spin_unlock(&list_lock);
    return err;
}

void domain_hold(struct domain *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

struct domain *domain_get(uint16_t id)
{
    struct domain *d;

    spin_lock(&list_lock);
    d = find(id);
    if (d)
        domain_hold(d);
    spin_unlock(&list_lock);
    return d;
}

uint32_t domain_get_some(uint32_t id, struct domain **out, uint32_t most)
{
    struct domain *d;
    uint32_t nr = 0;

    spin_lock(&list_lock);
    list_for_each (d, &domains, node) {
        if (nr == most)
            break;
        if (d->id >= id && read_once(d->state) != DOMAIN_CREATED) {
            domain_hold(d);
            out[nr++] = d;
        }
    }
    spin_unlock(&list_lock);
    return nr;
}

struct domain *domain_get_from(uint16_t id)
{
    struct domain *d;

    return domain_get_some(id, &d, 1) ? d : NULL;
}

void domain_for_all(void (*fn)(struct domain *d, void *arg), void *arg)
{
    struct domain *d;

    spin_lock(&list_lock);
    list_for_each (d, &domains, node)
        fn(d, arg);
    spin_unlock(&list_lock);
}

static void free_vcpus(struct domain *d)
{
    for (uint32_t i = 0; d->vcpus && i < d->max_vcpus; i++)
        if (d->vcpus[i])
            vcpu_destroy(d->vcpus[i]);
    heap_free(d->vcpus);
    d->vcpus = NULL;
    d->max_vcpus = 0;
}

int domain_create(uint16_t id, uint32_t max_vcpus, struct domain **out)
{
    struct domain *d;
    int err;

    if (!max_vcpus || max_vcpus > DOMAIN_MAX_VCPUS)
        return -EINVAL;
    d = heap_alloc(sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->id = id;
    d->refs = 1;
    d->sched_weight = SCHED_WEIGHT_DEFAULT;
    d->lock = SPINLOCK_INIT(LOCK_DOMAIN);
    d->gnttab.lock = SPINLOCK_INIT(LOCK_GNTTAB);
    d->gnttab.maptrack.lock = SPINLOCK_INIT(LOCK_MAPTRACK);
    d->work = WORK_INIT(domain_end_step);
    d->mmio.trap_unmapped = true;
    err = p2m_init(d);
    if (err)
        goto no_p2m;
    err = arch_domain_init(d);
    if (err)
        goto no_arch;
    err = vcpu_info_domain_init(d);
    if (err)
        goto no_shared_info;
    err = evtchn_domain_init(d);
    if (err)
        goto no_evtchn;
    err = -ENOMEM;
    d->vcpus = heap_calloc(max_vcpus, sizeof(*d->vcpus));
    if (!d->vcpus)
        goto no_vcpus;
    d->max_vcpus = max_vcpus;
    err = insert(d);
    if (err)
        goto no_number;
    wallclock_tell(d);
    *out = d;
    return 0;

no_number:
    heap_free(d->vcpus);
no_vcpus:
    evtchn_domain_destroy(d);
no_evtchn:
    vcpu_info_domain_destroy(d);
no_shared_info:
    arch_domain_destroy(d);
no_arch:
    p2m_destroy(d);
no_p2m:
    heap_free(d);
    return err;
}

int domain_create_vcpus(struct domain *d)
{
    for (uint32_t i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = vcpu_create(d, i);

        if (!v)
            return -ENOMEM;
        store_release(d->vcpus[i], v); /* who goes through the list of domains may see it now */
    }
    return 0;
}

/* Nobody can find it any more, and nobody has it. */
static void __noinline free_domain(struct domain *d)
{
    evtchn_domain_destroy(d);
    if (d->sched_cap)
        sched_cap_destroy(d->sched_cap);
    heap_free(d->sched_cap);
    heap_free(d->vnuma);
    free_vcpus(d);
    gnttab_destroy(d);
    vcpu_info_domain_destroy(d);
    arch_domain_destroy(d);
    mmio_destroy(d);
    claim_set(d, 0);
    p2m_destroy(d);
    heap_free(d);
}

void domain_put(struct domain *d)
{
    if (unlikely(__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) == 0))
        free_domain(d);
}

void domain_destroy(struct domain *d)
{
    spin_lock(&list_lock);
    list_remove(&d->node);
    spin_unlock(&list_lock);
    while (evtchn_release_step(d)) /* few, or none: it never ran, or was torn down */
        ;
    console_domain_remove(&d->console);
    console_io_destroy(d);
    watchdog_destroy(d);
    irq_take_all(d);
    iomem_take_all(d);
    claim_set(d, 0); /* whoever has mapped grants of it may keep it for long */
    domain_put(d);
}

void domain_start(struct domain *d)
{
    spin_lock(&d->lock);
    d->state = DOMAIN_RUNNING;
    vcpu_up(d->vcpus[0]);
    spin_unlock(&d->lock);
}

void domain_pause(struct domain *d)
{
    struct vcpu *v;
    uint32_t i;

    domain_for_each_vcpu (d, v, i)
        sched_pause(&v->sched);
}

void domain_unpause(struct domain *d)
{
    struct vcpu *v;
    uint32_t i;

    domain_for_each_vcpu (d, v, i)
        sched_unpause(&v->sched);
}

bool domain_is_quiet(const struct domain *d)
{
    const struct vcpu *v;
    uint32_t i;

    domain_for_each_vcpu (d, v, i)
        if (sched_is_running(&v->sched))
            return false;
    return true;
}

static void dump_one(struct domain *d, void *unused)
{
    static const char *const states[] = { "created", "running", "stopped", "dying" };
    struct vcpu *v;
    uint32_t i;

    (void)unused;
    log_info("domain %u (%s): %s, %llu KiB of memory, %llu KiB of tables", d->id, d->name,
             states[d->state], (unsigned long long)d->tot_pages * 4,
             (unsigned long long)d->p2m.nr_tables * 4);
    domain_for_each_vcpu (d, v, i)
        log_info("  vCPU %u: %s%s, on CPU %u, ran %llu ms", i, v->online ? "on" : "off",
                 v->blocked ? ", waiting" : "", v->sched.pcpu->id,
                 (unsigned long long)(sched_runtime_ns(&v->sched) / 1000000));
}

void domain_dump_all(void)
{
    domain_for_all(dump_one, NULL);
}
