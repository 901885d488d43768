/* SPDX-License-Identifier: MIT */
/*
 * What a guest needs from its device tree (Devicetree Specification 0.4, chapter 5), read in one
 * pass. Not libfdt: that was compiled with unaligned accesses and FP registers, and this is all
 * there is to it.
 */
#include "guest.h"

#define FDT_BEGIN_NODE 1u
#define FDT_END_NODE   2u
#define FDT_PROP       3u
#define FDT_END        9u
#define MAX_DEPTH      8

struct machine machine = { .ppi_phys = 30, .ppi_virt = 27, .bootargs = "" };

struct node {
    const char *name;
    const uint8_t *compatible, *reg, *interrupts, *device_type;
    uint32_t compatible_len, reg_len, interrupts_len;
    uint32_t address_cells, size_cells; /* for its children */
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t cells(const uint8_t **p, uint32_t n)
{
    uint64_t v = 0;

    for (; n > 0; n--, *p += 4)
        v = v << 32 | be32(*p);
    return v;
}

static bool same(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++, b++)
        ;
    return *a == *b;
}

static bool starts(const char *a, const char *with)
{
    for (; *with != '\0'; a++, with++) {
        if (*a != *with)
            return false;
    }
    return true;
}

static bool is_compatible(const struct node *n, const char *with)
{
    uint32_t at_byte = 0;

    while (at_byte < n->compatible_len) {
        const char *s = (const char *)n->compatible + at_byte;
        if (same(s, with))
            return true;
        while (at_byte < n->compatible_len && n->compatible[at_byte] != '\0')
            at_byte++;
        at_byte++;
    }
    return false;
}

static struct range range_of(const struct node *n, const struct node *parent, unsigned int index)
{
    uint32_t step = (parent->address_cells + parent->size_cells) * 4;
    const uint8_t *p = n->reg + index * step;
    struct range r = { 0, 0 };

    if (n->reg && (index + 1) * step <= n->reg_len) {
        r.base = cells(&p, parent->address_cells);
        r.bytes = cells(&p, parent->size_cells);
    }
    return r;
}

static unsigned int interrupt_of(const struct node *n, unsigned int index)
{
    const uint8_t *p = n->interrupts + (size_t)index * 12;

    if ((index + 1) * 12 > n->interrupts_len)
        return 0;
    return be32(p + 4) + (be32(p) == 1 ? 16 : 32);
}

/* A node is complete once its properties are read: they come before its children. */
static void take(const struct node *n, const struct node *parent)
{
    struct machine *m = &machine;
    const char *type = n->device_type ? (const char *)n->device_type : "";

    if (same(type, "memory") || starts(n->name, "memory@")) {
        for (unsigned int i = 0; m->mems < ARRAY_SIZE(m->mem); i++) {
            struct range r = range_of(n, parent, i);
            if (r.bytes == 0)
                break;
            m->mem[m->mems++] = r;
        }
    } else if (same(type, "cpu")) {
        if (m->cpus < MAX_CPUS)
            m->mpidr[m->cpus++] = range_of(n, parent, 0).base;
    } else if (is_compatible(n, "arm,gic-v3")) {
        m->gic = 3;
        m->gicd = range_of(n, parent, 0);
        m->gicr = range_of(n, parent, 1);
    } else if (is_compatible(n, "arm,cortex-a15-gic") || is_compatible(n, "arm,gic-400") ||
               is_compatible(n, "arm,cortex-a9-gic")) {
        m->gic = 2;
        m->gicd = range_of(n, parent, 0);
        m->gicr = range_of(n, parent, 1);
    } else if (is_compatible(n, "arm,pl011") || is_compatible(n, "arm,sbsa-uart")) {
        m->uart = range_of(n, parent, 0);
        m->uart_irq = interrupt_of(n, 0);
        m->uart_sbsa = !is_compatible(n, "arm,pl011");
    } else if (is_compatible(n, "xen,xen")) {
        m->xen = true;
    } else if (is_compatible(n, "arm,armv8-timer")) {
        m->ppi_phys = interrupt_of(n, 1);
        m->ppi_virt = interrupt_of(n, 2);
    }
}

static void property(struct node *n, const char *name, const uint8_t *value, uint32_t len)
{
    if (same(name, "compatible")) {
        n->compatible = value;
        n->compatible_len = len;
    } else if (same(name, "reg")) {
        n->reg = value;
        n->reg_len = len;
    } else if (same(name, "interrupts")) {
        n->interrupts = value;
        n->interrupts_len = len;
    } else if (same(name, "device_type")) {
        n->device_type = value;
    } else if (same(name, "#address-cells")) {
        n->address_cells = be32(value);
    } else if (same(name, "#size-cells")) {
        n->size_cells = be32(value);
    } else if (same(name, "bootargs")) {
        machine.bootargs = (const char *)value;
    } else if (same(name, "method") && starts(n->name, "psci")) {
        machine.smc = same((const char *)value, "smc");
    }
}

void machine_read(const void *fdt)
{
    const uint8_t *base = fdt, *p = base + be32(base + 8), *strings = base + be32(base + 12);
    struct node node[MAX_DEPTH + 1];
    unsigned int depth = 0;
    bool open = false; /* node[depth] still gets properties */

    machine.dtb = (struct range){ (uint64_t)base, be32(base + 4) };
    node[0] = (struct node){ .name = "", .address_cells = 2, .size_cells = 1 };
    for (;;) {
        uint32_t token = be32(p);

        p += 4;
        if (open && token != FDT_PROP && token != 4 /* NOP */) {
            take(&node[depth], &node[depth - 1]);
            open = false;
        }
        if (token == FDT_BEGIN_NODE) {
            const char *name = (const char *)p;
            while (*p++ != '\0')
                ;
            p = base + (((uint64_t)(p - base) + 3) & ~UINT64_C(3));
            if (++depth > MAX_DEPTH)
                return;
            node[depth] = (struct node){ .name = name, .address_cells = 2, .size_cells = 1 };
            open = true;
        } else if (token == FDT_PROP) {
            uint32_t len = be32(p);
            property(&node[depth], (const char *)strings + be32(p + 4), p + 8, len);
            p += 8 + ((len + 3) & ~3u);
        } else if (token == FDT_END_NODE) {
            depth--;
        } else if (token == FDT_END) {
            return;
        }
    }
}
