/* SPDX-License-Identifier: MIT */
/*
 * Lines on the terminal. All text reaches the transmit ring here, so this file knows where the
 * cursor is, and sees to it that a line of ours begins at the left.
 */
#include "console_internal.h"
#include <hospes/timer.h>
#include <lib/format.h>
#include <string.h>

/* Most that a line's frame takes: the end of the line before, a prefix, its own end, word of what
 * was dropped. */
#define FRAME_CHARS 96u
/* How long others wait for the domain in focus to finish its line, and how long they need not wait
 * again if it has not. */
#define HOLD_NS  50000000u
#define PAUSE_NS 250000000u

/* Under console_lock: */
static uint64_t dropped;      /* bytes of which the user was not told yet */
static char last[2] = "\r\n"; /* the last two characters sent */
static uint64_t begun_ns;     /* when the domain in focus began the line that it is in */
static uint64_t pause_ns;     /* until when it is not waited for */
static bool hold;             /* it is */

static void put(const char *text, uint32_t n)
{
    if (n == 0)
        return;
    console_tx_put(text, n);
    last[0] = n > 1 ? text[n - 2] : last[1];
    last[1] = text[n - 1];
}

static void put_string(const char *text)
{
    put(text, (uint32_t)strlen(text));
}

/* To the beginning of a line. */
static void put_start(void)
{
    if (last[1] != '\n')
        put_string("\r\n");
    else if (last[0] != '\r')
        put_string("\r");
}

void console_wire_dropped(void)
{
    char notice[64];

    if (dropped == 0 || console_tx_space() < FRAME_CHARS)
        return;
    put_start();
    format(notice, sizeof(notice), CONSOLE_PREFIX "*** %llu bytes of output were dropped\r\n",
           (unsigned long long)dropped);
    put_string(notice);
    write_once(dropped, 0);
}

void console_wire_line(const char *prefix, const char *text, uint32_t n)
{
    if (console_tx_space() < n + FRAME_CHARS) {
        write_once(dropped, dropped + strlen(prefix) + n + 2);
        return;
    }
    console_wire_dropped();
    put_start();
    put_string(prefix);
    put(text, n);
    put_string("\r\n");
}

void console_wire_raw(const char *text, uint32_t n)
{
    if (console_tx_space() < n) {
        write_once(dropped, dropped + n);
        return;
    }
    if (last[1] == '\n') {
        begun_ns = clock_ns();
        hold = begun_ns >= pause_ns;
    }
    put(text, n);
}

bool console_wire_held(void)
{
    if (last[1] == '\n' || !hold)
        return false;
    uint64_t now = clock_ns();
    hold = now - begun_ns < HOLD_NS;
    if (!hold)
        pause_ns = now + PAUSE_NS;
    return hold;
}

bool console_wire_has_dropped(void)
{
    return read_once(dropped) > 0;
}
