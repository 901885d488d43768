/* SPDX-License-Identifier: MIT */
/*
 * Domains from the device tree: /chosen and the xen,domain nodes in it, by Xen's bindings
 * (docs/misc/arm/device-tree/booting.txt). doc/domains-from-device-tree.md lists what is
 * understood.
 *
 * A domain's node is read property by property through one table; what needs more than one property
 * is checked when all are read. Every mistake is told, then the domain is left out.
 */
#include <hospes/domain_modules.h>

#include <hospes/boot.h>
#include <hospes/cmdline.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <string.h>

#define CAP_CONTROL  1u
#define CAP_HARDWARE 2u
#define CAP_XENSTORE 4u

#define DOM0_MEM_DEFAULT MIB(512)
#define MEMORY_MAX       BIT(48) /* bytes: what any guest can address */
#define NR_SPIS_MAX      988u

struct domain_configs domain_configs;

/* In boot_reserved, for places of xen,static-mem. */
static const char static_memory[] = "static memory";

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

/* A line about a property, whose value is looked up to quote it. */
static void say(struct reader *r, enum log_level level, const char *property, const char *why)
{
    char text[80];
    int len;
    const void *value = dt_property(r->w->fdt, r->w->node, property, &len);

    if (r->quiet)
        return;
    if (value && len > 0)
        log_line(level, "%s: %s = %s: %s", r->c->node, property,
                 dt_value(value, len, text, sizeof(text)), why);
    else
        log_line(level, "%s: %s: %s", r->c->node, property, why);
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
    if (len == 0 || is_word(value, len, "enabled") || is_word(value, len, "no-xenstore") ||
        is_word(value, len, ""))
        r->c->enhanced = true;
    else if (!is_word(value, len, "disabled"))
        say(r, LOG_WARN, name, "not known, taken as \"disabled\"");
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
        hit->end >= end && strcmp(hit->what, static_memory) == 0)
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

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

/*
 * Modules that overlap: the file loaded first was written over, and nobody knows which that was.
 * One file for several domains is fine; within a domain nothing can be two things.
 */
static bool modules_clash(const struct boot_module *a, const struct boot_module *b,
                          bool same_domain)
{
    if (!a->bytes || !b->bytes || !overlap(a->start.v, a->bytes, b->start.v, b->bytes))
        return false;
    if (!same_domain && a->start.v == b->start.v && a->bytes == b->bytes)
        return false;
    log_err("%s: reg = 0x%lx, 0x%lx bytes: overlaps %s at 0x%lx, 0x%lx bytes", a->node,
            (unsigned long)a->start.v, (unsigned long)a->bytes, b->node, (unsigned long)b->start.v,
            (unsigned long)b->bytes);
    return true;
}

static bool domain_modules_clash(const struct domain_config *x, const struct domain_config *y)
{
    const struct boot_module *a[] = { &x->kernel, &x->ramdisk, &x->dtb };
    const struct boot_module *b[] = { &y->kernel, &y->ramdisk, &y->dtb };
    bool clash = false;

    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t j = x == y ? i + 1 : 0; j < 3; j++)
            clash |= modules_clash(a[i], b[j], x == y);
    }
    return clash;
}

static bool static_mem_clashes(const struct domain_config *x, const struct domain_config *y)
{
    for (uint32_t i = 0; i < x->nr_static_mem; i++) {
        for (uint32_t j = x == y ? i + 1 : 0; j < y->nr_static_mem; j++) {
            const struct domain_bank *a = &x->static_mem[i], *b = &y->static_mem[j];
            if (!overlap(a->maddr, a->bytes, b->maddr, b->bytes))
                continue;
            log_err("%s: xen,static-mem: 0x%lx, 0x%lx bytes: overlaps that of %s", y->node,
                    (unsigned long)b->maddr, (unsigned long)b->bytes, x->node);
            return true;
        }
    }
    return false;
}

/* Drops the domains that get in another's way: both where modules clash, the later one for the
 * rest. */
