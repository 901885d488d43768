/* SPDX-License-Identifier: MIT */
/*
 * The Xen ABI as one guest alone can measure it: calls, events to itself, grants to itself, memory
 * given back and taken. Boot argument domid=: the guest's own number, 1 unless told.
 */
#include "bench.h"
#include "hypercall.h"

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define PAGE        UINT64_C(4096)
#define MANY        32u
#define FIRST_GRANT 8u /* the first ones are reserved */
#define ORDER_2M    9u

static struct {
    _Alignas(4096) uint8_t shared[4096];
    uint8_t info[4096];
    uint8_t control[4096];
    uint8_t array[4096];
    uint8_t grants[4096];
    uint8_t data[MANY][4096];
    uint8_t target[4096];
} page;

static shared_info_t *const shared = (shared_info_t *)(void *)page.shared;
static volatile struct vcpu_info *info;
static domid_t self;
static evtchn_send_t event;     /* the port to send on, */
static evtchn_port_t delivered; /* and the one that it becomes pending at */
static bool is_fifo;

static uint64_t address(const volatile void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* A call that can be repeated as it is. */
static void repeat(const char *name, const uint64_t call[6])
{
    uint64_t t[SAMPLES];

    if (is_left_out(name))
        return;
    do {
        for (unsigned int n = 0; n < SAMPLES; n++)
            t[n] = time_calls(call, ROUNDS) - time_no_calls(call, ROUNDS);
    } while (is_traced(name));
    report(name, t, SAMPLES, ROUNDS);
}

/* What has to be undone before it can be done again: both are reported, alone. */
static void do_and_undo(const char *what, const uint64_t what_call[6], const char *undo,
                        const uint64_t undo_call[6])
{
    uint64_t first[SAMPLES], second[SAMPLES];

    if (is_left_out(what) && is_left_out(undo))
        return;
    do {
        for (unsigned int n = 0; n < SAMPLES; n++) {
            first[n] = time_calls(what_call, 1) - time_no_calls(what_call, 1);
            second[n] = time_calls(undo_call, 1) - time_no_calls(undo_call, 1);
        }
    } while (is_traced(what) || is_traced(undo));
    report(what, first, SAMPLES, 1);
    report(undo, second, SAMPLES, 1);
}

static void succeeds(int64_t got, const char *what)
{
    if (got != 0)
        check_eq((uint64_t)got, 0, "%s", what);
}

static void map_into_self(unsigned int space, uint64_t idx, const void *at_page)
{
    struct xen_add_to_physmap map = { DOMID_SELF, 0, space, idx, address(at_page) / PAGE };

    succeeds(hypercall_op(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &map), "add_to_physmap");
}

/* --- events ---------------------------------------------------------------------------------- */

static void setup_events(void)
{
    struct vcpu_register_vcpu_info where = { address(page.info) / PAGE, 0, 0 };
    evtchn_alloc_unbound_t unbound = { DOMID_SELF, DOMID_SELF, 0 };
    evtchn_bind_interdomain_t bind = { .remote_dom = DOMID_SELF };

    map_into_self(XENMAPSPACE_shared_info, 0, page.shared);
    succeeds(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, address(&where), 0, 0),
             "register_vcpu_info");
    info = (volatile struct vcpu_info *)(volatile void *)page.info;
    enable_events();
    if (is_fifo) {
        evtchn_init_control_t control = { address(page.control) / PAGE, 0, 0, 0, { 0 } };
        evtchn_expand_array_t array = { address(page.array) / PAGE };

        succeeds(hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_init_control, &control),
                 "init_control");
        succeeds(hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, &array),
                 "expand_array");
    }
    succeeds(hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &unbound),
             "alloc_unbound");
    bind.remote_port = delivered = unbound.port;
    succeeds(hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind),
             "bind_interdomain");
    event.port = bind.local_port;
}

