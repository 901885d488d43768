/* SPDX-License-Identifier: MIT */
/*
 * The end of a domain; <hospes/domain.h> has the states.
 *
 * It has two parts. domain_stop() may be called from a guest's own exit: it only marks the domain
 * and pauses its vCPUs. The rest is deferred work, which waits until no vCPU runs and says so to
 * the toolstack. That decides what becomes of a domain that it made. One from the device tree is
 * taken down piece by piece at once, and built again if it asked for a reset.
 *
 * A toolstack may take down any domain at any time, also one that is on its way out: whoever comes
 * does the next step, one at a time, and the one that finds nothing left ends it.
 */
#include "domain_end.h"

#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/cpu.h>
#include <hospes/domain_build.h>
#include <hospes/errno.h>
#include <hospes/evtchn.h>
#include <hospes/gnttab.h>
#include <hospes/heap.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <lib/format.h>
#include <xen/xen.h>

/* A domain on its way back: what domain_build.c needs of the one that went. */
struct restart {
    struct work work;
    struct domain_builder builder;
};

/* --- stopping -------------------------------------------------------------------------------- */

/* RUNNING -> STOPPED. True for the one who made it so, whose finish_stop() is owed. */
static bool begin_stop(struct domain *d, enum domain_stop reason)
{
    bool first;

    spin_lock(&d->lock);
    first = d->state == DOMAIN_RUNNING;
    if (first) {
        d->state = DOMAIN_STOPPED;
        d->stop_reason = d->stop_latch ? (uint8_t)d->stop_latch : (uint8_t)reason;
    }
    spin_unlock(&d->lock);
    return first;
}

static void finish_stop(struct domain *d)
{
    domain_pause(d);
    domain_hold(d); /* the work's */
    work_queue(&d->work);
}

void domain_latch_stop(struct domain *d, uint8_t reason)
{
    spin_lock(&d->lock);
    if (!d->stop_latch)
        d->stop_latch = 0x100 | reason;
    spin_unlock(&d->lock);
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

int domain_resume(struct domain *d)
{
    bool resumed = false;
    int rc = 0;

    spin_lock(&d->lock);
    if (d->state == DOMAIN_STOPPED && !d->config) {
        rc = d->shut_down ? 0 : -ERESTART;
        resumed = d->shut_down;
    } else if (d->state != DOMAIN_RUNNING) {
        rc = -EINVAL;
    }
    if (resumed) {
        d->state = DOMAIN_RUNNING;
        d->shut_down = false;
        d->stop_latch = 0;
        domain_unpause(d);
    }
    spin_unlock(&d->lock);
    return rc;
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

/* Its vCPUs run no more: everybody may know. */
static void tell_stop(struct domain *d)
{
    static const char *const how[] = {
        [DOMAIN_POWEROFF] = "switched itself off",
        [DOMAIN_REBOOT] = "asked for a reset",
        [DOMAIN_SUSPEND] = "suspended",
        [DOMAIN_CRASH] = "crashed",
        [DOMAIN_WATCHDOG] = "was stopped by its watchdog",
    };
    uint8_t reason = d->stop_reason;
    uint32_t port;

    if (reason < sizeof(how) / sizeof(how[0]))
        log_limited(LOG_INFO, "domain %u (%s) %s", d->id, d->name, how[reason]);
    else
        log_limited(LOG_INFO, "domain %u (%s) stopped for reason %u", d->id, d->name, reason);
    spin_lock(&d->lock);
    d->shut_down = true;
    port = d->suspend_port;
    spin_unlock(&d->lock);
    if (reason != DOMAIN_SUSPEND || !port || evtchn_send(d, port))
        evtchn_send_global_virq(VIRQ_DOM_EXC);
}

/* --- taking down ----------------------------------------------------------------------------- */

bool domain_kill(struct domain *d)
{
    bool first;

    spin_lock(&d->lock);
    first = d->state == DOMAIN_RUNNING || d->state == DOMAIN_STOPPED;
    if (first) {
        d->state = DOMAIN_DYING;
        domain_pause(d);
    }
    spin_unlock(&d->lock);
    return first;
}

bool domain_release_step(struct domain *d)
{
    if (!d->irqs_taken) {
        irq_take_all(d);
        d->irqs_taken = true;
    }
    return evtchn_release_step(d) || gnttab_release_step(d) || p2m_teardown_step(d);
}

bool domain_teardown_step(struct domain *d)
{
    bool more;

    if (!domain_is_quiet(d) || __atomic_exchange_n(&d->teardown_busy, true, __ATOMIC_ACQUIRE))
        return true;
    more = !d->gone && domain_release_step(d);
    if (!more && !d->gone) {
        d->gone = true;
        domain_destroy(d);
        evtchn_send_global_virq(VIRQ_DOM_EXC);
    }
    store_release(d->teardown_busy, false);
    return more;
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

bool domain_end_step(struct work *w)
{
    struct domain *d = container_of(w, struct domain, work);
    const struct domain_config *again = NULL;

    if (!domain_is_quiet(d))
        return true;
    if (d->hardware)
        stop_machine((enum domain_stop)d->stop_reason);
    if (!d->shut_down)
        tell_stop(d);
    if (d->config) {
        /* Unless a toolstack was faster: what that takes down does not come back. */
        if (domain_kill(d))
            d->restart = d->stop_reason == DOMAIN_REBOOT;
        if (domain_teardown_step(d))
            return true;
        if (d->restart)
            again = d->config;
    }
    domain_put(d);
    if (again)
        restart(again);
    return false;
}
