/* SPDX-License-Identifier: MIT */
/* The configuration file beside the EFI image, and the image's command line. */
// sources: efi/efi_config.c
#include "unit.h"

#include <hospes/efi_config.h>

/* A copy of its own length on the heap, so that the sanitizer sees reads beyond it. */
static struct efi_slice slice(const char *text)
{
    size_t bytes = strlen(text);
    char *copy = malloc(bytes ? bytes : 1);

    memcpy(copy, text, bytes);
    return (struct efi_slice){ copy, bytes };
}

static void release(struct efi_slice s)
{
    free((void *)(uintptr_t)s.s);
}

static void check_slice(struct efi_slice got, const char *want)
{
    assert_int_equal(got.bytes, strlen(want));
    assert_memory_equal(got.s, want, got.bytes);
}

/* want == NULL: there must be no value. */
static void check_value(const char *text, const char *section, const char *name, const char *want)
{
    struct efi_slice file = slice(text), in = { NULL, 0 }, got;

    if (section)
        in = slice(section);
    assert_int_equal(efi_config_get(file, in, name, &got), want != NULL);
    if (want)
        check_slice(got, want);
    release(file);
    if (section)
        release(in);
}

static const char usual[] = "# boot\n"
                            "[global]\r\n"
                            "default=debian\r\n"
                            "options=noreboot\n"
                            "\n"
                            "[debian]\n"
                            "  kernel = Image root=/dev/vda1 console=ttyAMA0   # the usual one\n"
                            "\tramdisk=initrd\n"
                            "[rescue]\n"
                            ";kernel=wrong\n"
                            "kernel=old/Image\n"
                            "options=console=dtuart dom0_mem=1G";

/* A user of Xen keeps his file: the wrong section's kernel is another system than the one asked
 * for. */
static void sections(void **state)
{
    check_value(usual, NULL, "default", "debian");
    check_value(usual, NULL, "kernel", "Image root=/dev/vda1 console=ttyAMA0");
    check_value(usual, "debian", "kernel", "Image root=/dev/vda1 console=ttyAMA0");
    check_value(usual, "debian", "ramdisk", "initrd");
    check_value(usual, "debian", "options", "noreboot");
    check_value(usual, "rescue", "kernel", "old/Image");
    check_value(usual, "rescue", "options", "console=dtuart dom0_mem=1G");
    check_value(usual, "rescue", "ramdisk", NULL);
    check_value(usual, "debia", "kernel", NULL);
    check_value(usual, "absent", "options", "noreboot");
    check_value(usual, "debian", "kern", NULL);
}

/* Firmware would be left with a fault, or with half a name, by a file that was not written by the
 * book. */
static void odd_files(void **state)
{
    check_value("", NULL, "kernel", NULL);
    check_value("\n\n\r\n", "a", "kernel", NULL);
    check_value("kernel", NULL, "kernel", NULL);
    check_value("kernel=", NULL, "kernel", "");
    check_value("=x\nkernel=#", NULL, "kernel", "");
    check_value("[]\nkernel=x", "", "kernel", "x");
    check_value("[\nkernel=x", "", "kernel", NULL);
    check_value("[a]b\nkernel=x", "a", "kernel", NULL);
    check_value("#kernel=x\nkernel=y", NULL, "kernel", "y");
    check_value("kernel=a=b", NULL, "kernel", "a=b");
}

static void check_names(const char *image, ...)
{
    va_list wanted;
    const char *want;
    char name[32];
    uint32_t i = 0;

    va_start(wanted, image);
    while ((want = va_arg(wanted, const char *)) != NULL) {
        assert_true(efi_config_name(image, i++, name, sizeof(name)));
        assert_string_equal(name, want);
    }
    va_end(wanted);
    assert_false(efi_config_name(image, i, name, sizeof(name)));
}

/* Xen's documentation promises these names in this order; a file under one of them must be found.
 */
static void names(void **state)
{
    check_names("xen-4.2-unstable.efi", "xen-4.2-unstable.cfg", "xen-4.2.cfg", "xen-4.cfg",
                "xen.cfg", "hospes.cfg", "xen.cfg", NULL);
    check_names("BOOTAA64.EFI", "BOOTAA64.cfg", "hospes.cfg", "xen.cfg", NULL);
    check_names("hospes", "hospes.cfg", "hospes.cfg", "xen.cfg", NULL);
    check_names("", "hospes.cfg", "xen.cfg", NULL);
    check_names(".efi", ".efi.cfg", "hospes.cfg", "xen.cfg", NULL);
    check_names("a-name-that-does-not-fit-the-buffer.efi", "", "", "a-name-that-does-not-fit.cfg",
                "a-name-that-does-not.cfg", "a-name-that-does.cfg", "a-name-that.cfg", "a-name.cfg",
                "a.cfg", "hospes.cfg", "xen.cfg", NULL);
}

static void check_options(const char *text, const char *config, const char *section,
                          const char *more, const char *unknown)
{
    struct efi_slice s = slice(text);
    struct efi_options o;
    efi_options_read(s, &o);
    const struct efi_slice got[] = { o.config, o.section, o.more, o.unknown };
    const char *const want[] = { config, section, more, unknown };
    for (int i = 0; i < 4; i++) {
        if (want[i])
            check_slice(got[i], want[i]);
        else
            assert_null(got[i].s);
    }
    release(s);
}

/* Options that the user typed in firmware's menu must reach whom they are for. */
static void options(void **state)
{
    check_options("", NULL, NULL, NULL, NULL);
    check_options("   ", NULL, NULL, NULL, NULL);
    check_options("hospes.efi", NULL, NULL, NULL, NULL);
    check_options("XEN.EFI rescue", NULL, "rescue", NULL, NULL);
    check_options("rescue other.efi", NULL, "rescue", NULL, "other.efi");
    check_options("-cfg=a.cfg rescue -- loglvl=all  noreboot ", "a.cfg", "rescue",
                  "loglvl=all  noreboot", NULL);
    check_options("-cfg= -basevideo", NULL, NULL, NULL, "-cfg=");
    check_options("--", NULL, NULL, "", NULL);
    check_options("-- -cfg=x", NULL, NULL, "-cfg=x", NULL);
}

/* A disk's file may hold anything: nothing outside it may be read, and nothing may hang. */
static void noise(void **state)
{
    static const char alphabet[] = "[]=#; \t\n\rglobaekrn-.\0_f";
    char text[65];

    unit_random_seed(7);
    for (int round = 0; round < 20000; round++) {
        size_t n = unit_random(sizeof(text));
        char *copy = malloc(n ? n : 1);
        struct efi_slice s = { copy, n }, value;
        struct efi_options o;

        for (size_t i = 0; i < n; i++)
            copy[i] = alphabet[unit_random(sizeof(alphabet) - 1)];
        efi_options_read(s, &o);
        if (efi_config_get(s, o.section, "a", &value) && value.bytes) {
            assert_true(value.s >= copy && value.s + value.bytes <= copy + n);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections), cmocka_unit_test(odd_files), cmocka_unit_test(names),
        cmocka_unit_test(options),  cmocka_unit_test(noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
