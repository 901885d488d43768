/* SPDX-License-Identifier: MIT */
/*
 * What a toolstack asks of the hypervisor, from the control domain itself: domains made and
 * destroyed, with and without memory, frames of theirs mapped, all of them listed. No kernel and no
 * libxl is in between.
 */
#include "../bench.h"
#include "hypercall.h"

#include <xen/domctl.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/sysctl.h>

#define PAGE     UINT64_C(4096)
#define MANY     32u
#define WINDOW_A (UINT64_C(300) << 30) /* nothing is there */
#define RAM_BASE UINT64_C(0x40000000)  /* of the domains */
#define ORDER_2M 9u
#define MOST_2M  128u /* blocks of a domain */
#define CROWD    50u
#define POOL     (2 * MIB) /* for a domain's tables */
#define ROUNDS_C 9u        /* of what takes long */

static struct xen_domctl op;
static struct xen_sysctl sys;
static struct xen_domctl_getdomaininfo infos[CROWD + 2];
static xen_pfn_t blocks[MOST_2M];

static uint64_t address(const volatile void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* The instructions of one call, which has to succeed with `want`. */
static uint64_t cost(const uint64_t call[6], int64_t want, const char *what)
{
    uint64_t start = now(), t;
    int64_t got = hypercall(call[0], call[1], call[2], call[3], call[4], call[5]);

    t = now() - start;
    if (got != want)
        check_eq((uint64_t)got, (uint64_t)want, "%s", what);
    return t;
}

static uint64_t domctl(uint32_t cmd, uint16_t id, const char *what)
{
    const uint64_t call[6] = { __HYPERVISOR_domctl, address(&op) };

    op.cmd = cmd;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = id;
    return cost(call, 0, what);
}

static uint64_t sysctl(uint32_t cmd, const char *what)
{
    const uint64_t call[6] = { __HYPERVISOR_sysctl, address(&sys) };

    sys.cmd = cmd;
    sys.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return cost(call, 0, what);
}

static uint64_t free_pages(void)
{
    (void)sysctl(XEN_SYSCTL_physinfo, "physinfo");
    return sys.u.physinfo.free_pages;
}

/* A domain as libxl makes it, but for its memory; returns the instructions of all calls. */
static uint64_t make(uint32_t vcpus, uint16_t *id)
{
    uint64_t t;

    memset(&op.u, 0, sizeof(op.u));
    op.u.createdomain = (struct xen_domctl_createdomain){
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = vcpus,
        .max_evtchn_port = 1023,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .grant_opts = 1,
    };
    t = domctl(XEN_DOMCTL_createdomain, 0, "createdomain");
    *id = op.domain;
    op.u.max_vcpus.max = vcpus;
    t += domctl(XEN_DOMCTL_max_vcpus, *id, "max_vcpus");
    op.u.max_mem.max_memkb = 2 * MOST_2M * 2048;
    t += domctl(XEN_DOMCTL_max_mem, *id, "max_mem");
    op.u.paging_mempool.size = POOL;
    return t + domctl(XEN_DOMCTL_set_paging_mempool_size, *id, "set_paging_mempool_size");
}

static uint64_t populate(uint16_t id, uint32_t count)
{
    struct xen_memory_reservation r = {
        .extent_start = { .p = blocks }, .nr_extents = count, .extent_order = ORDER_2M, .domid = id
    };
    const uint64_t call[6] = { __HYPERVISOR_memory_op, XENMEM_populate_physmap, address(&r) };

    for (uint32_t i = 0; i < count; i++)
        blocks[i] = RAM_BASE / PAGE + ((uint64_t)i << ORDER_2M);
    return cost(call, count, "populate_physmap");
}

/* From the call until it has returned; with what is done later, until `free` pages are free again.
 */
static void destroy(uint16_t id, uint64_t free, uint64_t *call, uint64_t *all)
{
    uint64_t start = now();

    *call = domctl(XEN_DOMCTL_destroydomain, id, "destroydomain");
    while (free_pages() < free)
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0, 0, 0);
    *all = now() - start;
}

