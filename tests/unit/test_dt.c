/* SPDX-License-Identifier: MIT */
/*
 * Reading device trees. If these fail Hospes finds no UART, GIC or memory on some machine, or reads
 * outside a damaged tree that a boot loader passed.
 */
// sources: drivers/dt.c drivers/dt_check.c drivers/dt_flat.c
// sources: drivers/dt_irq.c drivers/dt_write.c
// sources: drivers/dt_uart.c
#include "trees.h"
#include "unit.h"

#include <hospes/console.h>
#include <hospes/dt.h>
#include <hospes/dt_write.h>
#include <hospes/errno.h>
#include <libfdt.h>

static const char *const pl011[] = { "arm,pl011", NULL };
static const char *const cadence[] = { "cdns,uart-r1p12", "xlnx,xuartps", NULL };
static const struct uart_driver pl011_driver = { .compatible = pl011 };
static const struct uart_driver cadence_driver = { .compatible = cadence };
const struct uart_driver *const uart_drivers[] = { &pl011_driver, &cadence_driver, NULL };

static int node_at(const void *fdt, const char *path)
{
    int node = fdt_path_offset(fdt, path);
    assert_true(node >= 0);
    return node;
}

static void expect_reg(const void *fdt, const char *path, uint32_t index, uint64_t addr,
                       uint64_t bytes)
{
    uint64_t a, b;
    assert_int_equal(dt_reg(fdt, node_at(fdt, path), index, &a, &b), 0);
    assert_int_equal(a, addr);
    assert_int_equal(b, bytes);
}

static void expect_irq(const void *fdt, const char *path, uint32_t index, uint32_t intid, bool edge)
{
    struct dt_irq irq;
    assert_int_equal(dt_irq(fdt, node_at(fdt, path), index, &irq), 0);
    assert_int_equal(irq.intid, intid);
    assert_int_equal(irq.edge, edge);
}

/* Addresses of QEMU's board as its manual has them: wrong ones and nothing works there. */
static void reg_of_virt(void **state)
{
    void *fdt;
    LOAD_OR_SKIP(fdt, "virt-v3");
    expect_reg(fdt, "/pl011@9000000", 0, 0x9000000, 0x1000);
    expect_reg(fdt, "/pcie@10000000", 0, 0x4010000000, 0x10000000);
    expect_reg(fdt, "/flash@0", 1, 0x4000000, 0x4000000);
    uint64_t a, b;
    assert_int_equal(dt_reg(fdt, node_at(fdt, "/flash@0"), 2, &a, &b), -ENOENT);
    assert_int_equal(dt_reg(fdt, node_at(fdt, "/timer"), 0, &a, &b), -ENOENT);
    free(fdt);
}

/* Buses with ranges: on a Raspberry Pi no address is what it seems. */
static void reg_through_ranges(void **state)
{
    void *fdt;
    LOAD_OR_SKIP(fdt, "raspi4");
    expect_reg(fdt, "/soc/serial@7e201000", 0, 0xfe201000, 0x200);
    expect_reg(fdt, "/soc/interrupt-controller@40041000", 0, 0xff841000, 0x1000);
    uint64_t a, b;
    assert_int_equal(dt_reg(fdt, node_at(fdt, "/cpus/cpu@0"), 0, &a, &b), -EINVAL);
    free(fdt);
    LOAD_OR_SKIP(fdt, "zcu102");
    expect_reg(fdt, "/axi/serial@ff000000", 0, 0xff000000, 0x1000);
    free(fdt);
}

/* Interrupts direct, and through the PCI bridge's map: without them dom0's disk is dead. */
static void irq_of_virt(void **state)
{
    void *fdt;
    struct dt_walk w;
    struct dt_irq irq;
    uint32_t seen = 0;

    LOAD_OR_SKIP(fdt, "virt-v3");
    expect_irq(fdt, "/pl011@9000000", 0, 33, false);
    expect_irq(fdt, "/virtio_mmio@a000000", 0, 48, true);
    expect_irq(fdt, "/timer", 2, 27, false);
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/pl011@9000000"), 1, &irq), -ENOENT);
    assert_int_equal(dt_walk_to(&w, fdt, node_at(fdt, "/pcie@10000000")), 0);
    for (uint32_t i = 0; i < 16; i++) {
        assert_int_equal(dt_walk_map_irq(&w, i, &irq), 0);
        assert_in_range(irq.intid, 35, 38);
        assert_false(irq.edge);
        seen |= 1u << (irq.intid - 35);
    }
    assert_int_equal(seen, 15);
    assert_int_equal(dt_walk_map_irq(&w, 16, &irq), -ENOENT);
    free(fdt);
}

