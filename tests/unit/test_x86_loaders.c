/* SPDX-License-Identifier: MIT */
// sources: drivers/framebuffer.c arch/x86/multiboot.c arch/x86/multiboot2.c arch/x86/pvh_start.c arch/x86/boot_info.c arch/x86/boot_tree.c
// sources: arch/x86/e820.c arch/x86/efi_handover.c drivers/dt.c drivers/dt_check.c drivers/dt_flat.c drivers/dt_write.c
/* What boot loaders tell, good and bad; and the device tree made of it. */
#include "unit.h"

#include <asm/boot_info.h>
#include <asm/e820.h>
#include <asm/efi.h>
#include <hospes/dt.h>
#include <hospes/dt_write.h>
#include <hospes/errno.h>

#include <stdlib.h>
#include <string.h>

/* Machine memory from BASE on; all else cannot be read. */
#define BASE  0x10000u
#define BYTES 8192u

static uint8_t *memory;
static struct boot_info info;
static const char *why;

static const void *at(uint64_t maddr, uint64_t bytes)
{
    return maddr >= BASE && bytes <= BYTES && maddr - BASE <= BYTES - bytes
               ? memory + (maddr - BASE)
               : NULL;
}

static int setup(void **state)
{
    /* Of its own size, so that the sanitizer sees every read beside it. */
    memory = calloc(1, BYTES);
    memset(&info, 0, sizeof(info));
    info.line = "";
    memset(&host_e820, 0, sizeof(host_e820));
    why = NULL;
    return 0;
}

static int teardown(void **state)
{
    free(memory);
    return 0;
}

static void put32(uint32_t where, uint32_t value)
{
    memcpy(memory + where, &value, 4);
}

static void put64(uint32_t where, uint64_t value)
{
    memcpy(memory + where, &value, 8);
}

static uint32_t put_text(uint32_t where, const char *text)
{
    memcpy(memory + where, text, strlen(text) + 1);
    return BASE + where;
}

static void put_map_entry(uint32_t where, uint64_t start, uint64_t bytes, uint32_t kind)
{
    put32(where, 20);
    put64(where + 4, start);
    put64(where + 12, bytes);
    put32(where + 20, kind);
}

/* Information at 0, two modules at 0x200, texts from 0x400 on, a map at 0x300. */
static void put_multiboot(void)
{
    put32(0, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9);
    put32(4, 639);
    put32(8, 1000);
    put32(16, put_text(0x400, "/boot/hospes dom0_mem=1G  loglvl=all"));
    put32(20, 2);
    put32(24, BASE + 0x200);
    put32(44, 2 * 24);
    put32(48, BASE + 0x300);
    put32(64, put_text(0x480, "QEMU\n"));
    put32(0x200, 0x400000);
    put32(0x204, 0x500010);
    put32(0x208, put_text(0x500, "vmlinuz root=/dev/xvda quiet"));
    put32(0x210, 0x600000);
    put32(0x214, 0x600100);
    put32(0x218, put_text(0x540, "initrd"));
    put_map_entry(0x300, 0, 0x9fc00, E820_RAM);
    put_map_entry(0x318, 0x100000, 0x7ff00000, E820_RAM);
}

static void multiboot_is_read(void **state)
{
    put_multiboot();
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    assert_string_equal(info.protocol, "multiboot");
    assert_string_equal(info.loader, "QEMU?");
    assert_string_equal(info.line, "dom0_mem=1G  loglvl=all");
    assert_int_equal(info.nr_files, 2);
    assert_int_equal(info.files[0].start, 0x400000);
    assert_int_equal(info.files[0].bytes, 0x100010);
    assert_string_equal(info.files[0].line, "root=/dev/xvda quiet");
    assert_string_equal(info.files[1].line, "");
    assert_int_equal(host_e820.nr, 2);
    assert_int_equal(host_e820.r[1].end, 0x80000000);
    assert_int_equal(info.lost_files + info.lost_areas, 0);
}

/* Colours as VESA has them: red, green and blue, each its place and its bits. */
static void put_screen(uint32_t where)
{
    put64(where, 0xfd000000);
    put32(where + 8, 4096);
    put32(where + 12, 1024);
    put32(where + 16, 768);
    memory[where + 20] = 32;
    memory[where + 21] = 1; /* pixels, without a palette */
}

