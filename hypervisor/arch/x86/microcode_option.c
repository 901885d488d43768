/* SPDX-License-Identifier: MIT */
/* `ucode=`, by Xen's names and syntax (docs/misc/xen-command-line): <asm/microcode.h>. */
#include <asm/boot_info.h>
#include <asm/microcode.h>
#include <lib/parse.h>

static bool read_word(struct option_reader *r, struct ucode_options *o)
{
    bool on = true, negative;
    uint64_t number;

    if (option_accept_word(r, "no")) {
        *o = (struct ucode_options){ 0 };
        return true;
    }
    if (option_accept_word(r, "scan")) {
        o->scan = true;
        return true;
    }
    if (option_accept(r, "scan="))
        return option_read_bool(r, &o->scan);
    if (option_accept_word(r, "nmi") || option_accept_word(r, "digest-check") ||
        ((option_accept(r, "nmi=") || option_accept(r, "digest-check=")) &&
         option_read_bool(r, &on))) {
        o->ignored = true;
        return true;
    }
    negative = option_accept(r, "-");
    if (!parse_uint(&r->at, 10, BOOT_MODULES, &number))
        return false;
    o->by_number = true;
    o->number = negative ? -(int32_t)number : (int32_t)number;
    return true;
}

bool microcode_read_option(struct option_reader *r, void *to)
{
    struct ucode_options o = { 0 };

    do {
        if (!read_word(r, &o))
            return false;
    } while (option_accept(r, ","));
    if (*r->at)
        return false;
    *(struct ucode_options *)to = o;
    return true;
}
