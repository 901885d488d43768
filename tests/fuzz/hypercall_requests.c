/* SPDX-License-Identifier: MIT */
/* How bytes of an input become calls; hypercall_requests.h says more. */
#include "hypercall_requests.h"

#include "../../hypervisor/core/gnttab_internal.h"
#include "hypercall_ops.h"
#include "hypercall_world.h"

#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/domctl.h>
#include <hospes/frame.h>
#include <hospes/p2m.h>
#include <lib/bits.h>
#include <stdio.h>
#include <string.h>
#include <xen/domctl.h>
#include <xen/grant_table.h>
#include <xen/platform.h>
#include <xen/sysctl.h>
#include <xen/xen.h>

bool tell;
_Thread_local const struct op *request_op;
_Thread_local char request_is[512];

/* --- the input ------------------------------------------------------------------------------- */

static _Thread_local const uint8_t *input;
static _Thread_local size_t input_left;

void input_begin(const uint8_t *data, size_t bytes)
{
    input = data;
    input_left = bytes;
}

bool input_ends(void)
{
    return !input_left;
}

uint64_t take(uint32_t bytes)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < bytes && input_left; i++, input_left--)
        value |= (uint64_t)*input++ << 8 * i;
    return value;
}

/* --- what is near to something that there is -------------------------------------------------- */

uint8_t *guest_page(struct domain *d, uint64_t gfn)
{
    enum p2m_type type;
    mfn_t m = p2m_lookup(d, GFN(gfn), &type, NULL);

    if (type != P2M_RAM && type != P2M_SHARED && type != P2M_GRANT)
        return NULL;
    return host_ram(mfn_to_maddr(m));
}

uint64_t some_gfn(const struct domain *d)
{
    uint64_t how = take(1), n = how >> 3;

    switch (how & 7) {
    case 0:
    case 1:
    case 2:
    case 3:
        return first_gfn[d->id % DOMAINS] + n;
    case 4:
        return first_gfn[take(1) % 4] + n;
    case 5:
        return HOLE + n;
    case 6:
        return BLOCK + take(1) * 2;
    default:
        return n & 1 ? take(8) : take(3);
    }
}

/* Near the end of a page, mostly: what is there goes on in the next one. */
static uint64_t some_address(const struct domain *d)
{
    uint64_t gfn = some_gfn(d), where = take(1);

    return (gfn << FRAME_SHIFT) + (where < 200 ? FRAME_SIZE - where % 100 * 4 : take(2));
}

uint64_t some_domid(void)
{
    uint64_t n = take(1);

    if (n < 200)
        return n % DOMAINS;
    return n < 240 ? DOMID_SELF : take(2);
}

uint64_t some_number(uint32_t near)
{
    uint64_t n = take(1);

    return n < 250 ? n % near : take(4);
}

/* --- calls ------------------------------------------------------------------------------------ */

/* A caller's struct, and what it points to: in one page of the caller's, and the one behind it. */
struct request {
    struct domain *d;
    uint64_t at;   /* the struct's address */
    uint32_t used; /* bytes from there on */
    uint64_t last; /* field's value */
};

#define STRUCT_ROOM 1024u
#define LIST_MOST   40u /* more than MEMORY_CHUNK, so that a list takes several rounds */

/* As far as the caller can write there. */
static void put(struct domain *d, uint64_t at, const void *from, uint32_t bytes)
{
    for (uint32_t done = 0, n; done < bytes; done += n) {
        uint64_t in_page = (at + done) & FRAME_MASK;
        uint8_t *page = guest_page(d, (at + done) >> FRAME_SHIFT);

        n = (uint32_t)min((uint64_t)(bytes - done), FRAME_SIZE - in_page);
        if (page)
            memcpy(page + in_page, (const uint8_t *)from + done, n);
    }
}

static uint64_t put_list(struct request *r)
{
    uint64_t n = take(1), first, at, list[LIST_MOST];

    /* Now and then a long one, of pages in a row. */
    if (n >= 232) {
        n = LIST_MOST;
        first = some_gfn(r->d);
        for (uint64_t i = 0; i < n; i++)
            list[i] = first + i;
    } else {
        n %= 9;
        for (uint64_t i = 0; i < n; i++)
            list[i] = some_gfn(r->d);
    }
    /* Across the page's end, sometimes. */
    if (n && take(1) >= 240)
        r->used = (uint32_t)(FRAME_SIZE - (r->at & FRAME_MASK) - n / 2 * sizeof(list[0]));
    at = r->at + r->used;
    put(r->d, at, list, (uint32_t)(n * sizeof(list[0])));
    r->used += (uint32_t)(n * sizeof(list[0]));
    return at;
}