static void expect_screen(void)
{
    assert_int_equal(info.framebuffer.address, 0xfd000000);
    assert_int_equal(info.framebuffer.pitch, 4096);
    assert_int_equal(info.framebuffer.width, 1024);
    assert_int_equal(info.framebuffer.height, 768);
    assert_int_equal(info.framebuffer.bits, 32);
    assert_int_equal(info.framebuffer.red.at, 16);
    assert_int_equal(info.framebuffer.green.bits, 8);
    assert_int_equal(info.framebuffer.blue.at, 0);
    assert_true(framebuffer_valid(&info.framebuffer));
}

static void multiboot_tells_of_a_screen(void **state)
{
    static const uint8_t colours[] = { 16, 8, 8, 8, 0, 8 };

    put_multiboot();
    put32(0, 1 << 12);
    put_screen(88);
    memcpy(memory + 110, colours, sizeof(colours));
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    expect_screen();
    memset(&info.framebuffer, 0, sizeof(info.framebuffer));
    memory[109] = 2; /* text */
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    assert_false(framebuffer_valid(&info.framebuffer));
}

/* Not on the image, nor on any file, nor where there is no RAM, nor in the first MiB. */
static void room_is_found(void **state)
{
    put_multiboot();
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    info.files[0] = (struct boot_file){ .start = 0, .bytes = 100 };
    info.files[1] = (struct boot_file){ .start = 0x300800, .bytes = 0x1000 };
    assert_int_equal(boot_find_room(&info, 100, 0x100000, 0x300000), 0x300000);
    assert_int_equal(boot_find_room(&info, 0x801, 0x100000, 0x300000), 0x302000);
    assert_int_equal(boot_find_room(&info, 100, 0x200000, 0x300000), 0x100000);
    assert_int_equal(boot_find_room(&info, 0x7fcfe000, 0x100000, 0x300000), 0x302000);
    assert_int_equal(boot_find_room(&info, 0x7fcfe001, 0x100000, 0x300000), 0);
    assert_int_equal(boot_find_room(&info, UINT64_MAX, 0x100000, 0x300000), 0);
}

static void multiboot_without_a_map(void **state)
{
    put32(0, 1);
    put32(4, 640);
    put32(8, 1024);
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    assert_int_equal(info.nr_files, 0);
    assert_string_equal(info.line, "");
    assert_int_equal(host_e820.nr, 2);
    assert_int_equal(host_e820.r[1].start, 0x100000);
    assert_int_equal(host_e820.r[1].end, 0x200000);
}

static void multiboot_is_refused(void **state)
{
    assert_int_equal(multiboot_read(&info, BASE + BYTES - 8, at, &why), -EINVAL);
    assert_non_null(why);
    assert_int_equal(multiboot_read(&info, 0, at, &why), -EINVAL);
}

static void multiboot_with_wild_pointers(void **state)
{
    put_multiboot();
    put32(16, 0xfffffff0);       /* the line */
    put32(24, 0xfffffff8);       /* modules */
    put32(64, BASE + BYTES - 4); /* the loader's name: not all of it can be read */
    put32(44, 0xffffffff);       /* the map's length */
    put32(0x318, 3);             /* an entry shorter than one */
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    assert_string_equal(info.line, "");
    assert_string_equal(info.loader, "");
    assert_int_equal(info.nr_files, 0);
    assert_int_equal(info.lost_files, 2);
    assert_int_equal(host_e820.nr, 1);
}

static void multiboot_with_too_many_modules(void **state)
{
    put_multiboot();
    put32(20, 0xffffffff);
    put32(24, BASE + 0x1000);
    put32(0x1004, 0xffffffff);
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    assert_true(BOOT_MODULES >= 3 * 32 + 1); /* kernel, ramdisk and tree of each domain */
    assert_int_equal(info.nr_files, BOOT_MODULES);
    assert_int_equal(info.files[0].bytes, 0xffffffff);
    assert_int_equal(info.lost_files, 0xffffffff - BOOT_MODULES);
}

static void a_long_line_is_cut(void **state)
{
    put_multiboot();
    memset(memory + 0x800, 'a', BYTES - 0x800);
    put32(16, BASE + 0x800);
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    assert_string_equal(info.line, ""); /* one word, which is the file's name */
    put_multiboot();
    memset(&info, 0, sizeof(info));
    memory[0x801] = ' ';
    put32(16, BASE + 0x800);
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    assert_int_equal(strlen(info.line), BOOT_LINE_MAX - 2);
    assert_string_equal(info.files[0].line, "root=/dev/xvda quiet");
}

