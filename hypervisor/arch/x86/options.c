/* SPDX-License-Identifier: MIT */
/* The command line's options that only x86 has, by Xen's names and syntax
 * (docs/misc/xen-command-line): <hospes/option.h>. */
#include <asm/options.h>
#include <hospes/compiler.h>
#include <hospes/option.h>
#include <lib/parse.h>

#define BAUD_BASE 115200u

struct x86_options x86_options = {
    .com = { { .port = 0x3f8, .irq = 4, .baud = BAUD_BASE },
             { .port = 0x2f8, .irq = 3, .baud = BAUD_BASE } },
};

static bool refuse(struct option_reader *r, const char *at, const char *why)
{
    r->at = at;
    r->why = why;
    return false;
}

static bool read_baud(struct option_reader *r, struct com_settings *c)
{
    const char *start = r->at;
    uint64_t baud, base;

    if (option_accept_word(r, "auto")) {
        c->baud = 0;
        return true;
    }
    if (!parse_uint(&r->at, 10, BAUD_BASE, &baud))
        return false;
    if (!baud || BAUD_BASE % baud)
        return refuse(r, start, "not a rate that its clock can make");
    /* The clock's own rate: what all PCs have. */
    if (option_accept(r, "/") && !parse_uint(&r->at, 10, UINT32_MAX, &base))
        return false;
    c->baud = (uint32_t)baud;
    return true;
}

/* <baud>[/<base>]|auto[,8n1[,<port>[,<interrupt>]]] */
static bool read_com(struct option_reader *r, void *to)
{
    struct com_settings c = *(struct com_settings *)to;
    const char *start;
    uint64_t number;

    if (*r->at != ',' && !read_baud(r, &c))
        return false;
    start = r->at;
    if (option_accept(r, ",") && *r->at != ',' && *r->at && !option_accept_word(r, "8n1"))
        return refuse(r, start, "only 8n1 is known");
    if (option_accept(r, ",") && *r->at != ',' && *r->at) {
        if (!parse_uint(&r->at, 0, 0xfff8, &number))
            return false;
        c.port = (uint16_t)number;
    }
    if (option_accept(r, ",")) {
        if (!parse_uint(&r->at, 0, 15, &number))
            return false;
        c.irq = (uint8_t)number;
    }
    if (*r->at)
        return false;
    *(struct com_settings *)to = c;
    return true;
}

/* The one kind of hardware domain there is. */
static bool read_dom0(struct option_reader *r, void *to)
{
    (void)to;
    do {
        if (option_accept_word(r, "pv"))
            return refuse(r, r->at - 2, "the hardware domain is always a PVH guest here");
        if (!option_accept_word(r, "pvh") && !option_accept_word(r, "verbose"))
            return false;
    } while (option_accept(r, ","));
    return true;
}

/* [current|text-80x25,]keep */
static bool read_vga(struct option_reader *r, void *to)
{
    bool keep = false;

    do {
        if (option_accept_word(r, "keep")) {
            keep = true;
        } else if (!option_accept_word(r, "current") && !option_accept_word(r, "text-80x25")) {
            r->why = "its mode is the boot loader's to set";
            return false;
        }
    } while (option_accept(r, ","));
    if (*r->at)
        return false;
    *(bool *)to = keep;
    return true;
}

#define EXPECTED_SPEC                                                                           \
    "[<boolean>,][no-]xen|hvm|msr-sc|rsb|verw|ibpb-entry|ibrs|ibpb|ssbd|psfd|bp-spec-reduce[=<" \
    "boolean>],"                                                                                \
    "bti-thunk=retpoline|lfence|jmp"
#define EXPECTED_COM "<baud>|auto[,8n1[,<port>[,<interrupt>]]]"

const struct option arch_options[] = {
    { "com1", read_com, &x86_options.com[0], EXPECTED_COM },
    { "com2", read_com, &x86_options.com[1], EXPECTED_COM },
    { "dom0", read_dom0, NULL, "pvh" },
    { "spec-ctrl", speculation_read_option, &x86_options.spec, EXPECTED_SPEC },
    { "vga", read_vga, &x86_options.vga_keep, "[current,]keep" },
    { "ucode", microcode_read_option, &x86_options.ucode, "scan, no, <number of a module>" },
    { 0 },
};

const char *const arch_without_effect[] = {
    "acpi",
    "apic",
    "cpuid",
    "cpuid_mask_cpu",
    "dom0-iommu",
    "edd",
    "ept",
    "hap",
    "hpet",
    "mce",
    "nmi",
    "no-real-mode",
    "nox2apic",
    "pci",
    "pcid",
    "pv",
    "reboot",
    "smap",
    "smep",
    "smt",
    "tickle_one_idle",
    "vpmu",
    "x2apic",
    "xsave",
    "xpti",
    NULL,
};

const char *const arch_consoles[] = { "com1", "com2", "vga", "xen", NULL };
const char arch_console_default[] = "com1,vga";
const char arch_console_expected[] = "com1, com2, vga, none";
