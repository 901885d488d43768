/* SPDX-License-Identifier: MIT */
/* Watchdogs of domains; <hospes/watchdog.h> has the contract. */
#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>
#include <hospes/watchdog.h>

#define SECOND_NS 1000000000ull

struct watchdog {
    struct timer timer; /* set under domain->lock */
    struct domain *domain;
    uint64_t expires_ns; /* (L) TIMER_NEVER: not in use */
};

/* Late: perhaps the domain came between the timer's end and now. */
static void expired(void *arg)
{
    struct watchdog *w = arg;
    struct domain *d = w->domain;
    bool late;

    spin_lock(&d->lock);
    late = d->state == DOMAIN_RUNNING && clock_ns() >= w->expires_ns;
    spin_unlock(&d->lock);
    if (!late)
        return;
    log_limited(LOG_WARN, "domain %u (%s): its watchdog ran out", d->id, d->name);
    domain_stop(d, DOMAIN_WATCHDOG);
}

/* Under domain->lock. 0: never. */
static void set(struct watchdog *w, uint32_t seconds)
{
    w->expires_ns = seconds ? clock_ns() + seconds * SECOND_NS : TIMER_NEVER;
    timer_set(&w->timer, this_pcpu(), w->expires_ns);
}

static void free_all(struct watchdog *all, uint32_t ready)
{
    while (ready)
        timer_destroy(&all[--ready].timer);
    heap_free(all);
}

static struct watchdog *make_all(struct domain *d)
{
    struct watchdog *all = heap_calloc(WATCHDOGS, sizeof(*all));

    for (uint32_t i = 0; all && i < WATCHDOGS; i++) {
        all[i].domain = d;
        all[i].expires_ns = TIMER_NEVER;
        if (timer_init(&all[i].timer, expired, &all[i])) {
            free_all(all, i);
            return NULL;
        }
    }
    return all;
}

/* Another vCPU may do the same. */
static int make(struct domain *d)
{
    struct watchdog *all;

    if (load_acquire(d->watchdogs))
        return 0;
    all = make_all(d);
    if (!all)
        return -ENOMEM;
    spin_lock(&d->lock);
    if (!d->watchdogs) {
        store_release(d->watchdogs, all);
        all = NULL;
    }
    spin_unlock(&d->lock);
    if (all)
        free_all(all, WATCHDOGS);
    return 0;
}

static int begin(struct domain *d, uint32_t seconds)
{
    int rc = make(d);

    if (rc)
        return rc;
    rc = -ENOSPC;
    spin_lock(&d->lock);
    for (uint32_t i = 0; i < WATCHDOGS && rc < 0; i++) {
        if (d->watchdogs[i].expires_ns != TIMER_NEVER)
            continue;
        set(&d->watchdogs[i], seconds);
        if (!seconds) /* at once */
            timer_set(&d->watchdogs[i].timer, this_pcpu(), d->watchdogs[i].expires_ns = 0);
        rc = (int)i + 1;
    }
    spin_unlock(&d->lock);
    return rc;
}

int watchdog_op(struct domain *d, uint32_t id, uint32_t seconds)
{
    int rc = -EINVAL;

    if (id > WATCHDOGS)
        return -EINVAL;
    if (!id)
        return begin(d, seconds);
    spin_lock(&d->lock);
    if (d->watchdogs && d->watchdogs[id - 1].expires_ns != TIMER_NEVER) {
        set(&d->watchdogs[id - 1], seconds);
        rc = 0;
    }
    spin_unlock(&d->lock);
    return rc;
}

void watchdog_destroy(struct domain *d)
{
    if (d->watchdogs)
        free_all(d->watchdogs, WATCHDOGS);
    d->watchdogs = NULL;
}
