/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes everything that reads a device tree from a boot loader: the check, domains and modules,
 * addresses and interrupts of all nodes, what the hardware domain gets and its derived tree, a
 * guest's tree with the input as partial tree.
 *
 * An input is a device tree. `make fuzz` makes a corpus of real trees, cut and with bits flipped
 * (tests/fuzz/corpus).
 */
#include "../../hypervisor/arch/arm64/domain_tree.h"

#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/dt.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <hospes/log.h>
#include <hospes/p2m.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TREE_ROOM 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* --- what the sources under test ask of others ----------------------------------------------- */

struct options options = { .dom0_mem = MIB(512) };

static const char *const compatible[] = { "arm,pl011", "cdns,uart-r1p12", "brcm,bcm2835-aux-uart",
                                          "ns16550a", NULL };
static const struct uart_driver driver = { .compatible = compatible };
const struct uart_driver *const uart_drivers[] = { &driver, NULL };

void log_line(enum log_level level, const char *fmt, ...)
{
    static char text[512];
    va_list args;

    (void)level;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
}

void panic(const char *fmt, ...)
{
    (void)fmt;
    abort();
}

int p2m_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames, enum p2m_type type)
{
    (void)d, (void)gfn, (void)mfn, (void)frames, (void)type;
    return 0;
}

bool p2m_is_empty(struct domain *d, gfn_t gfn, uint64_t frames)
{
    (void)d, (void)gfn, (void)frames;
    return true;
}

int irq_give(uint32_t irq, enum irq_trigger trigger, struct domain *d, uint32_t virq)
{
    (void)trigger, (void)d;
    if (irq < 32 || irq > 1019 || irq != virq)
        abort();
    return 0;
}

void maddr_read(void *to, maddr_t from, uint64_t n)
{
    (void)to, (void)from, (void)n;
    abort();
}

void frame_bank_release(mfn_t start, mfn_t end)
{
    if (end.v <= start.v)
        abort();
}

void *heap_alloc(uint64_t size)
{
    return calloc(1, size);
}

void heap_free(void *p)
{
    free(p);
}

/* --- checks ---------------------------------------------------------------------------------- */

static void check(bool good)
{
    if (!good)
        abort();
}

static void read_node(struct dt_walk *w)
{
    uint64_t a, b;
    struct dt_irq irq;
    char path[64];

    check(dt_walk_path(w, path, sizeof(path)) == path && strlen(path) < sizeof(path));
    for (uint32_t i = 0; i < 64 && dt_walk_reg(w, i, &a, &b) == 0; i++)
        check(a + b >= a);
    for (uint32_t i = 0; i < 64; i++) {
        int rc = dt_walk_irq(w, i, &irq);
        check(rc == 0 || rc == -ENOENT || rc == -EINVAL || rc == -ENODEV);
        if (rc == 0)
            check(irq.intid >= 16 && irq.intid < 1020);
        if (rc && rc != -ENODEV)
            break;
    }
    for (uint32_t i = 0; i < 64 && dt_walk_map_irq(w, i, &irq) == 0; i++)
        check(irq.intid >= 16 && irq.intid < 1020);
    (void)dt_enabled(w->fdt, w->node);
    (void)dt_string(w->fdt, w->node, "compatible");
}

static void check_module(const struct boot_module *m, void *arg)
{
    (void)arg;
    check(m->bytes && m->start.v + m->bytes > m->start.v &&
          strnlen(m->node, sizeof(m->node)) < sizeof(m->node));
}

