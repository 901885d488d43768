/* SPDX-License-Identifier: MIT */
/*
 * The properties of a xen,domain node: read one by one through a table, then checked together where
 * it takes more than one. Each mistake makes a line that names node, property and value.
 */
#include "domain_internal.h"

#include <hospes/boot.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <lib/bits.h>
#include <string.h>

#define CAP_CONTROL  1u
#define CAP_HARDWARE 2u
#define CAP_XENSTORE 4u

#define MEMORY_MAX  BIT(48) /* bytes: what any guest can address */
#define NR_SPIS_MAX 988u

const char domain_static_memory[] = "static memory";

/* A domain's node while it is read. */
struct reader {
    struct dt_walk *w;
    struct domain_config *c;
    bool bad;   /* something was wrong, and told */
    bool quiet; /* another reading tells */
    bool has_memory, has_cpus;
    const uint8_t *static_mem;
    int static_mem_len;
    uint32_t static_address_cells, static_size_cells;
};

void domain_say(enum log_level level, const struct dt_walk *w, const char *node,
                const char *property, const char *why)
{
    char text[96];
    int len;
    const void *value = dt_property(w->fdt, w->node, property, &len);

    if (value && len > 0)
        log_line(level, "%s: %s = %s: %s", node, property, dt_value(value, len, text, sizeof(text)),
                 why);
    else
        log_line(level, "%s: %s: %s", node, property, why);
}

static void say(struct reader *r, enum log_level level, const char *property, const char *why)
{
    if (!r->quiet)
        domain_say(level, r->w, r->c->node, property, why);
}

static void reject(struct reader *r, const char *property, const char *why)
{
    say(r, LOG_ERR, property, why);
    r->bad = true;
}

/* A number of one or two cells. */
static bool read_number(struct reader *r, const char *name, const void *value, int len,
                        uint64_t *number)
{
    if (len != 4 && len != 8) {
        reject(r, name, "must be a number of one or two cells");
        return false;
    }
    *number = dt_cells(value, (uint32_t)len / 4);
    return true;
}

static void read_memory(struct reader *r, const char *name, const void *value, int len)
{
    uint64_t kib;
    r->has_memory = true;
    if (!read_number(r, name, value, len, &kib))
        return;
    if (kib == 0)
        reject(r, name, "a domain needs memory (KiB)");
    else if (kib > MEMORY_MAX >> 10)
        reject(r, name, "more KiB than a guest can address");
    else
        r->c->memory_bytes = align_up(kib << 10, FRAME_SIZE);
}

static void read_cpus(struct reader *r, const char *name, const void *value, int len)
{
    uint64_t cpus;
    r->has_cpus = true;
    if (!read_number(r, name, value, len, &cpus))
        return;
    if (cpus == 0)
        reject(r, name, "a domain needs a vCPU");
    else if (cpus > DOMAIN_MAX_VCPUS)
        reject(r, name, "at most 128 vCPUs");
    else
        r->c->vcpus = (uint32_t)cpus;
}

static void read_nr_spis(struct reader *r, const char *name, const void *value, int len)
{
    uint64_t spis;
    if (!read_number(r, name, value, len, &spis))
        return;
    if (spis > NR_SPIS_MAX)
        reject(r, name, "at most 988 shared interrupts");
    else
        r->c->nr_spis = (uint32_t)spis;
}

static bool is_word(const void *value, int len, const char *word)
{
    return len > 0 && (size_t)len == strlen(word) + 1 && memcmp(value, word, (size_t)len) == 0;
}

static void read_vpl011(struct reader *r, const char *name, const void *value, int len)
{
    /* One device serves both the SBSA subset and all of a PL011. */
    if (len > 0 && !is_word(value, len, "sbsa_uart") && !is_word(value, len, "pl011") &&
        !is_word(value, len, ""))
        say(r, LOG_WARN, name, "not known, taken as \"sbsa_uart\"");
    r->c->vpl011 = true;
}

static void read_direct_map(struct reader *r, const char *name, const void *value, int len)
{
    (void)name, (void)value, (void)len;
    r->c->direct_map = true;
}