static void irq_of_boards(void **state)
{
    void *fdt;
    LOAD_OR_SKIP(fdt, "zcu102");
    expect_irq(fdt, "/axi/serial@ff000000", 0, 32 + 21, false);
    free(fdt);
    LOAD_OR_SKIP(fdt, "raspi4");
    expect_irq(fdt, "/soc/serial@7e201000", 0, 32 + 121, false);
    free(fdt);
}

/* A device below a nexus takes the way through its map, by unit address and mask. */
static void irq_through_nexus(void **state)
{
    void *fdt = tree_new();
    struct dt_irq irq;

    tree_node(fdt, "/", "gic");
    tree_string(fdt, "/gic", "compatible", "arm,gic-400");
    tree_cells(fdt, "/gic", "#interrupt-cells", 1, 3);
    tree_cells(fdt, "/gic", "phandle", 1, 1);
    tree_node(fdt, "/", "bridge");
    tree_cells(fdt, "/bridge", "#interrupt-cells", 1, 1);
    tree_cells(fdt, "/bridge", "#address-cells", 1, 1);
    tree_cells(fdt, "/bridge", "#size-cells", 1, 0);
    tree_cells(fdt, "/bridge", "phandle", 1, 2);
    tree_cells(fdt, "/bridge", "interrupt-map-mask", 2, 0xf0, 7);
    tree_cells(fdt, "/bridge", "interrupt-map", 12, 0x10, 1, 1, 0, 7, 4, 0x20, 1, 1, 0, 8, 1);
    tree_node(fdt, "/bridge", "dev@21");
    tree_cells(fdt, "/bridge/dev@21", "reg", 1, 0x21);
    tree_cells(fdt, "/bridge/dev@21", "interrupts", 1, 9);
    tree_cells(fdt, "/bridge/dev@21", "interrupt-parent", 1, 2);
    expect_irq(fdt, "/bridge/dev@21", 0, 40, true);

    /* Which needs the map to lead somewhere: a loop ends, and so does a map that is cut short. */
    tree_cells(fdt, "/bridge", "interrupt-map", 5, 0x20, 1, 2, 0x20, 1);
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/bridge/dev@21"), 0, &irq), -EINVAL);
    tree_cells(fdt, "/bridge", "interrupt-map", 4, 0x20, 1, 1, 0);
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/bridge/dev@21"), 0, &irq), -EINVAL);
    free(fdt);
}

static void irq_extended(void **state)
{
    void *fdt = tree_new();
    struct dt_irq irq;

    tree_node(fdt, "/", "gic");
    tree_string(fdt, "/gic", "compatible", "arm,gic-v3");
    tree_cells(fdt, "/gic", "#interrupt-cells", 1, 3);
    tree_cells(fdt, "/gic", "phandle", 1, 1);
    tree_node(fdt, "/", "gpio");
    tree_cells(fdt, "/gpio", "#interrupt-cells", 1, 2);
    tree_cells(fdt, "/gpio", "phandle", 1, 2);
    tree_node(fdt, "/", "dev");
    tree_cells(fdt, "/dev", "interrupts-extended", 11, 2, 5, 1, 1, 0, 3, 4, 1, 2, 3, 4);
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/dev"), 0, &irq), -ENODEV);
    expect_irq(fdt, "/dev", 1, 35, false);
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/dev"), 2, &irq), -ENODEV); /* an extended SPI */
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/dev"), 3, &irq), -ENOENT);
    tree_cells(fdt, "/dev", "interrupts-extended", 3, 1, 0, 3);
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/dev"), 0, &irq), -EINVAL);
    tree_cells(fdt, "/dev", "interrupts-extended", 4, 1, 0, 988, 4);
    assert_int_equal(dt_irq(fdt, node_at(fdt, "/dev"), 0, &irq), -EINVAL);
    free(fdt);
}

