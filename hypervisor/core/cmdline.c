/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line: see <hospes/cmdline.h>. Names, value syntax and meaning of the
 * options follow Xen's docs/misc/xen-command-line: a number without a suffix is KiB where a size is
 * asked for, an option that is a switch may stand alone, have a value or begin with "no-", and the
 * last of several wins.
 */
#include <hospes/abi.h>
#include <hospes/cmdline.h>
#include <hospes/domain.h>
#include <hospes/log.h>
#include <hospes/option.h>
#include <lib/bits.h>
#include <lib/parse.h>

#include <string.h>

#define LINE_MAX_BYTES 2048
#define COMPLAINTS_MAX 16
#define QUOTED_MAX     80            /* characters of an option that a message repeats */
#define PIECE          ((size_t)160) /* characters of the line to a message */
#define CONRING_MIN    KIB(4)
#define CONRING_MAX    MIB(16)

#define GRANT_FRAMES_MAX    4096u  /* two million grants */
#define MAPTRACK_FRAMES_MAX 65536u /* sixteen million mappings */

struct options options;

static const struct options defaults = {
    .dom0_mem = MIB(512),
    .loglvl = LOG_INFO,
    .guest_loglvl = LOG_WARN,
    .conring_size = KIB(64),
    .bootscrub = true,
    .iommu = true,
    .sched = SCHED_FAIR,
    .xen_minor = ABI_MINOR,
    .gnttab_max_frames = 64,
    .gnttab_max_maptrack_frames = 1024,
};

/* What was wrong with one option. */
struct complaint {
    const char *option; /* as given, in `line` */
    const char *bad;    /* the part of it that could not be read; NULL: nothing to point at */
    const char *why;
    const struct option *known; /* NULL: unknown */
};

/* The line as given; and its copy, cut into terminated options. */
static char line[LINE_MAX_BYTES], cut[LINE_MAX_BYTES];
static bool line_too_long;

static struct complaint complaints[COMPLAINTS_MAX];
static uint32_t nr_complaints; /* those that there was no room for included */

/* --- kinds of values --------------------------------------------------------------------- */

/* Moves on behind `word` if it is next and ends there. */
bool option_accept_word(struct option_reader *r, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(r->at, word, len) != 0 || (r->at[len] != '\0' && strchr(",/", r->at[len]) == NULL))
        return false;
    r->at += len;
    return true;
}

bool option_accept(struct option_reader *r, const char *text)
{
    size_t len = strlen(text);

    if (strncmp(r->at, text, len) != 0)
        return false;
    r->at += len;
    return true;
}

bool option_read_bool(struct option_reader *r, void *to)
{
    static const char *const words[2][5] = {
        { "no", "off", "false", "disable", "0" },
        { "yes", "on", "true", "enable", "1" },
    };

    for (uint32_t i = 0; i < 2 * array_size(words[0]); i++) {
        if (option_accept_word(r, words[i % 2][i / 2])) {
            *(bool *)to = i % 2 != 0;
            return true;
        }
    }
    return false;
}

/* Xen's other words are for what is always so here, or is not there. */
static bool read_iommu(struct option_reader *r, void *to)
{
    static const char *const others[] = { "force", "required", "verbose", "debug" };
    bool known;

    do {
        known = option_read_bool(r, to);
        for (uint32_t i = 0; i < array_size(others) && !known; i++)
            known = option_accept_word(r, others[i]);
    } while (known && option_accept(r, ","));
    return known;
}

static bool read_bootscrub(struct option_reader *r, void *to)
{
    if (!option_accept_word(r, "idle"))
        return option_read_bool(r, to);
    *(bool *)to = true;
    return true;
}

static bool read_count(struct option_reader *r, uint64_t most, uint32_t *to)
{
    uint64_t n;

    if (!parse_uint(&r->at, 0, most, &n))
        return false;
    *to = (uint32_t)n;
    return true;
}

static bool read_maxcpus(struct option_reader *r, void *to)
{
    return read_count(r, UINT32_MAX, to);
}

