/* SPDX-License-Identifier: MIT */
/* A guest's turn; hypercall_steps.h says more. */
#include "hypercall_steps.h"

#include "hypercall_ops.h"
#include "hypercall_requests.h"
#include "hypercall_world.h"

#include <hospes/compiler.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/p2m.h>
#include <hospes/pcpu.h>
#include <stdio.h>
#include <string.h>
#include <xen/domctl.h>
#include <xen/grant_table.h>
#include <xen/sched.h>
#include <xen/xen.h>

_Thread_local bool vcpu_steps_short;

/* A call that was interrupted, and goes on when its vCPU is next to do something. */
static struct interrupted {
    bool waits;
    uint64_t nr, arg[6];
} calls[DOMAINS][VCPUS];

void vcpu_forget(uint16_t domid, uint32_t vcpu)
{
    if (domid < DOMAINS && vcpu < VCPUS)
        calls[domid][vcpu].waits = false;
}

void vcpu_forget_all(void)
{
    memset(calls, 0, sizeof(calls));
}

static bool would_wait(uint64_t nr)
{
    uint32_t command = request_op ? request_op->command : 0;

    return nr == __HYPERVISOR_multicall ||
           (nr == __HYPERVISOR_domctl &&
            (command == XEN_DOMCTL_pausedomain || command == XEN_DOMCTL_setvcpucontext ||
             command == XEN_DOMCTL_getvcpucontext));
}

/* Its pCPU would bring it elsewhere, and there is only one that does (test_sched_threads.c). */
static bool would_move(const struct domain *d, uint64_t nr)
{
    uint32_t command = request_op ? request_op->command : 0;

    if (nr_pcpus == 1 || !d->control)
        return false;
    return nr == __HYPERVISOR_multicall ||
           ((nr == __HYPERVISOR_domctl && command == XEN_DOMCTL_setvcpuaffinity) ||
            (nr == __HYPERVISOR_sched_op && command == SCHEDOP_pin_override));
}

static void call(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct interrupted *c = &calls[d->id][v->id];
    uint64_t gfn = first_gfn[d->id] + take(1) % (PAGES - 5);
    int64_t rc;

    if (v->blocked)
        vcpu_kick(v);
    if (vcpu_steps_short && c->waits)
        return;
    if (!c->waits) {
        memset(c->arg, 0, sizeof(c->arg));
        c->nr = take(1) < 16 ? make_multicall(d, gfn, c->arg) : make_request(d, gfn, c->arg);
    }
    if ((vcpu_steps_short && would_wait(c->nr)) || would_move(d, c->nr))
        return;
    this_pcpu()->current = v;
    rc = hypercall_do(c->nr, v, c->arg);
    this_pcpu()->current = NULL;
    c->waits = rc == -ERESTART;
    if (tell)
        fprintf(stderr, "d%uv%u: hypercall %lu (%#lx, %#lx, %#lx) of %s: %ld\n", d->id, v->id,
                c->nr, c->arg[0], c->arg[1], c->arg[2], request_is, rc);
    __atomic_store_n(&this_pcpu()->pending, 0, __ATOMIC_RELAXED);
}

static void write_grant(struct domain *d)
{
    uint32_t ref = (uint32_t)take(1) % 16;
    struct grant_entry_v1 e = { .flags = (uint16_t)take(1) };
    uint64_t word;

    e.domid = (uint16_t)some_domid();
    e.frame = (uint32_t)some_gfn(d);
    if (e.flags & 0x80)
        e.flags = GTF_permit_access;
    if (!read_once(d->gnttab.nr_frames))
        return;
    memcpy(&word, &e, sizeof(word));
    __atomic_store_n((uint64_t *)(void *)&d->gnttab.frames[0].shared[ref], word, __ATOMIC_RELAXED);
}

/* Anything, anywhere it can write. */
static void write_anything(struct domain *d)
{
    uint8_t *page = take(1) & 1 ? (uint8_t *)d->shared_info : guest_page(d, some_gfn(d));
    uint64_t at = take(2) & FRAME_MASK & ~3ull;
    uint32_t value = (uint32_t)take(4);

    if (page)
        __atomic_store_n((uint32_t *)(void *)(page + at), value, __ATOMIC_RELAXED);
}

static void touch(struct domain *d, uint64_t gfn)
{
    bool there = p2m_handle_fault(d, GFN(gfn));

    if (tell)
        fprintf(stderr, "d%u: touches %#lx: %u\n", d->id, gfn, there);
}

void vcpu_step(struct vcpu *v, uint32_t what)
{
    struct domain *d = v->domain;

    if (what < 200)
        call(v);
    else if (what < 215)
        write_grant(d);
    else if (what < 222)
        touch(d, some_gfn(d));
    else
        write_anything(d);
}
