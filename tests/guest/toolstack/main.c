/* SPDX-License-Identifier: MIT */
/*
 * What a toolstack's calls do on the real machine. With `control=1` this is the control domain: it
 * makes domains, runs them and destroys them; else a guest that may do nothing of that.
 */
#include "toolstack.h"

#include <xen/memory.h>

const char guest_name[] = "toolstack";

#define POOL   (UINT64_C(1) << 20)
#define PAGE   4096
#define PAGES  64
#define ROUNDS 100
#define EPERM  1
#define EACCES 13

static int64_t domctl_at(uint64_t address)
{
    return hypercall(__HYPERVISOR_domctl, address, 0, 0, 0, 0);
}

/* --- a guest like any other --- */

static void refused(void)
{
    uint32_t wrong = 0;

    for (uint32_t cmd = 0; cmd < 100; cmd++)
        wrong += domctl(cmd, 0) != -EPERM;
    for (uint32_t cmd = 1000; cmd < 1004; cmd++)
        wrong += domctl(cmd, 0) != -EPERM;
    for (uint32_t cmd = 0; cmd < 32; cmd++)
        wrong += sysctl(cmd) != -EPERM;
    check_eq(wrong, 0, "every domctl and sysctl is refused");
    check_eq((uint64_t)domctl_at(NOWHERE), (uint64_t)-EPERM, "whatever its struct");
}

/* --- the control domain --- */

/* As far as it goes without memory. Its number, 0 if it could not be made. */
static uint16_t made(void)
{
    uint16_t id;

    if (create_domain(2, NULL))
        return 0;
    id = op.domain;
    op.u.max_vcpus.max = 2;
    return domctl(XEN_DOMCTL_max_vcpus, id) ? 0 : id;
}

static uint32_t flags_of(uint16_t id)
{
    return domctl(XEN_DOMCTL_getdomaininfo, id) ? 0 : op.u.getdomaininfo.flags;
}

static void calls(void)
{
    op.interface_version = 0;
    check_eq((uint64_t)domctl_at((uint64_t)(uintptr_t)&op), (uint64_t)-EACCES, "another version");
    check_eq((uint64_t)domctl_at(NOWHERE), (uint64_t)-EFAULT, "a struct that is not there");
    check_eq((uint64_t)domctl(XEN_DOMCTL_pausedomain, 99), (uint64_t)-ESRCH, "nobody");
    check_eq((uint64_t)domctl(XEN_DOMCTL_destroydomain, 0), (uint64_t)-EINVAL, "not oneself");
    check_eq((uint64_t)sysctl(XEN_SYSCTL_livepatch_op), (uint64_t)-ENOSYS, "no patches");
    check(free_pages() > 0 && sys.u.physinfo.cpu_khz > 0, "memory and a clock");
}

static bool may_have_memory(uint16_t id)
{
    op.u.paging_mempool.size = POOL;
    if (domctl(XEN_DOMCTL_set_paging_mempool_size, id))
        return false;
    op.u.max_mem.max_memkb = 4096;
    return !domctl(XEN_DOMCTL_max_mem, id);
}

/* Gives the domain its first page, mapped over one of ours for as long as the code is written. */
static bool give_code(uint16_t id)
{
    static _Alignas(PAGE) volatile uint32_t window[PAGE / sizeof(uint32_t)];
    xen_pfn_t here = (uintptr_t)window / PAGE, there = entry_gfn;
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = id };
    struct xen_add_to_physmap_batch map = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 1, .u.foreign_domid = id
    };
    struct xen_remove_from_physmap unmap = { .domid = DOMID_SELF, .gpfn = here };
    int err = -1;

    r.extent_start.p = &there;
    map.idxs.p = &there;
    map.gpfns.p = &here;
    map.errs.p = &err;
    if (!may_have_memory(id) ||
        hypercall_op(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r) != 1 ||
        hypercall_op(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &map) || err)
        return false;
    window[0] = endless_loop;
    barrier();
    r.domid = DOMID_SELF;
    r.extent_start.p = &here;
    return !hypercall_op(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &unmap) &&
           hypercall_op(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r) == 1;
}

