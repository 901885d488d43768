/* SPDX-License-Identifier: MIT */
/*
 * The device tree that guests are given. If these fail guests find no console, timer or memory, or
 * not where guests of Xen know them.
 */
// sources: drivers/dt.c drivers/dt_check.c drivers/dt_flat.c
// sources: drivers/dt_irq.c drivers/dt_write.c
// sources: arch/arm64/guest_tree.c arch/arm64/passthrough.c arch/arm64/hypervisor_node.c
// sources: core/boot.c
#include "../../hypervisor/arch/arm64/domain_tree.h"
#include "trees.h"
#include "unit.h"

#include <asm/host.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <hospes/p2m.h>
#include <libfdt.h>

static struct domain_config config;
static struct domain_layout layout;
static struct domain_places places;
static uint8_t fdt[65536];
static uint32_t bytes;
static const uint8_t *seed;
static const struct hypervisor_node *hypervisor;

/* --- what passthrough.c asks of others ------------------------------------------------------- */

static struct {
    uint64_t guest, machine, frames;
} mapped[8];
static uint32_t nr_mapped, given[8], nr_given;
static bool irqs_busy;

int p2m_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames, enum p2m_type type)
{
    assert_int_equal(type, P2M_DEVICE);
    mapped[nr_mapped].guest = gfn_to_gaddr(gfn).v;
    mapped[nr_mapped].machine = mfn_to_maddr(mfn).v;
    mapped[nr_mapped++].frames = frames;
    return 0;
}

bool p2m_is_empty(struct domain *d, gfn_t gfn, uint64_t frames)
{
    uint64_t first = gfn_to_gaddr(gfn).v, end = first + (frames << FRAME_SHIFT);

    if (first < 0x60000000 && end > 0x40000000)
        return false;
    for (uint32_t i = 0; i < nr_mapped; i++)
        if (first < mapped[i].guest + (mapped[i].frames << FRAME_SHIFT) && end > mapped[i].guest)
            return false;
    return true;
}

int irq_give(uint32_t irq, enum irq_trigger trigger, struct domain *d, uint32_t virq)
{
    assert_int_equal(irq, virq);
    if (irqs_busy)
        return -EBUSY;
    given[nr_given++] = irq;
    return 0;
}

/* --- helpers --------------------------------------------------------------------------------- */

static int setup(void **state)
{
    host_pcpus_init(1);
    host_ram_reset();
    host_ram_add(0x100000000, MIB(4));
    memset(&boot_ram, 0, sizeof(boot_ram));
    boot_ram.r[0] = (struct boot_range){ .start = 0x100000000, .end = 0x100400000 };
    boot_ram.nr = 1;
    memset(&config, 0, sizeof(config));
    config.bootargs = "console=ttyAMA0 name=domU1";
    config.vcpus = 1;
    layout = (struct domain_layout){
        .bank = { { GADDR(0x40000000), 0x20000000 } },
        .nr_banks = 1,
        .ramdisk = GADDR(0x48200000),
        .ramdisk_bytes = 0x12ddb7,
    };
    places = (struct domain_places){ 3, 0x3001000, 0x10000, 0x3020000, 0x1000000, 0x22000000, 32 };
    nr_mapped = nr_given = 0;
    irqs_busy = false;
    seed = NULL;
    hypervisor = NULL;
    host_log_clear();
    return 0;
}

static int write_tree(const void *partial)
{
    struct guest_tree t = {
        &config, &layout, &places, "arm,cortex-a57", partial, seed, hypervisor
    };
    int rc = guest_tree_write(&t, fdt, sizeof(fdt), &bytes);

    if (!rc)
        assert_int_equal(dt_check(fdt, bytes), 0);
    return rc;
}

