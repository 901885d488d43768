/* SPDX-License-Identifier: MIT */
/*
 * A small machine with a control domain, for tests of what a toolstack asks: real domains, vCPUs,
 * scheduler, frames and tables. The control domain's memory is the test's: a handle is a pointer,
 * and NOWHERE cannot be read or written.
 */
#ifndef TESTS_TOOLSTACK_H
#define TESTS_TOOLSTACK_H

#include "counting_heap.h"
#include "machine.h"

#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/domain_build.h>
#include <hospes/domain_config.h>
#include <hospes/domctl.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/hypercall.h>
#include <hospes/irq.h>
#include <hospes/sysctl.h>
#include <hospes/work.h>
#include <lib/bits.h>

#define PCPUS     3
#define RAM       GIB(1)
#define RAM_BYTES GIB(1)
#define META      GIB(16)
#define NOWHERE   4096 /* an address */

/* --- what the control domain passes -------------------------------------------------------------
 */

static void *const nowhere = (void *)(uintptr_t)NOWHERE;

static bool is_bad(uint64_t address)
{
    return address < 2 * NOWHERE;
}

int guest_read(struct vcpu *v, void *to, uint64_t from, uint64_t bytes)
{
    if (is_bad(from))
        return -EFAULT;
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    return 0;
}

int guest_write(struct vcpu *v, uint64_t to, const void *from, uint64_t bytes)
{
    if (is_bad(to))
        return -EFAULT;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return 0;
}

int guest_window_read(struct guest_window *w, void *to, uint64_t from, uint32_t bytes)
{
    w->page = (uint8_t *)(uintptr_t)from;
    return guest_read(w->v, to, from, bytes);
}

int guest_window_write(struct guest_window *w, uint64_t to, const void *from, uint32_t bytes)
{
    w->page = (uint8_t *)(uintptr_t)to;
    return guest_write(w->v, to, from, bytes);
}

void guest_window_close(struct guest_window *w)
{
    w->page = NULL;
}

/* --- what else domains need ---------------------------------------------------------------------
 */

struct domain_configs domain_configs;

void console_domain_remove(struct console_domain *c)
{
}

void domain_build_begin(struct domain_builder *b, const struct domain_config *c)
{
}

bool domain_build_step(struct domain_builder *b)
{
    return false;
}

static uint32_t steps_allowed = UINT32_MAX; /* until a hypercall is to make way */

bool hypercall_should_stop(void)
{
    return steps_allowed == 0 || steps_allowed-- == 0;
}

/* --- the machine --------------------------------------------------------------------------------
 */

static struct vcpu *caller; /* the control domain's */

static inline int machine(void **state)
{
    machine_make(PCPUS, RAM, RAM_BYTES, META);
    sched_init();
    for (uint32_t i = 0; i < PCPUS; i++)
        assert_non_null(pcpu_create(i));
    assert_int_equal(irq_init(), 0);
    work_init();
    return 0;
}

static inline int begin(void **state)
{
    struct domain *d;

    heap_left = UINT64_MAX;
    steps_allowed = UINT32_MAX;
    domain_configs.nr = 0;
    assert_int_equal(domain_create(0, 1, &d), 0);
    assert_int_equal(domain_create_vcpus(d), 0);
    d->control = d->hardware = true;
    domain_start(d);
    caller = d->vcpus[0];
    return 0;
}

static inline int end(void **state)
{
    struct domain *d = caller->domain;

    domain_pause(d);
    assert_int_equal(d->refs, 1);
    domain_destroy(d);
    return 0;
}

/* --- calls --------------------------------------------------------------------------------------
 */

/* As the guest does: again until it is done. */
static inline int64_t call(hypercall_fn *fn, void *op)
{
    uint64_t arg[HYPERCALL_ARGS] = { (uintptr_t)op };
    int64_t rc;

    do {
        rc = fn(caller, arg);
    } while (rc == -ERESTART && (steps_allowed = 1));
    return rc;
}

static struct xen_domctl the_op; /* of the last call */

static inline int64_t domctl(uint32_t cmd, uint16_t id)
{
    the_op.cmd = cmd;
    the_op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    the_op.domain = id;
    return call(domctl_op, &the_op);
}

static inline struct xen_domctl_createdomain *config(void)
{
    memset(&the_op, 0, sizeof(the_op));
    the_op.u.createdomain = (struct xen_domctl_createdomain){
        .handle = { 1, 2, 3 },
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = 2,
        .max_evtchn_port = 1023,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .grant_opts = XEN_DOMCTL_GRANT_version(1),
    };
    return &the_op.u.createdomain;
}

/* Made, with its vCPUs, as the toolstack does; paused. */
static inline uint16_t made(void)
{
    uint16_t id;

    config();
    assert_int_equal(domctl(XEN_DOMCTL_createdomain, 0), 0);
    id = the_op.domain;
    the_op.u.max_vcpus.max = 2;
    assert_int_equal(domctl(XEN_DOMCTL_max_vcpus, id), 0);
    return id;
}

static inline void destroyed(uint16_t id)
{
    assert_int_equal(domctl(XEN_DOMCTL_destroydomain, id), 0);
    assert_null(domain_get(id));
}

/* The domain, whose reference the caller does not need: nobody ends it behind a test's back. */
static inline struct domain *look(uint16_t id)
{
    struct domain *d = domain_get(id);

    assert_non_null(d);
    domain_put(d);
    return d;
}

#endif
