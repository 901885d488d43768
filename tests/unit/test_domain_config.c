/* SPDX-License-Identifier: MIT */
/*
 * Domains from the device tree. If these fail a user's configuration that works with Xen does not
 * here, or a mistake in it takes other domains along, or goes unsaid.
 */
// sources: drivers/dt.c drivers/dt_check.c drivers/dt_flat.c drivers/dt_irq.c core/boot.c
// sources: core/domain_config.c core/domain_modules.c core/domain_properties.c
#include "trees.h"
#include "unit.h"

#include <asm/host.h>
#include <hospes/boot.h>
#include <hospes/cmdline.h>
#include <hospes/domain.h>
#include <hospes/domain_config.h>
#include <hospes/dt.h>
#include <libfdt.h>

static struct domain_configs out;
static void *fdt;

#define KERNEL  0x50000000
#define RAMDISK 0x54000000

static int setup(void **state)
{
    memset(&boot_ram, 0, sizeof(boot_ram));
    boot_range_add(&boot_ram, 0x40000000, 0x100000000, NULL);
    options.dom0_mem = MIB(256);
    options.dom0_max_vcpus = 0;
    fdt = tree_new();
    tree_chosen(fdt);
    host_log_clear();
    return 0;
}

static int teardown(void **state)
{
    free(fdt);
    return 0;
}

static void parse(void)
{
    host_log_clear();
    memset(&boot_reserved, 0, sizeof(boot_reserved));
    boot_range_add(&boot_reserved, 0x48000000, 0x48100000, "Hospes");
    domain_config_reserve(fdt);
    domain_config_parse(fdt, 4, &out);
}

static void expect_line(const char *line)
{
    if (!strstr(host_log, line))
        fail_msg("no \"%s\" in:\n%s", line, host_log);
}

static void good_domain(const char *name, uint64_t at)
{
    char path[64];
    snprintf(path, sizeof(path), "/chosen/%s", name);
    tree_domain(fdt, name, 65536, 2);
    tree_module(fdt, path, "kernel", "kernel", at, 0x1000000);
}

/* Else a guest waits for a xenstore that nobody will ever tell it of. */
static void xenstore(void **state)
{
    good_domain("a", 0x58000000);
    good_domain("b", 0x5a000000);
    tree_string(fdt, "/chosen/a", "xen,enhanced", "no-xenstore");
    tree_empty(fdt, "/chosen/b", "xen,enhanced");
    parse();
    assert_int_equal(out.nr, 2);
    assert_true(out.d[0].enhanced && !out.d[0].xenstore);
    assert_true(out.d[1].enhanced && !out.d[1].xenstore);
    assert_non_null(strstr(host_log, "/chosen/b: xen,enhanced: no hardware domain"));
    assert_null(strstr(host_log, "/chosen/a"));
}

/* The example that Xen's users start from (shared/baseline's chosen-example). */
static void example(void **state)
{
    tree_string(fdt, "/chosen", "xen,xen-bootargs", "dom0_mem=1G");
    tree_string(fdt, "/chosen", "xen,dom0-bootargs", "console=ttyAMA0");
    tree_module(fdt, "/chosen", "module@50000000", "kernel", KERNEL, 0x23ea7c0);
    tree_module(fdt, "/chosen", "module@54000000", "ramdisk", RAMDISK, 0x5881ec);
    tree_domain(fdt, "domU1", 524288, 1);
    tree_empty(fdt, "/chosen/domU1", "vpl011");
    tree_string(fdt, "/chosen/domU1", "xen,enhanced", "enabled");
    tree_module(fdt, "/chosen/domU1", "module@58000000", "kernel", 0x58000000, 0x23ea7c0);
    tree_string(fdt, "/chosen/domU1/module@58000000", "bootargs", "name=domU1");
    tree_module(fdt, "/chosen/domU1", "module@5c000000", "ramdisk", 0x5c000000, 0x12de58);
    parse();
    assert_string_equal(host_log, "");
    assert_int_equal(out.nr, 2);
    assert_int_equal(out.rejected, 0);

    const struct domain_config *c = &out.d[0];
    assert_int_equal(c->id, 0);
    assert_true(c->hardware && c->direct_map && !c->vpl011);
    assert_string_equal(c->name, "Domain-0");
    assert_string_equal(c->bootargs, "console=ttyAMA0");
    assert_int_equal(c->memory_bytes, MIB(256));
    assert_int_equal(c->vcpus, 4);
    assert_int_equal(c->kernel.start.v, KERNEL);
    assert_int_equal(c->ramdisk.bytes, 0x5881ec);

    c = &out.d[1];
    assert_int_equal(c->id, 1);
    assert_string_equal(c->node, "/chosen/domU1");
    assert_string_equal(c->name, "domU1");
    assert_true(!c->hardware && !c->direct_map && c->vpl011 && c->enhanced && c->trap_unmapped);
    assert_true(c->xenstore);
    assert_int_equal(c->memory_bytes, MIB(512));
    assert_int_equal(c->vcpus, 1);
    assert_string_equal(c->bootargs, "name=domU1");
    assert_string_equal(c->kernel.node, "/chosen/domU1/module@58000000");
    assert_string_equal(domain_config_hypervisor_cmdline(fdt), "dom0_mem=1G");
}