/* The console is where the tree, or the user, says; else the first UART there is. */
static void uart_choice(void **state)
{
    void *fdt;
    struct uart u;
    int node;

    LOAD_OR_SKIP(fdt, "virt-v3");
    assert_int_equal(dt_find_uart(fdt, NULL, &u, &node), 0);
    assert_ptr_equal(u.driver, &pl011_driver);
    assert_int_equal(u.phys, 0x9000000);
    assert_int_equal(u.irq, 33);
    assert_int_equal(dt_find_uart(fdt, "/nowhere", &u, &node), 0);
    assert_int_equal(u.phys, 0x9000000);
    fdt_nop_property(fdt, node_at(fdt, "/chosen"), "stdout-path");
    assert_int_equal(dt_find_uart(fdt, "", &u, &node), 0);
    assert_int_equal(node, node_at(fdt, "/pl011@9000000"));
    fdt_nop_node(fdt, node);
    assert_int_equal(dt_find_uart(fdt, NULL, &u, &node), -ENODEV);
    free(fdt);

    LOAD_OR_SKIP(fdt, "zcu102");
    assert_int_equal(dt_find_uart(fdt, NULL, &u, &node), 0);
    assert_ptr_equal(u.driver, &cadence_driver);
    assert_int_equal(u.phys, 0xff000000);
    assert_int_equal(dt_find_uart(fdt, "serial1", &u, &node), 0);
    assert_int_equal(u.phys, 0xff010000);
    free(fdt);

    /* Its stdout-path names the small UART, for which this test has no driver. */
    LOAD_OR_SKIP(fdt, "raspi4");
    assert_int_equal(dt_find_uart(fdt, NULL, &u, &node), 0);
    assert_int_equal(u.phys, 0xfe201000);
    free(fdt);
}

static void status(void **state)
{
    void *fdt = tree_new();
    tree_node(fdt, "/", "n");
    assert_true(dt_enabled(fdt, node_at(fdt, "/n")));
    tree_string(fdt, "/n", "status", "okay");
    assert_true(dt_enabled(fdt, node_at(fdt, "/n")));
    tree_string(fdt, "/n", "status", "disabled");
    assert_false(dt_enabled(fdt, node_at(fdt, "/n")));
    tree_bytes(fdt, "/n", "status", "ok", 2); /* not terminated */
    assert_false(dt_enabled(fdt, node_at(fdt, "/n")));
    free(fdt);
}

/* Numbers and cells as people write them, and as they should not. */
static void numbers(void **state)
{
    void *fdt = tree_new();
    uint64_t n, a, b;
    char text[24];

    tree_node(fdt, "/", "bus");
    tree_node(fdt, "/bus", "n");
    tree_cells(fdt, "/bus/n", "one", 1, 7);
    tree_cells(fdt, "/bus/n", "two", 2, 1, 7);
    tree_cells(fdt, "/bus/n", "three", 3, 1, 2, 3);
    int node = node_at(fdt, "/bus/n");
    assert_int_equal(dt_number(fdt, node, "one", &n), 0);
    assert_int_equal(n, 7);
    assert_int_equal(dt_number(fdt, node, "two", &n), 0);
    assert_int_equal(n, 0x100000007);
    assert_int_equal(dt_number(fdt, node, "three", &n), -EINVAL);
    assert_int_equal(dt_number(fdt, node, "four", &n), -ENOENT);

    /* Cells that the parent does not have are its parent's. */
    tree_cells(fdt, "/bus/n", "reg", 4, 1, 2, 3, 4);
    assert_int_equal(dt_pair(fdt, node_at(fdt, "/bus/n"), "reg", 0, &a, &b), 0);
    assert_int_equal(a, 0x100000002);
    assert_int_equal(b, 0x300000004);
    tree_cells(fdt, "/bus", "#size-cells", 1, 1);
    node = node_at(fdt, "/bus/n");
    assert_int_equal(dt_pair(fdt, node, "reg", 0, &a, &b), 0);
    assert_int_equal(b, 3);
    assert_int_equal(dt_pair(fdt, node, "reg", 1, &a, &b), -EINVAL);
    assert_int_equal(dt_pair(fdt, node, "reg", 2, &a, &b), -ENOENT);
    assert_int_equal(dt_pair(fdt, node, "reg", UINT32_MAX, &a, &b), -ENOENT);
    assert_int_equal(dt_pair(fdt, 0, "reg", 0, &a, &b), -ENOENT);
    /* Without ranges what is below a bus has no address. */
    assert_int_equal(dt_reg(fdt, node, 0, &a, &b), -EINVAL);

    assert_string_equal(dt_value("\0\0\3\350", 4, text, sizeof(text)), "<1000>");
    assert_string_equal(dt_value("\0\0\0\1\0\1\0\0", 8, text, sizeof(text)), "<1 0x10000>");
    assert_string_equal(dt_value("hello", 6, text, sizeof(text)), "\"hello\"");
    assert_string_equal(dt_value("a\1b", 3, text, sizeof(text)), "(3 bytes)");
    assert_string_equal(dt_value("", 0, text, sizeof(text)), "<>");
    assert_string_equal(dt_value("\377\377\377\377\377\377\377\377", 8, text, 10), "<0xffffff");
    free(fdt);
}

