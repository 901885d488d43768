/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the hypercalls: a control domain and three guests, one of them with its memory at machine
 * addresses, one with static memory, do what an input says, and make and end other domains. After
 * each few steps hypercall_invariants.c looks at all that is counted, and at the end of an input
 * every domain is taken down, and every frame and piece of heap has to be back.
 *
 * An input is a list of steps: a byte says what to do, bytes after it with what. Steps are calls
 * (hypercall_ops.c), which may be interrupted and go on after other domains' steps; guests' writes
 * to what they share with Hospes; time; deferred work; failing allocations.
 *
 * In the middle of a call, whenever it looks at its guest's memory, other vCPUs may act, as if on
 * other pCPUs: make calls, change what the guest says, take its memory or its domain away.
 */
#include "hypercall_invariants.h"
#include "hypercall_ops.h"
#include "hypercall_requests.h"
#include "hypercall_world.h"

#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/p2m.h>
#include <hospes/timer.h>
#include <hospes/work.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/domctl.h>
#include <xen/grant_table.h>
#include <xen/xen.h>

#define STEPS 200u
#define EACH  16u /* steps between checks */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A call that was interrupted, and goes on when its vCPU is next to do something. */
static struct {
    bool waits;
    uint64_t nr, arg[6];
} calls[DOMAINS][VCPUS];

/* The vCPU that is in the middle of a call while others act. */
static struct vcpu *in_the_middle;

/* For a vCPU to leave its guest: the one in the middle does not until we are done. */
static bool would_wait(uint64_t nr)
{
    uint32_t command = request_op ? request_op->command : 0;

    return nr == __HYPERVISOR_multicall ||
           (nr == __HYPERVISOR_domctl &&
            (command == XEN_DOMCTL_pausedomain || command == XEN_DOMCTL_setvcpucontext ||
             command == XEN_DOMCTL_getvcpucontext));
}

static void call(struct domain *d, uint32_t vcpu)
{
    struct vcpu *v = d->vcpus[vcpu];
    typeof(&calls[0][0]) c = &calls[d->id][vcpu];
    uint64_t gfn = first_gfn[d->id] + take(1) % (PAGES - 5);
    int64_t rc;

    if (in_the_middle && c->waits)
        return;
    if (v->blocked)
        vcpu_kick(v);
    if (!c->waits) {
        memset(c->arg, 0, sizeof(c->arg));
        c->nr = take(1) < 16 ? make_multicall(d, gfn, c->arg) : make_request(d, gfn, c->arg);
    }
    if (in_the_middle && would_wait(c->nr))
        return;
    this_pcpu()->current = v;
    rc = hypercall_find(c->nr)(v, c->arg);
    this_pcpu()->current = NULL;
    c->waits = rc == -ERESTART;
    if (tell)
        fprintf(stderr, "d%uv%u: hypercall %lu (%#lx, %#lx, %#lx) of %s: %ld\n", d->id, vcpu, c->nr,
                c->arg[0], c->arg[1], c->arg[2], request_is, rc);
    this_pcpu()->pending = 0;
}

static void write_grant(struct domain *d)
{
    uint32_t ref = (uint32_t)take(1) % 16;
    struct grant_entry_v1 e = { .flags = (uint16_t)take(1) };

    e.domid = (uint16_t)some_domid();
    e.frame = (uint32_t)some_gfn(d);
    if (e.flags & 0x80)
        e.flags = GTF_permit_access;
    if (!d->gnttab.nr_frames)
        return;
    d->gnttab.frames[0].shared[ref].domid = e.domid;
    d->gnttab.frames[0].shared[ref].frame = e.frame;
    d->gnttab.frames[0].shared[ref].flags = e.flags;
}

/* Anything, anywhere it can write. */
static void write_anything(struct domain *d)
{
    uint8_t *page = take(1) & 1 ? (uint8_t *)d->shared_info : guest_page(d, some_gfn(d));
    uint64_t at = take(2) & FRAME_MASK & ~3ull, value = take(4);

    if (page)
        memcpy(page + at, &value, 4);
}

static void touch(struct domain *d, uint64_t gfn)
{
    bool there = p2m_handle_fault(d, GFN(gfn));

    if (tell)
        fprintf(stderr, "d%u: touches %#lx: %u\n", d->id, gfn, there);
}

static bool may_run(struct domain *d, uint32_t vcpu)
{
    return d->state == DOMAIN_RUNNING && vcpu < d->max_vcpus && d->vcpus[vcpu] &&
           !d->vcpus[vcpu]->sched.pause_count;
}

static void guest_step(uint32_t what)
{
    uint64_t who = take(1);
    struct domain *d = domain_get((uint16_t)(who % DOMAINS));
    uint32_t vcpu = (uint32_t)(who / DOMAINS % 4 == 0);

    if (!d)
        return;
    if (in_the_middle && vcpu < d->max_vcpus && d->vcpus[vcpu] == in_the_middle) {
        domain_put(d);
        return;
    }
    if (may_run(d, vcpu)) {
        /* Who makes a call is there as long as he runs; he holds no reference. */
        domain_put(d);
        if (what < 200)
            call(d, vcpu);
        else if (what < 215)
            write_grant(d);
        else if (what < 222)
            touch(d, some_gfn(d));
        else
            write_anything(d);
        return;
    }
    if (vcpu < VCPUS)
        calls[d->id][vcpu].waits = false;
    domain_put(d);
}

uint32_t others_after;

void host_guest_access(struct vcpu *v)
{
    struct pcpu *p = this_pcpu();
    uint32_t pending = p->pending;

    if (in_the_middle || !others_after || --others_after)
        return;
    CHECK(p->nr_locks_held == 0, "a guest's memory is looked at with a lock held");
    in_the_middle = v;
    v->sched.held = true;
    stop_soon = true; /* they have no time: it may be up to the one in the middle to go on */
    for (uint64_t n = 1 + take(1) % 3; n; n--)
        guest_step((uint32_t)take(1) % 228);
    stop_soon = false;
    v->sched.held = false;
    in_the_middle = NULL;
    p->current = v;
    p->pending = pending;
}

static void step(void)
{
    uint32_t what = (uint32_t)take(1);

    if (what < 228) {
        guest_step(what);
    } else if (what < 234) {
        host_clock_advance(take(1) * 100000000);
        timer_run();
    } else if (what < 241) {
        work_run();
    } else if (what < 245) {
        stop_after = (uint32_t)take(1) % 64;
    } else if (what < 250) {
        others_after = (uint32_t)take(1) % 16;
    } else if (what < 252) {
        host_pin_fails = (uint32_t)take(1) % 4;
    } else {
        heap_fails = (uint32_t)take(1) % 8;
    }
    this_pcpu()->pending = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static bool made;

    if (!made)
        make_machine();
    made = true;
    tell = getenv("HYPERCALLS_TELL");
    input_begin(data, bytes);
    memset(calls, 0, sizeof(calls));
    host_log_clear();
    add_domains(take(1));
    for (uint32_t i = 0; i < STEPS && !input_ends(); i++) {
        step();
        if (tell || i % EACH == 0)
            check_all();
    }
    check_all();
    end_all();
    return 0;
}