static uint64_t field_value(struct request *r, const struct op_field *f)
{
    uint64_t value;

    switch ((enum field_kind)(f->kind & 0xff)) {
    case FIELD_SMALL:
        return some_number(12);
    case FIELD_VERY_SMALL:
        return some_number(3);
    case FIELD_DOMID:
        return some_domid();
    case FIELD_PORT:
        return some_number(24);
    case FIELD_REF:
        return some_number(16);
    case FIELD_HANDLE:
        return some_number(8);
    case FIELD_GFN:
        return some_gfn(r->d);
    case FIELD_MACHINE:
        return take(1) < 240 ? 0 : take(f->bytes);
    case FIELD_ADDRESS:
        return (f->bytes == 8 ? some_gfn(r->d) << FRAME_SHIFT : 0) + (take(2) & FRAME_MASK & ~7ull);
    case FIELD_PAGE:
        return some_gfn(r->d) << FRAME_SHIFT;
    case FIELD_GFNS:
        return put_list(r);
    case FIELD_DATA:
        value = take(1);
        if (value < 224)
            return r->at + 2048;
        return value < 240 ? some_address(r->d) : value < 248 ? 0 : take(4);
    case FIELD_ORDER:
        return take(1) < 160 ? 0 : take(1) % 12;
    case FIELD_MAPPING:
        return take(1) & 1 ? GNTMAP_host_map | GNTMAP_readonly : GNTMAP_host_map;
    case FIELD_MAPPED: {
        const struct grant_mapping *m = maptrack_find(r->d, (uint32_t)r->last);

        return m && take(1) < 240 ? m->gfn.v << FRAME_SHIFT : some_gfn(r->d) << FRAME_SHIFT;
    }
    case FIELD_VCPUS: {
        struct domain *d = domain_get((uint16_t)r->last);
        uint64_t n = d ? d->max_vcpus : 0;

        if (d)
            domain_put(d);
        return take(1) < 240 ? n : take(4);
    }
    case FIELD_BUS: {
        uint32_t handle = (uint32_t)take(1);
        const struct grant_mapping *m = maptrack_find(r->d, handle % 8);
        enum p2m_type type;

        if (m && m->state == MAPPING_THERE && handle & 128)
            return m->frame.v << FRAME_SHIFT;
        return p2m_lookup(r->d, GFN(some_gfn(r->d)), &type, NULL).v << FRAME_SHIFT;
    }
    case FIELD_LENGTH:
        return take(1) * 16 + 1;
    case FIELD_COUNT:
        return take(1) < 250 ? take(1) * 5 : take(4);
    case FIELD_FIXED:
        return f->kind >> 8;
    default:
        return take(f->bytes);
    }
}

static void fill_struct(struct request *r, const struct op *op, uint8_t *to)
{
    for (uint32_t i = 0; i < OP_FIELDS && op->fields[i].kind != FIELD_END; i++) {
        uint64_t value = field_value(r, &op->fields[i]);

        r->last = value;
        memcpy(to + op->fields[i].at, &value, min(op->fields[i].bytes, (uint16_t)sizeof(value)));
    }
    if (op->style == OP_STRUCT) {
        bool old = op->call == __HYPERVISOR_domctl && take(1) >= 240;
        uint32_t version = old                               ? DOMCTL_XEN_4_17
                           : op->call == __HYPERVISOR_domctl ? XEN_DOMCTL_INTERFACE_VERSION
                           : op->call == __HYPERVISOR_sysctl ? XEN_SYSCTL_INTERFACE_VERSION
                                                             : XENPF_INTERFACE_VERSION;

        memcpy(to, &op->command, sizeof(op->command));
        memcpy(to + sizeof(op->command), &version, sizeof(version));
    }
}

/* For the one who looks why an input fails. */
static void tell_request(const struct op *op, const uint8_t *what)
{
    int n = snprintf(request_is, sizeof(request_is), "command %u", op->command);

    for (uint32_t i = 0; i < OP_FIELDS && op->fields[i].kind != FIELD_END; i++) {
        uint64_t value = 0;

        memcpy(&value, what + op->fields[i].at, min(op->fields[i].bytes, (uint16_t)sizeof(value)));
        n += snprintf(request_is + n, sizeof(request_is) - (size_t)n, ", %u: %#lx",
                      op->fields[i].at, value);
    }
}

uint64_t make_request(struct domain *d, uint64_t gfn, uint64_t *arg)
{
    const struct op *op = &ops[take(1) % nr_ops];
    uint64_t where = take(1), address = gfn << FRAME_SHIFT, n = 1;
    struct request r = { d, address, STRUCT_ROOM, 0 };
    uint8_t what[STRUCT_ROOM] = { 0 };

    if (where >= 224)
        r.at = address = where >= 248 ? some_address(d) : address + FRAME_SIZE - where % 32 * 8;
    if (op->style == OP_ARRAY && take(1) & 1)
        n = 1 + take(1) % 6;
    for (uint64_t i = 0; i < n; i++)
        fill_struct(&r, op, what + i * op->bytes);
    put(d, address, what, sizeof(what));
    request_op = op;
    if (tell)
        tell_request(op, what);
    arg[0] = op->style == OP_STRUCT ? address : op->command;
    arg[1] = address;
    if (op->style == OP_NUMBER) {
        arg[0] = op->command == UINT32_MAX ? take(1) % 12 : op->command;
        arg[1] = some_number(8);
        arg[2] = address;
        if (op->call == __HYPERVISOR_xen_version)
            arg[1] = address;
    } else if (op->style == OP_VCPU) {
        arg[1] = some_number(3);
        arg[2] = address;
    } else if (op->style == OP_ARRAY) {
        arg[2] = n;
    }
    return op->call;
}

/* The list is on the page before those of the calls in it. */
uint64_t make_multicall(struct domain *d, uint64_t gfn, uint64_t *arg)
{
    struct multicall_entry entries[4] = { 0 };
    uint64_t n = 1 + take(1) % 4;
    uint8_t *page;

    for (uint64_t i = 0; i < n; i++) {
        uint64_t a[6] = { 0 };

        entries[i].op = (xen_ulong_t)make_request(d, gfn + 1 + i, a);
        for (uint32_t k = 0; k < 6; k++)
            entries[i].args[k] = (xen_ulong_t)a[k];
    }
    page = guest_page(d, gfn);
    if (page)
        memcpy(page, entries, sizeof(entries));
    arg[0] = gfn << FRAME_SHIFT;
    arg[1] = n;
    return __HYPERVISOR_multicall;
}
