/* SPDX-License-Identifier: MIT */
/* Building domains, stage by stage; where kernel, ramdisk and tables go in their memory. */
#include <hospes/cmdline.h>
#include <hospes/cpu.h>
#include <hospes/domain_build.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <xen/hvm/params.h>

/* Xen's toolstack puts tables and ramdisk this far from the start of memory, out of the way of
 * kernels that grow. */
#define MODULES_OFFSET MIB(128)

/* --- stages: 0: done, go to the next; 1: call again; -errno: told ---------------------------- */

/* What Xen gives a domain from the device tree: 1 MiB a vCPU, 8 KiB for each MiB of memory. */
static uint64_t tables_pool(const struct domain_config *c)
{
    return c->hardware ? P2M_POOL_UNLIMITED : MIB(1) * c->vcpus + KIB(8) * (c->memory_bytes >> 20);
}

/*
 * The guest finds a channel whose other end is the hardware domain's, and no page yet: it waits
 * until init-dom0less there gives it one, tells xenstored, and sends an event.
 */
static int offer_xenstore(struct domain *d)
{
    uint32_t port;
    int rc = evtchn_alloc_unbound(d, DOMAIN_HARDWARE, &port);

    if (!rc) {
        d->hvm_params[HVM_PARAM_STORE_EVTCHN] = port;
        d->hvm_params[HVM_PARAM_STORE_PFN] = UINT64_MAX;
    }
    return rc;
}

static int stage_probe(struct domain_builder *b)
{
    return kernel_probe_step(&b->kernel, &b->config->kernel);
}

static int stage_create(struct domain_builder *b)
{
    const struct domain_config *c = b->config;
    int rc = domain_create(c->id, c->vcpus, &b->domain);
    if (rc) {
        log_err("%s: cpus = <%u>: no memory for the domain (%d)", c->node, c->vcpus, rc);
        return rc;
    }
    struct domain *d = b->domain;
    d->config = c;
    d->hardware = d->control = c->hardware;
    d->direct_map = c->direct_map;
    d->evtchn.max_port = c->hardware ? EVTCHN_NO_LIMIT : EVTCHN_GUEST_LIMIT;
    d->static_memory = c->nr_static_mem;
    d->max_pages = c->memory_bytes >> FRAME_SHIFT;
    d->mmio.trap_unmapped = c->trap_unmapped;
    format(d->name, sizeof(d->name), "%s", c->name);
    rc = p2m_set_pool(d, tables_pool(c));
    if (!rc)
        rc = gnttab_domain_init(d, -1, -1, 1);
    if (!rc && c->xenstore)
        rc = offer_xenstore(d);
    if (rc)
        log_err("%s: no memory for its tables (%d)", c->node, rc);
    return rc;
}

static int stage_memory(struct domain_builder *b)
{
    return domain_build_memory(b->domain, b->config, &b->layout);
}

static int stage_devices(struct domain_builder *b)
{
    int rc = arch_domain_build_devices(b->domain, b->config);

    if (rc)
        return rc;
    rc = domain_create_vcpus(b->domain);
    if (rc)
        log_err("%s: cpus = <%u>: %s", b->config->node, b->config->vcpus,
                options.sched == SCHED_NULL ? "sched=null: no CPU is left for each of its vCPUs"
                                            : "no memory for the vCPUs");
    return rc;
}

/* Tables (aligned to their size, which keeps them in one 2 MiB block) and ramdisk behind the kernel
 * in one bank. */
static bool place_in_bank(struct domain_layout *l, uint64_t start, uint64_t end, uint64_t free)
{
    uint64_t ramdisk = align_up(l->ramdisk_bytes, FRAME_SIZE);
    uint64_t tables = align_up(start, MIB(2)) + MODULES_OFFSET;

    if (l->limit && end > l->limit)
        end = max(start, l->limit);
    if (tables >= free && tables + MIB(2) <= end && end - tables - MIB(2) >= ramdisk) {
        l->tables = GADDR(tables);
        l->ramdisk = GADDR(tables + MIB(2));
        return true;
    }
    if (end - start < ramdisk)
        return false;
    l->ramdisk = GADDR(align_down(end - ramdisk, FRAME_SIZE));
    if (l->ramdisk.v < l->tables_bytes)
        return false;
    l->tables = GADDR(align_down(l->ramdisk.v - l->tables_bytes, l->tables_bytes));
    return l->tables.v >= free;
}