static void drop_clashing(struct domain_configs *out)
{
    DECLARE_BITMAP(drop, DOMAIN_CONFIG_MAX) = { 0 };
    uint32_t kept = 0;

    for (uint32_t i = 0; i < out->nr; i++) {
        for (uint32_t j = i; j < out->nr; j++) {
            if (domain_modules_clash(&out->d[i], &out->d[j])) {
                bitmap_set(drop, i);
                bitmap_set(drop, j);
            }
            if (static_mem_clashes(&out->d[i], &out->d[j]))
                bitmap_set(drop, j);
        }
    }
    for (uint32_t i = 0; i < out->nr; i++) {
        if (bitmap_test(drop, i))
            continue;
        if (kept != i)
            out->d[kept] = out->d[i];
        kept++;
    }
    out->rejected += out->nr - kept;
    out->nr = kept;
}

/* --- the nodes
 * -------------------------------------------------------------------------------------- */

static struct domain_config *begin(struct domain_configs *out, const struct dt_walk *w)
{
    char path[DOMAIN_CONFIG_PATH];
    if (out->nr == DOMAIN_CONFIG_MAX) {
        log_err("%s: more than %u domains, left out", dt_walk_path(w, path, sizeof(path)),
                DOMAIN_CONFIG_MAX);
        out->rejected++;
        return NULL;
    }
    struct domain_config *c = &out->d[out->nr];
    memset(c, 0, sizeof(*c));
    dt_walk_path(w, c->node, sizeof(c->node));
    c->trap_unmapped = true;
    c->bootargs = "";
    return c;
}

static void finish(struct domain_configs *out, bool good)
{
    if (good)
        out->nr++;
    else
        out->rejected++;
}

static bool has_hardware_domain(const struct domain_configs *out)
{
    return out->nr && out->d[0].hardware;
}

/* The hardware domain stands first, whatever its place in the tree: its memory is the hardest to
 * find. */
static void hardware_first(struct domain_configs *out)
{
    static struct domain_config c; /* too large for a stack */
    c = out->d[out->nr - 1];
    memmove(&out->d[1], &out->d[0], (out->nr - 1) * sizeof(c));
    out->d[0] = c;
}

static void read_domain(struct dt_walk *w, struct domain_configs *out, uint16_t *next_id)
{
    struct domain_config *c = begin(out, w);
    struct reader r = { .w = w, .c = c };
    const char *bootargs = NULL;
    struct dt_property p;

    if (!c)
        return;
    for (bool more = dt_property_first(w->fdt, w->node, &p); more;
         more = dt_property_next(w->fdt, &p))
        read_property(&r, &p);
    if (!r.has_memory)
        reject(&r, "memory", "is missing (KiB)");
    if (!r.has_cpus)
        reject(&r, "cpus", "is missing");
    check_static_mem(&r);
    if (c->hardware && has_hardware_domain(out))
        reject(&r, "capabilities", "there is a hardware domain already");
    int rc = modules_read(w, c, &bootargs);
    if (rc == -ENOENT)
        log_err("%s: no kernel: a module compatible with \"multiboot,kernel\" is missing", c->node);
    if (bootargs)
        c->bootargs = bootargs;
    c->direct_map |= c->hardware;
    c->passthrough |= c->dtb.node[0] != '\0';
    c->id = c->hardware ? 0 : (*next_id)++;
    format(c->name, sizeof(c->name), "%s", dt_name(w->fdt, w->node));
    finish(out, !r.bad && rc == 0);
    if (c->hardware && !r.bad && rc == 0)
        hardware_first(out);
}

/* Whose /chosen/bootargs is, by the rules that Xen documents: `own` is set if the kernel module has
 * its own line. */
static const char *dom0_cmdline(const void *fdt, int chosen, const char *own)
{
    const char *s = own;
    if (!s)
        s = dt_string(fdt, chosen, "xen,dom0-bootargs");
    if (!s)
        s = dt_string(fdt, chosen, "bootargs");
    return s ? s : "";
}

static void read_dom0(struct dt_walk *chosen, uint32_t cpus, struct domain_configs *out)
{
    struct domain_config *c = begin(out, chosen);
    const char *bootargs = NULL;
    int rc = modules_read(chosen, c, &bootargs);

    if (rc == -ENOENT)
        return; /* true dom0less: nobody asked for one */
    format(c->name, sizeof(c->name), "Domain-0");
    c->hardware = c->direct_map = true;
    c->memory_bytes = options.dom0_mem ? align_up(options.dom0_mem, FRAME_SIZE) : DOM0_MEM_DEFAULT;
    c->vcpus = options.dom0_max_vcpus ? options.dom0_max_vcpus : cpus;
    c->vcpus = max(1u, min(c->vcpus, (uint32_t)DOMAIN_MAX_VCPUS));
    c->bootargs = dom0_cmdline(chosen->fdt, chosen->node, bootargs);
    finish(out, rc == 0);
}