/* A window at the end of its bus must not make a device wrap around to address 0. */
static void ranges_that_wrap(void **state)
{
    void *fdt = tree_new();
    uint64_t a, b;

    tree_node(fdt, "/", "bus");
    tree_cells(fdt, "/bus", "ranges", 6, 0, 0, ~0u, 0xfffff000u, 0, 0x10000);
    tree_node(fdt, "/bus", "n");
    tree_cells(fdt, "/bus/n", "reg", 4, 0, 0x2000, 0, 0x1000);
    assert_int_equal(dt_reg(fdt, node_at(fdt, "/bus/n"), 0, &a, &b), -EINVAL);
    tree_cells(fdt, "/bus", "ranges", 6, 0, 0, 1, 0, 0, 0x10000);
    assert_int_equal(dt_reg(fdt, node_at(fdt, "/bus/n"), 0, &a, &b), 0);
    assert_int_equal(a, 0x100002000);
    tree_cells(fdt, "/bus/n", "reg", 4, 0, 0xf800, 0, 0x1000);
    assert_int_equal(dt_reg(fdt, node_at(fdt, "/bus/n"), 0, &a, &b), -EINVAL);
    tree_cells(fdt, "/bus/n", "reg", 4, 0, 0x2000, ~0u, ~0u);
    assert_int_equal(dt_reg(fdt, node_at(fdt, "/bus/n"), 0, &a, &b), -EINVAL);
    free(fdt);
}

static void paths(void **state)
{
    void *fdt;
    char text[16];

    LOAD_OR_SKIP(fdt, "virt-v3");
    assert_string_equal(dt_path(fdt, 0, text, sizeof(text)), "/");
    assert_string_equal(dt_path(fdt, node_at(fdt, "/pl011@9000000"), text, sizeof(text)),
                        "/pl011@9000000");
    assert_string_equal(dt_path(fdt, node_at(fdt, "/cpus/cpu@1"), text, 8), "/cpus/c");
    assert_string_equal(dt_path(fdt, 1, text, sizeof(text)), "");
    free(fdt);
}

/* Nodes nested without end: seen to a depth, never beyond the array of nodes above. */
static void deep_tree(void **state)
{
    void *fdt = malloc(65536);
    struct dt_walk w;
    uint32_t seen = 0, deepest = 0;

    fdt_create(fdt, 65536);
    fdt_finish_reservemap(fdt);
    for (int i = 0; i < 200; i++)
        fdt_begin_node(fdt, i ? "n" : "");
    for (int i = 0; i < 200; i++)
        fdt_end_node(fdt);
    assert_int_equal(fdt_finish(fdt), 0);
    assert_int_equal(dt_check(fdt, 65536), 0);
    dt_walk_start(&w, fdt);
    while (dt_walk_next(&w)) {
        seen++;
        deepest = w.depth > deepest ? w.depth : deepest;
    }
    assert_int_equal(seen, DT_MAX_DEPTH - 1);
    assert_int_equal(deepest, DT_MAX_DEPTH - 1);
    assert_false(dt_walk_next(&w));
    assert_false(dt_walk_skip(&w));
    free(fdt);
}

/* A walk visits each node once, with the right nodes above it; skipping leaves out what is below.
 */
static void walk(void **state)
{
    void *fdt;
    struct dt_walk w;
    int expected = 0, nodes = 0;

    LOAD_OR_SKIP(fdt, "zcu102");
    dt_walk_start(&w, fdt);
    while (dt_walk_next(&w)) {
        nodes++;
        if (nodes % 16 == 0) {
            assert_int_equal(w.path[w.depth - 1], fdt_parent_offset(fdt, w.node));
            assert_int_equal(w.depth, fdt_node_depth(fdt, w.node));
        }
    }
    for (int n = fdt_next_node(fdt, 0, NULL); n >= 0; n = fdt_next_node(fdt, n, NULL))
        expected++;
    assert_int_equal(nodes, expected);
    dt_walk_start(&w, fdt);
    dt_walk_next(&w);
    int first = w.node;
    assert_true(dt_walk_skip(&w));
    assert_int_equal(w.node, fdt_next_subnode(fdt, first));
    /* Straight to a path is the same place as node by node. */
    struct dt_walk by_path;
    int node = node_at(fdt, "/axi/i2c@ff020000/i2c-mux@75");
    assert_int_equal(dt_walk_find(&by_path, fdt, "/axi/i2c@ff020000//i2c-mux@75"), 0);
    assert_int_equal(dt_walk_to(&w, fdt, node), 0);
    assert_int_equal(by_path.depth, w.depth);
    assert_memory_equal(by_path.path, w.path, (w.depth + 1) * sizeof(w.path[0]));
    assert_int_equal(dt_walk_find(&w, fdt, "/"), 0);
    assert_int_equal(w.depth, 0);
    assert_int_equal(dt_walk_find(&w, fdt, "/axi/nothing"), -ENOENT);
    assert_int_equal(dt_walk_find(&w, fdt, "axi"), -ENOENT);
    free(fdt);
}