static void expect_cells(const char *path, const char *property, uint32_t count, ...)
{
    int len;
    const fdt32_t *cells = fdt_getprop(fdt, fdt_path_offset(fdt, path), property, &len);
    va_list args;

    if (!cells)
        fail_msg("%s has no %s", path, property);
    assert_int_equal(len, 4 * count);
    va_start(args, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(fdt32_to_cpu(cells[i]), va_arg(args, uint32_t));
    va_end(args);
}

static void expect_text(const char *path, const char *property, const char *value)
{
    const char *s = fdt_getprop(fdt, fdt_path_offset(fdt, path), property, NULL);
    if (!s)
        fail_msg("%s has no %s", path, property);
    assert_string_equal(s, value);
}

/* --- tests ----------------------------------------------------------------------------------- */

/* Node by node and number by number what Xen 4.20 gave such a guest. */
static void as_xen(void **state)
{
    assert_int_equal(write_tree(NULL), 0);
    expect_cells("/", "#address-cells", 1, 2);
    expect_cells("/", "#size-cells", 1, 2);
    expect_text("/chosen", "bootargs", "console=ttyAMA0 name=domU1");
    expect_cells("/chosen", "linux,initrd-start", 2, 0, 0x48200000);
    expect_cells("/chosen", "linux,initrd-end", 2, 0, 0x4832ddb7);
    expect_text("/psci", "compatible", "arm,psci-1.0");
    expect_text("/psci", "method", "hvc");
    expect_text("/cpus/cpu@0", "compatible", "arm,cortex-a57");
    expect_text("/cpus/cpu@0", "enable-method", "psci");
    expect_cells("/cpus/cpu@0", "reg", 1, 0);
    expect_text("/memory@40000000", "device_type", "memory");
    expect_cells("/memory@40000000", "reg", 4, 0, 0x40000000, 0, 0x20000000);
    expect_text("/interrupt-controller@3001000", "compatible", "arm,gic-v3");
    expect_cells("/interrupt-controller@3001000", "reg", 8, 0, 0x3001000, 0, 0x10000, 0, 0x3020000,
                 0, 0x1000000);
    expect_cells("/interrupt-controller@3001000", "phandle", 1, 0xfde8);
    expect_cells("/interrupt-controller@3001000", "#address-cells", 1, 0);
    expect_cells("/timer", "interrupts", 9, 1, 13, 0xf08, 1, 14, 0xf08, 1, 11, 0xf08);
    expect_text("/sbsa-uart@22000000", "compatible", "arm,sbsa-uart");
    expect_cells("/sbsa-uart@22000000", "reg", 4, 0, 0x22000000, 0, 0x1000);
    expect_cells("/sbsa-uart@22000000", "interrupts", 3, 0, 0, 4);
    expect_cells("/sbsa-uart@22000000", "current-speed", 1, 115200);

    uint64_t a, b;
    struct dt_irq irq;
    int uart = fdt_path_offset(fdt, "/sbsa-uart@22000000");
    assert_int_equal(dt_reg(fdt, uart, 0, &a, &b), 0);
    assert_int_equal(a, 0x22000000);
    assert_int_equal(dt_irq(fdt, uart, 0, &irq), 0);
    assert_int_equal(irq.intid, 32);
    assert_int_equal(dt_irq(fdt, fdt_path_offset(fdt, "/timer"), 2, &irq), 0);
    assert_int_equal(irq.intid, 27);
}

/* Without UART or ramdisk these are not there; GICv2; a second bank. */
static void others(void **state)
{
    places = (struct domain_places){ 2, 0x3001000, 0x1000, 0x3002000, 0x2000, 0, 32 };
    layout.ramdisk_bytes = 0;
    layout.nr_banks = 2;
    layout.bank[1].start = GADDR(0x200000000);
    layout.bank[1].bytes = 0x140000000;
    config.bootargs = "";
    assert_int_equal(write_tree(NULL), 0);
    expect_text("/interrupt-controller@3001000", "compatible", "arm,gic-400");
    expect_cells("/interrupt-controller@3001000", "reg", 8, 0, 0x3001000, 0, 0x1000, 0, 0x3002000,
                 0, 0x2000);
    expect_cells("/memory@200000000", "reg", 4, 2, 0, 1, 0x40000000);
    assert_true(fdt_path_offset(fdt, "/sbsa-uart@22000000") < 0);
    int chosen = fdt_path_offset(fdt, "/chosen");
    assert_true(chosen > 0);
    assert_null(fdt_getprop(fdt, chosen, "linux,initrd-start", NULL));
    assert_null(fdt_getprop(fdt, chosen, "bootargs", NULL));
    assert_null(fdt_getprop(fdt, chosen, "stdout-path", NULL));
    assert_null(fdt_getprop(fdt, chosen, "kaslr-seed", NULL));
}

/* Linux places itself at random, and has random numbers early, by these two. */
static void seeds(void **state)
{
    uint8_t numbers[SEED_BYTES];
    int len;

    memset(numbers, 1, 8);
    memset(numbers + 8, 2, 32);
    seed = numbers;
    assert_int_equal(write_tree(NULL), 0);
    expect_cells("/chosen", "kaslr-seed", 2, 0x01010101, 0x01010101);
    const uint8_t *p = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "rng-seed", &len);
    assert_int_equal(len, 32);
    assert_memory_equal(p, numbers + 8, 32);
}

/* vCPUs are numbered as VMPIDR_EL2 numbers them: 16 to a cluster, so that all can be sent an SGI.
 */