/* As the guest's kernel would: takes all that is pending. */
static void consume(void)
{
    info->evtchn_upcall_pending = 0;
    info->evtchn_pending_sel = 0;
    if (is_fifo) {
        volatile struct evtchn_fifo_control_block *block =
            (volatile struct evtchn_fifo_control_block *)(volatile void *)page.control;
        volatile event_word_t *word = (volatile event_word_t *)(volatile void *)page.array;

        block->ready = 0;
        block->head[EVTCHN_FIFO_PRIORITY_DEFAULT] = 0;
        word[delivered] = 0;
        word[event.port] = 0;
    } else {
        shared->evtchn_pending[0] = 0;
        shared->evtchn_mask[0] = 0;
    }
    barrier();
}

static void send_event(uint64_t unused, uint64_t t[2])
{
    (void)unused;
    consume();
    time_event(address(&event), t);
}

/* A channel is made and closed again, both calls together. Each gets the port that is free again.
 */
static void make_and_close(const char *name)
{
    evtchn_alloc_unbound_t unbound = { DOMID_SELF, DOMID_SELF, 0 };
    evtchn_close_t close = { 0 };
    const uint64_t make_call[6] = { __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
                                    address(&unbound) };
    const uint64_t close_call[6] = { __HYPERVISOR_event_channel_op, EVTCHNOP_close,
                                     address(&close) };
    uint64_t t[SAMPLES];

    if (is_left_out(name))
        return;
    do {
        for (unsigned int n = 0; n < SAMPLES; n++) {
            unbound.port = 0;
            t[n] = time_calls(make_call, 1) - time_no_calls(make_call, 1);
            if (!unbound.port || (close.port && unbound.port != close.port))
                check_eq(unbound.port, close.port, "%s", name);
            close.port = unbound.port;
            t[n] += time_calls(close_call, 1) - time_no_calls(close_call, 1);
        }
    } while (is_traced(name));
    report(name, t, SAMPLES, 1);
}

static void measure_events(void)
{
    const uint64_t pending[6] = { __HYPERVISOR_event_channel_op, EVTCHNOP_send, address(&event) };

    setup_events();
    consume();
    if (is_fifo) {
        events("event-fifo", "event-fifo-whole", send_event, 0);
        return;
    }
    events("event", "event-whole", send_event, 0);
    repeat("event-pending", pending); /* sent while it is pending: no interrupt comes of it */
    consume();
    make_and_close("event-channel");
}

/* --- grants ---------------------------------------------------------------------------------- */

static gnttab_map_grant_ref_t maps[MANY];
static gnttab_unmap_grant_ref_t unmaps[MANY];
static gnttab_copy_t copies[MANY];

static void setup_grants(void)
{
    grant_entry_v1_t *entry = (grant_entry_v1_t *)(void *)page.grants;

    map_into_self(XENMAPSPACE_grant_table, 0, page.grants);
    for (unsigned int i = 0; i < MANY; i++) {
        entry[FIRST_GRANT + i].domid = self;
        entry[FIRST_GRANT + i].frame = (uint32_t)(address(page.data[i]) / PAGE);
        barrier();
        entry[FIRST_GRANT + i].flags = GTF_permit_access;
        maps[i] = (gnttab_map_grant_ref_t){ .host_addr = nowhere + i * PAGE,
                                            .flags = GNTMAP_host_map,
                                            .ref = FIRST_GRANT + i,
                                            .dom = self };
        copies[i].source.u.ref = FIRST_GRANT + i;
        copies[i].source.domid = self;
        copies[i].dest.u.gmfn = address(page.target) / PAGE;
        copies[i].dest.domid = DOMID_SELF;
        copies[i].len = PAGE;
        copies[i].flags = GNTCOPY_source_gref;
    }
}

/* True if it can be done over and over. Xen for x86 lets no domain map a page of its own twice: the
 * first map takes the page from where it was. */
static bool can_map(const uint64_t map[6], const uint64_t unmap[6], unsigned int n)
{
    for (unsigned int round = 0; round < 2; round++) {
        if (hypercall(map[0], map[1], map[2], map[3], 0, 0) || maps[n - 1].status)
            return false;
        for (unsigned int i = 0; i < n; i++)
            unmaps[i] = (gnttab_unmap_grant_ref_t){ .host_addr = maps[i].host_addr,
                                                    .handle = maps[i].handle };
        if (hypercall(unmap[0], unmap[1], unmap[2], unmap[3], 0, 0) || unmaps[n - 1].status)
            return false;
    }
    return true;
}

