/* SPDX-License-Identifier: MIT */
/*
 * A machine with domains that grant to each other, on the real core: frames, p2m, heap over
 * calloc(). Each domain has PAGES of RAM from FIRST on, an empty space from HOLE on, and one vCPU,
 * of which the hypercalls here are made; it builds its requests in its first pages.
 */
#ifndef TEST_GNTTAB_H
#define TEST_GNTTAB_H

#include "machine.h"

#include <hospes/cmdline.h>
#include <hospes/cpu.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/gnttab.h>
#include <hospes/map.h>
#include <hospes/p2m.h>
#include <hospes/vcpu.h>
#include <lib/bits.h>

#include <xen/xen.h>

#include <xen/grant_table.h>

#define RAM       GIB(1)
#define RAM_BYTES MIB(64)
#define META      GIB(16)
#define DOMAINS   3u
#define PAGES     64u
#define FIRST     0x40000u
#define HOLE      0x80000u
#define OPS       ((uint64_t)FIRST << FRAME_SHIFT) /* where requests are */

static struct domain *dom[DOMAINS];
static struct vcpu vcpu[DOMAINS];
static uint64_t all_free;

/* --- domains, without their life-cycle ------------------------------------------------------- */

struct domain *domain_get(uint16_t id)
{
    for (uint32_t i = 0; i < DOMAINS; i++)
        if (dom[i] && dom[i]->id == id) {
            domain_hold(dom[i]);
            return dom[i];
        }
    return NULL;
}

void domain_hold(struct domain *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

void domain_put(struct domain *d)
{
    if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL))
        return;
    gnttab_destroy(d);
    p2m_destroy(d);
    free(d);
}

/* Like domain_create() and domain_build(). Domain 0 is the control domain. */
static void domain_add(uint32_t i)
{
    struct domain *d = calloc(1, sizeof(*d));
    mfn_t m;

    d->id = (uint16_t)i;
    d->refs = 1;
    d->control = i == 0;
    d->max_pages = PAGES;
    d->lock = SPINLOCK_INIT(LOCK_DOMAIN);
    d->gnttab.lock = SPINLOCK_INIT(LOCK_GNTTAB);
    d->gnttab.maptrack.lock = SPINLOCK_INIT(LOCK_MAPTRACK);
    assert_int_equal(p2m_init(d), 0);
    assert_int_equal(p2m_set_pool(d, MIB(1)), 0);
    assert_int_equal(frame_alloc_range(d->id, PAGES, 0, &m), 0);
    assert_int_equal(p2m_map(d, GFN(FIRST), m, PAGES, P2M_RAM), 0);
    assert_true(domain_charge(d, PAGES));
    assert_int_equal(gnttab_domain_init(d, -1, -1, 1), 0);
    vcpu[i] = (struct vcpu){ .domain = d };
    dom[i] = d;
}

/* Like domain_teardown_step() until there is no more, and out of the list. */
static void domain_end(uint32_t i)
{
    struct domain *d = dom[i];
    uint32_t steps = 0;

    while (gnttab_release_step(d) || p2m_teardown_step(d))
        assert_in_range(steps++, 0, 10000);
    dom[i] = NULL;
    domain_put(d);
}

static int machine(void **state)
{
    machine_make(2, RAM, RAM_BYTES, META);
    all_free = frame_free_count();
    return 0;
}

static int start(void **state)
{
    for (uint32_t i = 0; i < DOMAINS; i++)
        domain_add(i);
    return 0;
}

/* All that there was has come back, to the frame. */
static int stop(void **state)
{
    for (uint32_t i = 0; i < DOMAINS; i++)
        if (dom[i])
            domain_end(i);
    assert_int_equal(frame_free_count(), all_free);
    return 0;
}

/* --- what a guest does ----------------------------------------------------------------------- */

static mfn_t frame_at(uint32_t i, uint64_t gfn)
{
    enum p2m_type type;

    return p2m_lookup(dom[i], GFN(gfn), &type, NULL);
}

static enum p2m_type type_at(uint32_t i, uint64_t gfn)
{
    enum p2m_type type;

    p2m_lookup(dom[i], GFN(gfn), &type, NULL);
    return type;
}

/* A page as the guest sees it. */
static uint8_t *page_at(uint32_t i, uint64_t gfn)
{
    mfn_t m = frame_at(i, gfn);

    assert_false(mfn_is_none(m));
    return host_ram(mfn_to_maddr(m));
}

/* An entry of the table, where the guest has it mapped. */
static struct grant_entry_v1 *entry(uint32_t i, uint32_t ref)
{
    assert_true(ref / GNTTAB_ENTRIES < dom[i]->gnttab.nr_frames);
    return (struct grant_entry_v1 *)host_ram(
               mfn_to_maddr(dom[i]->gnttab.frames[ref / GNTTAB_ENTRIES].mfn)) +
           ref % GNTTAB_ENTRIES;
}

static void grant(uint32_t i, uint32_t ref, uint32_t to, uint64_t gfn, uint16_t flags)
{
    *entry(i, ref) = (struct grant_entry_v1){ (uint16_t)(GTF_permit_access | flags), (uint16_t)to,
                                              (uint32_t)gfn };
}

static int64_t call(uint32_t i, uint32_t command, uint64_t at, uint64_t count)
{
    uint64_t arg[5] = { command, at, count };
    int64_t result;

    do
        result = gnttab_op(&vcpu[i], arg);
    while (result == -ERESTART);
    assert_int_equal(this_pcpu()->arch.nr_mapped, 0);
    assert_int_equal(this_pcpu()->nr_locks_held, 0);
    return result;
}

/* Puts `op` where the guest has its requests, makes the call, and fetches it back. */
#define CALL(i, command, op)                             \
    ({                                                   \
        memcpy(page_at(i, FIRST), &(op), sizeof(op));    \
        int64_t call_result_ = call(i, command, OPS, 1); \
        memcpy(&(op), page_at(i, FIRST), sizeof(op));    \
        call_result_;                                    \
    })

static int map(uint32_t i, uint32_t granter, uint32_t ref, uint64_t gfn, uint32_t flags,
               uint32_t *handle)
{
    struct gnttab_map_grant_ref op = { .host_addr = gfn << FRAME_SHIFT,
                                       .flags = GNTMAP_host_map | flags,
                                       .ref = ref,
                                       .dom = (uint16_t)granter,
                                       .status = 77,
                                       .handle = 0xdead };

    assert_int_equal(CALL(i, GNTTABOP_map_grant_ref, op), 0);
    *handle = op.handle;
    if (!op.status)
        assert_int_equal(op.dev_bus_addr, mfn_to_maddr(frame_at(i, gfn)).v);
    return op.status;
}

static int unmap(uint32_t i, uint32_t handle, uint64_t gfn)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = gfn << FRAME_SHIFT,
                                         .handle = handle,
                                         .status = 77 };

    assert_int_equal(CALL(i, GNTTABOP_unmap_grant_ref, op), 0);
    return op.status;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, stop)

#endif
