/* SPDX-License-Identifier: MIT */
/*
 * What memory_op does on the real machine: a guest's balloon, the pages that it shares with the
 * hypervisor, and what it may not do. With `control=1` this is the control domain, whose memory is
 * at machine addresses: it gets the same back, maps pages of domain 1 (unless other=0), and of a
 * domain that it makes, fills and destroys.
 */
#include "control.h"

#include <xen/memory.h>

const char guest_name[] = "reservation";

#define EPERM      1
#define ENOENT     2
#define ESRCH      3
#define EIO        5
#define EFAULT     14
#define EINVAL     22
#define ENOSYS     38
#define EOPNOTSUPP 95
#define PAGE       UINT64_C(4096)
#define NOWHERE    (UINT64_C(300) << 30)
#define MANY       2000

static xen_pfn_t gfns[MANY];
static uint64_t ram; /* address of 4 MiB that nobody uses, aligned to 2 MiB */
static uint64_t gap; /* address of a GiB where nothing is */

static void *at_nowhere(void)
{
    return (void *)(uintptr_t)NOWHERE;
}

static int64_t memory_op(uint64_t cmd, void *what)
{
    return hypercall_op(__HYPERVISOR_memory_op, cmd, what);
}

static int64_t reserve(unsigned int cmd, uint16_t domid, xen_pfn_t *list, uint64_t nr,
                       unsigned int order, unsigned int flags)
{
    struct xen_memory_reservation r = {
        .nr_extents = nr, .extent_order = order, .mem_flags = flags, .domid = domid
    };

    r.extent_start.p = list;
    return memory_op(cmd, &r);
}

static int64_t reserve_one(unsigned int cmd, uint16_t domid, uint64_t address, unsigned int order)
{
    xen_pfn_t gfn = address / PAGE;

    return reserve(cmd, domid, &gfn, 1, order, 0);
}

#define populate(domid, address, order) reserve_one(XENMEM_populate_physmap, domid, address, order)
#define decrease(domid, address, order) \
    reserve_one(XENMEM_decrease_reservation, domid, address, order)

static int64_t add(uint16_t domid, unsigned int space, uint64_t idx, uint64_t address)
{
    struct xen_add_to_physmap x = {
        .domid = domid, .space = space, .idx = idx, .gpfn = address / PAGE
    };

    return memory_op(XENMEM_add_to_physmap, &x);
}

static int64_t take_out(uint16_t domid, uint64_t address)
{
    struct xen_remove_from_physmap x = { .domid = domid, .gpfn = address / PAGE };

    return memory_op(XENMEM_remove_from_physmap, &x);
}

static int64_t foreign(uint16_t domid, uint16_t owner, uint64_t nr, xen_ulong_t *idxs,
                       xen_pfn_t *at, int *errs)
{
    struct xen_add_to_physmap_batch x = { .domid = domid,
                                          .space = XENMAPSPACE_gmfn_foreign,
                                          .size = (uint16_t)nr,
                                          .u.foreign_domid = owner };

    x.idxs.p = idxs;
    x.gpfns.p = at;
    x.errs.p = errs;
    return memory_op(XENMEM_add_to_physmap_batch, &x);
}

/* The call's error, or the frame's. */
static int64_t foreign_one(uint16_t owner, uint64_t idx, uint64_t address)
{
    xen_ulong_t from = idx;
    xen_pfn_t to = address / PAGE;
    int err = 77;
    int64_t rc = foreign(DOMID_SELF, owner, 1, &from, &to, &err);

    return rc ? rc : err;
}

static int64_t ask(unsigned int cmd, uint16_t domid)
{
    struct xen_memory_domain d = { domid };

    return memory_op(cmd, &d);
}

static bool is_there(uint64_t address)
{
    return is_memory(address);
}

static uint64_t sum(uint64_t address, uint64_t bytes)
{
    uint64_t all = 0;

    for (uint64_t a = address; a < address + bytes; a += 8)
        all |= read64(a);
    return all;
}

/* --- a guest's own memory --- */

