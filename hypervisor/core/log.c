/* SPDX-License-Identifier: MIT */
/* Messages: formatted, measured against loglvl= and guest_loglvl=, limited in rate where guests
 * cause them. */
#include "console_internal.h"
#include <hospes/cmdline.h>
#include <hospes/log.h>
#include <hospes/timer.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <stdarg.h>

/* Lines that guests can cause: so many at once, then so many in a second. Half is kept for errors.
 */
#define GUEST_BURST     128u
#define GUEST_ERRORS    64u
#define GUEST_PERIOD_NS 50000000u

/* Under console_lock: */
static uint32_t guest_lines = GUEST_BURST; /* that may be written */
static uint64_t guest_filled_ns;
static uint64_t guest_dropped;
static uint32_t unlimited;

static void write_line(char *text, size_t length)
{
    for (char *c = text; *c; c++) {
        if ((uint8_t)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    if (length > LOG_LINE_MAX)
        text[LOG_LINE_MAX - 1] = text[LOG_LINE_MAX - 2] = text[LOG_LINE_MAX - 3] = '.';
    console_line(text);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    char text[LOG_LINE_MAX + 1];
    va_list args;

    if (level > options.loglvl && read_once(unlimited) == 0)
        return;
    va_start(args, fmt);
    size_t length = format_v(text, sizeof(text), fmt, args);
    va_end(args);
    write_line(text, length);
}

/* True if a line of a guest's may be written now; *missed: how many may not have been before it. */
static bool guest_allowed(enum log_level level, uint64_t *missed)
{
    uint64_t now = clock_ns();
    bool allowed;

    spin_lock(&console_lock);
    uint64_t periods = now > guest_filled_ns ? (now - guest_filled_ns) / GUEST_PERIOD_NS : 0;
    if (periods >= GUEST_BURST - guest_lines) {
        guest_lines = GUEST_BURST;
        guest_filled_ns = now;
    } else {
        guest_lines += (uint32_t)periods;
        guest_filled_ns += periods * GUEST_PERIOD_NS;
    }
    allowed = unlimited > 0 || guest_lines > (level == LOG_ERR ? 0 : GUEST_ERRORS);
    *missed = 0;
    if (!allowed) {
        guest_dropped++;
    } else {
        *missed = guest_dropped;
        guest_dropped = 0;
        if (unlimited == 0)
            guest_lines--;
    }
    spin_unlock(&console_lock);
    return allowed;
}

/* A line behind `prefix`, if it may be written now. */
static void limited_line(enum log_level level, const char *prefix, const char *fmt, va_list args)
{
    char text[LOG_LINE_MAX + 1];
    uint64_t missed;

    if (!guest_allowed(level, &missed))
        return;
    if (missed > 0) {
        format(text, sizeof(text), "*** %llu messages about domains were left out",
               (unsigned long long)missed);
        console_line(text);
    }
    size_t begun = format(text, sizeof(text), "%s", prefix);
    write_line(text, begun + format_v(text + begun, sizeof(text) - begun, fmt, args));
}

void log_limited(enum log_level level, const char *fmt, ...)
{
    va_list args;

    if (level > options.loglvl && read_once(unlimited) == 0)
        return;
    va_start(args, fmt);
    limited_line(level, "", fmt, args);
    va_end(args);
}

void log_guest(uint16_t domid, enum log_level level, const char *fmt, ...)
{
    char prefix[12];
    va_list args;

    if (level > options.guest_loglvl && read_once(unlimited) == 0)
        return;
    format(prefix, sizeof(prefix), "d%u: ", domid);
    va_start(args, fmt);
    limited_line(level, prefix, fmt, args);
    va_end(args);
}

void log_unlimited(bool on)
{
    spin_lock(&console_lock);
    unlimited += on ? 1u : -1u;
    spin_unlock(&console_lock);
}