static bool read_vcpus(struct option_reader *r, void *to)
{
    return read_count(r, DOMAIN_MAX_VCPUS, to);
}

static bool read_grant_frames(struct option_reader *r, void *to)
{
    const char *start = r->at;

    if (!read_count(r, GRANT_FRAMES_MAX, to))
        return false;
    if (*(uint32_t *)to)
        return true;
    r->at = start;
    r->why = "a table has one frame at least";
    return false;
}

static bool read_maptrack_frames(struct option_reader *r, void *to)
{
    return read_count(r, MAPTRACK_FRAMES_MAX, to);
}

static bool read_level(struct option_reader *r, enum log_level *to)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {
        { "none", LOG_NONE }, { "error", LOG_ERR },   { "warning", LOG_WARN },
        { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { "all", LOG_DEBUG },
    };

    for (uint32_t i = 0; i < array_size(levels); i++) {
        if (option_accept_word(r, levels[i].name)) {
            *to = levels[i].level;
            return true;
        }
    }
    return false;
}

/*
 * <level>[/<rate-limited level>]: lines up to the first are always written, those up to the second
 * at a limited rate. Here a guest's lines are limited whatever their level, and our own are none:
 * the higher bound counts.
 */
static bool read_levels(struct option_reader *r, void *to)
{
    enum log_level always, limited;

    if (!read_level(r, &always))
        return false;
    limited = always;
    if (option_accept(r, "/") && !read_level(r, &limited))
        return false;
    *(enum log_level *)to = max(always, limited);
    return true;
}

static bool read_conring(struct option_reader *r, void *to)
{
    const char *start = r->at;
    uint64_t bytes;

    if (!parse_size(&r->at, KIB(1), &bytes))
        return false;
    if (bytes < CONRING_MIN || bytes > CONRING_MAX) {
        r->at = start;
        r->why = "out of bounds";
        return false;
    }
    *(uint64_t *)to = BIT(log2_ceil(bytes));
    return true;
}

/* [min:<size>,][max:<size>,]<size>, in any order; the size itself may be missing. */
static bool read_dom0_mem(struct option_reader *r, void *to)
{
    uint64_t least = 0, most = UINT64_MAX, size = 0;

    do {
        uint64_t *part = option_accept(r, "min:")   ? &least
                         : option_accept(r, "max:") ? &most
                                                    : &size;
        const char *start = r->at;

        if (*start == '-') {
            r->why = "all memory but some cannot be asked for";
            return false;
        }
        if (!parse_size(&r->at, KIB(1), part))
            return false;
        if (*part == 0) {
            r->at = start;
            r->why = "that is nothing";
            return false;
        }
    } while (option_accept(r, ","));
    if (size == 0)
        size = most != UINT64_MAX ? most : *(uint64_t *)to;
    if (least > most) {
        r->at = "";
        r->why = "min is above max";
        return false;
    }
    *(uint64_t *)to = min(max(size, least), most);
    return true;
}

static bool read_sched(struct option_reader *r, void *to)
{
    /* Xen's general-purpose ones are what `fair` is here. */
    if (option_accept_word(r, "fair") || option_accept_word(r, "credit2") ||
        option_accept_word(r, "credit"))
        *(enum sched_policy *)to = SCHED_FAIR;
    else if (option_accept_word(r, "null"))
        *(enum sched_policy *)to = SCHED_NULL;
    else
        return false;
    return true;
}

static bool read_xen_version(struct option_reader *r, void *to)
{
    uint64_t n;

    if (!option_accept(r, "4.") || !parse_uint(&r->at, 0, ABI_MINOR, &n) || n < ABI_MINOR_OLDEST)
        return false;
    *(uint32_t *)to = (uint32_t)n;
    return true;
}

