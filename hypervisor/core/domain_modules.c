/* SPDX-License-Identifier: MIT */
/*
 * Boot modules: kernels, ramdisks and device trees that the boot loader left in memory, as nodes
 * under /chosen or a domain's node tell. Xen's bindings (docs/misc/arm/device-tree/booting.txt),
 * old names included.
 */
#include "domain_internal.h"

#include <hospes/boot.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <string.h>

static const struct {
    const char *compatible;
    enum module_kind kind;
} kinds[] = {
    { "multiboot,kernel", MODULE_KERNEL },   { "xen,linux-zimage", MODULE_KERNEL },
    { "multiboot,ramdisk", MODULE_RAMDISK }, { "xen,linux-initrd", MODULE_RAMDISK },
    { "multiboot,device-tree", MODULE_DTB }, { "xen,xsm-policy", MODULE_OTHER },
    { "multiboot,module", MODULE_PLAIN },    { "xen,multiboot-module", MODULE_PLAIN },
};

enum module_kind module_kind(const struct dt_walk *w)
{
    int len;
    const char *compatible = dt_property(w->fdt, w->node, "compatible", &len);
    if (!compatible)
        return MODULE_NONE;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (dt_list_has(compatible, len, kinds[i].compatible))
            return kinds[i].kind;
    }
    return MODULE_NONE;
}

static int complain(const struct dt_walk *w, const struct boot_module *m, bool quiet,
                    const char *property, const char *why)
{
    if (!quiet)
        domain_say(LOG_ERR, w, m->node, property, why);
    return -EINVAL;
}

int module_read(struct dt_walk *w, struct boot_module *m, bool quiet)
{
    uint64_t start, bytes;

    dt_walk_path(w, m->node, sizeof(m->node));
    int rc = dt_walk_pair(w, "reg", 0, &start, &bytes);
    if (rc == -ENOENT && dt_property(w->fdt, w->node, "xen,uefi-binary", NULL))
        return complain(w, m, quiet, "xen,uefi-binary", "the file was not loaded");
    if (rc == -ENOENT && dt_property(w->fdt, w->node, "module-index", NULL))
        return complain(w, m, quiet, "module-index", "the loader gave no such module");
    if (rc == -ENOENT)
        return complain(w, m, quiet, "reg", "is missing");
    if (rc)
        return complain(w, m, quiet, "reg", "does not fit #address-cells and #size-cells above it");
    if (bytes == 0)
        return complain(w, m, quiet, "reg", "the file is empty");
    if (start + bytes < start ||
        (boot_ram.nr && !boot_range_contains(&boot_ram, start, start + bytes)))
        return complain(w, m, quiet, "reg", "is not in RAM");
    m->start = MADDR(start);
    m->bytes = bytes;
    return 0;
}

static void twice(const struct dt_walk *w, const char *what)
{
    char path[DOMAIN_CONFIG_PATH];
    log_warn("%s: %s: there is one already, ignored", dt_walk_path(w, path, sizeof(path)), what);
}

/* Takes the module at *w as `kind`. */
static int take(struct dt_walk *w, enum module_kind kind, struct domain_config *c,
                const char **bootargs)
{
    char path[DOMAIN_CONFIG_PATH];
    struct boot_module *m = kind == MODULE_KERNEL    ? &c->kernel
                            : kind == MODULE_RAMDISK ? &c->ramdisk
                            : kind == MODULE_DTB     ? &c->dtb
                                                     : NULL;
    if (!m) {
        log_warn("%s: a module of no use here, ignored", dt_walk_path(w, path, sizeof(path)));
        return 0;
    }
    if (m->node[0]) {
        twice(w, kind == MODULE_KERNEL    ? "kernel"
                 : kind == MODULE_RAMDISK ? "ramdisk"
                                          : "device tree");
        return 0;
    }
    if (kind == MODULE_KERNEL)
        *bootargs = dt_string(w->fdt, w->node, "bootargs");
    return module_read(w, m, false);
}

static bool next_child(struct dt_walk *w, const struct dt_walk *parent)
{
    bool more = w->depth == parent->depth ? dt_walk_next(w) : dt_walk_skip(w);
    return more && w->depth == parent->depth + 1;
}

int modules_read(const struct dt_walk *parent, struct domain_config *c, const char **bootargs)
{
    struct dt_walk w = *parent;
    bool kernel = false, ramdisk = false; /* there is one */
    int rc = 0;

    while (next_child(&w, parent)) {
        enum module_kind kind = module_kind(&w);
        kernel |= kind == MODULE_KERNEL;
        ramdisk |= kind == MODULE_RAMDISK;
    }
    w = *parent;
    while (next_child(&w, parent)) {
        enum module_kind kind = module_kind(&w);
        if (kind == MODULE_NONE || !dt_enabled(w.fdt, w.node))
            continue;
        if (kind == MODULE_PLAIN) {
            kind = !kernel ? MODULE_KERNEL : !ramdisk ? MODULE_RAMDISK : MODULE_OTHER;
            kernel |= kind == MODULE_KERNEL;
            ramdisk |= kind == MODULE_RAMDISK;
        }
        if (take(&w, kind, c, bootargs))
            rc = -EINVAL;
    }
    return rc ? rc : c->kernel.node[0] ? 0 : -ENOENT;
}

void domain_config_modules(const void *fdt, void (*fn)(const struct boot_module *m, void *arg),
                           void *arg)
{
    struct dt_walk chosen, w;
    struct boot_module m;

    if (dt_walk_find(&chosen, fdt, "/chosen"))
        return;
    w = chosen;
    while (dt_walk_next(&w) && w.depth > chosen.depth) {
        if (w.depth > chosen.depth + 2 || module_kind(&w) == MODULE_NONE)
            continue;
        memset(&m, 0, sizeof(m));
        if (module_read(&w, &m, true) == 0)
            fn(&m, arg);
    }
}