void domain_config_parse(const void *fdt, uint32_t cpus, struct domain_configs *out)
{
    struct dt_walk chosen, w;
    uint16_t next_id = 1;

    out->nr = out->rejected = 0;
    if (dt_walk_to(&chosen, fdt, dt_find(fdt, "/chosen")))
        return;
    read_dom0(&chosen, cpus, out);
    w = chosen;
    for (bool more = dt_walk_next(&w); more && w.depth > chosen.depth; more = dt_walk_skip(&w)) {
        if (dt_is_compatible(fdt, w.node, "xen,domain") && dt_enabled(fdt, w.node))
            read_domain(&w, out, &next_id);
    }
    drop_clashing(out);
}

/* --- before memory is handed out
 * -------------------------------------------------------------------- */

static void reserve(uint64_t start, uint64_t end, const char *what)
{
    if (boot_range_add(&boot_reserved, align_down(start, FRAME_SIZE), align_up(end, FRAME_SIZE),
                       what))
        log_err("0x%lx: no room to note this %s: it may be overwritten", (unsigned long)start,
                what);
}

static void reserve_module(const struct boot_module *m, void *unused)
{
    (void)unused;
    reserve(m->start.v, m->start.v + m->bytes, "boot module");
}

static void reserve_static_mem(struct dt_walk *w)
{
    static struct domain_config c; /* too large for a stack */
    struct reader r = { .w = w, .c = &c, .quiet = true };
    struct dt_property p;

    for (bool more = dt_property_first(w->fdt, w->node, &p); more;
         more = dt_property_next(w->fdt, &p)) {
        if (strstr(p.name, "xen,static-mem"))
            read_property(&r, &p);
    }
    c.nr_static_mem = 0;
    if (!r.static_mem || !read_banks(&r))
        return;
    for (uint32_t i = 0; i < c.nr_static_mem; i++) {
        const struct domain_bank *b = &c.static_mem[i];
        uint64_t end = b->maddr + b->bytes;
        if (b->bytes && end > b->maddr && ((b->maddr | end) & FRAME_MASK) == 0 &&
            !boot_range_overlaps(&boot_reserved, b->maddr, end, NULL))
            reserve(b->maddr, end, static_memory);
    }
}

void domain_config_reserve(const void *fdt)
{
    struct dt_walk chosen, w;

    domain_config_modules(fdt, reserve_module, NULL);
    if (dt_walk_to(&chosen, fdt, dt_find(fdt, "/chosen")))
        return;
    w = chosen;
    for (bool more = dt_walk_next(&w); more && w.depth > chosen.depth; more = dt_walk_skip(&w)) {
        if (dt_is_compatible(fdt, w.node, "xen,domain") && dt_enabled(fdt, w.node))
            reserve_static_mem(&w);
    }
}

/* --- the hypervisor's own
 * --------------------------------------------------------------------------- */

/* True if the classic dom0's kernel module has a command line of its own. */
static bool kernel_has_bootargs(const struct dt_walk *chosen)
{
    struct dt_walk w = *chosen;
    bool first_plain = true;
    for (bool more = dt_walk_next(&w); more && w.depth > chosen->depth; more = dt_walk_skip(&w)) {
        enum module_kind kind = module_kind(&w);
        bool kernel = kind == MODULE_KERNEL || (kind == MODULE_PLAIN && first_plain);
        first_plain &= kind != MODULE_PLAIN;
        if (kernel && dt_property(w.fdt, w.node, "bootargs", NULL))
            return true;
    }
    return false;
}

const char *domain_config_hypervisor_cmdline(const void *fdt)
{
    struct dt_walk chosen;
    if (dt_walk_to(&chosen, fdt, dt_find(fdt, "/chosen")))
        return "";
    const char *s = dt_string(fdt, chosen.node, "xen,xen-bootargs");
    if (!s &&
        (dt_property(fdt, chosen.node, "xen,dom0-bootargs", NULL) || kernel_has_bootargs(&chosen)))
        s = dt_string(fdt, chosen.node, "bootargs");
    return s ? s : "";
}