/* Names and forms of Xen 4.4, which boot scripts still write; modules without kind, by their order.
 */
static void old_names(void **state)
{
    static const char zimage[] = "xen,linux-zimage\0xen,multiboot-module";
    static const char initrd[] = "xen,linux-initrd\0xen,multiboot-module";

    tree_module(fdt, "/chosen", "module@0", "x", KERNEL, 4096);
    tree_bytes(fdt, "/chosen/module@0", "compatible", initrd, sizeof(initrd));
    tree_module(fdt, "/chosen", "module@1", "x", RAMDISK, 4096);
    tree_bytes(fdt, "/chosen/module@1", "compatible", zimage, sizeof(zimage));
    parse();
    assert_int_equal(out.nr, 1);
    assert_int_equal(out.d[0].kernel.start.v, RAMDISK);
    assert_int_equal(out.d[0].ramdisk.start.v, KERNEL);

    tree_string(fdt, "/chosen/module@0", "compatible", "multiboot,module");
    tree_string(fdt, "/chosen/module@1", "compatible", "multiboot,module");
    tree_module(fdt, "/chosen", "zzz", "module", 0x60000000, 4096);
    tree_string(fdt, "/chosen/zzz", "compatible", "multiboot,module");
    parse();
    assert_int_equal(out.nr, 1);
    /* libfdt adds nodes at the front: the last is the first. */
    assert_int_equal(out.d[0].kernel.start.v, 0x60000000);
    assert_int_equal(out.d[0].ramdisk.start.v, RAMDISK);
    expect_line("/chosen/module@0: a module of no use here, ignored");
}

/* Who gets which command line: Xen's rules, line by line of booting.txt. */
static void command_lines(void **state)
{
    tree_module(fdt, "/chosen", "k", "kernel", KERNEL, 4096);
#define EXPECT(xen, dom0)                                                  \
    do {                                                                   \
        parse();                                                           \
        assert_string_equal(domain_config_hypervisor_cmdline(fdt), (xen)); \
        assert_string_equal(out.d[0].bootargs, (dom0));                    \
    } while (0)
    EXPECT("", "");
    tree_string(fdt, "/chosen", "bootargs", "B");
    EXPECT("", "B");
    tree_string(fdt, "/chosen", "xen,dom0-bootargs", "D");
    EXPECT("B", "D");
    tree_string(fdt, "/chosen", "xen,xen-bootargs", "X");
    EXPECT("X", "D");
    fdt_delprop(fdt, fdt_path_offset(fdt, "/chosen"), "xen,dom0-bootargs");
    EXPECT("X", "B");
    fdt_delprop(fdt, fdt_path_offset(fdt, "/chosen"), "xen,xen-bootargs");
    tree_string(fdt, "/chosen/k", "bootargs", "K");
    EXPECT("B", "K");
    tree_string(fdt, "/chosen", "xen,xen-bootargs", "X");
    tree_string(fdt, "/chosen", "xen,dom0-bootargs", "D");
    EXPECT("X", "K");
    /* Not a string: as good as not there. */
    tree_bytes(fdt, "/chosen", "xen,xen-bootargs", "unended", 7);
    EXPECT("B", "K");
}