static void phandles(void **state)
{
    void *fdt = tree_new();
    tree_node(fdt, "/", "a");
    tree_cells(fdt, "/a", "phandle", 1, 9);
    assert_int_equal(dt_node_by_phandle(fdt, 9), node_at(fdt, "/a"));
    /* What was remembered is not believed once the tree has changed. */
    tree_node(fdt, "/", "b");
    tree_cells(fdt, "/", "padding", 4, 0, 0, 0, 0);
    assert_int_equal(dt_node_by_phandle(fdt, 9), node_at(fdt, "/a"));
    tree_cells(fdt, "/a", "phandle", 1, 10);
    assert_int_equal(dt_node_by_phandle(fdt, 9), -ENOENT);
    assert_int_equal(dt_node_by_phandle(fdt, 0), -ENOENT);
    free(fdt);
}

/* Whatever a loader passes: nothing outside of what it says it has is read. */
static void damaged(void **state)
{
    void *fdt;
    LOAD_OR_SKIP(fdt, "raspi4");
    fdt_pack(fdt);
    uint32_t bytes = fdt_totalsize(fdt);
    assert_int_equal(dt_check(fdt, bytes), 0);
    assert_int_equal(dt_check(fdt, bytes - 1), -EINVAL);
    assert_int_equal(dt_check(NULL, 100), -EINVAL);
    for (uint32_t n = 0; n < bytes; n += n < 64 ? 1 : 997) {
        void *cut = malloc(n ? n : 1);
        memcpy(cut, fdt, n);
        assert_int_equal(dt_check(cut, n), -EINVAL);
        if (n > 40) { /* its header says that this is all */
            fdt_set_totalsize(cut, n);
            assert_int_equal(dt_check(cut, n), -EINVAL);
        }
        free(cut);
    }
    free(fdt);
}

/* Written trees are read back the same; a tree that does not fit is an error, not an overrun. */
static void writing(void **state)
{
    uint8_t *fdt = malloc(4096);
    struct dt_writer w;
    uint32_t bytes;

    dt_write_begin(&w, fdt, 4096);
    dt_write_u32(&w, "a", 1);
    dt_write_u64(&w, "b", 0x100000002);
    dt_write_node_at(&w, "n", 0xfeed);
    dt_write_string(&w, "s", "text");
    dt_write_empty(&w, "e");
    dt_write_cells(&w, "c", (const uint32_t[]){ 1, 2 }, 2);
    dt_write_end(&w);
    assert_int_equal(dt_write_finish(&w, &bytes), 0);
    assert_int_equal(dt_check(fdt, bytes), 0);
    uint64_t n;
    assert_int_equal(dt_number(fdt, 0, "b", &n), 0);
    assert_int_equal(n, 0x100000002);
    assert_string_equal(dt_string(fdt, node_at(fdt, "/n@feed"), "s"), "text");

    for (uint32_t room = 0; room < bytes; room++) {
        uint8_t *small = malloc(room ? room : 1);
        dt_write_begin(&w, small, room);
        dt_write_u32(&w, "a", 1);
        dt_write_u64(&w, "b", 0x100000002);
        dt_write_node_at(&w, "n", 0xfeed);
        dt_write_string(&w, "s", "text");
        dt_write_empty(&w, "e");
        dt_write_cells(&w, "c", (const uint32_t[]){ 1, 2 }, 2);
        dt_write_end(&w);
        uint32_t got;
        assert_int_not_equal(dt_write_finish(&w, &got), 0);
        free(small);
    }
    free(fdt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reg_of_virt),
        cmocka_unit_test(reg_through_ranges),
        cmocka_unit_test(irq_of_virt),
        cmocka_unit_test(irq_of_boards),
        cmocka_unit_test(irq_through_nexus),
        cmocka_unit_test(irq_extended),
        cmocka_unit_test(uart_choice),
        cmocka_unit_test(status),
        cmocka_unit_test(numbers),
        cmocka_unit_test(ranges_that_wrap),
        cmocka_unit_test(paths),
        cmocka_unit_test(deep_tree),
        cmocka_unit_test(walk),
        cmocka_unit_test(phandles),
        cmocka_unit_test(damaged),
        cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