static void lives(const char *made, const char *destroyed, const char *back, uint32_t vcpus,
                  uint32_t count)
{
    uint64_t t[3][ROUNDS_C], free = 0;

    if (is_left_out(made) && is_left_out(destroyed))
        return;
    do {
        for (unsigned int n = 0; n < ROUNDS_C + 1; n++) {
            unsigned int k = n ? n - 1 : 0; /* the first fills what is kept for later */
            uint16_t id;

            if (n == 1)
                free = free_pages();
            t[0][k] = make(vcpus, &id);
            if (count)
                t[0][k] += populate(id, count);
            destroy(id, free, &t[1][k], &t[2][k]);
        }
    } while (is_traced(made) || is_traced(destroyed));
    report(made, t[0], ROUNDS_C, 1);
    report(destroyed, t[1], ROUNDS_C, 1);
    report(back, t[2], ROUNDS_C, 1);
}

/* --- foreign frames -------------------------------------------------------------------------- */

static xen_ulong_t idxs[MANY];
static xen_pfn_t gpfns[MANY];
static int errs[MANY];

static void map_foreign(uint16_t id, const char *map_name, const char *unmap_name, uint16_t count)
{
    struct xen_add_to_physmap_batch b = { .domid = DOMID_SELF,
                                          .space = XENMAPSPACE_gmfn_foreign,
                                          .size = count,
                                          .u.foreign_domid = id,
                                          .idxs = { .p = idxs },
                                          .gpfns = { .p = gpfns },
                                          .errs = { .p = errs } };
    struct xen_remove_from_physmap r = { .domid = DOMID_SELF };
    const uint64_t map[6] = { __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, address(&b) };
    const uint64_t unmap[6] = { __HYPERVISOR_memory_op, XENMEM_remove_from_physmap, address(&r) };
    uint64_t first[SAMPLES], second[SAMPLES];

    do {
        for (unsigned int n = 0; n < SAMPLES; n++) {
            first[n] = time_calls(map, 1) - time_no_calls(map, 1);
            second[n] = 0;
            for (unsigned int i = 0; i < count; i++) {
                if (errs[i])
                    check_eq((uint64_t)errs[i], 0, "%s", map_name);
                r.gpfn = gpfns[i];
                second[n] += time_calls(unmap, 1) - time_no_calls(unmap, 1);
            }
        }
    } while (is_traced(map_name) || is_traced(unmap_name));
    report(map_name, first, SAMPLES, 1);
    report(unmap_name, second, SAMPLES, 1);
}

static void measure_foreign(void)
{
    uint16_t id;

    (void)make(1, &id);
    (void)populate(id, 1);
    for (unsigned int i = 0; i < MANY; i++) {
        idxs[i] = RAM_BASE / PAGE + i;
        gpfns[i] = WINDOW_A / PAGE + i;
        errs[i] = -1;
    }
    map_foreign(id, "foreign-map", "foreign-unmap", 1);
    map_foreign(id, "foreign-map-32", "foreign-unmap-32", MANY);
    (void)domctl(XEN_DOMCTL_destroydomain, id, "destroydomain");
}

/* --- many ------------------------------------------------------------------------------------ */

static void list(const char *name)
{
    uint64_t t[SAMPLES];

    do {
        for (unsigned int n = 0; n < SAMPLES; n++) {
            memset(&sys.u, 0, sizeof(sys.u));
            sys.u.getdomaininfolist.max_domains = ARRAY_SIZE(infos);
            sys.u.getdomaininfolist.buffer.p = infos;
            t[n] = sysctl(XEN_SYSCTL_getdomaininfolist, name);
        }
    } while (is_traced(name));
    report(name, t, SAMPLES, 1);
}

/* Lists of 2 and 51 domains, and what each of the others cost in memory. */
static void measure_crowd(void)
{
    uint64_t t[CROWD], free;
    uint16_t id[CROWD];

    for (unsigned int i = 0; i < CROWD; i++) {
        free = free_pages();
        (void)make(1, &id[i]);
        t[i] = (free - free_pages()) * 4;
        if (i == 0)
            list("list-1");
    }
    list("list-50");
    report("domain-kib", t, CROWD, 1);
    for (unsigned int i = 0; i < CROWD; i++)
        (void)domctl(XEN_DOMCTL_destroydomain, id[i], "destroydomain");
}

void measure_control(void)
{
    lives("make", "destroy", "destroy-all", 1, 0);
    lives("make-8", "destroy-8", "destroy-8-all", 8, 0);
    lives("make-64m", "destroy-64m", "destroy-64m-all", 1, 32);
    lives("make-256m", "destroy-256m", "destroy-256m-all", 1, MOST_2M);
    measure_foreign();
    measure_crowd();
}