static void questions(void)
{
    static const unsigned int none[] = { XENMEM_NONE, XENMEM_paging_op, 22, 63 };
    struct xen_vnuma_topology_info topology = { .domid = DOMID_SELF };
    struct xen_memory_reservation claim = { .nr_extents = 1, .domid = 1 };
    struct xen_memory_exchange exchange = { .in = { .nr_extents = 1, .domid = DOMID_SELF },
                                            .out = { .nr_extents = 1, .domid = DOMID_SELF } };
    xen_pfn_t gfn = ram / PAGE;

    for (unsigned int i = 0; i < ARRAY_SIZE(none); i++)
        check_answer(memory_op(none[i], &topology), -ENOSYS, "operation %u", none[i]);
    check_answer(memory_op(XENMEM_get_sharing_freed_pages, NULL), 0, "nothing is shared");
    check_answer(memory_op(XENMEM_get_sharing_shared_pages, NULL), 0, "between domains");
    check(ask(XENMEM_maximum_gpfn, DOMID_SELF) >= (int64_t)(ram / PAGE), "maximum_gpfn");
    check(memory_op(XENMEM_maximum_ram_page, NULL) > 0, "maximum_ram_page");
    check_answer(ask(XENMEM_current_reservation, 99), -ESRCH, "reservation of nobody");
    check_answer(memory_op(XENMEM_current_reservation, at_nowhere()), -EFAULT, "from nowhere");
    check_answer(ask(XENMEM_current_reservation | 1 << 6, DOMID_SELF), -EINVAL, "not in extents");
    check_answer(memory_op(XENMEM_get_vnumainfo, &topology), -EOPNOTSUPP, "no virtual nodes");
    exchange.in.extent_start.p = &gfn;
    check_answer(memory_op(XENMEM_exchange, &exchange), -EOPNOTSUPP, "exchange is for PV");
    claim.extent_order = 1;
    check_answer(memory_op(XENMEM_claim_pages, &claim), -EINVAL, "claims are of pages");
}

static void balloon(void)
{
    int64_t had = ask(XENMEM_current_reservation, DOMID_SELF);
    unsigned int wrong = 0;

    check_answer(ask(XENMEM_maximum_reservation, DOMID_SELF), had, "it has all it may have");
    write64(ram, 42);
    check_answer(decrease(DOMID_SELF, ram, 0), 1, "a page given back");
    check(!is_there(ram), "is gone");
    check_answer(ask(XENMEM_current_reservation, DOMID_SELF), had - 1, "and counted");
    check_answer(decrease(DOMID_SELF, ram, 0), 0, "not twice");
    check_answer(decrease(DOMID_SELF, ram, 9), 0, "nor with what lies around it");
    check_answer(populate(DOMID_SELF, ram, 0), 1, "got again");
    check_eq(sum(ram, PAGE), 0, "clean");
    check_answer(populate(DOMID_SELF, gap, 0), 0, "no more than it may have");
    check(!is_there(gap), "and nothing is there");
    check_answer(decrease(DOMID_SELF, ram, 10), 0, "too large for a guest");
    check_answer(decrease(DOMID_SELF, ram + 2 * MIB, 9), 1, "2 MiB");
    check_answer(ask(XENMEM_current_reservation, DOMID_SELF), had - 512, "less");
    check_answer(populate(DOMID_SELF, gap + 2 * MIB, 9), 1, "got at another place");
    check_eq(sum(gap + 2 * MIB, 2 * MIB), 0, "all clean");
    check_answer(decrease(DOMID_SELF, gap + 2 * MIB, 9), 1, "given back");
    check_answer(populate(DOMID_SELF, ram + 2 * MIB, 9), 1, "2 MiB again");

    for (unsigned int i = 0; i < 512; i++)
        gfns[i] = ram / PAGE + i;
    for (uint64_t a = ram; a < ram + 2 * MIB; a += PAGE)
        write64(a, a);
    check_answer(reserve(XENMEM_decrease_reservation, DOMID_SELF, gfns, 512, 0, 0), 512, "512");
    check_answer(ask(XENMEM_current_reservation, DOMID_SELF), had - 512, "are gone");
    for (uint64_t a = ram; a < ram + 2 * MIB; a += 64 * PAGE)
        wrong += is_there(a);
    check_eq(wrong, 0, "really");
    check_answer(reserve(XENMEM_populate_physmap, DOMID_SELF, gfns, 512, 0, 0), 512, "512 again");
    check_eq(sum(ram, 2 * MIB), 0, "clean pages");
}