static void map_and_unmap(const char *map_name, const char *unmap_name, unsigned int n)
{
    const uint64_t map[6] = { __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, address(maps),
                              n };
    const uint64_t unmap[6] = { __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                                address(unmaps), n };

    uint64_t first[SAMPLES], second[SAMPLES];

    if (!can_map(map, unmap, n)) {
        note("%s: refused, %d", map_name, maps[n - 1].status);
        return;
    }
    do {
        for (unsigned int k = 0; k < SAMPLES; k++) {
            first[k] = time_calls(map, 1) - time_no_calls(map, 1);
            for (unsigned int i = 0; i < n; i++)
                unmaps[i] = (gnttab_unmap_grant_ref_t){ .host_addr = maps[i].host_addr,
                                                        .handle = maps[i].handle };
            second[k] = time_calls(unmap, 1) - time_no_calls(unmap, 1);
        }
    } while (is_traced(map_name) || is_traced(unmap_name));
    report(map_name, first, SAMPLES, 1);
    report(unmap_name, second, SAMPLES, 1);
    succeeds(maps[n - 1].status, map_name);
    succeeds(unmaps[n - 1].status, unmap_name);
}

static void measure_grants(void)
{
    uint64_t copy[6] = { __HYPERVISOR_grant_table_op, GNTTABOP_copy, address(copies), 1 };

    setup_grants();
    repeat("grant-copy", copy);
    copy[3] = MANY;
    repeat("grant-copy-32", copy);
    succeeds(copies[0].status, "copy");
    map_and_unmap("grant-map", "grant-unmap", 1);
    map_and_unmap("grant-map-32", "grant-unmap-32", MANY);
}

/* --- memory ---------------------------------------------------------------------------------- */

static void give_and_take(const char *give, const char *take, xen_pfn_t *gfn, unsigned int order)
{
    struct xen_memory_reservation r = {
        .extent_start = { .p = gfn }, .nr_extents = 1, .extent_order = order, .domid = DOMID_SELF
    };
    const uint64_t decrease[6] = { __HYPERVISOR_memory_op, XENMEM_decrease_reservation,
                                   address(&r) };
    const uint64_t populate[6] = { __HYPERVISOR_memory_op, XENMEM_populate_physmap, address(&r) };

    check_eq((uint64_t)hypercall(decrease[0], decrease[1], decrease[2], 0, 0, 0), 1, "%s", give);
    check_eq((uint64_t)hypercall(populate[0], populate[1], populate[2], 0, 0, 0), 1, "%s", take);
    do_and_undo(give, decrease, take, populate);
}

static void measure_memory(void)
{
    uint64_t middle = (machine.mem[0].base + machine.mem[0].bytes / 2) & ~(2 * MIB - 1);
    xen_pfn_t small = (middle + 2 * MIB) / PAGE + 7, large = (middle + 64 * MIB) / PAGE;

    *(volatile uint64_t *)at(small * PAGE) = 1; /* present */
    *(volatile uint64_t *)at(large * PAGE) = 1;
    give_and_take("decrease-4k", "populate-4k", &small, 0);
    give_and_take("decrease-2m", "populate-2m", &large, ORDER_2M);
}

void measure_xen(void)
{
    const uint64_t version[6] = { __HYPERVISOR_xen_version, XENVER_version };
    const uint64_t yield[6] = { __HYPERVISOR_sched_op, SCHEDOP_yield };

    self = (domid_t)bootarg_number("domid", 1);
    is_fifo = bootarg_number("fifo", 0) != 0;
    if (!is_fifo) {
        repeat("xen-version", version);
        repeat("sched-yield", yield);
    }
    measure_events();
    if (is_fifo)
        return;
    measure_grants();
    measure_memory();
}