static bool read_console(struct option_reader *r, void *to)
{
    const char *start = r->at;

    do {
        const char *const *name = arch_consoles;

        if (option_accept_word(r, "none"))
            continue;
        while (*name && !option_accept_word(r, *name))
            name++;
        if (!*name)
            return false;
    } while (option_accept(r, ","));
    if (strlen(start) >= sizeof(options.console))
        return false;
    memcpy(to, start, strlen(start) + 1);
    return true;
}

static bool read_dtuart(struct option_reader *r, void *to)
{
    size_t len = strlen(r->at);

    if (len == 0 || len >= sizeof(options.dtuart))
        return false;
    memcpy(to, r->at, len + 1);
    r->at += len;
    return true;
}

/* --- the options ------------------------------------------------------------------------- */

#define EXPECTED_LEVELS \
    "<level>[/<rate-limited level>] with none, error, warning, info, debug or all for a level"

static const struct option known_options[] = {
    { "bootscrub", read_bootscrub, &options.bootscrub, "<boolean> or idle" },
    { "conring_size", read_conring, &options.conring_size, "<size>, 4K to 16M" },
    { "console", read_console, options.console, arch_console_expected },
    { "dom0_max_vcpus", read_vcpus, &options.dom0_max_vcpus, "<number>, 128 at most" },
    { "dom0_mem", read_dom0_mem, &options.dom0_mem,
      "[min:<size>,][max:<size>,]<size>, for example 4096M or 2G,max:4G" },
    { "dtuart", read_dtuart, options.dtuart, "<path or alias of a device-tree node>" },
    { "gnttab_max_frames", read_grant_frames, &options.gnttab_max_frames, "<number>, 1 to 4096" },
    { "gnttab_max_maptrack_frames", read_maptrack_frames, &options.gnttab_max_maptrack_frames,
      "<number>, 65536 at most" },
    { "guest_loglvl", read_levels, &options.guest_loglvl, EXPECTED_LEVELS },
    { "iommu", read_iommu, &options.iommu, "<boolean>, force, required, verbose, debug" },
    { "loglvl", read_levels, &options.loglvl, EXPECTED_LEVELS },
    { "maxcpus", read_maxcpus, &options.maxcpus, "<number>" },
    { "noreboot", option_read_bool, &options.noreboot, "<boolean>" },
    { "sched", read_sched, &options.sched, "fair, null" },
    { "xen_version", read_xen_version, &options.xen_minor, "<release>, 4.17 to 4.20" },
};

/* Xen's options, of all architectures, for which there is nothing to switch here. */
static const char *const without_effect[] = {
    "console_timestamps", "console_to_ring", "cpufreq", "dom0_vcpus_pin", "flask", "gnttab",
    "sync_console",       "watchdog",
};

/* --- the line ---------------------------------------------------------------------------- */

static void complain(const char *option, const struct option *known, const char *bad,
                     const char *why)
{
    if (nr_complaints < COMPLAINTS_MAX)
        complaints[nr_complaints] = (struct complaint){
            .option = option,
            .bad = bad,
            .why = why,
            .known = known,
        };
    nr_complaints++;
}

static bool is_switch(const struct option *o)
{
    return o->read == option_read_bool || o->read == read_bootscrub || o->read == read_iommu;
}

static bool has_no_effect(const char *name, size_t len)
{
    for (uint32_t i = 0; i < array_size(without_effect); i++) {
        if (strncmp(name, without_effect[i], len) == 0 && without_effect[i][len] == '\0')
            return true;
    }
    for (const char *const *n = arch_without_effect; *n; n++)
        if (strncmp(name, *n, len) == 0 && (*n)[len] == '\0')
            return true;
    return false;
}

static bool is_named(const struct option *o, const char *name, size_t len)
{
    return strncmp(name, o->name, len) == 0 && o->name[len] == '\0';
}

static const struct option *find(const char *name, size_t len)
{
    for (uint32_t i = 0; i < array_size(known_options); i++)
        if (is_named(&known_options[i], name, len))
            return &known_options[i];
    for (const struct option *o = arch_options; o->name; o++)
        if (is_named(o, name, len))
            return o;
    return NULL;
}