static void wrong_reservations(void)
{
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    xen_pfn_t gfn = gap / PAGE;

    check_answer(memory_op(XENMEM_populate_physmap, at_nowhere()), 0, "a structure nowhere");
    check_answer(memory_op(XENMEM_populate_physmap | 7 << 6, at_nowhere()), 7, "with 7 done");
    check_answer(memory_op(XENMEM_populate_physmap | 1 << 6, &r), 1, "all done");
    check_answer(reserve(XENMEM_populate_physmap, DOMID_SELF, at_nowhere(), 1, 0, 0), 0, "list");
    check_answer(reserve(XENMEM_decrease_reservation, DOMID_SELF, at_nowhere(), 1, 0, 0), 0,
                 "list to give back");
    check_answer(reserve(XENMEM_populate_physmap, 99, &gfn, 1, 0, 0), 0, "for nobody");
    check_answer(reserve(XENMEM_populate_physmap, DOMID_SELF, &gfn, UINT64_C(1) << 26, 0, 0), 0,
                 "too many to be counted");
    check_answer(
        reserve(XENMEM_populate_physmap, DOMID_SELF, &gfn, 1, 0, XENMEMF_populate_on_demand), 0,
        "not on demand");
    check_answer(decrease(DOMID_SELF, UINT64_MAX, 0), 0, "the last address");
    check_answer(decrease(DOMID_SELF, NOWHERE, 0), 0, "what is not there");
    check_answer(decrease(DOMID_SELF, DEVICE, 0), 0, "a device");
}

/* --- pages shared with the hypervisor --- */

/* Linux maps shared_info over a page of its own. */
static void over_memory(uint64_t page, bool keeps)
{
    write64(page, 42);
    check_answer(add(DOMID_SELF, XENMAPSPACE_shared_info, 0, page), 0, "over memory");
    check(is_there(page) && read64(page) != 42, "which is hidden");
    check_answer(add(DOMID_SELF, XENMAPSPACE_grant_table, 0, gap), 0, "grant table");
    check(is_there(gap), "is there too");
    check_answer(take_out(DOMID_SELF, gap), 0, "and removed");
    check_answer(take_out(DOMID_SELF, page), 0, "shared_info from over memory");
    check(!is_there(page), "leaves a hole");
    if (check_answer(populate(DOMID_SELF, page, 0), 1, "that can be filled"))
        check_eq(read64(page), keeps ? 42 : 0, "with %s page", keeps ? "the same" : "a new");
}

static void shared_pages(bool keeps)
{
    int64_t had = ask(XENMEM_current_reservation, DOMID_SELF);

    check_answer(add(DOMID_SELF, XENMAPSPACE_shared_info, 0, gap), 0, "shared_info");
    check(is_there(gap), "is there");
    check(!SHARED_IS_DATA || probe_jump(gap) != 0, "and holds no code");
    check_answer(ask(XENMEM_current_reservation, DOMID_SELF), had, "not counted");
    check_answer(take_out(DOMID_SELF, gap), 0, "removed");
    check(!is_there(gap), "gone");
    check_answer(take_out(DOMID_SELF, gap), -ENOENT, "once");

    over_memory(ram + PAGE, keeps);
    check_answer(add(DOMID_SELF, XENMAPSPACE_shared_info, 1, gap), -EINVAL, "one such page");
    check_answer(add(DOMID_SELF, XENMAPSPACE_shared_info, 0, UINT64_MAX), -EINVAL, "no address");
    check_answer(add(DOMID_SELF, XENMAPSPACE_grant_table, 100000, gap), -EINVAL, "no such frame");
    check_answer(add(DOMID_SELF, XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, gap),
                 -EINVAL, "no status frames");
    check_answer(add(DOMID_SELF, XENMAPSPACE_gmfn, ram / PAGE, gap), -ENOSYS, "gmfn");
    check_answer(add(DOMID_SELF, XENMAPSPACE_gmfn_foreign, 0, gap), -ENOSYS, "foreign, unbatched");
    check_answer(add(99, XENMAPSPACE_shared_info, 0, gap), -ESRCH, "into nobody");
    check_answer(memory_op(XENMEM_add_to_physmap, at_nowhere()), -EFAULT, "nothing to add");
    check_answer(memory_op(XENMEM_remove_from_physmap, at_nowhere()), -EFAULT, "or remove");
    check_answer(take_out(DOMID_SELF, DEVICE), -ENOENT, "not a device");
}