static void first_words_are_skipped(void **state)
{
    assert_string_equal(boot_skip_word("placeholder a b"), "a b");
    assert_string_equal(boot_skip_word("  placeholder   a"), "a");
    assert_string_equal(boot_skip_word("placeholder"), "");
    assert_string_equal(boot_skip_word(""), "");
}

/* --- multiboot 2 ----------------------------------------------------------------------------- */

static uint32_t tags_end;

static uint32_t put_tag(uint32_t type, uint32_t size)
{
    uint32_t where = tags_end;

    put32(where, type);
    put32(where + 4, size);
    tags_end = (where + size + 7) & ~7u;
    return where;
}

static void put_multiboot2(void)
{
    uint32_t t;

    tags_end = 8;
    t = put_tag(1, 8 + 24);
    put_text(t + 8, "placeholder loglvl=all");
    t = put_tag(4, 16);
    put32(t + 8, 639);
    put32(t + 12, 1000);
    t = put_tag(2, 8 + 10);
    put_text(t + 8, "GRUB 2.06");
    t = put_tag(3, 16 + 24);
    put32(t + 8, 0x400000);
    put32(t + 12, 0x500000);
    put_text(t + 16, "placeholder root=/dev/a");
    t = put_tag(6, 16 + 2 * 24);
    put32(t + 8, 24);
    put64(t + 16, 0);
    put64(t + 24, 0xa0000);
    put32(t + 32, E820_RAM);
    put64(t + 40, 0x100000);
    put64(t + 48, 0x1000000);
    put32(t + 56, E820_RAM);
    t = put_tag(14, 8 + 20);
    memset(memory + t + 8, 1, 20);
    t = put_tag(15, 8 + 36);
    memset(memory + t + 8, 2, 36);
    put_tag(0, 8);
    put32(0, tags_end);
}

static void multiboot2_is_read(void **state)
{
    put_multiboot2();
    assert_int_equal(multiboot2_read(&info, BASE, at, &why), 0);
    assert_string_equal(info.line, "loglvl=all");
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_int_equal(info.nr_files, 1);
    assert_string_equal(info.files[0].line, "root=/dev/a");
    /* The map, not what the older tag says. */
    assert_int_equal(host_e820.nr, 2);
    assert_int_equal(host_e820.r[0].end, 0xa0000);
    assert_int_equal(info.rsdp_bytes, 36);
    assert_int_equal(info.rsdp_copy[35], 2);
}

/* As GRUB writes it: without a byte behind the colours. */
static void multiboot2_tells_of_a_screen(void **state)
{
    static const uint8_t colours[] = { 16, 8, 8, 8, 0, 8 };
    uint32_t t;

    tags_end = 8;
    t = put_tag(8, 38);
    put_screen(t + 8);
    memcpy(memory + t + 32, colours, sizeof(colours));
    put_tag(0, 8);
    put32(0, tags_end);
    assert_int_equal(multiboot2_read(&info, BASE, at, &why), 0);
    expect_screen();
}

static void multiboot2_is_refused(void **state)
{
    put_multiboot2();
    assert_int_equal(multiboot2_read(&info, BASE + 4, at, &why), -EINVAL);
    assert_int_equal(multiboot2_read(&info, BASE + BYTES, at, &why), -EINVAL);
    put32(0, BYTES + 1);
    assert_int_equal(multiboot2_read(&info, BASE, at, &why), -EINVAL);
    put32(0, 7);
    assert_int_equal(multiboot2_read(&info, BASE, at, &why), -EINVAL);
}

static void multiboot2_with_bad_tags(void **state)
{
    uint32_t t;

    tags_end = 8;
    t = put_tag(3, 12); /* a module that is cut short */
    t = put_tag(6, 16 + 24);
    put32(t + 8, 0); /* entries of no length: would never end */
    t = put_tag(6, 16 + 20);
    put32(t + 8, 24);
    t = put_tag(8, 12);
    t = put_tag(14, 8);
    t = put_tag(1, 0xfffffff0); /* longer than all */
    put32(0, BYTES);
    assert_int_equal(multiboot2_read(&info, BASE, at, &why), 0);
    assert_int_equal(info.nr_files, 0);
    assert_int_equal(host_e820.nr, 0);
    assert_int_equal(info.rsdp_bytes, 0);
    (void)t;
}

/* --- PVH ------------------------------------------------------------------------------------- */

