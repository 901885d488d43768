/* SPDX-License-Identifier: MIT */
/* The machine and who is on it, of <xen/sysctl.h>: `xl info`, `xl list`. One socket, one node. */
#include "sysctl_internal.h"

#include <hospes/claim.h>
#include <hospes/domain.h>
#include <hospes/domctl.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/guest_access.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>

#define DISTANCE_SELF 10u /* of a node to itself, as ACPI's SLIT has it */

static uint32_t nr_online(void)
{
    return bitmap_weight(pcpus_online, MAX_PCPUS);
}

int64_t sysctl_physinfo(struct sysctl *s)
{
    struct xen_sysctl_physinfo *info = &s->op->u.physinfo;

    *info = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = nr_pcpus,
        .nr_cpus = nr_online(),
        .max_cpu_id = nr_pcpus - 1,
        .nr_nodes = 1,
        .capabilities =
            XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap | XEN_SYSCTL_PHYSCAP_gnttab_v1,
        .total_pages = frame_total(),
        .free_pages = frame_free_count(),
        .outstanding_pages = claim_total(),
        .max_mfn = frame_highest().v,
    };
    arch_sysctl_physinfo(info);
    return 0;
}

/* Free memory is not counted by address: a region gets no answer rather than a wrong one. */
int64_t sysctl_availheap(struct sysctl *s)
{
    struct xen_sysctl_availheap *op = &s->op->u.availheap;

    if (op->min_bitwidth || op->max_bitwidth || op->node < -1)
        return -EINVAL;
    op->avail_bytes = op->node <= 0 ? frame_free_count() << FRAME_SHIFT : 0;
    return 0;
}

int64_t sysctl_cputopoinfo(struct sysctl *s)
{
    struct xen_sysctl_cputopoinfo *op = &s->op->u.cputopoinfo;
    uint32_t nr = guest_handle_is_null(op->cputopo) ? 0 : min(op->num_cpus, nr_pcpus);

    for (uint32_t i = 0; i < nr; i++) {
        bool online = bitmap_test(pcpus_online, i);
        const struct xen_sysctl_cputopo cpu = {
            .core = online ? i : XEN_INVALID_CORE_ID,
            .socket = online ? 0 : XEN_INVALID_SOCKET_ID,
            .node = online ? 0 : XEN_INVALID_NODE_ID,
        };

        if (guest_write(s->caller, guest_element(op->cputopo, i), &cpu, sizeof(cpu)))
            return -EFAULT;
    }
    op->num_cpus = nr_pcpus;
    return 0;
}

int64_t sysctl_numainfo(struct sysctl *s)
{
    struct xen_sysctl_numainfo *op = &s->op->u.numainfo;
    const struct xen_sysctl_meminfo memory = {
        .memsize = frame_total() << FRAME_SHIFT,
        .memfree = frame_free_count() << FRAME_SHIFT,
    };
    const uint32_t distance = DISTANCE_SELF;

    if (op->num_nodes) {
        if (!guest_handle_is_null(op->meminfo) &&
            guest_write(s->caller, guest_address(op->meminfo), &memory, sizeof(memory)))
            return -EFAULT;
        if (!guest_handle_is_null(op->distance) &&
            guest_write(s->caller, guest_address(op->distance), &distance, sizeof(distance)))
            return -EFAULT;
    }
    op->num_nodes = 1;
    return 0;
}

/* Told of without a pause. */
#define MOST_PAGES 1024u

/* Pages that are RAM are in use, and stay so whatever is found to be wrong with them. */
static int64_t query_pages(const struct sysctl *s)
{
    const struct xen_sysctl_page_offline_op *op = &s->op->u.page_offline;
    struct guest_window w = { .v = s->caller };
    const uint32_t status = 0;
    int err = 0;

    if (op->end < op->start)
        return -EINVAL;
    if (op->end - op->start >= MOST_PAGES)
        return -E2BIG;
    for (uint32_t i = 0; i <= op->end - op->start && !err; i++)
        err = !frame_is_ram(MFN(op->start + (uint64_t)i))
                  ? -EINVAL
                  : guest_window_write(&w, guest_element(op->status, i), &status, sizeof(status));
    guest_window_close(&w);
    return err;
}

int64_t sysctl_page_offline_op(struct sysctl *s)
{
    switch (s->op->u.page_offline.cmd) {
    case sysctl_query_page_offline:
        return query_pages(s);
    case sysctl_page_offline:
    case sysctl_page_online:
        return -EOPNOTSUPP;
    default:
        return -EINVAL;
    }
}

#define HELD_AT_ONCE 8u

int64_t sysctl_getdomaininfolist(struct sysctl *s)
{
    struct xen_sysctl_getdomaininfolist *op = &s->op->u.getdomaininfolist;
    struct guest_window w = { .v = s->caller };
    uint32_t told = 0, nr, next = op->first_domain;
    struct xen_domctl_getdomaininfo info;
    struct domain *d[HELD_AT_ONCE];
    int err = 0;

    domctl_info_init(&info);
    do {
        nr = domain_get_some(next, d, min(op->max_domains - told, HELD_AT_ONCE));
        for (uint32_t i = 0; i < nr; i++) {
            domctl_domain_info(d[i], &info);
            err |= guest_window_write(&w, guest_element(op->buffer, told++), &info, sizeof(info));
            domain_put(d[i]);
        }
        next = info.domain + 1u;
    } while (nr == HELD_AT_ONCE && !err);
    guest_window_close(&w);
    op->num_domains = told;
    return err;
}