static void parse_option(const char *text)
{
    const char *equals = strchr(text, '='), *name = text;
    size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);
    const struct option *o = find(name, len);
    bool no = false;

    if (o == NULL && strncmp(name, "no-", 3) == 0) {
        no = true;
        name += 3;
        len -= 3;
        o = find(name, len);
    }
    if (o == NULL) {
        complain(text, NULL, NULL, has_no_effect(name, len) ? "has no effect here" : "not known");
    } else if (is_switch(o) && equals == NULL) {
        *(bool *)o->to = !no;
    } else if (no) {
        complain(text, o, NULL, is_switch(o) ? "\"no-\" and a value" : "not a switch");
    } else if (equals == NULL) {
        complain(text, o, NULL, "no value");
    } else {
        struct option_reader r = { .at = equals + 1 };
        struct options before = options;

        if (!o->read(&r, o->to) || *r.at != '\0') {
            options = before;
            complain(text, o, r.at, r.why);
        }
    }
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void cmdline_parse(const char *text)
{
    size_t len = strnlen(text, sizeof(line));

    options = defaults;
    memcpy(options.console, arch_console_default, strlen(arch_console_default) + 1);
    nr_complaints = 0;
    line_too_long = len == sizeof(line);
    if (line_too_long) {
        /* Whatever was cut in two is left out. */
        for (len = sizeof(line) - 1; len > 0 && !is_space(text[len]); len--)
            ;
    }
    for (size_t i = 0; i < len; i++) {
        bool control = (unsigned char)text[i] < ' ' || text[i] == 0x7f;

        line[i] = is_space(text[i]) ? ' ' : control ? '?' : text[i];
        cut[i] = line[i] == ' ' ? '\0' : line[i];
    }
    line[len] = cut[len] = '\0';

    for (size_t i = 0; i < len; i++) {
        if (cut[i] != '\0' && (i == 0 || cut[i - 1] == '\0'))
            parse_option(&cut[i]);
    }
}

const char *cmdline_text(void)
{
    return line;
}

/* `text` as a message quotes it: the number of characters of it, and whether dots follow. */
static int quoted(const char *text, const char **dots)
{
    size_t len = strlen(text);

    *dots = len > QUOTED_MAX ? "..." : "";
    return (int)min(len, (size_t)QUOTED_MAX);
}

static void report(const struct complaint *c)
{
    const char *dots, *bad_dots;
    int len = quoted(c->option, &dots);

    if (c->known == NULL) {
        log_warn("option \"%.*s%s\" ignored: %s", len, c->option, dots, c->why);
    } else if (c->bad == NULL || *c->bad == '\0') {
        log_warn("option \"%.*s%s\" ignored: %s; expected %s=%s", len, c->option, dots,
                 c->why != NULL ? c->why : "incomplete", c->known->name, c->known->expected);
    } else {
        int bad_len = quoted(c->bad, &bad_dots);
        log_warn("option \"%.*s%s\" ignored: cannot read \"%.*s%s\"%s%s; expected %s=%s", len,
                 c->option, dots, bad_len, c->bad, bad_dots, c->why != NULL ? ", " : "",
                 c->why != NULL ? c->why : "", c->known->name, c->known->expected);
    }
}

void cmdline_report(void)
{
    size_t at = 0, len = strlen(line);

    do {
        size_t piece = min(len - at, PIECE);
        log_info("%s%.*s", at == 0 ? "command line: " : "  ", (int)piece, &line[at]);
        at += piece;
    } while (at < len);
    if (line_too_long)
        log_warn("the command line is longer than %u bytes: the rest is ignored", LINE_MAX_BYTES);
    for (uint32_t i = 0; i < min(nr_complaints, (uint32_t)COMPLAINTS_MAX); i++)
        report(&complaints[i]);
    if (nr_complaints > COMPLAINTS_MAX)
        log_warn("and %u more options that were ignored", nr_complaints - COMPLAINTS_MAX);
}
