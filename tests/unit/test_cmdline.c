/* SPDX-License-Identifier: MIT */
// sources: core/cmdline.c
/* The hypervisor's command line: Xen's users type the lines that they know. */
#include "unit.h"

#include <asm/host.h>
#include <hospes/cmdline.h>
#include <lib/bits.h>

static void parse(const char *text)
{
    cmdline_parse(text);
    host_log_clear();
    cmdline_report();
}

/* How many warnings the line made: each says "ignored". */
static int warnings(void)
{
    int n = 0;

    for (const char *p = host_log; (p = strstr(p, "ignored")) != NULL; p++)
        n++;
    return n;
}

/* Without options a machine boots as it is documented to. */
static void defaults(void **state)
{
    parse("");
    assert_int_equal(options.dom0_mem, MIB(512));
    assert_int_equal(options.dom0_max_vcpus, 0);
    assert_int_equal(options.maxcpus, 0);
    assert_int_equal(options.loglvl, LOG_INFO);
    assert_int_equal(options.guest_loglvl, LOG_WARN);
    assert_true(is_power_of_two(options.conring_size));
    assert_true(options.bootscrub);
    assert_false(options.noreboot);
    assert_int_equal(options.sched, SCHED_FAIR);
    assert_int_equal(options.xen_minor, 20);
    assert_string_equal(options.console, "dtuart");
    assert_string_equal(options.dtuart, "");
    assert_int_equal(warnings(), 0);
}

/* A line such as boot loaders of Xen's users have. */
static void usual_line(void **state)
{
    parse("console=dtuart dtuart=/pl011@9000000 dom0_mem=1G dom0_max_vcpus=2 loglvl=all "
          " guest_loglvl=error/all\tbootscrub=0 sched=null maxcpus=4 noreboot conring_size=100k"
          " xen_version=4.17\n");
    assert_int_equal(options.xen_minor, 17);
    assert_string_equal(options.dtuart, "/pl011@9000000");
    assert_int_equal(options.dom0_mem, GIB(1));
    assert_int_equal(options.dom0_max_vcpus, 2);
    assert_int_equal(options.loglvl, LOG_DEBUG);
    assert_int_equal(options.guest_loglvl, LOG_DEBUG);
    assert_false(options.bootscrub);
    assert_int_equal(options.sched, SCHED_NULL);
    assert_int_equal(options.maxcpus, 4);
    assert_true(options.noreboot);
    assert_int_equal(options.conring_size, KIB(128));
    assert_int_equal(warnings(), 0);
    assert_contains(host_log, "command line: console=dtuart dtuart=/pl011@9000000 dom0_mem=1G");
}

/* A real user's typo, which silently gave dom0 all the memory of the machine. */
static void colon_for_comma(void **state)
{
    parse("dom0_mem=4096M:max=4096M");
    assert_int_equal(options.dom0_mem, MIB(512));
    assert_int_equal(warnings(), 1);
    assert_contains(host_log, "\"dom0_mem=4096M:max=4096M\" ignored: cannot read \":max=4096M\"");
    assert_contains(host_log, "expected dom0_mem=[min:<size>,][max:<size>,]<size>");
}

static void check_mem(const char *text, uint64_t bytes)
{
    parse(text);
    assert_int_equal(options.dom0_mem, bytes);
    assert_int_equal(warnings(), 0);
}

/* dom0's memory in all the forms that Xen documents. */
static void dom0_mem(void **state)
{
    check_mem("dom0_mem=4096M", GIB(4));
    check_mem("dom0_mem=2097152", GIB(2));
    check_mem("dom0_mem=2g", GIB(2));
    check_mem("dom0_mem=4096M,max:4096M", GIB(4));
    check_mem("dom0_mem=min:1G,max:3G,2G", GIB(2));
    check_mem("dom0_mem=max:1G,2G", GIB(1));
    check_mem("dom0_mem=min:3G,2G", GIB(3));
    check_mem("dom0_mem=max:256M", MIB(256));
    check_mem("dom0_mem=min:1G", GIB(1));
    check_mem("dom0_mem=1G dom0_mem=2G", GIB(2));
}

