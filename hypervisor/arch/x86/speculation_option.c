/* SPDX-License-Identifier: MIT */
/* `spec-ctrl=`, by Xen's names and syntax (docs/misc/xen-command-line): <asm/speculation.h>. */
#include <asm/speculation.h>
#include <hospes/compiler.h>

#include <stddef.h>
#include <string.h>

#define AT(field) ((uint8_t)offsetof(struct spec_options, field))

static const struct {
    const char *name;
    uint8_t at;
} switches[] = {
    { "ibrs", AT(ibrs) },     { "ibpb-entry", AT(ibpb_entry) },
    { "ibpb", AT(ibpb) },     { "ssbd", AT(ssbd) },
    { "psfd", AT(psfd) },     { "bp-spec-reduce", AT(reduce) },
    { "msr-sc", AT(guests) }, { "rsb", AT(rsb) },
    { "verw", AT(verw) },     { "md-clear", AT(verw) },
};

/* Of Xen's, what is against faults of Intel's, for PV guests, or always so here. */
static const char *const others[] = {
    "pv",          "eager-fpu", "l1d-flush", "branch-harden", "srb-lock", "unpriv-mmio", "gds-mit",
    "lock-harden", "bhb-entry", "bhi-dis-s", "div-scrub",     "tsx",      "pbrsb",       "ibpb-alt",
};

/* What the hypervisor does for itself; what it does for guests. */
static void set_own(struct spec_options *o, bool on)
{
    uint8_t choice = on ? SPEC_DEFAULT : SPEC_OFF;

    o->ibrs = o->rsb = o->ibpb_entry = o->verw = o->reduce = choice;
    o->thunk = on ? 0 : THUNK_JMP + 1;
}

static void set_all(struct spec_options *o, bool on)
{
    set_own(o, on);
    o->ibpb = on ? SPEC_DEFAULT : SPEC_OFF;
    o->ssbd = o->psfd = SPEC_DEFAULT;
}

static bool read_thunk(struct option_reader *r, struct spec_options *o)
{
    static const char *const names[] = { "retpoline", "lfence", "jmp" };

    for (uint32_t i = 0; i < array_size(names); i++)
        if (option_accept_word(r, names[i])) {
            o->thunk = (uint8_t)(i + 1);
            return true;
        }
    return false;
}

/* Behind a name: =<boolean>, or =hvm or =pv for some; or nothing. */
static bool read_switch(struct option_reader *r, bool no, bool *on)
{
    *on = !no;
    if (!option_accept(r, "="))
        return !*r->at || *r->at == ',';
    if (no)
        return false;
    if (option_accept_word(r, "hvm"))
        return true;
    if (option_accept(r, "hvm="))
        return option_read_bool(r, on);
    return option_read_bool(r, on);
}

/* Moves on behind `name` if it is next, and ends there. */
static bool accept_name(struct option_reader *r, const char *name)
{
    size_t len = strlen(name);

    if (strncmp(r->at, name, len) != 0 || (r->at[len] && !strchr("=,", r->at[len])))
        return false;
    r->at += len;
    return true;
}

static bool read_group(struct option_reader *r, struct spec_options *o, bool no, bool own)
{
    bool on;

    if (!read_switch(r, no, &on))
        return false;
    if (own)
        set_own(o, on);
    else
        o->guests = o->ibpb = on ? SPEC_DEFAULT : SPEC_OFF;
    return true;
}

static bool read_word(struct option_reader *r, struct spec_options *o)
{
    bool no, on;

    if (option_read_bool(r, &on)) {
        set_all(o, on);
        return true;
    }
    if (option_accept(r, "bti-thunk="))
        return read_thunk(r, o);
    no = option_accept(r, "no-");
    for (uint32_t i = 0; i < array_size(switches); i++) {
        if (!accept_name(r, switches[i].name))
            continue;
        if (!read_switch(r, no, &on))
            return false;
        ((uint8_t *)o)[switches[i].at] = on ? SPEC_ON : SPEC_OFF;
        return true;
    }
    if (accept_name(r, "xen"))
        return read_group(r, o, no, true);
    if (accept_name(r, "hvm"))
        return read_group(r, o, no, false);
    for (uint32_t i = 0; i < array_size(others); i++)
        if (accept_name(r, others[i])) {
            o->ignored = 1;
            return read_switch(r, no, &on);
        }
    return false;
}

bool speculation_read_option(struct option_reader *r, void *to)
{
    struct spec_options o = { 0 };

    do {
        if (!read_word(r, &o))
            return false;
    } while (option_accept(r, ","));
    if (*r->at)
        return false;
    *(struct spec_options *)to = o;
    return true;
}