static void read_enhanced(struct reader *r, const char *name, const void *value, int len)
{
    bool no_xenstore = is_word(value, len, "no-xenstore");

    if (len == 0 || is_word(value, len, "enabled") || no_xenstore || is_word(value, len, "")) {
        r->c->enhanced = true;
        r->c->xenstore = !no_xenstore;
    } else if (!is_word(value, len, "disabled")) {
        say(r, LOG_WARN, name, "not known, taken as \"disabled\"");
    }
}

static void read_capabilities(struct reader *r, const char *name, const void *value, int len)
{
    uint64_t bits;
    if (!read_number(r, name, value, len, &bits))
        return;
    if (bits & ~(uint64_t)(CAP_CONTROL | CAP_HARDWARE | CAP_XENSTORE))
        say(r, LOG_WARN, name, "capabilities above 4 are not known, ignored");
    r->c->hardware = (bits & CAP_HARDWARE) != 0;
}

static void read_trap_unmapped(struct reader *r, const char *name, const void *value, int len)
{
    uint64_t trap;
    if (len == 0)
        r->c->trap_unmapped = true;
    else if (read_number(r, name, value, len, &trap))
        r->c->trap_unmapped = trap != 0;
}

static void read_passthrough(struct reader *r, const char *name, const void *value, int len)
{
    if (is_word(value, len, "enabled"))
        r->c->passthrough = true;
    else if (!is_word(value, len, "disabled"))
        reject(r, name, "must be \"enabled\" or \"disabled\"");
}

static void read_static_mem(struct reader *r, const char *name, const void *value, int len)
{
    (void)name;
    r->static_mem = value;
    r->static_mem_len = len;
}

static void read_static_cells(struct reader *r, const char *name, const void *value, int len)
{
    uint64_t cells;
    if (!read_number(r, name, value, len, &cells))
        return;
    if (cells < 1 || cells > 2)
        reject(r, name, "must be 1 or 2");
    else if (strcmp(name, "#xen,static-mem-address-cells") == 0)
        r->static_address_cells = (uint32_t)cells;
    else
        r->static_size_cells = (uint32_t)cells;
}

static void read_unsupported(struct reader *r, const char *name, const void *value, int len)
{
    (void)value, (void)len;
    say(r, LOG_WARN, name, "not supported, ignored");
}

static const struct {
    const char *name;
    void (*read)(struct reader *r, const char *name, const void *value,
                 int len); /* NULL: fine as it is */
} properties[] = {
    { "compatible", NULL },
    { "memory", read_memory },
    { "cpus", read_cpus },
    { "vpl011", read_vpl011 },
    { "nr_spis", read_nr_spis },
    { "direct-map", read_direct_map },
    { "xen,static-mem", read_static_mem },
    { "#xen,static-mem-address-cells", read_static_cells },
    { "#xen,static-mem-size-cells", read_static_cells },
    { "xen,enhanced", read_enhanced },
    { "capabilities", read_capabilities },
    { "trap-unmapped-accesses", read_trap_unmapped },
    { "passthrough", read_passthrough },
    { "#address-cells", NULL },
    { "#size-cells", NULL },
    { "status", NULL },
    { "phandle", NULL },
    { "linux,phandle", NULL },
    { "name", NULL },
    /* Sizes of things that have no fixed size here */
    { "xen,domain-p2m-mem-mb", NULL },
    { "max_grant_version", NULL },
    { "max_grant_frames", NULL },
    { "max_maptrack_frames", NULL },
    { "sve", read_unsupported },
    { "llc-colors", read_unsupported },
    { "domain-cpupool", read_unsupported },
    { "viommu", read_unsupported },
    { "xen,sci_type", read_unsupported },
};

static void read_property(struct reader *r, const struct dt_property *p)
{
    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
        if (strcmp(p->name, properties[i].name) == 0) {
            if (properties[i].read)
                properties[i].read(r, p->name, p->value, p->len);
            return;
        }
    }
    say(r, LOG_WARN, p->name, "unknown property, ignored");
}