/* Batches with nothing right in them. One's own memory is no foreign memory. */
static void wrong_batches(void)
{
    xen_ulong_t idx = ram / PAGE;
    xen_pfn_t to = gap / PAGE;
    int err = 77;

    check_answer(foreign_one(DOMID_SELF, idx, gap), -ESRCH, "one's own memory");
    check_answer(foreign_one(99, idx, gap), -ESRCH, "of nobody");
    check_answer(foreign(DOMID_SELF, 99, 1, at_nowhere(), &to, &err), -EFAULT, "frames");
    check_answer(foreign(DOMID_SELF, 99, 1, &idx, at_nowhere(), &err), -EFAULT, "places");
    check_answer(foreign(DOMID_SELF, 99, 1, &idx, &to, at_nowhere()), -EFAULT, "errors");
    check_answer(foreign(DOMID_SELF, 99, 0, NULL, NULL, NULL), 0, "none");
    to = UINT64_MAX;
    check_answer(foreign(DOMID_SELF, 99, 1, &idx, &to, &err), -EINVAL, "no place");
    check(!is_there(gap), "and nothing is there");
}

/* Domain 1 is another; this one is not it. */
static void refused(void)
{
    struct xen_mem_acquire_resource x = { .domid = 1, .type = XENMEM_resource_grant_table };
    xen_pfn_t gfn = gap / PAGE;

    check_answer(populate(1, gap, 0), 0, "giving to another");
    check_answer(decrease(1, 0x40000000, 0), 0, "taking from another");
    check_answer(ask(XENMEM_current_reservation, 1), -EPERM, "asking about another");
    check_answer(ask(XENMEM_maximum_gpfn, 1), -EPERM, "asking for its end");
    check_answer(add(1, XENMAPSPACE_shared_info, 0, gap), -EPERM, "mapping into another");
    check_answer(take_out(1, 0x40000000), -EPERM, "removing from another");
    check_answer(foreign_one(1, 0x40000, gap), -EPERM, "mapping another's memory");
    x.frame_list.p = &gfn;
    x.nr_frames = 1;
    check_answer(memory_op(XENMEM_acquire_resource, &x), -EPERM, "mapping another's table");
    check(!is_there(gap), "nothing is there");
}

/* --- the control domain --- */

/* What is at machine addresses is not given away, and comes back as it was. */
static void direct(void)
{
    int64_t had = ask(XENMEM_current_reservation, DOMID_SELF);
    unsigned int wrong = 0;

    for (unsigned int i = 0; i < 1024; i++) {
        gfns[i] = ram / PAGE + i;
        write64(ram + i * PAGE, i + 1);
    }
    check_answer(reserve(XENMEM_decrease_reservation, DOMID_SELF, gfns, 1024, 0, 0), 1024,
                 "dom0's balloon");
    check_answer(ask(XENMEM_current_reservation, DOMID_SELF), had, "gives nothing away");
    check(!is_there(ram) && !is_there(ram + 4 * MIB - PAGE), "but is not mapped");
    check_answer(populate(DOMID_SELF, gap, 0), 0, "no other memory in its place");
    check_answer(reserve(XENMEM_populate_physmap, DOMID_SELF, gfns, 1024, 0, 0), 1024, "back");
    for (unsigned int i = 0; i < 1024; i++)
        wrong += read64(ram + i * PAGE) != i + 1;
    check_eq(wrong, 0, "the same pages");
    check_answer(decrease(DOMID_SELF, ram, 10), 1, "4 MiB");
    check_answer(populate(DOMID_SELF, ram + 2 * MIB, 9), 1, "half of it back");
    check_answer(populate(DOMID_SELF, ram, 10), 1, "all of it");
    check_eq(read64(ram + 2 * MIB), 513, "the same block");
}

/* Domain 1 is a tiny guest at the guest layout's first address: an Image. */
static void others_memory(void)
{
    xen_ulong_t idxs[3] = { 0x40000, 0x7fff, 0x40001 };
    xen_pfn_t at[3] = { gap / PAGE, gap / PAGE + 1, gap / PAGE + 2 };
    int errs[3] = { 77, 77, 77 };

    check_answer(foreign(DOMID_SELF, 1, 3, idxs, at, errs), 0, "a batch of another's pages");
    check_answer(errs[0], 0, "the first");
    check_answer(errs[1], -EINVAL, "one that is not there");
    check_answer(errs[2], 0, "the last");
    check_eq(read32(gap + 56), 0x644d5241, "it is the kernel");
    check(!is_there(gap + PAGE), "a hole");
    check_answer(decrease(DOMID_SELF, gap, 0), 0, "is not one's own");
    check_answer(take_out(DOMID_SELF, gap), 0, "removed");
    check_answer(take_out(DOMID_SELF, gap + 2 * PAGE), 0, "both");
    check_answer(foreign_one(0, ram / PAGE, gap), -EPERM, "oneself by number");
    check(ask(XENMEM_current_reservation, 1) > 0, "its size");
}