static void put_pvh(void)
{
    put32(0, 0x336ec578);
    put32(4, 1);
    put32(12, 1);
    put64(16, BASE + 0x200);
    put64(24, put_text(0x400, "loglvl=all"));
    put64(32, 0xe0000);
    put64(40, BASE + 0x300);
    put32(48, 2);
    put64(0x200, 0x140000000);
    put64(0x208, 0x1000);
    put64(0x210, put_text(0x440, "console=hvc0"));
    put64(0x300, 0);
    put64(0x308, 0xa0000);
    put32(0x310, E820_RAM);
    put64(0x318, 0xfee00000);
    put64(0x320, 0x1000);
    put32(0x328, E820_RESERVED);
}

static void pvh_is_read(void **state)
{
    put_pvh();
    assert_int_equal(pvh_start_read(&info, BASE, at, &why), 0);
    assert_string_equal(info.line, "loglvl=all");
    assert_int_equal(info.rsdp, 0xe0000);
    assert_int_equal(info.files[0].start, 0x140000000);
    assert_string_equal(info.files[0].line, "console=hvc0");
    assert_int_equal(host_e820.nr, 2);
    assert_int_equal(host_e820.r[1].type, E820_RESERVED);
}

static void pvh_is_refused(void **state)
{
    put_pvh();
    assert_int_equal(pvh_start_read(&info, BASE + 4, at, &why), -EINVAL);
    put32(4, 0);
    assert_int_equal(pvh_start_read(&info, BASE, at, &why), -EINVAL);
    put_pvh();
    put32(0, 0);
    assert_int_equal(pvh_start_read(&info, BASE, at, &why), -EINVAL);
}

static void pvh_with_wild_pointers(void **state)
{
    put_pvh();
    put64(16, UINT64_MAX - 8);
    put64(24, UINT64_MAX);
    put32(12, 0xffffffff);
    put64(40, BASE + BYTES - 30);
    put32(48, 0xffffffff);
    assert_int_equal(pvh_start_read(&info, BASE, at, &why), 0);
    assert_int_equal(info.nr_files, 0);
    assert_string_equal(info.line, "");
    assert_int_equal(host_e820.nr, 0); /* the one that could be read is empty */
}

/* --- EFI ------------------------------------------------------------------------------------- */

static void efi_map_is_read(void **state)
{
    efi_handover = (struct efi_handover){ .map = BASE, .map_bytes = 3 * 48, .map_step = 48 };
    put32(0, 7);
    put64(8, 0x100000);
    put64(24, 256);
    put64(32, 8);
    put32(48, 7); /* memory that cannot be cached */
    put64(56, 0x400000);
    put64(72, 1);
    put32(96, 9);
    put64(104, 0x500000);
    put64(120, UINT64_MAX);
    efi_handover_read(&info, at);
    assert_int_equal(host_e820.nr, 2);
    assert_int_equal(host_e820.r[0].end, 0x200000);
    assert_int_equal(host_e820.r[1].type, E820_RESERVED);
}

/* --- the tree -------------------------------------------------------------------------------- */

static void the_tree_has_it_all(void **state)
{
    static uint64_t fdt[512];
    uint8_t seed[32] = { 1 };
    uint64_t start, bytes;
    int chosen, kernel, ramdisk, len;

    put_multiboot();
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    assert_int_equal(boot_tree_write(&info, at, seed, sizeof(seed), fdt, sizeof(fdt)), 0);
    assert_int_equal(dt_check(fdt, sizeof(fdt)), 0);
    chosen = dt_find(fdt, "/chosen");
    assert_string_equal(dt_string(fdt, chosen, "xen,xen-bootargs"), "dom0_mem=1G  loglvl=all");
    assert_non_null(dt_property(fdt, chosen, "rng-seed", &len));
    assert_int_equal(len, 32);
    kernel = dt_find(fdt, "/chosen/module@400000");
    ramdisk = dt_find(fdt, "/chosen/module@600000");
    assert_true(dt_is_compatible(fdt, kernel, "multiboot,kernel"));
    assert_true(dt_is_compatible(fdt, ramdisk, "multiboot,ramdisk"));
    assert_string_equal(dt_string(fdt, kernel, "bootargs"), "root=/dev/xvda quiet");
    assert_int_equal(dt_reg(fdt, kernel, 0, &start, &bytes), -EINVAL);
    assert_int_equal(dt_pair(fdt, kernel, "reg", 0, &start, &bytes), 0);
    assert_int_equal(start, 0x400000);
    assert_int_equal(bytes, 0x100010);
    assert_int_equal(boot_tree_write(&info, at, seed, sizeof(seed), fdt, 128), -ENOSPC);
}