/* What cannot be meant is not guessed at, is quoted, and leaves the default. */
static void malformed(void **state)
{
    static const struct {
        const char *option, *say;
    } lines[] = {
        { "dom0_mem=-512M", "all memory but some cannot be asked for" },
        { "dom0_mem=0", "that is nothing" },
        { "dom0_mem=", "incomplete" },
        { "dom0_mem", "no value" },
        { "dom0_mem=,1G", "cannot read \",1G\"" },
        { "dom0_mem=1G,", "incomplete" },
        { "dom0_mem=1G,x", "cannot read \"x\"" },
        { "dom0_mem=min:2G,max:1G", "min is above max" },
        { "dom0_mem=99999999999999999999G", "cannot read \"99999999999999999999G\"" },
        { "dom0_mem=20000000T", "cannot read" },
        { "dom0_mem=1GB", "cannot read \"B\"" },
        { "no-dom0_mem", "not a switch" },
        { "dom0_max_vcpus=129", "expected dom0_max_vcpus=<number>, 128 at most" },
        { "dom0_max_vcpus=two", "cannot read \"two\"" },
        { "dom0_max_vcpus=1-4", "cannot read \"-4\"" },
        { "maxcpus=-1", "cannot read \"-1\"" },
        { "maxcpus=4294967296", "cannot read" },
        { "loglvl=loud", "cannot read \"loud\"" },
        { "loglvl=error/", "incomplete" },
        { "loglvl=errors", "cannot read \"errors\"" },
        { "conring_size=0", "out of bounds" },
        { "conring_size=1G", "out of bounds" },
        { "xen_version=4.16", "expected xen_version=<release>, 4.17 to 4.20" },
        { "xen_version=4.21", "expected xen_version=<release>" },
        { "xen_version=5.18", "expected xen_version=<release>" },
        { "xen_version=4.18.1", "cannot read \".1\"" },
        { "xen_version=4.", "incomplete" },
        { "sched=rtds", "expected sched=fair, null" },
        { "console=vga", "expected console=dtuart, none" },
        { "noreboot=maybe", "cannot read \"maybe\"" },
        { "no-noreboot=yes", "\"no-\" and a value" },
        { "noreboot=", "incomplete" },
        { "dtuart=", "incomplete" },
        { "Noreboot", "not known" },
        { "flub=1", "not known" },
        { "no-flub", "not known" },
        { "no-", "not known" },
        { "=", "not known" },
        { "sync_console", "has no effect here" },
    };
    struct options before;
    char quoted[200];

    parse("");
    before = options;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        parse(lines[i].option);
        assert_int_equal(warnings(), 1);
        snprintf(quoted, sizeof(quoted), "option \"%s\" ignored", lines[i].option);
        assert_contains(host_log, quoted);
        assert_contains(host_log, lines[i].say);
        assert_memory_equal(&before, &options, sizeof(options));
    }
}

/* Switches in every spelling of Xen's. */
static void switches(void **state)
{
    static const char *const on[] = { "noreboot",      "noreboot=yes",    "noreboot=on",
                                      "noreboot=true", "noreboot=enable", "noreboot=1" };
    static const char *const off[] = { "no-noreboot",    "noreboot=no",      "noreboot=off",
                                       "noreboot=false", "noreboot=disable", "noreboot=0" };
    char text[60];

    for (size_t i = 0; i < 6; i++) {
        parse(on[i]);
        assert_true(options.noreboot);
        assert_int_equal(warnings(), 0);
        snprintf(text, sizeof(text), "noreboot %s", off[i]);
        parse(text);
        assert_false(options.noreboot);
        assert_int_equal(warnings(), 0);
    }
    parse("no-bootscrub");
    assert_false(options.bootscrub);
    parse("bootscrub=idle");
    assert_true(options.bootscrub);
    assert_int_equal(warnings(), 0);
    parse("loglvl=none guest_loglvl=none/warning");
    assert_int_equal(options.loglvl, LOG_NONE);
    assert_int_equal(options.guest_loglvl, LOG_WARN);
}

/* Whatever stands in the tree, the hypervisor boots, and its log stays readable. */
static void garbage(void **state)
{
    static char text[6000];

    for (int round = 0; round < 300; round++) {
        size_t len = unit_random(sizeof(text) - 1);
        for (size_t i = 0; i < len; i++)
            text[i] = unit_random(3) ? "dom0_mem=no-,:min12 \t"[unit_random(21)]
                                     : (char)(1 + unit_random(255));
        text[len] = '\0';
        parse(text);
    }
    for (const char *p = host_log; *p != '\0'; p++)
        assert_true((unsigned char)*p >= ' ' || *p == '\n');

    /* A line that is too long is cut between options, and that is said. */
    memset(text, ' ', sizeof(text));
    memcpy(text + 2040, "dom0_mem=300M", 13);
    memcpy(text + 10, "maxcpus=3", 9);
    text[sizeof(text) - 1] = '\0';
    parse(text);
    assert_int_equal(options.maxcpus, 3);
    assert_int_equal(options.dom0_mem, MIB(512));
    assert_contains(host_log, "longer than 2048 bytes");

    /* One long option is quoted in part; very many are counted. */
    memset(text, 'x', sizeof(text));
    text[1000] = '\0';
    parse(text);
    assert_contains(host_log, "xxx...\" ignored");
    for (int i = 0; i < 40; i++)
        strcpy(text + 2 * i, "x ");
    parse(text);
    assert_contains(host_log, "and 24 more options that were ignored");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults), cmocka_unit_test(usual_line), cmocka_unit_test(colon_for_comma),
        cmocka_unit_test(dom0_mem), cmocka_unit_test(malformed),  cmocka_unit_test(switches),
        cmocka_unit_test(garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