/* Without it Linux does not look for Xen: no PV driver finds anything. */
static void xen_enhanced(void **state)
{
    struct hypervisor_node node = { .ppi = 31 };

    assert_int_equal(write_tree(NULL), 0);
    assert_true(fdt_path_offset(fdt, "/hypervisor") < 0);
    assert_int_equal(hypervisor_node_guest(&node, &layout, (uint64_t)1 << 40, false), 0);
    hypervisor = &node;
    assert_int_equal(write_tree(NULL), 0);
    /* To the cell what Xen 4.20 says to a guest with as much memory. */
    expect_cells("/hypervisor", "reg", 12, 0, 0x38000000, 0, 0x1000000, 0, 0x60000000, 0,
                 0xa0000000, 2, 0, 0xfe, 0);
    expect_cells("/hypervisor", "interrupts", 3, 1, 15, 0xf08);
    expect_cells("/hypervisor", "interrupt-parent", 1, 0xfde8);
    assert_true(dt_is_compatible(fdt, fdt_path_offset(fdt, "/hypervisor"), "xen,xen-4.20"));
    assert_true(dt_is_compatible(fdt, fdt_path_offset(fdt, "/hypervisor"), "xen,xen"));
    /* A machine with less address space; memory on both sides; devices that may be anywhere. */
    layout.bank[1].start = GADDR(0x200000000);
    layout.bank[1].bytes = 0x100000;
    layout.nr_banks = 2;
    assert_int_equal(hypervisor_node_guest(&node, &layout, (uint64_t)1 << 36, false), 0);
    assert_int_equal(write_tree(NULL), 0);
    expect_cells("/hypervisor", "reg", 12, 0, 0x38000000, 0, 0x1000000, 0, 0x60000000, 0,
                 0xa0000000, 2, 0x200000, 0xd, 0xffe00000);
    assert_int_equal(hypervisor_node_guest(&node, &layout, (uint64_t)1 << 36, true), 0);
    assert_int_equal(write_tree(NULL), 0);
    expect_cells("/hypervisor", "reg", 4, 0, 0x38000000, 0, 0x1000000);
}

static void many_vcpus(void **state)
{
    config.vcpus = 128;
    assert_int_equal(write_tree(NULL), 0);
    expect_cells("/cpus/cpu@f", "reg", 1, 15);
    expect_cells("/cpus/cpu@100", "reg", 1, 0x100);
    expect_cells("/cpus/cpu@70f", "reg", 1, 0x70f);
    uint32_t n = 0;
    int node;
    fdt_for_each_subnode (node, fdt, fdt_path_offset(fdt, "/cpus"))
        n++;
    assert_int_equal(n, 128);
    /* Too little room is an error, found at the end. */
    struct guest_tree t = { &config, &layout, &places, "arm,cortex-a57", NULL, NULL, NULL };
    uint32_t size;
    assert_int_equal(guest_tree_write(&t, fdt, 4096, &size), -ENOSPC);
}

/* --- passthrough ----------------------------------------------------------------------------- */

static void *host, *partial;

static void make_trees(void)
{
    host = tree_new();
    tree_node(host, "/", "gic");
    tree_string(host, "/gic", "compatible", "arm,gic-v3");
    tree_cells(host, "/gic", "#interrupt-cells", 1, 3);
    tree_cells(host, "/gic", "phandle", 1, 1);
    tree_cells(host, "/", "interrupt-parent", 1, 1);
    tree_node(host, "/", "net@1000000");
    tree_cells(host, "/net@1000000", "interrupts", 6, 0, 80, 4, 0, 81, 1);
    tree_empty(host, "/net@1000000", "xen,passthrough");
    host_fdt = host;

    partial = tree_new();
    tree_node(partial, "/", "gic");
    tree_cells(partial, "/gic", "phandle", 1, 0xabcd);
    tree_node(partial, "/", "passthrough");
    tree_cells(partial, "/passthrough", "#address-cells", 1, 2);
    tree_cells(partial, "/passthrough", "#size-cells", 1, 1);
    tree_string(partial, "/passthrough", "compatible", "simple-bus");
    tree_empty(partial, "/passthrough", "ranges");
    tree_node(partial, "/passthrough", "net@10000000");
#define NET "/passthrough/net@10000000"
    tree_cells(partial, NET, "reg", 3, 0, 0x10000000, 0x2000);
    tree_cells(partial, NET, "xen,reg", 5, 0, 0x1000000, 0x2000, 0, 0x10000000);
    tree_string(partial, NET, "xen,path", "/net@1000000");
    tree_empty(partial, NET, "xen,force-assign-without-iommu");
    tree_cells(partial, NET, "interrupts", 3, 0, 80, 4);
    tree_node(partial, "/", "aliases");
    tree_string(partial, "/aliases", "net", NET);
}

static void free_trees(void)
{
    free(host);
    free(partial);
}

static int take(void)
{
    static struct domain d;
    static const struct boot_ranges kept = { .r = { { 0x8000000, 0x8010000, "GIC" } }, .nr = 1 };

    strcpy(config.dtb.node, "/chosen/d/dtb");
    nr_mapped = nr_given = 0;
    host_log_clear();
    return passthrough_devices(&d, &config, partial, &kept);
}

