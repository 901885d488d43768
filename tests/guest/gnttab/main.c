/* SPDX-License-Identifier: MIT */
/*
 * Grant tables as a guest finds them. Boot arguments: role=granter and role=mapper with peer=, the
 * other one's number, are two guests that share pages; else one grants to itself, domid= being its
 * number. xen=1 leaves out what Xen is known to do otherwise.
 */
#include "gnttab.h"

#include <xen/memory.h>

const char guest_name[] = "gnttab";

_Alignas(4096) volatile grant_entry_v1_t table[512];
uint64_t hole;

void grant(uint32_t ref, domid_t to, const volatile void *page, uint16_t flags)
{
    table[ref].domid = to;
    table[ref].frame = (uint32_t)(address(page) / PAGE);
    barrier();
    table[ref].flags = GTF_permit_access | flags;
    barrier();
}

int op_status(uint32_t command, void *op, const int16_t *status)
{
    int64_t result = hypercall(__HYPERVISOR_grant_table_op, command, address(op), 1, 0, 0);

    return result ? -1000 + (int)result : *status;
}

int map(domid_t granter_id, uint32_t ref, uint64_t to, uint32_t flags, uint32_t *handle)
{
    gnttab_map_grant_ref_t op = { .host_addr = to, .flags = flags, .ref = ref, .dom = granter_id };
    int status = op_status(GNTTABOP_map_grant_ref, &op, &op.status);

    *handle = op.handle;
    return status;
}

int unmap(uint32_t handle, uint64_t from)
{
    gnttab_unmap_grant_ref_t op = { .host_addr = from, .handle = handle };

    return op_status(GNTTABOP_unmap_grant_ref, &op, &op.status);
}

int copy_from(domid_t granter_id, uint32_t ref, uint16_t offset, const volatile void *to,
              uint16_t len)
{
    gnttab_copy_t op = { .source = { .u.ref = ref, .domid = granter_id, .offset = offset },
                         .dest = { .u.gmfn = address(to) / PAGE,
                                   .domid = DOMID_SELF,
                                   .offset = (uint16_t)(address(to) % PAGE) },
                         .len = len,
                         .flags = GNTCOPY_source_gref };

    return op_status(GNTTABOP_copy, &op, &op.status);
}

int copy_to(domid_t granter_id, uint32_t ref, const volatile void *from, uint16_t offset,
            uint16_t len)
{
    gnttab_copy_t op = { .source = { .u.gmfn = address(from) / PAGE,
                                     .domid = DOMID_SELF,
                                     .offset = (uint16_t)(address(from) % PAGE) },
                         .dest = { .u.ref = ref, .domid = granter_id, .offset = offset },
                         .len = len,
                         .flags = GNTCOPY_dest_gref };

    return op_status(GNTTABOP_copy, &op, &op.status);
}

bool is_xen(void)
{
    return bootarg_number("xen", 0);
}

bool refuses_write(uint64_t to)
{
    return is_xen() || probe_write(to, 1, 1);
}

/* The table's first frame takes the place of a page of ours. */
static bool setup(void)
{
    struct xen_add_to_physmap where = { .domid = DOMID_SELF,
                                        .space = XENMAPSPACE_grant_table,
                                        .gpfn = address(table) / PAGE };

    hole = (machine.mem[0].base + machine.mem[0].bytes + 64 * MIB) & ~(2 * MIB - 1);
    return check_eq((uint64_t)hypercall_op(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &where),
                    0, "the table can be mapped");
}

void guest_main(void)
{
    char role[16] = "";
    domid_t peer = (domid_t)bootarg_number("peer", 0);

    if (setup()) {
        if (!bootarg("role", role, sizeof(role)))
            loopback((domid_t)bootarg_number("domid", 2));
        else if (role[0] == 'g')
            granter(peer);
        else
            mapper(peer);
    }
    finish();
}
