/* SPDX-License-Identifier: MIT */
/*
 * What the hardware domain gets of the machine: devices and a tree, on real trees. If these fail
 * dom0 has no disk or network, or gets what is the hypervisor's.
 */
// sources: drivers/dt.c drivers/dt_check.c drivers/dt_flat.c
// sources: drivers/dt_irq.c drivers/dt_write.c
// sources: core/boot.c arch/arm64/guest_tree.c arch/arm64/passthrough.c
// sources: arch/arm64/hypervisor_node.c
// sources: arch/arm64/host_view.c arch/arm64/host_devices.c arch/arm64/host_tree.c
#include "../../hypervisor/arch/arm64/domain_tree.h"
#include "trees.h"
#include "unit.h"

#include <asm/host.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <hospes/p2m.h>
#include <libfdt.h>

#define MAX_REGIONS 512

static void *host;
static struct host_view view;
static struct {
    uint64_t start, end;
} region[MAX_REGIONS], reserved[MAX_REGIONS];
static uint32_t nr_regions, nr_reserved;
static bool irqs[1024];
static uint8_t fdt[262144];
static uint32_t bytes;
static struct domain_config config;
static struct domain_layout layout;
static const struct hypervisor_node *hypervisor;

/* Of passthrough.c, which is not what is tested here. */
int p2m_map(struct domain *d, gfn_t gfn, mfn_t mfn, uint64_t frames, enum p2m_type type)
{
    return -EINVAL;
}
bool p2m_is_empty(struct domain *d, gfn_t gfn, uint64_t frames)
{
    return false;
}
int irq_give(uint32_t irq, enum irq_trigger trigger, struct domain *d, uint32_t virq)
{
    return -EINVAL;
}

static int add_region(void *arg, uint64_t start, uint64_t size)
{
    assert_true(nr_regions < MAX_REGIONS && size > 0 && start + size > start);
    assert_int_equal((start | size) & FRAME_MASK, 0);
    region[nr_regions].start = start;
    region[nr_regions++].end = start + size;
    return 0;
}

static int add_reserved(void *arg, uint64_t start, uint64_t size)
{
    reserved[nr_reserved].start = start;
    reserved[nr_reserved++].end = start + size;
    return 0;
}

static int add_irq(void *arg, const struct dt_irq *irq)
{
    assert_in_range(irq->intid, 32, 1019);
    irqs[irq->intid] = true;
    return 0;
}

static bool has(uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < nr_regions && start < end; i++) {
        if (region[i].start <= start && start < region[i].end) {
            start = region[i].end;
            i = UINT32_MAX; /* from the first again */
        }
    }
    return start >= end;
}

static bool has_any(uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < nr_regions; i++) {
        if (region[i].start < end && start < region[i].end)
            return true;
    }
    return false;
}

static int node_at(const void *tree, const char *path)
{
    int node = fdt_path_offset(tree, path);
    if (node < 0)
        fail_msg("no node %s", path);
    return node;
}

static void view_of(const char *gic, const char *uart, uint32_t irq)
{
    const struct host_devices fns = { add_region, add_reserved, add_irq, NULL };

    nr_regions = nr_reserved = 0;
    memset(irqs, 0, sizeof(irqs));
    assert_int_equal(
        host_view_init(&view, host, node_at(host, gic), uart ? node_at(host, uart) : -1, irq), 0);
    assert_int_equal(host_devices_each(&view, &fns), 0);
}

static void write_tree(void)
{
    const struct host_tree t = { &view, &config, &layout, NULL, hypervisor };
    memset(&config, 0, sizeof(config));
    config.bootargs = "console=ttyAMA0";
    config.vcpus = 2;
    memset(&layout, 0, sizeof(layout));
    layout.nr_banks = 1;
    layout.bank[0].start = GADDR(0x80000000);
    layout.bank[0].bytes = 0x40000000;
    layout.ramdisk = GADDR(0x88200000);
    layout.ramdisk_bytes = 0x1000;
    assert_int_equal(host_tree_write(&t, fdt, sizeof(fdt), &bytes), 0);
    assert_int_equal(dt_check(fdt, bytes), 0);
}

