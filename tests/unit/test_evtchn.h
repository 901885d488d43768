/* SPDX-License-Identifier: MIT */
/*
 * Four domains of three vCPUs each, for tests of event channels: what they share with Hospes is the
 * test's own memory, guest pages are told by number, and all that is counted must be zero at the
 * end.
 */
#ifndef TEST_EVTCHN_H
#define TEST_EVTCHN_H

#include "unit.h"

#include "../../hypervisor/core/evtchn_internal.h"

#include <asm/host.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/hypercall.h>
#include <hospes/vcpu_info.h>
#include <lib/bits.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

#define DOMAINS 4u
#define VCPUS   3u
#define GUEST_PAGES \
    136u /* of each domain: pages 0 .. 127 for event words, the rest for control blocks */

static struct domain doms[DOMAINS];
static struct vcpu vcpus[DOMAINS][VCPUS], *vcpu_list[DOMAINS][VCPUS];
static struct shared_info shared[DOMAINS];
static struct vcpu_info infos[DOMAINS][VCPUS];
static bool listed[DOMAINS];                      /* domain_get() finds it */
static uint8_t (*pages)[GUEST_PAGES][FRAME_SIZE]; /* of each domain */
static uint32_t mapped;                           /* areas */
static uint32_t kicks[DOMAINS][VCPUS];
static void (*at_block)(struct vcpu *v); /* what happens when it falls asleep */
static uint32_t stops;                   /* hypercall_should_stop() says yes every so many calls */

/* --- in place of other parts of the core ----------------------------------------------------- */

struct domain *domain_get(uint16_t id)
{
    if (id >= DOMAINS || !listed[id])
        return NULL;
    domain_hold(&doms[id]);
    return &doms[id];
}

void domain_hold(struct domain *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

void domain_put(struct domain *d)
{
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    assert_true(__atomic_sub_fetch(&d->refs, 1, __ATOMIC_RELAXED) > 0);
}

void domain_for_all(void (*fn)(struct domain *d, void *arg), void *arg)
{
    for (uint32_t i = 0; i < DOMAINS; i++)
        fn(&doms[i], arg);
}

void vcpu_kick(struct vcpu *v)
{
    __atomic_fetch_add(&kicks[v->domain->id][v->id], 1, __ATOMIC_RELAXED);
    store_release(v->blocked, false);
}

void vcpu_block(struct vcpu *v)
{
    void (*fn)(struct vcpu *v) = at_block;

    at_block = NULL;
    if (fn)
        fn(v);
    store_release(v->blocked, true);
}

bool hypercall_should_stop(void)
{
    static uint32_t asked;

    return stops && ++asked % stops == 0;
}

int guest_area_map(struct domain *d, gaddr_t at, uint64_t bytes, struct guest_area *out)
{
    uint64_t gfn = gaddr_to_gfn(at).v, offset = at.v & FRAME_MASK;

    assert_true(offset + bytes <= FRAME_SIZE && offset % 8 == 0);
    if (gfn == GUEST_PAGES)
        return -ENOMEM;
    if (gfn == GUEST_PAGES + 1)
        return -EACCES;
    if (gfn > GUEST_PAGES)
        return -EINVAL;
    *out = (struct guest_area){ &pages[d->id][gfn][offset], MFN(gfn) };
    mapped++;
    return 0;
}

void guest_area_unmap(struct guest_area *a)
{
    mapped -= a->p != NULL;
    a->p = NULL;
}

/* --- set-up ---------------------------------------------------------------------------------- */

static void make_vcpu(uint32_t dom, uint32_t vcpu)
{
    struct vcpu *v = vcpu_list[dom][vcpu] = &vcpus[dom][vcpu];

    *v = (struct vcpu){ .domain = &doms[dom], .id = vcpu, .info = &infos[dom][vcpu] };
    evtchn_vcpu_init(v);
}

static void make_domain(uint32_t dom)
{
    struct domain *d = &doms[dom];

    *d = (struct domain){ .id = (uint16_t)dom,
                          .refs = 1,
                          .control = dom == 0,
                          .hardware = dom == 0,
                          .max_vcpus = VCPUS,
                          .vcpus = vcpu_list[dom],
                          .shared_info = &shared[dom] };
    assert_int_equal(evtchn_domain_init(d), 0);
    listed[dom] = true;
}

static void end_domain(uint32_t dom)
{
    while (evtchn_release_step(&doms[dom]))
        ;
    assert_int_equal(doms[dom].evtchn.nr_open, 0);
    listed[dom] = false;
}

static __unused int start(void **state)
{
    host_pcpus_init(8);
    memset(shared, 0, sizeof(shared));
    memset(infos, 0, sizeof(infos));
    memset(kicks, 0, sizeof(kicks));
    pages = calloc(DOMAINS, sizeof(*pages));
    stops = 0;
    at_block = NULL;
    for (uint32_t i = 0; i < DOMAINS; i++) {
        make_domain(i);
        for (uint32_t k = 0; k < VCPUS; k++)
            make_vcpu(i, k);
    }
    return 0;
}

static __unused int stop(void **state)
{
    for (uint32_t i = 0; i < DOMAINS; i++)
        end_domain(i);
    for (uint32_t i = 0; i < DOMAINS; i++) {
        assert_int_equal(doms[i].refs, 1);
        evtchn_domain_destroy(&doms[i]);
    }
    assert_int_equal(mapped, 0);
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    free(pages);
    return 0;
}

/* --- what guests do -------------------------------------------------------------------------- */

static __unused uint32_t alloc(uint32_t dom, uint32_t remote)
{
    uint32_t port = 0;

    assert_int_equal(evtchn_alloc_unbound(&doms[dom], (uint16_t)remote, &port), 0);
    return port;
}

/* A channel between two domains; the first one's port, *theirs the second one's. */
static __unused uint32_t channel(uint32_t dom, uint32_t other, uint32_t *theirs)
{
    uint32_t port = 0;

    *theirs = alloc(other, dom);
    assert_int_equal(evtchn_bind_interdomain(&doms[dom], &doms[other], *theirs, &port), 0);
    return port;
}

static __unused uint8_t state_of(uint32_t dom, uint32_t port)
{
    return evtchn_find(&doms[dom], port)->state;
}

/* 2-level: takes the bit, as a guest's handler does; false: it was not set. */
static __unused bool take(uint32_t dom, uint32_t port)
{
    bool was = (shared[dom].evtchn_pending[port / 64] & BIT(port % 64)) != 0;

    shared[dom].evtchn_pending[port / 64] &= ~BIT(port % 64);
    return was;
}

/* What a vCPU was told since it looked last: evtchn_pending_sel. 0 also if it was not interrupted.
 */
static __unused uint64_t told(uint32_t dom, uint32_t vcpu)
{
    struct vcpu_info *info = &infos[dom][vcpu];
    uint64_t sel = info->evtchn_pending_sel;
    bool interrupted = vcpus[dom][vcpu].arch.upcalls != 0 && info->evtchn_upcall_pending;

    vcpus[dom][vcpu].arch.upcalls = 0;
    info->evtchn_upcall_pending = 0;
    info->evtchn_pending_sel = 0;
    return interrupted ? sel : 0;
}

#endif
