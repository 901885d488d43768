/* SPDX-License-Identifier: MIT */
/*
 * Domains from the device tree: /chosen and the xen,domain nodes in it, by Xen's bindings
 * (docs/misc/arm/device-tree/booting.txt). doc/domains-from-device-tree.md lists what is
 * understood. A domain with a mistake is left out, after the mistake was told.
 */
#include "domain_internal.h"

#include <hospes/boot.h>
#include <hospes/cmdline.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <hospes/log.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <string.h>

#define DOM0_MEM_DEFAULT MIB(512)

struct domain_configs domain_configs;

static const char boot_module[] = "boot module"; /* who has modules, in boot_reserved */

/* --- domains that get in each other's way ---------------------------------------------------- */

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

/* --- the nodes ------------------------------------------------------------------------------- */

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
    const char *bootargs = NULL;

    if (!c)
        return;
    bool good = domain_properties_read(w, c);
    if (c->hardware && has_hardware_domain(out)) {
        domain_say(LOG_ERR, w, c->node, "capabilities", "there is a hardware domain already");
        good = false;
    }
    int rc = modules_read(w, c, &bootargs);
    if (rc == -ENOENT)
        log_err("%s: no kernel: a module compatible with \"multiboot,kernel\" is missing", c->node);
    if (bootargs)
        c->bootargs = bootargs;
    c->direct_map |= c->hardware;
    c->passthrough |= c->dtb.node[0] != '\0';
    c->id = c->hardware ? DOMAIN_HARDWARE : (*next_id)++;
    format(c->name, sizeof(c->name), "%s", dt_name(w->fdt, w->node));
    good &= rc == 0;
    finish(out, good);
    if (c->hardware && good)
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

/* Nobody but a hardware domain can serve xenstore: guests would wait for it for ever. */
static void drop_xenstore(struct domain_configs *out)
{
    for (uint32_t i = 0; i < out->nr && !has_hardware_domain(out); i++) {
        if (out->d[i].xenstore)
            log_warn(
                "%s: xen,enhanced: no hardware domain serves xenstore, taken as \"no-xenstore\"",
                out->d[i].node);
        out->d[i].xenstore = false;
    }
}

void domain_config_parse(const void *fdt, uint32_t cpus, struct domain_configs *out)
{
    struct dt_walk chosen, w;
    uint16_t next_id = 1;

    out->nr = out->rejected = 0;
    if (dt_walk_find(&chosen, fdt, "/chosen"))
        return;
    read_dom0(&chosen, cpus, out);
    w = chosen;
    for (bool more = dt_walk_next(&w); more && w.depth > chosen.depth; more = dt_walk_skip(&w)) {
        if (dt_is_compatible(fdt, w.node, "xen,domain") && dt_enabled(fdt, w.node))
            read_domain(&w, out, &next_id);
    }
    drop_clashing(out);
    drop_xenstore(out);
}

/* --- before memory is handed out ------------------------------------------------------------- */

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
    reserve(m->start.v, m->start.v + m->bytes, boot_module);
}

static void reserve_static_mem(struct dt_walk *w)
{
    static struct domain_config c; /* too large for a stack */

    domain_properties_static_mem(w, &c);
    for (uint32_t i = 0; i < c.nr_static_mem; i++) {
        const struct domain_bank *b = &c.static_mem[i];
        uint64_t end = b->maddr + b->bytes;
        if (b->bytes && end > b->maddr && ((b->maddr | end) & FRAME_MASK) == 0 &&
            !boot_range_overlaps(&boot_reserved, b->maddr, end, NULL))
            reserve(b->maddr, end, domain_static_memory);
    }
}

void domain_config_reserve(const void *fdt)
{
    struct dt_walk chosen, w;

    domain_config_modules(fdt, reserve_module, NULL);
    if (dt_walk_find(&chosen, fdt, "/chosen"))
        return;
    w = chosen;
    for (bool more = dt_walk_next(&w); more && w.depth > chosen.depth; more = dt_walk_skip(&w)) {
        if (dt_is_compatible(fdt, w.node, "xen,domain") && dt_enabled(fdt, w.node))
            reserve_static_mem(&w);
    }
}

/* --- after the domains are built ---------------------------------------------------------------
 */

static bool holds(const struct boot_module *m, uint64_t start, uint64_t end)
{
    return m->bytes && m->start.v < end && start < m->start.v + m->bytes;
}

static void release_module(const struct boot_module *m, void *arg)
{
    const struct domain_configs *configs = arg;
    uint64_t start = align_up(m->start.v, FRAME_SIZE);
    uint64_t end = align_down(m->start.v + m->bytes, FRAME_SIZE);
    const struct boot_range *hit;

    for (uint32_t i = 0; i < configs->nr; i++) {
        const struct domain_config *c = &configs->d[i];
        if (!c->hardware && (holds(&c->kernel, start, end) || holds(&c->ramdisk, start, end) ||
                             holds(&c->dtb, start, end)))
            return;
    }
    /* It must be there as reserve_module() noted it; a module that two nodes name is released once.
     */
    if (end <= start || !boot_range_overlaps(&boot_reserved, start, end, &hit) ||
        hit->start > start || hit->end < end || strcmp(hit->what, boot_module) != 0 ||
        boot_range_remove(&boot_reserved, start, end))
        return;
    frame_bank_release(maddr_to_mfn(MADDR(start)), maddr_to_mfn(MADDR(end)));
}

void domain_config_release(const void *fdt, struct domain_configs *configs)
{
    domain_config_modules(fdt, release_module, configs);
}

/* --- the hypervisor's own -------------------------------------------------------------------- */

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
    if (dt_walk_find(&chosen, fdt, "/chosen"))
        return "";
    const char *s = dt_string(fdt, chosen.node, "xen,xen-bootargs");
    if (!s &&
        (dt_property(fdt, chosen.node, "xen,dom0-bootargs", NULL) || kernel_has_bootargs(&chosen)))
        s = dt_string(fdt, chosen.node, "bootargs");
    return s ? s : "";
}