/* The device's registers and interrupts go to the guest, and its node, without what was for the
 * hypervisor. */
static void passthrough(void **state)
{
    make_trees();
    assert_int_equal(take(), 0);
    assert_int_equal(nr_mapped, 1);
    assert_int_equal(mapped[0].guest, 0x10000000);
    assert_int_equal(mapped[0].machine, 0x1000000);
    assert_int_equal(mapped[0].frames, 2);
    assert_int_equal(nr_given, 2);
    assert_int_equal(given[0], 112);
    assert_int_equal(given[1], 113);

    assert_int_equal(write_tree(partial), 0);
    expect_cells(NET, "reg", 3, 0, 0x10000000, 0x2000);
    expect_cells("/interrupt-controller@3001000", "phandle", 1, 0xabcd);
    expect_text("/aliases", "net", NET);
    int node = fdt_path_offset(fdt, NET);
    assert_null(fdt_getprop(fdt, node, "xen,reg", NULL));
    assert_null(fdt_getprop(fdt, node, "xen,path", NULL));
    assert_true(fdt_path_offset(fdt, "/gic") < 0);
    free_trees();
}

static void expect_refused(const char *line)
{
    assert_int_equal(take(), -EINVAL);
    if (!strstr(host_log, line))
        fail_msg("no \"%s\" in:\n%s", line, host_log);
}

/* A partial tree cannot take RAM, the hypervisor's devices or another's interrupts. */
static void passthrough_wrong(void **state)
{
    make_trees();
    tree_cells(partial, NET, "xen,reg", 5, 1, 0x1000, 0x2000, 0, 0x10000000);
    expect_refused("/chosen/d/dtb: " NET ": xen,reg = <1 4096 8192 0 0x10000000>: is RAM");
    tree_cells(partial, NET, "xen,reg", 5, 0, 0x8000000, 0x1000, 0, 0x10000000);
    expect_refused("is kept by the hypervisor");
    tree_cells(partial, NET, "xen,reg", 5, 0, 0x1000100, 0x1000, 0, 0x10000000);
    expect_refused("must be whole pages");
    tree_cells(partial, NET, "xen,reg", 5, 0, 0x1000000, 0, 0, 0x10000000);
    expect_refused("must be whole pages");
    tree_cells(partial, NET, "xen,reg", 4, 0, 0x1000000, 0x1000, 0);
    expect_refused("does not fit the cells of its bus");
    tree_cells(partial, NET, "xen,reg", 5, 0, 0x1000000, 0x2000, 0, 0x5ffff000);
    expect_refused("lies over the domain's RAM");
    tree_cells(partial, NET, "xen,reg", 5, 0xffffffff, 0xfffff000, 0x2000, 0, 0x10000000);
    expect_refused("must be whole pages");
    tree_cells(partial, NET, "xen,reg", 5, 0, 0x1000000, 0x2000, 0, 0x10000000);
    irqs_busy = true;
    expect_refused("xen,path = \"/net@1000000\": its interrupt is in use");
    irqs_busy = false;
    fdt_delprop(partial, fdt_path_offset(partial, NET), "xen,force-assign-without-iommu");
    expect_refused("must say xen,force-assign-without-iommu");
    fdt_delprop(host, fdt_path_offset(host, "/net@1000000"), "xen,passthrough");
    expect_refused("is not marked xen,passthrough");
    tree_string(partial, NET, "xen,path", "/disk");
    expect_refused("the host has no such node");
    fdt_del_node(partial, fdt_path_offset(partial, "/passthrough"));
    expect_refused("/chosen/d/dtb: the device tree has no node /passthrough");
    free_trees();
}

/* The module is looked at before it is believed. */
static void passthrough_file(void **state)
{
    void *copy = NULL;

    make_trees();
    fdt_pack(partial);
    uint32_t size = fdt_totalsize(partial);
    memcpy(host_ram(MADDR(0x100000000)), partial, size);
    strcpy(config.dtb.node, "/chosen/d/dtb");
    config.dtb.start = MADDR(0x100000000);
    assert_int_equal(passthrough_open(&config, &copy), 0);
    assert_null(copy);
    config.dtb.bytes = size;
    assert_int_equal(passthrough_open(&config, &copy), 0);
    assert_non_null(copy);
    free(copy);
    config.dtb.bytes = size - 1;
    assert_int_equal(passthrough_open(&config, &copy), -EINVAL);
    assert_null(copy);
    config.dtb.bytes = GIB(1);
    assert_int_equal(passthrough_open(&config, &copy), -ENOMEM);
    free_trees();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        TEST(as_xen), TEST(others),      TEST(many_vcpus),        TEST(xen_enhanced),
        TEST(seeds),  TEST(passthrough), TEST(passthrough_wrong), TEST(passthrough_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