static uint16_t make(uint64_t max_kib)
{
    check_answer(create_domain(1, NULL), 0, "a domain is made");
    uint16_t id = op.domain;
    op.u.paging_mempool.size = MIB;
    check_answer(domctl(XEN_DOMCTL_set_paging_mempool_size, id), 0, "with tables");
    op.u.max_mem.max_memkb = max_kib;
    check_answer(domctl(XEN_DOMCTL_max_mem, id), 0, "and a limit");
    return id;
}

/* What others have mapped stays when the domain goes, and its memory comes back whole. */
static void guest_memory(unsigned int round)
{
    uint16_t id = make(32 * 1024);
    struct xen_mem_acquire_resource x = { .domid = id, .type = XENMEM_resource_grant_table };
    struct xen_memory_reservation claim = { .nr_extents = 8192, .domid = id };
    xen_pfn_t gfn = (gap + 5 * PAGE) / PAGE;

    check_answer(memory_op(XENMEM_claim_pages, &claim), 0, "claimed");
    check_answer(memory_op(XENMEM_claim_pages, &claim), -EINVAL, "once");
    for (unsigned int i = 0; i < 20; i++)
        gfns[i] = 0x40000 + 512 * i;
    check_answer(reserve(XENMEM_populate_physmap, id, gfns, 20, 9, 0), 16, "32 MiB and no more");
    check_answer(ask(XENMEM_current_reservation, id), 8192, "counted");
    check_answer(ask(XENMEM_maximum_gpfn, id), 0x41fff, "up to there");
    check_answer(foreign_one(id, 0x40123, gap), 0, "mapped");
    check_eq(sum(gap, PAGE), 0, "clean");
    write64(gap, 0x1234 + round);
    check_answer(foreign_one(id, 0x40123, gap + PAGE), 0, "mapped again");
    check_eq(read64(gap + PAGE), 0x1234 + round, "the same");
    check_answer(add(id, XENMAPSPACE_shared_info, 0, 0x3f000000), 0, "its shared_info");
    check_answer(foreign_one(id, 0x3f000, gap + 2 * PAGE), 0, "mapped here");
    check_answer(memory_op(XENMEM_acquire_resource, &x), 0, "its grant table's size");
    check_eq(x.nr_frames, 4, "as it was made");
    x.frame_list.p = &gfn;
    x.nr_frames = 1;
    check_answer(memory_op(XENMEM_acquire_resource, &x), 0, "its first frame");
    check(is_there(gap + 5 * PAGE), "is there");
    check_answer(decrease(id, 0x40200000, 9), 1, "taken from it");
    check_answer(ask(XENMEM_current_reservation, id), 8192 - 512, "less");

    check_answer(domctl(XEN_DOMCTL_destroydomain, id), 0, "destroyed");
    check_eq(read64(gap), 0x1234 + round, "what is mapped stays");
    check_answer(foreign_one(id, 0x40124, gap + 3 * PAGE), -ESRCH, "no more of it");
    check_answer(take_out(DOMID_SELF, gap), 0, "let go");
    check_answer(take_out(DOMID_SELF, gap + PAGE), 0, "again");
    check_answer(take_out(DOMID_SELF, gap + 2 * PAGE), 0, "shared_info");
    check_answer(take_out(DOMID_SELF, gap + 5 * PAGE), 0, "grant table");
}

static void guest_rounds(void)
{
    uint64_t before;

    /* The first fill what the hypervisor keeps for later. */
    for (unsigned int i = 0; i < 3; i++)
        guest_memory(i);
    before = free_pages();
    for (unsigned int i = 3; i < 8; i++)
        guest_memory(i);
    check(before && free_pages() == before, "every page is back");
}

void guest_main(void)
{
    struct range last = machine.mem[0];
    bool control = bootarg_number("control", 0);

    ram = ((last.base + last.bytes) & ~(2 * MIB - 1)) - 6 * MIB;
    gap = UINT64_C(200) << 30;
    questions();
    if (control) {
        direct();
        if (bootarg_number("other", 1))
            others_memory();
        guest_rounds();
    } else {
        balloon();
        refused();
    }
    wrong_reservations();
    shared_pages(control);
    wrong_batches();
    finish();
}
