/* SPDX-License-Identifier: MIT */
/*
 * Domains: their list, their start, their end; <hospes/domain.h> has the states.
 *
 * An end has two parts. domain_stop() may be called from a guest's own exit: it only marks the
 * domain and pauses its vCPUs. The rest, which takes long, is deferred work: wait until no vCPU
 * runs, take interrupts back, free memory piece by piece, free the structure; and for a domain from
 * the device tree that asked for a reset, build it again.
 */
#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/domain_build.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/vcpu_info.h>
#include <lib/format.h>

static struct spinlock list_lock = SPINLOCK_INIT(LOCK_DOMAIN_LIST);
static struct list domains = LIST_INIT(domains);

/* A domain on its way back: what domain_build.c needs of the one that went. */
struct restart {
    struct work work;
    struct domain_builder builder;
};

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

struct domain *domain_get(uint16_t id)
{
    struct domain *d;

    spin_lock(&list_lock);
    d = find(id);
    if (d)
        __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
    spin_unlock(&list_lock);
    return d;
}

void domain_put(struct domain *d)
{
    if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) == 0)
        heap_free(d);
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

static bool destroy_step(struct work *w);

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
    d->lock = SPINLOCK_INIT(LOCK_DOMAIN);
    d->gnttab.lock = SPINLOCK_INIT(LOCK_GNTTAB);
    d->gnttab.maptrack.lock = SPINLOCK_INIT(LOCK_MAPTRACK);
    d->work = WORK_INIT(destroy_step);
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
    err = -ENOMEM;
    d->vcpus = heap_calloc(max_vcpus, sizeof(*d->vcpus));
    if (!d->vcpus)
        goto no_vcpus;
    d->max_vcpus = max_vcpus;
    err = insert(d);
    if (err)
        goto no_number;
    *out = d;
    return 0;

no_number:
    heap_free(d->vcpus);
no_vcpus:
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

void domain_destroy(struct domain *d)
{
    /* Out of sight first: domain_for_all() looks at what goes now. */
    spin_lock(&list_lock);
    list_remove(&d->node);
    spin_unlock(&list_lock);
    console_domain_remove(&d->console);
    irq_take_all(d);
    free_vcpus(d);
    vcpu_info_domain_destroy(d);
    arch_domain_destroy(d);
    mmio_destroy(d);
    p2m_destroy(d);
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

/* RUNNING -> STOPPED. True for the one who made it so, whose finish_stop() is owed. */
static bool begin_stop(struct domain *d, enum domain_stop reason)
{
    bool first;

    spin_lock(&d->lock);
    first = d->state == DOMAIN_RUNNING;
    if (first) {
        d->state = DOMAIN_STOPPED;
        d->stop_reason = (uint8_t)reason;
    }
    spin_unlock(&d->lock);
    return first;
}

static void finish_stop(struct domain *d)
{
    domain_pause(d);
    work_queue(&d->work);
}

void domain_stop(struct domain *d, enum domain_stop reason)
{
    if (begin_stop(d, reason))
        finish_stop(d);
}

void domain_crash(struct vcpu *v, const char *fmt, ...)
{
    struct domain *d = v->domain;
    char text[160];
    va_list args;

    if (!begin_stop(d, DOMAIN_CRASH))
        return;
    va_start(args, fmt);
    format_v(text, sizeof(text), fmt, args);
    va_end(args);
    log_limited(LOG_ERR, "domain %u (%s) crashed on vCPU %u: %s", d->id, d->name, v->id, text);
    arch_vcpu_dump(v);
    finish_stop(d);
}

/*
 * The hardware domain is gone: so is the machine. After a crash it stays as it is if the user wants
 * to read the screen; what the hardware domain asked for itself, it gets.
 */
static void stop_machine(enum domain_stop reason)
{
    bool stay = reason == DOMAIN_CRASH && options.noreboot;

    log_info("the hardware domain %s: %s the machine", reason == DOMAIN_CRASH ? "crashed" : "ended",
             stay ? "noreboot: stopping"
                  : (reason == DOMAIN_POWEROFF ? "switching off" : "resetting"));
    pcpu_stop_others();
    console_flush();
    if (!stay) {
        if (reason == DOMAIN_POWEROFF)
            arch_machine_off();
        arch_machine_reset();
    }
    arch_cpu_halt();
}

static bool restart_step(struct work *w)
{
    struct restart *r = container_of(w, struct restart, work);

    if (domain_build_step(&r->builder))
        return true;
    if (!r->builder.rc)
        domain_start(r->builder.domain);
    else
        log_err("%s: could not be started again", r->builder.config->node);
    heap_free(r);
    return false;
}

static void restart(const struct domain_config *config)
{
    struct restart *r = heap_alloc(sizeof(*r));

    if (!r) {
        log_err("%s: no memory to start it again", config->node);
        return;
    }
    r->work = WORK_INIT(restart_step);
    domain_build_begin(&r->builder, config);
    work_queue(&r->work);
}

/* The end of a domain, a step at a time. */
static bool destroy_step(struct work *w)
{
    struct domain *d = container_of(w, struct domain, work);
    const struct domain_config *again = NULL;
    static const char *const how[] = { "switched itself off", "asked for a reset", "suspended",
                                       "crashed", "was stopped by its watchdog" };

    if (!domain_is_quiet(d))
        return true;
    if (d->hardware)
        stop_machine((enum domain_stop)d->stop_reason);
    if (d->state != DOMAIN_DYING) {
        log_limited(LOG_INFO, "domain %u (%s) %s", d->id, d->name, how[d->stop_reason]);
        d->state = DOMAIN_DYING;
        irq_take_all(d);
    }
    if (p2m_teardown_step(d))
        return true;
    if (d->stop_reason == DOMAIN_REBOOT)
        again = d->config;
    domain_destroy(d);
    if (again)
        restart(again);
    return false;
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