/* --- what takes more than one property
 * -------------------------------------------------------------- */

/* Reads the banks into c->static_mem. False: they do not fit their cells, or are too many. */
static bool read_banks(struct reader *r)
{
    uint32_t above = r->w->depth - 1;
    uint32_t a =
        r->static_address_cells ? r->static_address_cells : dt_walk_address_cells(r->w, above);
    uint32_t s = r->static_size_cells ? r->static_size_cells : dt_walk_size_cells(r->w, above);

    if (a < 1 || a > 2 || s < 1 || s > 2 || r->static_mem_len <= 0 ||
        (uint32_t)r->static_mem_len % (4 * (a + s)))
        return false;
    uint32_t nr = (uint32_t)r->static_mem_len / (4 * (a + s));
    if (nr > DOMAIN_CONFIG_BANKS)
        return false;
    for (uint32_t i = 0; i < nr; i++) {
        const uint8_t *p = r->static_mem + (size_t)i * 4 * (a + s);
        r->c->static_mem[i].maddr = dt_cells(p, a);
        r->c->static_mem[i].bytes = dt_cells(p + 4 * a, s);
    }
    r->c->nr_static_mem = nr;
    return true;
}

/* What is wrong with a bank, or NULL. */
static const char *bank_fault(const struct domain_bank *b)
{
    uint64_t end = b->maddr + b->bytes;
    const struct boot_range *hit;

    if (b->bytes == 0 || ((b->maddr | b->bytes) & FRAME_MASK) || end < b->maddr)
        return "banks must be whole pages";
    if (!boot_range_contains(&boot_ram, b->maddr, end))
        return "is not in RAM";
    /* domain_config_reserve() noted it, unless something else was there already. */
    if (boot_range_overlaps(&boot_reserved, b->maddr, end, &hit) && hit->start <= b->maddr &&
        hit->end >= end && strcmp(hit->what, domain_static_memory) == 0)
        return NULL;
    return "overlaps a module, firmware's memory or Hospes";
}

static void check_static_mem(struct reader *r)
{
    const char *name = "xen,static-mem";
    uint64_t total = 0;

    if (!r->static_mem) {
        if (r->c->direct_map && !r->c->hardware)
            reject(r, "direct-map", "needs xen,static-mem");
        return;
    }
    if (!read_banks(r)) {
        reject(
            r, name,
            "does not fit its #xen,static-mem-address-cells and -size-cells, or has over 8 banks");
        return;
    }
    for (uint32_t i = 0; i < r->c->nr_static_mem; i++) {
        const char *fault = bank_fault(&r->c->static_mem[i]);
        if (fault)
            reject(r, name, fault);
        total += r->c->static_mem[i].bytes;
    }
    if (!r->bad && total != r->c->memory_bytes)
        reject(r, "memory", "is not the sum of xen,static-mem");
}

/* --- for domain_config.c
 * ---------------------------------------------------------------------------- */

bool domain_properties_read(struct dt_walk *w, struct domain_config *c)
{
    struct reader r = { .w = w, .c = c };
    struct dt_property p;

    for (bool more = dt_property_first(w->fdt, w->node, &p); more;
         more = dt_property_next(w->fdt, &p))
        read_property(&r, &p);
    if (!r.has_memory)
        reject(&r, "memory", "is missing (KiB)");
    if (!r.has_cpus)
        reject(&r, "cpus", "is missing");
    check_static_mem(&r);
    return !r.bad;
}

void domain_properties_static_mem(struct dt_walk *w, struct domain_config *c)
{
    struct reader r = { .w = w, .c = c, .quiet = true };
    struct dt_property p;

    c->nr_static_mem = 0;
    for (bool more = dt_property_first(w->fdt, w->node, &p); more;
         more = dt_property_next(w->fdt, &p)) {
        if (strstr(p.name, "xen,static-mem"))
            read_property(&r, &p);
    }
    if (r.static_mem)
        (void)read_banks(&r);
}