static void all_properties(void **state)
{
    good_domain("a", KERNEL);
    tree_cells(fdt, "/chosen/a", "memory", 1, 1025);
    tree_cells(fdt, "/chosen/a", "nr_spis", 1, 100);
    tree_string(fdt, "/chosen/a", "vpl011", "pl011");
    tree_string(fdt, "/chosen/a", "xen,enhanced", "disabled");
    tree_cells(fdt, "/chosen/a", "trap-unmapped-accesses", 1, 0);
    tree_cells(fdt, "/chosen/a", "capabilities", 1, 1);
    tree_string(fdt, "/chosen/a", "passthrough", "enabled");
    parse();
    assert_string_equal(host_log, "");
    assert_int_equal(out.nr, 1);
    const struct domain_config *c = &out.d[0];
    assert_int_equal(c->memory_bytes, KIB(1028));
    assert_int_equal(c->nr_spis, 100);
    assert_true(c->vpl011 && !c->enhanced && !c->trap_unmapped && !c->hardware && c->passthrough);

    /* What nobody knows is said, and no reason to fail. */
    tree_string(fdt, "/chosen/a", "sve", "");
    tree_string(fdt, "/chosen/a", "colour", "blue");
    parse();
    assert_int_equal(out.nr, 1);
    expect_line("/chosen/a: colour = \"blue\": unknown property, ignored");
    expect_line("/chosen/a: sve = (1 bytes): not supported, ignored");
}

/* Memory at given places, in cells of its own or of /chosen. */
static void static_memory(void **state)
{
    good_domain("a", KERNEL);
    tree_cells(fdt, "/chosen/a", "#xen,static-mem-address-cells", 1, 1);
    tree_cells(fdt, "/chosen/a", "#xen,static-mem-size-cells", 1, 1);
    tree_cells(fdt, "/chosen/a", "xen,static-mem", 4, 0x60000000, 0x2000000, 0x70000000, 0x2000000);
    tree_empty(fdt, "/chosen/a", "direct-map");
    parse();
    assert_string_equal(host_log, "");
    assert_int_equal(out.nr, 1);
    assert_int_equal(out.d[0].nr_static_mem, 2);
    assert_int_equal(out.d[0].static_mem[1].maddr, 0x70000000);
    assert_true(out.d[0].direct_map);

    int node = fdt_path_offset(fdt, "/chosen/a");
    fdt_delprop(fdt, node, "#xen,static-mem-address-cells");
    fdt_delprop(fdt, node, "#xen,static-mem-size-cells");
    tree_cells(fdt, "/chosen/a", "xen,static-mem", 4, 0, 0x60000000, 0, 0x4000000);
    parse();
    assert_int_equal(out.nr, 1);
    assert_int_equal(out.d[0].static_mem[0].bytes, 0x4000000);

    tree_cells(fdt, "/chosen/a", "xen,static-mem", 4, 0, 0x60000000, 0, 0x2000000);
    parse();
    assert_int_equal(out.nr, 0);
    expect_line("/chosen/a: memory = <0 0x10000>: is not the sum of xen,static-mem");
    tree_cells(fdt, "/chosen/a", "xen,static-mem", 4, 0, 0x20000000, 0, 0x4000000);
    parse();
    expect_line("/chosen/a: xen,static-mem = <0 0x20000000 0 0x4000000>: is not in RAM");
    tree_cells(fdt, "/chosen/a", "xen,static-mem", 4, 0, 0x60000100, 0, 0x4000000);
    parse();
    expect_line("banks must be whole pages");
    /* Not the hypervisor's own memory, nor a module's, its own kernel included. */
    tree_cells(fdt, "/chosen/a", "xen,static-mem", 4, 0, 0x46000000, 0, 0x4000000);
    parse();
    expect_line(
        "xen,static-mem = <0 0x46000000 0 0x4000000>: overlaps a module, firmware's memory or");
    assert_false(boot_range_overlaps(&boot_reserved, 0x46000000, 0x48000000, NULL));
    tree_cells(fdt, "/chosen/a", "xen,static-mem", 4, 0, 0x4e000000, 0, 0x4000000);
    parse();
    expect_line("overlaps a module");
    assert_int_equal(out.nr, 0);
    tree_cells(fdt, "/chosen/a", "xen,static-mem", 3, 0, 0x60000000, 0);
    parse();
    expect_line("does not fit its #xen,static-mem-address-cells");
    fdt_delprop(fdt, fdt_path_offset(fdt, "/chosen/a"), "xen,static-mem");
    parse();
    expect_line("/chosen/a: direct-map: needs xen,static-mem");
    assert_int_equal(out.rejected, 1);

    /* Two domains cannot have the same. */
    tree_cells(fdt, "/chosen/a", "xen,static-mem", 4, 0, 0x60000000, 0, 0x4000000);
    good_domain("b", 0x58000000);
    tree_cells(fdt, "/chosen/b", "xen,static-mem", 4, 0, 0x62000000, 0, 0x4000000);
    parse();
    assert_int_equal(out.nr, 1);
    assert_string_equal(out.d[0].name, "b"); /* first in the tree */
    expect_line("/chosen/a: xen,static-mem = <0 0x60000000 0 0x4000000>: overlaps");
    tree_cells(fdt, "/chosen/b", "xen,static-mem", 4, 0, 0x60000000, 0, 0x4000000);
    parse();
    assert_int_equal(out.nr, 1);
    expect_line(
        "/chosen/a: xen,static-mem: 0x60000000, 0x4000000 bytes: overlaps that of /chosen/b");
    const struct boot_range *hit;
    assert_true(boot_range_overlaps(&boot_reserved, 0x60000000, 0x60001000, &hit));
    assert_string_equal(hit->what, "static memory");
    assert_int_equal(hit->end, 0x64000000);
}