static int place_all(struct domain_builder *b)
{
    const struct domain_config *c = b->config;
    struct domain_layout *l = &b->layout;

    l->ramdisk_bytes = c->ramdisk.bytes;
    l->tables_bytes = arch_domain_tables_bytes(c, &l->limit);
    for (uint32_t i = 0; i < l->nr_banks; i++) {
        uint64_t start = l->bank[i].start.v, bytes = l->bank[i].bytes;
        if (kernel_place(&b->kernel, l->bank[i].start, bytes))
            continue;
        if (place_in_bank(l, start, start + bytes, b->kernel.end.v))
            return 0;
        for (uint32_t j = 0; j < l->nr_banks; j++) {
            start = l->bank[j].start.v;
            if (j != i && place_in_bank(l, start, start + l->bank[j].bytes, start))
                return 0;
        }
    }
    log_err("%s: memory = %lu KiB: too small, or at the wrong place, for its kernel and ramdisk "
            "(%lu KiB)",
            c->node, (unsigned long)(l->memory_bytes >> 10),
            (unsigned long)((c->ramdisk.bytes + b->kernel.segment[0].bytes) >> 10));
    return -ENOSPC;
}

static int stage_kernel(struct domain_builder *b)
{
    if (!b->load.k) {
        int rc = place_all(b);
        if (rc)
            return rc;
        kernel_load_begin(&b->load, b->domain, &b->config->kernel, &b->kernel);
    }
    return kernel_load_step(&b->load);
}

static int stage_ramdisk(struct domain_builder *b)
{
    kernel_load_end(&b->load);
    kernel_close(&b->kernel);
    return module_copy_step(b->domain, b->layout.ramdisk, b->config->ramdisk.start,
                            b->config->ramdisk.bytes, &b->done);
}

static int stage_tables(struct domain_builder *b)
{
    int rc = arch_domain_build_tables(b->domain, b->config, &b->layout, &b->kernel);

    if (!rc)
        arch_icache_invalidate();
    return rc;
}

static int (*const stages[BUILD_DONE])(struct domain_builder *b) = {
    [BUILD_PROBE] = stage_probe,     [BUILD_CREATE] = stage_create, [BUILD_MEMORY] = stage_memory,
    [BUILD_DEVICES] = stage_devices, [BUILD_KERNEL] = stage_kernel, [BUILD_RAMDISK] = stage_ramdisk,
    [BUILD_TABLES] = stage_tables,
};

/* --- the whole ------------------------------------------------------------------------------- */

void domain_build_begin(struct domain_builder *b, const struct domain_config *config)
{
    *b = (struct domain_builder){ .config = config };
}

static void fail(struct domain_builder *b, int rc)
{
    b->rc = rc;
    b->stage = BUILD_UNDO;
    kernel_load_end(&b->load);
    kernel_close(&b->kernel);
}

/* Takes back what there is, in steps too: most of it memory. */
static void undo(struct domain_builder *b)
{
    if (b->domain && domain_release_step(b->domain))
        return;
    if (b->domain)
        domain_destroy(b->domain);
    b->domain = NULL;
    b->stage = BUILD_DONE;
}

static void tell(const struct domain_builder *b)
{
    const struct domain_config *c = b->config;
    const struct domain_layout *l = &b->layout;
    char ramdisk[40] = "";

    if (l->ramdisk_bytes)
        format(ramdisk, sizeof(ramdisk), ", ramdisk 0x%lx", (unsigned long)l->ramdisk.v);
    log_limited(LOG_INFO, "d%u \"%s\": %u vCPU%s, %lu KiB, kernel 0x%lx%s, %s 0x%lx", c->id,
                c->name, c->vcpus, c->vcpus == 1 ? "" : "s", (unsigned long)(l->memory_bytes >> 10),
                (unsigned long)b->kernel.start.v, ramdisk, arch_domain_tables_name,
                (unsigned long)l->tables.v);
}

bool domain_build_step(struct domain_builder *b)
{
    if (b->stage == BUILD_UNDO) {
        undo(b);
    } else if (b->stage < BUILD_DONE) {
        int rc = stages[b->stage](b);
        if (rc < 0)
            fail(b, rc);
        else if (rc == 0)
            b->stage++;
        if (b->stage == BUILD_DONE)
            tell(b);
    }
    return b->stage != BUILD_DONE;
}

int domain_build(const struct domain_config *config, struct domain **out)
{
    struct domain_builder *b = heap_alloc(sizeof(*b));
    int rc = -ENOMEM;

    if (b) {
        domain_build_begin(b, config);
        while (domain_build_step(b))
            ;
        rc = b->rc;
        *out = b->domain;
    }
    heap_free(b);
    return rc;
}