static void check_domains(const void *fdt)
{
    static struct domain_configs configs;
    bool hardware = false;

    check(domain_config_hypervisor_cmdline(fdt) != NULL);
    domain_config_modules(fdt, check_module, NULL);
    memset(&boot_reserved, 0, sizeof(boot_reserved));
    boot_range_add(&boot_reserved, 0x40200000, 0x40400000, "Hospes");
    domain_config_reserve(fdt);
    domain_config_parse(fdt, 4, &configs);
    check(configs.nr <= DOMAIN_CONFIG_MAX);
    for (uint32_t i = 0; i < configs.nr; i++) {
        const struct domain_config *c = &configs.d[i];
        check(c->vcpus >= 1 && c->vcpus <= DOMAIN_MAX_VCPUS && c->memory_bytes &&
              (c->memory_bytes & FRAME_MASK) == 0 && c->kernel.bytes && c->bootargs);
        check((c->id == 0) == c->hardware && !(c->hardware && hardware));
        check(strlen(c->bootargs) < INT32_MAX && c->nr_static_mem <= DOMAIN_CONFIG_BANKS);
        hardware |= c->hardware;
    }
    domain_config_release(fdt, &configs);
}

static int give_region(void *arg, uint64_t start, uint64_t n)
{
    const struct host_view *v = arg;
    check(n && ((start | n) & FRAME_MASK) == 0 && start + n > start);
    check(!boot_range_overlaps(&v->kept, start, start + n, NULL));
    check(!boot_range_overlaps(&boot_ram, start, start + n, NULL));
    return 0;
}

static int give_reserved(void *arg, uint64_t start, uint64_t n)
{
    const struct host_view *v = arg;
    check(n && !boot_range_overlaps(&v->kept, start, start + n, NULL));
    return 0;
}

static int give_irq(void *arg, const struct dt_irq *irq)
{
    (void)arg;
    check(irq->intid >= 32 && irq->intid < 1020);
    return 0;
}

static int find_gic(const void *fdt)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "arm,gic-v3");
    return node >= 0 ? node : fdt_node_offset_by_compatible(fdt, -1, "arm,gic-400");
}

static void check_trees(const void *fdt)
{
    static uint8_t out[TREE_ROOM];
    static struct host_view view;
    static struct domain d;
    struct host_devices fns = { give_region, give_reserved, give_irq, &view };
    struct domain_config config = { .bootargs = "x", .vcpus = 2 };
    struct domain_layout layout = { .bank = { { GADDR(0x80000000), GIB(8) } }, .nr_banks = 1 };
    struct domain_places places = { 3, 1 << 16, 1 << 16, 1 << 20, 1 << 20, 1 << 24, 32 };
    struct host_tree host = { &view, &config, &layout, NULL };
    struct guest_tree guest = { &config, &layout, &places, host_cpu_compatible(fdt), fdt, NULL };
    struct uart uart = { .irq = 0 };
    uint32_t n;
    int node = -1, gic = find_gic(fdt);

    if (dt_find_uart(fdt, "serial0", &uart, &node))
        node = -1;
    if (gic >= 0 && host_view_init(&view, fdt, gic, node, uart.irq ? uart.irq : 40) == 0) {
        check(host_devices_each(&view, &fns) == 0);
        if (host_tree_write(&host, out, sizeof(out), &n) == 0)
            check(dt_check(out, n) == 0);
        (void)passthrough_devices(&d, &config, fdt, &view.own);
    }
    if (guest_tree_write(&guest, out, sizeof(out), &n) == 0)
        check(dt_check(out, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct dt_walk w;
    void *fdt = aligned_alloc(8, (bytes + 8) & ~(size_t)7);

    memcpy(fdt, data, bytes);
    /* A loader's header may be longer than what it describes, never shorter. */
    if (dt_check(fdt, bytes) == 0) {
        check(fdt_check_full(fdt, bytes) == 0); /* libfdt, which writes copies of it, agrees */
        memset(&boot_ram, 0, sizeof(boot_ram));
        boot_range_add(&boot_ram, 0x40000000, 0x80000000, NULL);
        host_fdt = fdt;
        dt_walk_start(&w, fdt);
        do
            read_node(&w);
        while (dt_walk_next(&w));
        check_domains(fdt);
        check_trees(fdt);
    }
    free(fdt);
    return 0;
}