/* A module that is a tree: its domains are in ours, with the modules that they name. */
static void a_tree_adds_domains(void **state)
{
    static uint64_t fdt[512];
    const uint32_t cells[] = { 0, 0x40000 };
    struct dt_writer w;
    uint64_t start, bytes;
    uint32_t size;
    int domain, kernel;

    put_multiboot();
    dt_write_begin(&w, memory + 0x1000, 0xff0);
    dt_write_node(&w, "chosen");
    dt_write_node(&w, "domU1");
    dt_write_string(&w, "compatible", "xen,domain");
    dt_write_u32(&w, "#address-cells", 1);
    dt_write_u32(&w, "#size-cells", 1);
    dt_write_cells(&w, "memory", cells, 2);
    dt_write_node(&w, "module@0");
    dt_write_string(&w, "compatible", "multiboot,kernel");
    dt_write_u32(&w, "module-index", 1);
    dt_write_end(&w);
    dt_write_node(&w, "module@9");
    dt_write_u32(&w, "module-index", 9); /* there is none */
    dt_write_end(&w);
    dt_write_end(&w);
    dt_write_node(&w, "domU2");
    dt_write_node(&w, "module@1");
    dt_write_u32(&w, "module-index", 1);
    dt_write_end(&w);
    dt_write_end(&w);
    dt_write_end(&w);
    assert_int_equal(dt_write_finish(&w, &size), 0);
    assert_int_equal(multiboot_read(&info, BASE, at, &why), 0);
    boot_add_file(&info, BASE + 0x1000, BASE + 0x1000 + size, "");
    assert_int_equal(boot_tree_write(&info, at, NULL, 0, fdt, sizeof(fdt)), 0);
    assert_true(dt_find(fdt, "/chosen/module@400000") >= 0);
    assert_true(dt_find(fdt, "/chosen/module@600000") < 0); /* is the domain's */
    assert_true(dt_find(fdt, "/chosen/module@11000") < 0);  /* is the tree */
    domain = dt_find(fdt, "/chosen/domU1");
    assert_true(dt_is_compatible(fdt, domain, "xen,domain"));
    assert_int_equal(dt_number(fdt, domain, "memory", &bytes), 0);
    assert_int_equal(bytes, 0x40000);
    kernel = dt_find(fdt, "/chosen/domU1/module@0");
    assert_int_equal(dt_pair(fdt, kernel, "reg", 0, &start, &bytes), 0);
    assert_int_equal(start, 0x600000);
    assert_int_equal(bytes, 0x100);
    assert_null(dt_property(fdt, kernel, "module-index", NULL));
    assert_null(dt_property(fdt, dt_find(fdt, "/chosen/domU1/module@9"), "reg", NULL));
    /* Without cells of its own it has those of our /chosen. */
    kernel = dt_find(fdt, "/chosen/domU2/module@1");
    assert_int_equal(dt_pair(fdt, kernel, "reg", 0, &start, &bytes), 0);
    assert_int_equal(start, 0x600000);
    /* Cut short, it is a module like any other. */
    info.files[2].bytes = size - 8;
    assert_int_equal(boot_tree_write(&info, at, NULL, 0, fdt, sizeof(fdt)), 0);
    assert_true(dt_find(fdt, "/chosen/module@11000") >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(multiboot_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(multiboot_without_a_map, setup, teardown),
        cmocka_unit_test_setup_teardown(multiboot_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(multiboot_with_wild_pointers, setup, teardown),
        cmocka_unit_test_setup_teardown(multiboot_with_too_many_modules, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(first_words_are_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(multiboot_tells_of_a_screen, setup, teardown),
        cmocka_unit_test_setup_teardown(room_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(multiboot2_tells_of_a_screen, setup, teardown),
        cmocka_unit_test_setup_teardown(multiboot2_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(multiboot2_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(multiboot2_with_bad_tags, setup, teardown),
        cmocka_unit_test_setup_teardown(pvh_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(pvh_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(pvh_with_wild_pointers, setup, teardown),
        cmocka_unit_test_setup_teardown(efi_map_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(the_tree_has_it_all, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tree_adds_domains, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