/* Each mistake costs the domain that has it, and is told in a line. A good domain stands beside it.
 */
static void mistakes(void **state)
{
    static const struct {
        const char *property;
        uint32_t cells, value[2];
        const char *line;
    } wrong[] = {
        { "cpus", 1, { 0 }, "/chosen/bad: cpus = <0>: a domain needs a vCPU" },
        { "cpus", 1, { 1000 }, "/chosen/bad: cpus = <1000>: at most 128 vCPUs" },
        { "cpus", 1, { 129 }, "at most 128" },
        { "cpus", 0, { 0 }, "/chosen/bad: cpus: must be a number of one or two cells" },
        { "memory", 2, { 0, 0 }, "/chosen/bad: memory = <0 0>: a domain needs memory (KiB)" },
        { "memory", 2, { 0x7fffffff, 0 }, "memory = <0x7fffffff 0>: more KiB than a guest can" },
        { "nr_spis", 1, { 989 }, "/chosen/bad: nr_spis = <989>: at most 988 shared interrupts" },
        { "passthrough", 1, { 0x78780000 }, "passthrough = <0x78780000>: must be \"enabled\" or" },
    };
    good_domain("good", KERNEL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        good_domain("bad", RAMDISK);
        tree_cells(fdt, "/chosen/bad", wrong[i].property, wrong[i].cells, wrong[i].value[0],
                   wrong[i].value[1]);
        parse();
        expect_line(wrong[i].line);
        assert_int_equal(out.nr, 1);
        assert_int_equal(out.rejected, 1);
        assert_string_equal(out.d[0].name, "good");
        assert_int_equal(out.d[0].id, 2); /* its number does not depend on the other's mistake */
        assert_ptr_equal(strchr(host_log, '\n'), host_log + strlen(host_log) - 1);
        fdt_del_node(fdt, fdt_path_offset(fdt, "/chosen/bad"));
    }
    tree_node(fdt, "/chosen", "bad");
    tree_string(fdt, "/chosen/bad", "compatible", "xen,domain");
    parse();
    assert_int_equal(out.nr, 1);
    expect_line("/chosen/bad: memory: is missing");
    expect_line("/chosen/bad: cpus: is missing");
    expect_line("/chosen/bad: no kernel: a module compatible with \"multiboot,kernel\" is missing");
    tree_string(fdt, "/chosen/bad", "status", "disabled");
    parse();
    assert_string_equal(host_log, "");
    assert_int_equal(out.rejected, 0);
}