static void life(void)
{
    uint16_t id = made();
    uint64_t ran;

    check(id != 0, "made");
    check_eq(flags_of(id),
             XEN_DOMINF_paused | XEN_DOMINF_blocked | XEN_DOMINF_hvm_guest | XEN_DOMINF_hap,
             "it waits to be built");
    check_eq(op.u.getdomaininfo.max_vcpu_id, 1, "two vCPUs");
    check(op.u.getdomaininfo.gpaddr_bits >= 32, "an address space");
    first_state(id);
    op.u.address_size.size = 64;
    check_eq((uint64_t)domctl(XEN_DOMCTL_set_address_size, id), 0, "64-bit");
    op.u.address_size.size = 32;
    check_eq((uint64_t)domctl(XEN_DOMCTL_set_address_size, id), (uint64_t)-EINVAL, "not 32-bit");
    check(give_code(id), "code to run");
    check_eq((uint64_t)domctl(XEN_DOMCTL_unpausedomain, id), 0, "unpaused");
    check(wait_until(flags_of(id) & XEN_DOMINF_running && op.u.getdomaininfo.cpu_time), "it runs");
    check_eq((uint64_t)domctl(XEN_DOMCTL_pausedomain, id), 0, "paused");
    check_eq(flags_of(id) & (XEN_DOMINF_paused | XEN_DOMINF_running), XEN_DOMINF_paused,
             "it has stopped when the call returns");
    ran = op.u.getdomaininfo.cpu_time;
    delay_us(1000);
    (void)flags_of(id);
    check_eq(op.u.getdomaininfo.cpu_time, ran, "and uses no more time");
    check_eq((uint64_t)domctl(XEN_DOMCTL_unpausedomain, id), 0, "unpaused again");
    check_eq((uint64_t)domctl(XEN_DOMCTL_destroydomain, id), 0, "destroyed");
    check_eq((uint64_t)domctl(XEN_DOMCTL_getdomaininfo, id), (uint64_t)-ESRCH, "gone");
}

/* Some of its memory, page by page and in a block; true if it got all. */
static bool give_memory(uint16_t id)
{
    static xen_pfn_t gfns[PAGES];
    struct xen_memory_reservation r = { .nr_extents = PAGES, .domid = id };
    bool got = may_have_memory(id);

    for (unsigned int i = 0; i < PAGES; i++)
        gfns[i] = 0x40000 + 3 * i;
    r.extent_start.p = gfns;
    got = got && hypercall_op(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r) == PAGES;
    gfns[0] = 0x40200;
    r.nr_extents = 1;
    r.extent_order = 9;
    return got && hypercall_op(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r) == 1;
}

/* The first rounds fill what the hypervisor keeps for later. */
static void rounds(unsigned int n)
{
    uint32_t wrong = 0;

    for (unsigned int i = 0; i < n; i++) {
        uint16_t id = made();

        wrong += !id || set_state(id) || (i % 3 && !give_memory(id));
        if (i % 2)
            wrong += domctl(XEN_DOMCTL_unpausedomain, id) != 0;
        wrong += domctl(XEN_DOMCTL_destroydomain, id) != 0;
    }
    check_eq(wrong, 0, "%u domains come and go", n);
}

/*
 * The machine's free pages when all domains are gone. Who stopped by itself is held by the
 * hypervisor's worker until that has had its turn, so domains that never ran come and go until that
 * makes no difference.
 */
static uint64_t settled_pages(void)
{
    uint64_t pages, tries = 0;

    do {
        pages = free_pages();
        delay_us(10000);
        for (unsigned int i = 0; i < 10; i++)
            (void)domctl(XEN_DOMCTL_destroydomain, made());
    } while (free_pages() != pages && tries++ < 100);
    return pages;
}

void guest_main(void)
{
    uint64_t before;

    if (!bootarg_number("control", 0)) {
        refused();
        finish();
    }
    calls();
    life();
    if (bootarg_number("devices", 0))
        devices();
    rounds(ROUNDS);
    before = settled_pages();
    rounds((unsigned int)bootarg_number("rounds", ROUNDS));
    /* Who stopped by itself is held by the hypervisor's worker until that has had its turn. */
    (void)wait_until(free_pages() == before);
    check_eq(free_pages(), before, "all memory is back");
    finish();
}