static void expect_cells(const char *path, const char *property, uint32_t count, ...)
{
    int len;
    const fdt32_t *cells = fdt_getprop(fdt, node_at(fdt, path), property, &len);
    va_list args;

    if (!cells)
        fail_msg("%s has no %s", path, property);
    assert_int_equal(len, 4 * count);
    va_start(args, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(fdt32_to_cpu(cells[i]), va_arg(args, uint32_t));
    va_end(args);
}

static void expect_no(const char *path, const char *property)
{
    assert_null(fdt_getprop(fdt, node_at(fdt, path), property, NULL));
}

static int setup(void **state)
{
    memset(&boot_ram, 0, sizeof(boot_ram));
    boot_range_add(&boot_ram, 0x40000000, 0x140000000, NULL);
    return 0;
}

/* QEMU's board: all but GIC, UART, RAM; disks and network on virtio-mmio and PCI. */
static void devices_of_virt(void **state)
{
    LOAD_OR_SKIP(host, "virt-v3");
    view_of("/intc@8000000", "/pl011@9000000", 33);
    assert_true(has(0xa000000, 0xa004000));
    assert_true(has(0x4010000000, 0x4020000000));   /* ECAM */
    assert_true(has(0x10000000, 0x3eff0000));       /* PCI memory */
    assert_true(has(0x3eff0000, 0x3f000000));       /* PCI I/O */
    assert_true(has(0x8000000000, 0x10000000000));  /* PCI memory above 4 GiB */
    assert_true(has(0x9010000, 0x9011000));         /* RTC */
    assert_true(has(0, 0x8000000));                 /* flash */
    assert_false(has_any(0x8000000, 0x9000000));    /* GIC, ITS, redistributors */
    assert_false(has_any(0x9000000, 0x9001000));    /* UART */
    assert_false(has_any(0x40000000, 0x140000000)); /* RAM */
    for (uint32_t i = 48; i < 80; i++)
        assert_true(irqs[i]);
    for (uint32_t i = 35; i < 39; i++)
        assert_true(irqs[i]); /* PCI */
    assert_false(irqs[33]);
    assert_int_equal(view.nr_clashes, 0);
    free(host);
}

static void tree_of_virt(void **state)
{
    LOAD_OR_SKIP(host, "virt-v3");
    view_of("/intc@8000000", "/pl011@9000000", 33);
    write_tree();
    expect_cells("/memory@80000000", "reg", 4, 0, 0x80000000, 0, 0x40000000);
    assert_true(fdt_path_offset(fdt, "/memory@40000000") < 0);
    expect_cells("/cpus/cpu@1", "reg", 1, 1);
    assert_true(fdt_path_offset(fdt, "/cpus/cpu@2") < 0);
    assert_string_equal(dt_string(fdt, node_at(fdt, "/cpus/cpu@0"), "compatible"),
                        "arm,cortex-a57");
    assert_string_equal(dt_string(fdt, node_at(fdt, "/psci"), "method"), "hvc");
    expect_cells("/intc@8000000", "reg", 8, 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000);
    expect_cells("/intc@8000000", "#redistributor-regions", 1, 1);
    expect_no("/intc@8000000", "interrupts");
    assert_true(fdt_path_offset(fdt, "/intc@8000000/its@8080000") < 0);
    assert_int_equal(fdt_get_phandle(fdt, node_at(fdt, "/intc@8000000")), view.gic_phandle);
    expect_cells("/timer", "interrupts", 9, 1, 13, 0xf08, 1, 14, 0xf08, 1, 11, 0xf08);
    expect_no("/pcie@10000000", "msi-map");
    assert_non_null(fdt_getprop(fdt, node_at(fdt, "/pcie@10000000"), "interrupt-map", NULL));
    assert_true(fdt_path_offset(fdt, "/pmu") < 0);
    assert_string_equal(dt_string(fdt, node_at(fdt, "/chosen"), "bootargs"), "console=ttyAMA0");
    assert_string_equal(dt_string(fdt, node_at(fdt, "/chosen"), "stdout-path"), "/pl011@9000000");
    expect_cells("/chosen", "linux,initrd-end", 2, 0, 0x88201000);
    expect_no("/chosen", "kaslr-seed");
    /* The UART's own node: Linux drives the emulated PL011 by it. */
    assert_true(dt_is_compatible(fdt, node_at(fdt, "/pl011@9000000"), "arm,primecell"));
    struct dt_irq irq;
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/pl011@9000000"), 0, &irq), 0);
    assert_int_equal(irq.intid, 33);
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/virtio_mmio@a000000"), 0, &irq), 0);
    free(host);
}

/* Space for grants and foreign pages is RAM of the machine that dom0 has not: no device, no memory
 * of its own stands there. */
static void hypervisor_of_virt(void **state)
{
    struct boot_ranges ram = { .nr = 0 }, taken = { .nr = 0 };
    struct hypervisor_node node = { .ppi = 31 };

    LOAD_OR_SKIP(host, "virt-v3");
    view_of("/intc@8000000", "/pl011@9000000", 33);
    write_tree();
    boot_range_add(&ram, 0x40000000, 0x140000000, NULL);
    boot_range_add(&taken, 0x40000000, 0x40200000, "firmware");
    boot_range_add(&taken, 0x41400000, 0x41600000, "a module");
    assert_int_equal(hypervisor_node_host(&node, &layout, &ram, &taken), 0);
    hypervisor = &node;
    write_tree();
    hypervisor = NULL;
    /* The grant table's is the smallest place that is large enough. */
    assert_true(node.private_at >= 0x40200000);
    expect_cells("/hypervisor", "reg", 12, 0, 0x41600000, 0, 0x1000000, 0, 0x42800000, 0,
                 0x3d800000, 0, 0xc0000000, 0, 0x80000000);
    assert_int_equal(node.private_at, 0x42600000);
    expect_cells("/hypervisor", "interrupts", 3, 1, 15, 0xf08);
    expect_cells("/hypervisor", "interrupt-parent", 1, view.gic_phandle);
    /* A little is enough for the grant table alone; nothing is not. */
    ram.nr = 0;
    boot_range_add(&ram, 0x80000000, 0xc0100000, NULL);
    assert_int_equal(hypervisor_node_host(&node, &layout, &ram, &taken), 0);
    assert_int_equal(node.nr, 1);
    assert_int_equal(node.region[0].start, 0xc0000000);
    assert_int_equal(node.region[0].bytes, 0x100000 - HYPERVISOR_PRIVATE_BYTES);
    ram.nr = 0;
    boot_range_add(&ram, 0x80000000, 0xc0000000, NULL);
    assert_int_equal(hypervisor_node_host(&node, &layout, &ram, &taken), -ENOSPC);
    free(host);
}

static void virt_with_gicv2(void **state)
{
    LOAD_OR_SKIP(host, "virt-v2");
    view_of("/intc@8000000", "/pl011@9000000", 33);
    assert_false(
        has_any(0x8000000, 0x8050000)); /* distributor to virtual CPU interface, MSI frame */
    write_tree();
    expect_cells("/intc@8000000", "reg", 8, 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000);
    expect_no("/pcie@10000000", "msi-parent");
    expect_no("/pcie@10000000", "msi-map");
    expect_no("/intc@8000000", "#redistributor-regions");
    free(host);
}

/* An SMMU is nobody's yet: its registers are kept and no device leads to it. */
static void virt_with_smmu(void **state)
{
    LOAD_OR_SKIP(host, "virt-smmu");
    view_of("/intc@8000000", "/pl011@9000000", 33);
    assert_false(has_any(0x9050000, 0x9070000));
    write_tree();
    assert_true(fdt_path_offset(fdt, "/smmuv3@9050000") < 0);
    expect_no("/pcie@10000000", "iommu-map");
    free(host);
}

/* A board of another maker: its UART is no PL011, so an SBSA UART stands in its place. */
static void board_zcu102(void **state)
{
    LOAD_OR_SKIP(host, "zcu102");
    boot_range_remove(&boot_ram, 0x80000000, 0x140000000);
    view_of("/axi/interrupt-controller@f9010000", "/axi/serial@ff000000", 53);
    assert_false(has_any(0xf9010000, 0xf9080000));
    assert_false(has_any(0xff000000, 0xff001000));
    assert_false(has_any(0xfd800000, 0xfd820000)); /* SMMU */
    assert_true(has(0xff170000, 0xff171000));      /* SD card */
    assert_true(irqs[32 + 49]);
    write_tree();
    int uart = node_at(fdt, "/axi/serial@ff000000");
    assert_string_equal(dt_string(fdt, uart, "compatible"), "arm,sbsa-uart");
    uint64_t a, b;
    struct dt_irq irq;
    assert_int_equal(dt_reg(fdt, uart, 0, &a, &b), 0);
    assert_int_equal(a, 0xff000000);
    assert_int_equal(b, 0x1000);
    assert_int_equal(dt_irq(fdt, uart, 0, &irq), 0);
    assert_int_equal(irq.intid, 53);
    assert_true(dt_enabled(fdt, uart));
    expect_no("/axi/mmc@ff170000", "iommus");
    assert_true(fdt_path_offset(fdt, "/axi/iommu@fd800000") < 0);
    assert_true(fdt_path_offset(fdt, "/pmu") < 0);
    expect_cells("/axi/interrupt-controller@f9010000", "reg", 8, 0, 0xf9010000, 0, 0x10000, 0,
                 0xf9020000, 0, 0x20000);
    free(host);
}

/* A board whose UART shares its page with other devices, behind ranges, with addresses of two and
 * sizes of one cell. */
static void board_raspi4(void **state)
{
    LOAD_OR_SKIP(host, "raspi4");
    memset(&boot_ram, 0, sizeof(boot_ram));
    boot_range_add(&boot_ram, 0, 0x3b400000, NULL);
    int serial = node_at(host, "/soc/serial@7e215040");
    fdt_setprop_string(host, serial, "status", "okay");
    view_of("/soc/interrupt-controller@40041000", "/soc/serial@7e215040", 125);
    assert_false(has_any(0xff841000, 0xff848000));
    assert_false(has_any(0xfe215000, 0xfe216000));
    assert_true(has(0xfe201000, 0xfe202000)); /* the PL011 is dom0's */
    write_tree();
    int uart = node_at(fdt, "/soc/serial@7e215040");
    uint64_t a, b;
    assert_int_equal(dt_reg(fdt, uart, 0, &a, &b), 0);
    assert_int_equal(a, 0xfe215000);
    assert_int_equal(b, 0x1000);
    /* The clock gate in the same page is not there for dom0. */
    assert_false(dt_enabled(fdt, node_at(fdt, "/soc/aux@7e215000")));
    /* 1 GiB in one size cell. */
    expect_cells("/memory@80000000", "reg", 3, 0, 0x80000000, 0x40000000);

    /* Its PL011 as console: the node stays as it is. */
    view_of("/soc/interrupt-controller@40041000", "/soc/serial@7e201000", 153);
    write_tree();
    assert_true(dt_is_compatible(fdt, node_at(fdt, "/soc/serial@7e201000"), "arm,pl011"));
    assert_false(has_any(0xfe201000, 0xfe202000));
    free(host);
}

/* Devices marked for other domains, and below disabled buses, are not dom0's; reserved memory that
 * has a place is. */
static void marks(void **state)
{
    host = tree_new();
    tree_cells(host, "/", "interrupt-parent", 1, 1);
    tree_node(host, "/", "gic");
    tree_string(host, "/gic", "compatible", "arm,gic-400");
    tree_cells(host, "/gic", "#interrupt-cells", 1, 3);
    tree_cells(host, "/gic", "phandle", 1, 1);
    tree_cells(host, "/gic", "reg", 8, 0, 0x1000, 0, 0x1000, 0, 0x2000, 0, 0x2000);
    tree_node(host, "/", "net");
    tree_cells(host, "/net", "reg", 4, 0, 0x10000, 0, 0x1000);
    tree_cells(host, "/net", "interrupts", 3, 0, 1, 4);
    tree_empty(host, "/net", "xen,passthrough");
    tree_node(host, "/", "bus");
    tree_empty(host, "/bus", "ranges");
    tree_string(host, "/bus", "status", "disabled");
    tree_node(host, "/bus", "disk");
    tree_cells(host, "/bus/disk", "reg", 4, 0, 0x20000, 0, 0x1000);
    tree_node(host, "/", "reserved-memory");
    tree_empty(host, "/reserved-memory", "ranges");
    tree_node(host, "/reserved-memory", "dsp");
    tree_cells(host, "/reserved-memory/dsp", "reg", 4, 0, 0x50000000, 0, 0x100000);
    tree_node(host, "/", "wide");
    tree_cells(host, "/wide", "reg", 4, 0, 0, 0, 0x50000); /* all of it, GIC included */
    tree_node(host, "/", "inram");
    tree_cells(host, "/inram", "reg", 4, 0, 0x41000000, 0, 0x1000);
    view_of("/gic", NULL, 0);
    assert_true(has(0, 0x1000) && has(0x4000, 0x10000) && has(0x11000, 0x50000));
    assert_false(has_any(0x1000, 0x4000));
    assert_false(has_any(0x10000, 0x11000));
    assert_false(has_any(0x40000000, 0x140000000));
    assert_false(irqs[33]);
    assert_int_equal(nr_reserved, 1);
    assert_int_equal(reserved[0].start, 0x50000000);
    write_tree();
    assert_true(fdt_path_offset(fdt, "/net") < 0);
    assert_true(fdt_path_offset(fdt, "/reserved-memory/dsp") > 0);
    assert_false(dt_enabled(fdt, node_at(fdt, "/bus")));
    expect_no("/chosen", "stdout-path");
    free(host);
}

/* No more room than there is: an error, at every size. */
static void too_little_room(void **state)
{
    LOAD_OR_SKIP(host, "virt-v3");
    view_of("/intc@8000000", "/pl011@9000000", 33);
    write_tree();
    const struct host_tree t = { &view, &config, &layout, NULL, hypervisor };
    for (uint32_t room = 0; room < bytes; room += 61) {
        uint8_t *small = malloc(room + 1);
        uint32_t got;
        assert_int_not_equal(host_tree_write(&t, small, room, &got), 0);
        free(small);
    }
    free(host);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        TEST(devices_of_virt), TEST(tree_of_virt),   TEST(hypervisor_of_virt),
        TEST(virt_with_gicv2), TEST(virt_with_smmu), TEST(board_zcu102),
        TEST(board_raspi4),    TEST(marks),          TEST(too_little_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