/* Modules that are not there, or not where they can be. */
static void wrong_modules(void **state)
{
    good_domain("good", KERNEL);
#define MODULE(start, bytes, line)                                        \
    do {                                                                  \
        tree_domain(fdt, "bad", 65536, 1);                                \
        tree_module(fdt, "/chosen/bad", "k", "kernel", (start), (bytes)); \
        parse();                                                          \
        expect_line(line);                                                \
        assert_int_equal(out.nr, 1);                                      \
        fdt_del_node(fdt, fdt_path_offset(fdt, "/chosen/bad"));           \
    } while (0)
    MODULE(0, 0, "/chosen/bad/k: reg: is missing");
    MODULE(0x1000, 0x1000, "/chosen/bad/k: reg = <0 4096 0 4096>: is not in RAM");
    MODULE(0xfffff000, 0x2000, "/chosen/bad/k: reg = <0 0xfffff000 0 8192>: is not in RAM");
    MODULE(0xfffffffffffff000, 0x2000, "is not in RAM");

    tree_domain(fdt, "bad", 65536, 1);
    tree_module(fdt, "/chosen/bad", "k", "kernel", 0, 0);
    tree_string(fdt, "/chosen/bad/k", "xen,uefi-binary", "vmlinuz");
    parse();
    expect_line("/chosen/bad/k: xen,uefi-binary = \"vmlinuz\": the file was not loaded");
    tree_cells(fdt, "/chosen/bad/k", "module-index", 1, 200);
    fdt_delprop(fdt, fdt_path_offset(fdt, "/chosen/bad/k"), "xen,uefi-binary");
    parse();
    expect_line("/chosen/bad/k: module-index = <200>: the loader gave no such module");
    tree_cells(fdt, "/chosen/bad/k", "reg", 3, 0, 1, 2);
    parse();
    expect_line("/chosen/bad/k: reg = <0 1 2>: does not fit #address-cells");
    tree_cells(fdt, "/chosen/bad/k", "reg", 4, 0, RAMDISK, 0, 0);
    parse();
    expect_line("/chosen/bad/k: reg = <0 0x54000000 0 0>: the file is empty");
    assert_int_equal(out.nr, 1);
}

/* A file that lies over another has damaged it. One kernel for several domains is no such case. */
static void overlaps(void **state)
{
    good_domain("a", KERNEL);
    good_domain("b", KERNEL);
    good_domain("c", 0x60000000);
    parse();
    assert_string_equal(host_log, "");
    assert_int_equal(out.nr, 3);

    tree_module(fdt, "/chosen/b", "r", "ramdisk", KERNEL + 0x800000, 0x1000000);
    parse();
    assert_int_equal(out.nr, 1);
    assert_int_equal(out.rejected, 2);
    assert_string_equal(out.d[0].name, "c");
    expect_line(
        "/chosen/b/kernel: reg = 0x50000000, 0x1000000 bytes: overlaps /chosen/b/r at 0x50800000");
}

/* The hardware domain by capability: first, number 0, and the only one. */
static void hardware(void **state)
{
    good_domain("b", 0x58000000);
    good_domain("hw", KERNEL);
    good_domain("a", 0x60000000);
    tree_cells(fdt, "/chosen/hw", "capabilities", 1, 7);
    parse();
    assert_int_equal(out.nr, 3);
    assert_string_equal(out.d[0].name, "hw");
    assert_int_equal(out.d[0].id, 0);
    assert_true(out.d[0].direct_map && out.d[0].hardware);
    assert_string_equal(out.d[1].name, "a");
    assert_int_equal(out.d[1].id, 1);
    assert_string_equal(out.d[2].name, "b");
    assert_int_equal(out.d[2].id, 2);

    tree_module(fdt, "/chosen", "k", "kernel", 0x70000000, 4096);
    parse();
    assert_int_equal(out.nr, 3);
    assert_string_equal(out.d[0].name, "Domain-0");
    expect_line("/chosen/hw: capabilities = <7>: there is a hardware domain already");
}

