/* SPDX-License-Identifier: MIT */
/* The table of operations; hypercall_ops.h says what is in it. */
#include "hypercall_ops.h"

#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>

#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define F(type, member, kind)        \
    {                                \
        offsetof(type, member),      \
        sizeof(((type *)0)->member), \
        FIELD_##kind,                \
    }

/* A field that would otherwise be refused nearly always. */
#define FIXED(type, member, value)            \
    {                                         \
        offsetof(type, member),               \
        sizeof(((type *)0)->member),          \
        FIELD_FIXED | (uint32_t)(value) << 8, \
    }

#define EVTCHN(name, ...)                                                                       \
    {                                                                                           \
        __HYPERVISOR_event_channel_op, OP_PLAIN, sizeof(struct evtchn_##name), EVTCHNOP_##name, \
        {                                                                                       \
            __VA_ARGS__                                                                         \
        }                                                                                       \
    }
#define E(name, member, kind) F(struct evtchn_##name, member, kind)

#define GNTTAB(type, name, ...)                                                               \
    {                                                                                         \
        __HYPERVISOR_grant_table_op, OP_ARRAY, sizeof(struct gnttab_##type), GNTTABOP_##name, \
        {                                                                                     \
            __VA_ARGS__                                                                       \
        }                                                                                     \
    }
#define G(type, member, kind) F(struct gnttab_##type, member, kind)

#define MEMORY(type, name, ...)                                               \
    {                                                                         \
        __HYPERVISOR_memory_op, OP_PLAIN, sizeof(struct type), XENMEM_##name, \
        {                                                                     \
            __VA_ARGS__                                                       \
        }                                                                     \
    }
#define M(type, member, kind) F(struct type, member, kind)

#define RESERVATION                                                                              \
    M(xen_memory_reservation, extent_start, GFNS), M(xen_memory_reservation, nr_extents, SMALL), \
        M(xen_memory_reservation, extent_order, ORDER), M(xen_memory_reservation, domid, DOMID), \
        M(xen_memory_reservation, mem_flags, MACHINE)

#define SCHED(type, name, ...)                                                \
    {                                                                         \
        __HYPERVISOR_sched_op, OP_PLAIN, sizeof(struct type), SCHEDOP_##name, \
        {                                                                     \
            __VA_ARGS__                                                       \
        }                                                                     \
    }

#define VCPU(type, name, ...)                                              \
    {                                                                      \
        __HYPERVISOR_vcpu_op, OP_VCPU, sizeof(struct type), VCPUOP_##name, \
        {                                                                  \
            __VA_ARGS__                                                    \
        }                                                                  \
    }

#define DOMCTL(name, ...)                                                             \
    {                                                                                 \
        __HYPERVISOR_domctl, OP_STRUCT, sizeof(struct xen_domctl), XEN_DOMCTL_##name, \
        {                                                                             \
            F(struct xen_domctl, domain, DOMID), __VA_ARGS__                          \
        }                                                                             \
    }
#define D(member, kind) F(struct xen_domctl, u.member, kind)

#define SYSCTL(name, ...)                                                             \
    {                                                                                 \
        __HYPERVISOR_sysctl, OP_STRUCT, sizeof(struct xen_sysctl), XEN_SYSCTL_##name, \
        {                                                                             \
            __VA_ARGS__                                                               \
        }                                                                             \
    }
#define S(member, kind) F(struct xen_sysctl, u.member, kind)

const struct op ops[] = {
    EVTCHN(alloc_unbound, E(alloc_unbound, dom, DOMID), E(alloc_unbound, remote_dom, DOMID)),
    EVTCHN(bind_interdomain, E(bind_interdomain, remote_dom, DOMID),
           E(bind_interdomain, remote_port, PORT)),
    EVTCHN(bind_virq, E(bind_virq, virq, SMALL), E(bind_virq, vcpu, SMALL)),
    EVTCHN(bind_ipi, E(bind_ipi, vcpu, SMALL)),
    EVTCHN(bind_pirq, E(bind_pirq, pirq, SMALL)),
    EVTCHN(bind_vcpu, E(bind_vcpu, port, PORT), E(bind_vcpu, vcpu, SMALL)),
    EVTCHN(close, E(close, port, PORT)),
    EVTCHN(send, E(send, port, PORT)),
    EVTCHN(status, E(status, dom, DOMID), E(status, port, PORT)),
    EVTCHN(unmask, E(unmask, port, PORT)),
    EVTCHN(reset, E(reset, dom, DOMID)),
    { __HYPERVISOR_event_channel_op,
      OP_PLAIN,
      sizeof(struct evtchn_reset),
      14, /* goes on */
      { E(reset, dom, DOMID) } },
    EVTCHN(init_control, E(init_control, control_gfn, GFN), E(init_control, offset, MACHINE),
           E(init_control, vcpu, SMALL)),
    EVTCHN(expand_array, E(expand_array, array_gfn, GFN)),
    EVTCHN(set_priority, E(set_priority, port, PORT), E(set_priority, priority, SMALL)),

    GNTTAB(map_grant_ref, map_grant_ref, G(map_grant_ref, host_addr, PAGE),
           G(map_grant_ref, flags, SMALL), G(map_grant_ref, ref, REF),
           G(map_grant_ref, dom, DOMID)),
    GNTTAB(map_grant_ref, map_grant_ref, G(map_grant_ref, host_addr, PAGE),
           G(map_grant_ref, flags, MAPPING), G(map_grant_ref, ref, REF),
           G(map_grant_ref, dom, DOMID)),
    GNTTAB(unmap_grant_ref, unmap_grant_ref, G(unmap_grant_ref, handle, HANDLE),
           G(unmap_grant_ref, host_addr, MAPPED), G(unmap_grant_ref, dev_bus_addr, MACHINE)),
    GNTTAB(unmap_and_replace, unmap_and_replace, G(unmap_and_replace, handle, HANDLE),
           G(unmap_and_replace, host_addr, MAPPED), G(unmap_and_replace, new_addr, MACHINE)),
    GNTTAB(setup_table, setup_table, G(setup_table, dom, DOMID), G(setup_table, nr_frames, SMALL),
           G(setup_table, frame_list, DATA)),
    GNTTAB(transfer, transfer, G(transfer, domid, DOMID)),
    GNTTAB(copy, copy, G(copy, source.u.ref, REF), G(copy, source.domid, DOMID),
           G(copy, dest.u.gmfn, GFN), FIXED(struct gnttab_copy, dest.domid, DOMID_SELF),
           G(copy, len, LENGTH), FIXED(struct gnttab_copy, flags, GNTCOPY_source_gref)),
    GNTTAB(copy, copy, G(copy, source.u.gmfn, GFN), G(copy, source.domid, DOMID),
           G(copy, dest.u.ref, REF), G(copy, dest.domid, DOMID), G(copy, source.offset, SMALL),
           G(copy, dest.offset, SMALL), G(copy, len, LENGTH), G(copy, flags, SMALL)),
    GNTTAB(query_size, query_size, G(query_size, dom, DOMID)),
    GNTTAB(set_version, set_version, G(set_version, version, SMALL)),
    GNTTAB(get_version, get_version, G(get_version, dom, DOMID)),
    GNTTAB(get_status_frames, get_status_frames, G(get_status_frames, dom, DOMID)),
    GNTTAB(swap_grant_ref, swap_grant_ref, G(swap_grant_ref, ref_a, REF),
           G(swap_grant_ref, ref_b, REF)),
    GNTTAB(cache_flush, cache_flush, G(cache_flush, a.dev_bus_addr, BUS),
           G(cache_flush, offset, MACHINE), G(cache_flush, length, LENGTH),
           G(cache_flush, op, VERY_SMALL)),

    MEMORY(xen_memory_reservation, increase_reservation, RESERVATION),
    MEMORY(xen_memory_reservation, decrease_reservation, RESERVATION),
    MEMORY(xen_memory_reservation, populate_physmap, RESERVATION),
    MEMORY(xen_memory_reservation, claim_pages, M(xen_memory_reservation, nr_extents, COUNT),
           M(xen_memory_reservation, domid, DOMID)),
    MEMORY(xen_memory_exchange, exchange, M(xen_memory_exchange, in.extent_start, GFNS),
           M(xen_memory_exchange, in.nr_extents, SMALL), M(xen_memory_exchange, in.domid, DOMID),
           M(xen_memory_exchange, out.nr_extents, SMALL), M(xen_memory_exchange, out.domid, DOMID)),
    MEMORY(xen_memory_domain, maximum_ram_page, M(xen_memory_domain, domid, DOMID)),
    MEMORY(xen_memory_domain, current_reservation, M(xen_memory_domain, domid, DOMID)),
    MEMORY(xen_memory_domain, maximum_reservation, M(xen_memory_domain, domid, DOMID)),
    MEMORY(xen_memory_domain, maximum_gpfn, M(xen_memory_domain, domid, DOMID)),
    MEMORY(xen_add_to_physmap, add_to_physmap, M(xen_add_to_physmap, domid, DOMID),
           M(xen_add_to_physmap, size, MACHINE), M(xen_add_to_physmap, space, SMALL),
           M(xen_add_to_physmap, idx, SMALL), M(xen_add_to_physmap, gpfn, GFN)),
    MEMORY(xen_add_to_physmap_batch, add_to_physmap_batch,
           M(xen_add_to_physmap_batch, domid, DOMID), M(xen_add_to_physmap_batch, space, SMALL),
           M(xen_add_to_physmap_batch, size, SMALL),
           M(xen_add_to_physmap_batch, u.foreign_domid, DOMID),
           M(xen_add_to_physmap_batch, idxs, GFNS), M(xen_add_to_physmap_batch, gpfns, GFNS),
           M(xen_add_to_physmap_batch, errs, DATA)),
    MEMORY(xen_add_to_physmap_batch, add_to_physmap_batch,
           M(xen_add_to_physmap_batch, domid, DOMID),
           FIXED(struct xen_add_to_physmap_batch, space, XENMAPSPACE_gmfn_foreign),
           M(xen_add_to_physmap_batch, size, SMALL),
           M(xen_add_to_physmap_batch, u.foreign_domid, DOMID),
           M(xen_add_to_physmap_batch, idxs, GFNS), M(xen_add_to_physmap_batch, gpfns, GFNS),
           M(xen_add_to_physmap_batch, errs, DATA)),
    MEMORY(xen_remove_from_physmap, remove_from_physmap, M(xen_remove_from_physmap, domid, DOMID),
           M(xen_remove_from_physmap, gpfn, GFN)),
    MEMORY(xen_mem_acquire_resource, acquire_resource, M(xen_mem_acquire_resource, domid, DOMID),
           M(xen_mem_acquire_resource, nr_frames, VERY_SMALL),
           M(xen_mem_acquire_resource, frame, VERY_SMALL),
           M(xen_mem_acquire_resource, frame_list, GFNS),
           FIXED(struct xen_mem_acquire_resource, type, XENMEM_resource_grant_table)),
    MEMORY(xen_mem_acquire_resource, acquire_resource, M(xen_mem_acquire_resource, domid, DOMID),
           FIXED(struct xen_mem_acquire_resource, type, XENMEM_resource_grant_table),
           M(xen_mem_acquire_resource, id, MACHINE), M(xen_mem_acquire_resource, nr_frames, SMALL),
           M(xen_mem_acquire_resource, frame, SMALL),
           M(xen_mem_acquire_resource, frame_list, DATA)),
    MEMORY(xen_memory_domain, get_sharing_freed_pages, M(xen_memory_domain, domid, DOMID)),
    MEMORY(xen_vnuma_topology_info, get_vnumainfo, M(xen_vnuma_topology_info, domid, DOMID)),
    MEMORY(xen_reserved_device_memory_map, reserved_device_memory_map,
           M(xen_reserved_device_memory_map, flags, SMALL)),

    SCHED(sched_shutdown, yield, F(struct sched_shutdown, reason, SMALL)),
    SCHED(sched_shutdown, block, F(struct sched_shutdown, reason, SMALL)),
    SCHED(sched_shutdown, shutdown, F(struct sched_shutdown, reason, SMALL)),
    SCHED(sched_shutdown, shutdown_code, F(struct sched_shutdown, reason, SMALL)),
    SCHED(sched_remote_shutdown, remote_shutdown, F(struct sched_remote_shutdown, domain_id, DOMID),
          F(struct sched_remote_shutdown, reason, SMALL)),
    SCHED(sched_poll, poll, F(struct sched_poll, ports, DATA),
          F(struct sched_poll, nr_ports, SMALL), F(struct sched_poll, timeout, RAW)),
    SCHED(sched_watchdog, watchdog, F(struct sched_watchdog, id, SMALL),
          F(struct sched_watchdog, timeout, SMALL)),
    SCHED(sched_pin_override, pin_override, F(struct sched_pin_override, pcpu, SMALL)),

    VCPU(vcpu_register_vcpu_info, register_vcpu_info, F(struct vcpu_register_vcpu_info, mfn, GFN),
         F(struct vcpu_register_vcpu_info, offset, ADDRESS)),
    VCPU(vcpu_register_runstate_memory_area, register_runstate_memory_area,
         F(struct vcpu_register_runstate_memory_area, addr.p, ADDRESS)),
    VCPU(vcpu_register_runstate_memory_area, register_runstate_phys_area,
         F(struct vcpu_register_runstate_memory_area, addr.p, ADDRESS)),
    { __HYPERVISOR_vm_assist, OP_NUMBER, 0, 0, { { 0 } } },
    { __HYPERVISOR_vm_assist, OP_NUMBER, 0, 1, { { 0 } } },
    { __HYPERVISOR_console_io, OP_NUMBER, 0, CONSOLEIO_write, { { 0 } } },
    { __HYPERVISOR_console_io, OP_NUMBER, 0, CONSOLEIO_read, { { 0 } } },
    { __HYPERVISOR_hvm_op,
      OP_PLAIN,
      sizeof(struct xen_hvm_param),
      HVMOP_set_param,
      { F(struct xen_hvm_param, domid, DOMID), F(struct xen_hvm_param, index, SMALL),
        F(struct xen_hvm_param, value, GFN) } },
    { __HYPERVISOR_hvm_op,
      OP_PLAIN,
      sizeof(struct xen_hvm_param),
      HVMOP_get_param,
      { F(struct xen_hvm_param, domid, DOMID), F(struct xen_hvm_param, index, SMALL) } },
    { __HYPERVISOR_hvm_op,
      OP_PLAIN,
      sizeof(struct xen_hvm_param),
      HVMOP_guest_request_vm_event,
      { F(struct xen_hvm_param, domid, DOMID) } },
    { __HYPERVISOR_xen_version, OP_NUMBER, 0, UINT32_MAX, { { 0 } } },
    { __HYPERVISOR_platform_op,
      OP_STRUCT,
      sizeof(struct xen_platform_op),
      XENPF_settime64,
      { F(struct xen_platform_op, u.settime64.secs, RAW),
        F(struct xen_platform_op, u.settime64.nsecs, RAW) } },

    DOMCTL(createdomain, D(createdomain.max_vcpus, SMALL),
           FIXED(struct xen_domctl, u.createdomain.flags, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap),
           FIXED(struct xen_domctl, u.createdomain.grant_opts, 1),
           D(createdomain.max_evtchn_port, COUNT), D(createdomain.max_grant_frames, SMALL),
           D(createdomain.max_maptrack_frames, SMALL)),
    DOMCTL(max_vcpus, D(max_vcpus.max, VCPUS)),
    DOMCTL(setdomainhandle, D(setdomainhandle.handle[0], RAW)),
    DOMCTL(setdebugging, D(setdebugging.enable, SMALL)),
    DOMCTL(setnodeaffinity, D(nodeaffinity.nodemap.bitmap, DATA),
           D(nodeaffinity.nodemap.nr_bits, RAW)),
    DOMCTL(getnodeaffinity, D(nodeaffinity.nodemap.bitmap, DATA),
           D(nodeaffinity.nodemap.nr_bits, RAW)),
    DOMCTL(set_llc_colors, D(set_llc_colors.num_llc_colors, SMALL)),
    DOMCTL(assign_device, D(assign_device.dev, SMALL)),
    DOMCTL(irq_permission, D(irq_permission.pirq, SMALL)),
    DOMCTL(destroydomain),
    DOMCTL(pausedomain),
    DOMCTL(unpausedomain),
    DOMCTL(resumedomain),
    DOMCTL(getdomaininfo),
    DOMCTL(max_mem, D(max_mem.max_memkb, RAW)),
    DOMCTL(setvcpucontext, D(vcpucontext.vcpu, SMALL), D(vcpucontext.ctxt, DATA)),
    DOMCTL(getvcpucontext, D(vcpucontext.vcpu, SMALL), D(vcpucontext.ctxt, DATA)),
    DOMCTL(getvcpuinfo, D(getvcpuinfo.vcpu, SMALL)),
    DOMCTL(setvcpuaffinity, D(vcpuaffinity.vcpu, SMALL), D(vcpuaffinity.flags, SMALL),
           D(vcpuaffinity.cpumap_hard.bitmap, DATA), D(vcpuaffinity.cpumap_hard.nr_bits, SMALL)),
    DOMCTL(getvcpuaffinity, D(vcpuaffinity.vcpu, SMALL), D(vcpuaffinity.flags, SMALL),
           D(vcpuaffinity.cpumap_hard.bitmap, DATA), D(vcpuaffinity.cpumap_hard.nr_bits, SMALL)),
    DOMCTL(scheduler_op, FIXED(struct xen_domctl, u.scheduler_op.sched_id, XEN_SCHEDULER_CREDIT2),
           D(scheduler_op.cmd, VERY_SMALL), D(scheduler_op.u.credit2.weight, RAW)),
    DOMCTL(scheduler_op, D(scheduler_op.sched_id, SMALL), D(scheduler_op.cmd, SMALL),
           D(scheduler_op.u.credit2.weight, RAW)),
    DOMCTL(settimeoffset, D(settimeoffset.time_offset_seconds, RAW)),
    DOMCTL(subscribe, D(subscribe.port, PORT)),
    DOMCTL(set_virq_handler, D(set_virq_handler.virq, SMALL)),
    DOMCTL(cacheflush, D(cacheflush.start_pfn, GFN), D(cacheflush.nr_pfns, SMALL)),
    DOMCTL(get_paging_mempool_size),
    DOMCTL(set_paging_mempool_size, D(paging_mempool.size, PAGE)),
    SYSCTL(readconsole, S(readconsole.clear, SMALL), S(readconsole.incremental, SMALL),
           S(readconsole.index, RAW), S(readconsole.count, RAW), S(readconsole.buffer, DATA)),
    SYSCTL(debug_keys, S(debug_keys.keys, DATA), S(debug_keys.nr_keys, SMALL)),
    SYSCTL(sched_id, S(sched_id.sched_id, SMALL)),
    SYSCTL(availheap, S(availheap.node, SMALL), S(availheap.min_bitwidth, MACHINE)),
    SYSCTL(scheduler_op, S(scheduler_op.cpupool_id, MACHINE),
           FIXED(struct xen_sysctl, u.scheduler_op.sched_id, XEN_SCHEDULER_CREDIT2),
           S(scheduler_op.cmd, VERY_SMALL), S(scheduler_op.u.sched_credit2.ratelimit_us, MACHINE)),
    SYSCTL(coverage_op, S(coverage_op.cmd, SMALL)),
    SYSCTL(physinfo, S(physinfo.nr_cpus, SMALL)),
    SYSCTL(getdomaininfolist, S(getdomaininfolist.first_domain, DOMID),
           S(getdomaininfolist.max_domains, SMALL), S(getdomaininfolist.buffer, DATA)),
    SYSCTL(getcpuinfo, S(getcpuinfo.max_cpus, SMALL), S(getcpuinfo.info, DATA)),
    SYSCTL(cpupool_op, S(cpupool_op.op, SMALL), S(cpupool_op.domid, DOMID),
           S(cpupool_op.cpumap.bitmap, DATA), S(cpupool_op.cpumap.nr_bits, SMALL)),
    SYSCTL(numainfo, S(numainfo.num_nodes, SMALL), S(numainfo.distance, DATA)),
    SYSCTL(cputopoinfo, S(cputopoinfo.num_cpus, SMALL), S(cputopoinfo.cputopo, DATA)),
    DOMCTL(setvnumainfo, D(vnuma.nr_vnodes, VERY_SMALL), D(vnuma.nr_vmemranges, SMALL),
           D(vnuma.nr_vcpus, VCPUS), D(vnuma.vdistance, DATA), D(vnuma.vcpu_to_vnode, DATA),
           D(vnuma.vnode_to_pnode, DATA), D(vnuma.vmemrange, DATA)),
    MEMORY(xen_vnuma_topology_info, get_vnumainfo, M(xen_vnuma_topology_info, domid, DOMID),
           M(xen_vnuma_topology_info, nr_vnodes, SMALL),
           M(xen_vnuma_topology_info, nr_vcpus, SMALL),
           M(xen_vnuma_topology_info, nr_vmemranges, SMALL),
           M(xen_vnuma_topology_info, vdistance, DATA),
           M(xen_vnuma_topology_info, vcpu_to_vnode, DATA),
           M(xen_vnuma_topology_info, vmemrange, DATA)),
    SYSCTL(page_offline_op, S(page_offline.cmd, SMALL), S(page_offline.start, GFN),
           S(page_offline.end, RAW), S(page_offline.status, DATA)),
    SYSCTL(page_offline_op, FIXED(struct xen_sysctl, u.page_offline.cmd, sysctl_query_page_offline),
           S(page_offline.start, SMALL), S(page_offline.end, SMALL), S(page_offline.status, DATA)),
};

const uint32_t nr_ops = sizeof(ops) / sizeof(ops[0]);
