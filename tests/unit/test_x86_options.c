/* SPDX-License-Identifier: MIT */
// sources: core/cmdline.c arch/x86/options.c arch/x86/speculation_option.c arch/x86/microcode_option.c
/* The command line's options that only PCs have, as users of GRUB write them. */
#include "unit.h"

#include <asm/host.h>
#include <asm/options.h>
#include <hospes/cmdline.h>

#include <string.h>

static void parse(const char *line)
{
    host_log_clear();
    cmdline_parse(line);
    cmdline_report();
}

/* A console that is set wrongly is one that says nothing. */
static void serial_ports(void **state)
{
    const struct com_settings *c = x86_options.com;

    parse("console=com1,vga com1=115200,8n1");
    assert_null(strstr(host_log, "ignored"));
    assert_string_equal(options.console, "com1,vga");
    assert_int_equal(c[0].port, 0x3f8);
    assert_int_equal(c[0].irq, 4);
    assert_int_equal(c[0].baud, 115200);
    parse("com2=auto,8n1,0x2e8,5 com1=9600/115200 console=com2");
    assert_null(strstr(host_log, "ignored"));
    assert_int_equal(c[1].port, 0x2e8);
    assert_int_equal(c[1].irq, 5);
    assert_int_equal(c[1].baud, 0);
    assert_int_equal(c[0].baud, 9600);
    parse("com1=,,0x3e8");
    assert_null(strstr(host_log, "ignored"));
    assert_int_equal(c[0].port, 0x3e8);
    assert_int_equal(c[0].baud, 9600);
}

/* What cannot be read changes nothing. */
static void malformed(void **state)
{
    static const char *const bad[] = {
        "com1=",
        "com1=0",
        "com1=115201",
        "com1=7",
        "com1=9600,7e1",
        "com1=9600,8n1,x",
        "com1=9600,,70000",
        "com1=9600,,,16",
        "com1=9600,8n1,0x3f8,4,x",
        "dom0=",
        "dom0=pv",
        "dom0=pvh,hvm",
        "console=com3",
        "console=com1,",
        "com3=9600",
        "ucode=",
        "vga=",
        "vga=keep,",
        "ucode=129",
        "ucode=--1",
        "ucode=scan,",
        "ucode=scan=maybe",
    };

    parse("com1=115200,8n1,0x3f8,4");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char line[64];

        parse(bad[i]);
        snprintf(line, sizeof(line), "\"%s\" ignored", bad[i]);
        if (!strstr(host_log, line))
            fail_msg("%s: not refused: %s", bad[i], host_log);
        assert_int_equal(x86_options.com[0].baud, 115200);
        assert_int_equal(x86_options.com[0].port, 0x3f8);
        assert_string_equal(options.console, "com1,vga");
    }
}

/* Where microcode is, in Xen's words. */
static void microcode(void **state)
{
    const struct ucode_options *o = &x86_options.ucode;

    parse("ucode=scan");
    assert_true(o->scan && !o->by_number && !o->ignored);
    parse("ucode=scan=no,nmi=yes");
    assert_true(!o->scan && o->ignored);
    parse("ucode=-1");
    assert_true(o->by_number && o->number == -1 && !o->scan);
    parse("ucode=2,digest-check");
    assert_true(o->by_number && o->number == 2 && o->ignored);
    assert_null(strstr(host_log, "\" ignored"));
    parse("ucode=no");
    assert_false(o->scan || o->by_number);
}

/* The screen's mode is not ours to set: who asks for another is told. */
static void screen(void **state)
{
    parse("vga=current,keep");
    assert_true(x86_options.vga_keep);
    parse("vga=text-80x25");
    assert_false(x86_options.vga_keep);
    assert_null(strstr(host_log, "\" ignored"));
    parse("vga=gfx-1024x768x32,keep");
    assert_non_null(strstr(host_log, "its mode is the boot loader's to set"));
    assert_false(x86_options.vga_keep);
}

/* Xen's users have more on their lines: they are told, and nothing else happens. */
static void strangers(void **state)
{
    parse("smt=0 autoballoon=1");
    assert_non_null(strstr(host_log, "\"smt=0\" ignored: has no effect"));
    assert_non_null(strstr(host_log, "\"autoballoon=1\" ignored: not known"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serial_ports), cmocka_unit_test(malformed), cmocka_unit_test(microcode),
        cmocka_unit_test(screen),       cmocka_unit_test(strangers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