static void too_many(void **state)
{
    char name[16];
    for (int i = 0; i < 34; i++) {
        snprintf(name, sizeof(name), "d%d", i);
        good_domain(name, KERNEL);
    }
    parse();
    assert_int_equal(out.nr, 32);
    assert_int_equal(out.rejected, 2);
    expect_line("/chosen/d0: more than 32 domains, left out");
}

static void nothing(void **state)
{
    parse();
    assert_int_equal(out.nr + out.rejected, 0);
    fdt_del_node(fdt, fdt_path_offset(fdt, "/chosen"));
    parse();
    assert_int_equal(out.nr + out.rejected, 0);
    assert_string_equal(host_log, "");
    assert_string_equal(domain_config_hypervisor_cmdline(fdt), "");
}

static void count_module(const struct boot_module *m, void *arg)
{
    uint64_t *sum = arg;
    *sum += m->start.v;
}

/* All files are kept from being overwritten, whoever they are for. */
static void reserved(void **state)
{
    uint64_t sum = 0;
    good_domain("a", 0x1000);
    tree_cells(fdt, "/chosen/a", "cpus", 1, 0);
    tree_cells(fdt, "/chosen/a/kernel", "reg", 4, 0, 0x40001000, 0, 0x1000);
    tree_module(fdt, "/chosen", "k", "kernel", 0x40010000, 4096);
    tree_module(fdt, "/chosen", "x", "xsm", 0x40100000, 4096);
    tree_module(fdt, "/chosen", "n", "kernel", 0, 0);
    domain_config_modules(fdt, count_module, &sum);
    assert_int_equal(sum, 3 * 0x40000000ull + 0x111000);
}

static uint64_t released;

void frame_bank_release(mfn_t start, mfn_t end)
{
    released += end.v - start.v;
}

/* What no domain can start again from is memory for others; what one can is not, however many name
 * it. */
static void release(void **state)
{
    tree_module(fdt, "/chosen", "k", "kernel", KERNEL, 0x100000);
    tree_module(fdt, "/chosen", "r", "ramdisk", RAMDISK + 0x800, 0x100000);
    good_domain("a", 0x60000000);
    tree_module(fdt, "/chosen/a", "r", "ramdisk", 0x64000000, 0x100000);
    parse();
    assert_int_equal(out.nr, 2);
    released = 0;
    domain_config_release(fdt, &out);
    /* dom0's; of the ramdisk, which begins and ends within a page, whole pages only. */
    assert_int_equal(released, 0x100 + 0xff);
    domain_config_release(fdt, &out);
    assert_int_equal(released, 0x100 + 0xff);

    /* The kernel is the other domain's too; the ramdisk's node is there twice. */
    tree_cells(fdt, "/chosen/a/kernel", "reg", 4, 0, KERNEL, 0, 0x100000);
    tree_domain(fdt, "bad", 65536, 0);
    tree_module(fdt, "/chosen/bad", "k", "kernel", KERNEL, 0x100000);
    tree_module(fdt, "/chosen/bad", "r", "ramdisk", RAMDISK + 0x800, 0x100000);
    parse();
    assert_int_equal(out.nr, 2);
    released = 0;
    domain_config_release(fdt, &out);
    assert_int_equal(released, 0xff);

    /* Memory that firmware reserved as well stays reserved. */
    boot_range_add(&boot_ram, 0, 0x1000, NULL);
    parse();
    memset(&boot_reserved, 0, sizeof(boot_reserved));
    boot_range_add(&boot_reserved, RAMDISK, RAMDISK + 0x200000, "firmware");
    domain_config_reserve(fdt);
    released = 0;
    domain_config_release(fdt, &out);
    assert_int_equal(released, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(example),  TEST(old_names),     TEST(command_lines), TEST(all_properties),
        TEST(xenstore), TEST(static_memory), TEST(mistakes),      TEST(wrong_modules),
        TEST(overlaps), TEST(hardware),      TEST(too_many),      TEST(nothing),
        TEST(reserved), TEST(release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
