/* SPDX-License-Identifier: MIT */
/*
 * What domains write: each has a queue, of lines, or of raw bytes while it has the focus. Lines
 * move on to the transmit ring when little waits there, and then the domains take turns, a line
 * each.
 *
 * While the domain in focus writes a line, others wait for its end, for a short time: else lines of
 * two domains that write at the same time would be torn to pieces.
 */
#include "console_internal.h"
#include <lib/bits.h>
#include <lib/format.h>
#include <string.h>

enum escape_state { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_SEQUENCE };

/* Under console_lock: */
static uint32_t nr_ready;      /* domains whose `ready` is set */
static int32_t last_turn = -1; /* the domain that wrote last */

static void set_ready(struct console_domain *c)
{
    bool ready = c == console_focus ? c->queued > 0 : c->lines > 0;

    if (c->ready != ready) {
        c->ready = ready;
        write_once(nr_ready, nr_ready + (ready ? 1u : -1u));
    }
}

/* "(d1) "; returns its length. */
static uint32_t prefix_of(const struct console_domain *c, char prefix[static 12])
{
    return (uint32_t)format(prefix, 12, "(d%u) ", c->domid);
}

/* --- into the queue --- */

/* False for what a line of a domain without the focus leaves out: control characters and escape
 * sequences. */
static bool is_text(struct console_domain *c, uint8_t byte)
{
    switch (c->escape) {
    case ESCAPE_BEGUN:
        c->escape = byte == '[' ? ESCAPE_SEQUENCE : ESCAPE_NONE;
        return false;
    case ESCAPE_SEQUENCE:
        if (byte >= 0x40 && byte <= 0x7e)
            c->escape = ESCAPE_NONE;
        return false;
    default:
        if (byte == 0x1b)
            c->escape = ESCAPE_BEGUN;
        return (byte >= ' ' && byte != 0x7f) || byte == '\t';
    }
}

/* The caller has seen queue_room(). */
static void add(struct console_domain *c, char byte)
{
    if (c->first + c->queued == CONSOLE_QUEUE_BYTES) {
        memmove(c->queue, c->queue + c->first, c->queued);
        c->first = 0;
    }
    c->queue[c->first + c->queued++] = byte;
}

static void drop_first(struct console_domain *c, uint32_t n)
{
    c->queued -= n;
    c->first = c->queued > 0 ? c->first + n : 0;
}

/* Ends the line that `c` is writing, and takes the tokens for what goes with it: prefix, '\r'. */
static void end_line(struct console_domain *c)
{
    char prefix[12];

    add(c, '\n');
    c->lines++;
    c->column = 0;
    c->tokens -= (int32_t)prefix_of(c, prefix) + 1;
}

static void collect(struct console_domain *c, uint8_t byte)
{
    if (byte == '\n') {
        if (!c->cut || c->column > 0) /* else the line fitted exactly */
            end_line(c);
        c->cut = false;
        c->escape = ESCAPE_NONE;
    } else if (is_text(c, byte)) {
        add(c, (char)byte);
        c->cut = ++c->column == CONSOLE_LINE_MAX;
        if (c->cut)
            end_line(c);
    }
}

/* A byte may need a second place, for the end of a line that it fills. */
static uint32_t queue_room(const struct console_domain *c)
{
    return CONSOLE_QUEUE_BYTES - 1 - c->queued;
}

/* --- out of the queue --- */

/* Writes the first line, or raw bytes to the end of a line at most. */
static void write_first(struct console_domain *c)
{
    char prefix[12];
    const char *text = c->queue + c->first, *end = memchr(text, '\n', c->queued);
    uint32_t n = end ? (uint32_t)(end - text) + 1 : c->queued;

    if (c == console_focus) {
        n = min(n, CONSOLE_LINE_MAX);
        console_wire_raw(text, n);
    } else {
        prefix_of(c, prefix);
        console_wire_line(prefix, text, end ? n - 1 : n);
        c->lines -= end ? 1 : 0;
    }
    drop_first(c, n);
    set_ready(c);
}

void console_queue_flush(struct console_domain *c)
{
    while (c->queued > 0)
        write_first(c);
    c->column = 0;
    c->cut = false;
    c->escape = ESCAPE_NONE;
}

void console_queue_show(struct console_domain *c)
{
    while (c->lines > 0) {
        const char *text = c->queue + c->first, *end = memchr(text, '\n', c->queued);
        uint32_t n = (uint32_t)(end - text);
        console_wire_line("", text, n);
        drop_first(c, n + 1);
        c->lines--;
    }
    console_queue_flush(c);
    set_ready(c);
}

/* The next domain, after the one that had its turn last, that is ready. */
static struct console_domain *next_ready(void)
{
    struct console_domain *first = NULL;

    for (struct console_domain *c = console_domains; c; c = c->next) {
        if (!c->ready)
            continue;
        if ((int32_t)c->domid > last_turn)
            return c;
        if (!first)
            first = c;
    }
    return first;
}

/* Under console_lock: writes what is ready, as far as the UART keeps up. */
static void take_turns(void)
{
    while (nr_ready > 0 && console_tx_backlog() < CONSOLE_TX_LOW) {
        struct console_domain *c = console_focus && console_focus->ready ? console_focus : NULL;
        uint32_t others = nr_ready - (c ? 1 : 0);
        if (others > 0 && !console_wire_held())
            c = next_ready();
        if (!c)
            return;
        last_turn = c->domid;
        write_first(c);
    }
}

/* --- the domains' side --- */

bool console_domain_write(struct console_domain *c, uint8_t byte)
{
    spin_lock(&console_lock);
    bool taken = queue_room(c) > 0 && budget_ask(c);
    if (likely(taken)) {
        c->tokens--;
        if (c == console_focus)
            add(c, (char)byte);
        else
            collect(c, byte);
        set_ready(c);
        take_turns();
    } else {
        c->starved = true;
    }
    bool waits = !taken || nr_ready > 0;
    bool pump = console_tx_backlog() > 0;
    spin_unlock(&console_lock);

    if (pump)
        console_tx_pump();
    if (unlikely(waits))
        console_timer_arm();
    return taken;
}

uint32_t console_domain_room(struct console_domain *c)
{
    spin_lock(&console_lock);
    uint32_t room = budget_ask(c) ? min(queue_room(c), (uint32_t)c->tokens) : 0;
    c->starved |= room == 0;
    spin_unlock(&console_lock);

    if (room == 0)
        console_timer_arm();
    return room;
}

/* --- who waits --- */

/* Under console_lock: the first domain from number `from` on whose room() is owed and would find
 * some. */
static struct console_domain *next_owed(uint32_t from)
{
    struct console_domain *c = console_domains;

    while (c && (c->domid < from || !c->starved || c->hungry || queue_room(c) == 0))
        c = c->next;
    return c;
}

bool console_serve(void)
{
    spin_lock(&console_lock);
    budget_share();
    take_turns();
    if (console_tx_backlog() < CONSOLE_TX_LOW)
        console_wire_dropped();

    uint32_t from = 0;
    for (struct console_domain *c; (c = next_owed(from)) != NULL;) {
        from = c->domid + 1u;
        c->starved = false;
        c->calls++;
        spin_unlock(&console_lock);
        c->room(c);
        spin_lock(&console_lock);
        c->calls--;
    }

    bool waits = nr_ready > 0;
    for (struct console_domain *c = console_domains; c && !waits; c = c->next)
        waits = c->starved;
    spin_unlock(&console_lock);
    console_tx_pump();
    return waits;
}

void console_serve_ready(void)
{
    if (read_once(nr_ready) > 0 || console_wire_has_dropped())
        console_serve();
}
