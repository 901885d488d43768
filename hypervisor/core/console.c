/* SPDX-License-Identifier: MIT */
/*
 * The console's lines: what is written between whose, who has the focus, whose turn it is.
 * doc/console.md tells what a user sees of it.
 *
 * All text reaches the transmit ring here, under console_lock, so this file knows where on the
 * terminal the cursor is: `wire`.
 */
#include "console_internal.h"
#include <hospes/cmdline.h>
#include <hospes/cpu.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>
#include <lib/bits.h>
#include <lib/format.h>
#include <string.h>

#define PREFIX       "(hospes) "
#define PREFIX_CHARS ((uint32_t)sizeof(PREFIX) - 1)
/* Most that a line's frame takes: the end of the line before, a prefix, its own end, word of what
 * was dropped. */
#define FRAME_CHARS 96u

/* Of the timer, which serves who waits, and polls a UART without interrupt: that while it has bytes
 * to send more often, so that its FIFO does not run empty for long. */
#define PERIOD_NS 10000000u
#define POLL_NS   1000000u

/* The focus as the user chose it, besides a domain's number. */
#define CHOSEN_NONE       (-2)
#define CHOSEN_HYPERVISOR (-1)

enum escape_state { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_SEQUENCE };

struct spinlock console_lock = SPINLOCK_INIT(LOCK_CONSOLE);
struct console_domain *console_domains;
struct console_domain *console_focus;

/* Under console_lock: */
static int32_t chosen = CHOSEN_NONE;
static uint32_t nr_ready;      /* domains whose `ready` is set */
static int32_t last_turn = -1; /* the domain that wrote last when several were ready */
static uint64_t dropped;       /* bytes of which the user was not told yet */
static char wire[2] = "\r\n";  /* the last two characters sent */

static struct timer timer;
static bool timer_works;
static bool timer_armed; /* atomic */
static bool polled;      /* the timer polls the UART */

/* --- under console_lock: text to the transmit ring --- */

static void put(const char *text, uint32_t n)
{
    if (n == 0)
        return;
    console_tx_put(text, n);
    wire[0] = n > 1 ? text[n - 2] : wire[1];
    wire[1] = text[n - 1];
}

static void put_string(const char *text)
{
    put(text, (uint32_t)strlen(text));
}

/* To the beginning of a line. */
static void put_start(void)
{
    if (wire[1] != '\n')
        put_string("\r\n");
    else if (wire[0] != '\r')
        put_string("\r");
}

/* Says what was dropped. The caller has the space. */
static void put_dropped(void)
{
    char notice[64];

    if (dropped > 0) {
        put_start();
        format(notice, sizeof(notice), PREFIX "*** %llu bytes of output were dropped\r\n",
               (unsigned long long)dropped);
        put_string(notice);
        dropped = 0;
    }
}

/* A whole line, or nothing when there is no space. */
static void put_line(const char *prefix, const char *text, uint32_t n)
{
    if (console_tx_space() < n + FRAME_CHARS) {
        dropped += strlen(prefix) + n + 2;
        return;
    }
    put_dropped();
    put_start();
    put_string(prefix);
    put(text, n);
    put_string("\r\n");
}

static void put_raw(const char *text, uint32_t n)
{
    if (console_tx_space() < n)
        dropped += n;
    else
        put(text, n);
}

static void set_ready(struct console_domain *c, bool ready)
{
    if (c->ready != ready) {
        c->ready = ready;
        nr_ready += ready ? 1u : -1u;
    }
}

/* Writes what `c` has, as a line unless it has the focus. */
static void write_out(struct console_domain *c)
{
    char prefix[12];

    if (c == console_focus) {
        put_raw(c->line, c->line_len);
    } else {
        format(prefix, sizeof(prefix), "(d%u) ", c->domid);
        put_line(prefix, c->line, c->line_len);
        c->tokens -= (int32_t)strlen(prefix) + 1; /* and '\r' */
    }
    c->line_len = 0;
    set_ready(c, false);
}

/* The same, out of turn and if there is anything. */
static void flush(struct console_domain *c)
{
    if (c->ready || c->line_len > 0)
        write_out(c);
}

/* What `c` has may go out: now, unless the UART is behind or others wait. */
static void offer(struct console_domain *c)
{
    if (nr_ready == 0 && console_tx_backlog() < CONSOLE_TX_LOW)
        write_out(c);
    else
        set_ready(c, true);
}

/* --- under console_lock: a domain's bytes --- */

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

static void collect(struct console_domain *c, uint8_t byte)
{
    if (byte == '\n') {
        bool rest = !c->cut || c->line_len > 0; /* else the line fitted exactly */
        c->cut = false;
        c->escape = ESCAPE_NONE;
        if (rest)
            offer(c);
    } else if (is_text(c, byte)) {
        c->line[c->line_len++] = (char)byte;
        if (c->line_len == CONSOLE_LINE_MAX) {
            c->cut = true;
            offer(c);
        }
    }
}

static uint32_t line_room(const struct console_domain *c)
{
    return c->ready && c != console_focus ? 0 : CONSOLE_LINE_MAX - c->line_len;
}

bool console_domain_write(struct console_domain *c, uint8_t byte)
{
    spin_lock(&console_lock);
    bool taken = line_room(c) > 0 && budget_ask(c);
    if (likely(taken)) {
        c->tokens--;
        if (c == console_focus) {
            c->line[c->line_len++] = (char)byte;
            offer(c);
        } else {
            collect(c, byte);
        }
    } else {
        c->starved = true;
    }
    bool waits = c->ready || c->starved;
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
    uint32_t room = budget_ask(c) ? min(line_room(c), (uint32_t)c->tokens) : 0;
    c->starved |= room == 0;
    spin_unlock(&console_lock);

    if (room == 0)
        console_timer_arm();
    return room;
}

/* --- whose turn it is --- */

/* Under console_lock: the next domain, after the one that had its turn last, that is ready. */
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

/* Under console_lock: the first domain from number `from` on whose room() is owed and would find
 * some. */
static struct console_domain *next_owed(uint32_t from)
{
    struct console_domain *c = console_domains;

    while (c && (c->domid < from || !c->starved || c->hungry || line_room(c) == 0))
        c = c->next;
    return c;
}

void console_serve_ready(void)
{
    if (read_once(nr_ready) > 0 || read_once(dropped) > 0)
        console_serve();
}

bool console_serve(void)
{
    spin_lock(&console_lock);
    budget_share();
    while (nr_ready > 0 && console_tx_backlog() < CONSOLE_TX_LOW) {
        struct console_domain *c = next_ready();
        last_turn = c->domid;
        write_out(c);
    }
    if (console_tx_backlog() < CONSOLE_TX_LOW)
        put_dropped();

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

/* --- focus --- */

/* Under console_lock. */
static void announce(void)
{
    char text[80], name[16] = "Hospes";

    if (console_focus)
        format(name, sizeof(name), "DOM%u", console_focus->domid);
    size_t n = format(text, sizeof(text),
                      "*** Serial input to %s (type 'CTRL-a' three times to switch input)", name);
    put_line(PREFIX, text, (uint32_t)n);
}

/* Under console_lock: gives the focus to `c`, or the hypervisor, and says so. */
static void set_focus(struct console_domain *c)
{
    if (console_focus)
        flush(console_focus);
    console_focus = c;
    announce();
    if (c) {
        put_raw(c->line, c->line_len);
        if (c->ready)
            put_raw("\r\n", 2);
        c->line_len = 0;
        c->cut = false;
        c->escape = ESCAPE_NONE;
        set_ready(c, false);
    }
}

/* Under console_lock: domains came or went. */
static void refocus(void)
{
    struct console_domain *c = NULL;

    if (chosen != CHOSEN_HYPERVISOR) {
        for (c = console_domains; c && (int32_t)c->domid < chosen;)
            c = c->next;
        if (!c)
            c = console_domains;
    }
    if (c != console_focus)
        set_focus(c);
}

void console_focus_next(void)
{
    spin_lock(&console_lock);
    struct console_domain *c = console_focus ? console_focus->next : console_domains;
    chosen = c ? c->domid : CHOSEN_HYPERVISOR;
    set_focus(c);
    spin_unlock(&console_lock);
    console_tx_pump();
}

bool console_focus_receive(uint8_t byte)
{
    spin_lock(&console_lock);
    struct console_domain *c = console_focus;
    if (c)
        c->calls++;
    spin_unlock(&console_lock);
    if (!c)
        return false;

    c->receive(c, byte);
    spin_lock(&console_lock);
    c->calls--;
    spin_unlock(&console_lock);
    return true;
}

void console_domain_add(struct console_domain *c)
{
    struct console_domain **at = &console_domains;

    spin_lock(&console_lock);
    while (*at && (*at)->domid < c->domid)
        at = &(*at)->next;
    c->next = *at;
    *at = c;
    refocus();
    spin_unlock(&console_lock);
    console_tx_pump();
}

void console_domain_remove(struct console_domain *c)
{
    struct console_domain **at = &console_domains;

    spin_lock(&console_lock);
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at) {
        *at = c->next;
        flush(c);
        budget_leave(c);
        refocus();
    }
    while (c->calls > 0) {
        spin_unlock(&console_lock);
        arch_cpu_relax();
        spin_lock(&console_lock);
    }
    spin_unlock(&console_lock);
    console_tx_pump();
}

/* --- the hypervisor's lines --- */

void console_line(const char *text)
{
    uint32_t n = (uint32_t)strlen(text);

    spin_lock(&console_lock);
    console_ring_put(PREFIX, PREFIX_CHARS);
    console_ring_put(text, n);
    console_ring_put("\n", 1);
    put_line(PREFIX, text, n);
    spin_unlock(&console_lock);
    console_tx_pump();
}

/* --- coming up --- */

static void put_old_line(const char *line, uint32_t n)
{
    put_line("", line, n);
}

void console_bind(struct uart *u)
{
    spin_lock(&console_lock);
    console_tx_bind(u);
    console_ring_for_lines(put_old_line);
    spin_unlock(&console_lock);
    console_tx_pump();
}

static void arm(uint64_t ns)
{
    if (timer_works && !__atomic_exchange_n(&timer_armed, true, __ATOMIC_ACQ_REL))
        timer_set(&timer, this_pcpu(), clock_ns() + ns);
}

void console_timer_arm(void)
{
    arm(PERIOD_NS);
}

static void tick(void *unused)
{
    store_release(timer_armed, false);
    console_interrupt(unused);
    bool waits = console_serve();
    if (polled)
        arm(console_tx_backlog() > 0 ? POLL_NS : PERIOD_NS);
    else if (waits)
        arm(PERIOD_NS);
}

void console_init(void)
{
    uint64_t bytes = options.conring_size;
    char *text = is_power_of_two(bytes) ? heap_alloc(bytes) : NULL;

    if (text) {
        spin_lock(&console_lock);
        console_ring_move(text, bytes);
        spin_unlock(&console_lock);
    } else if (bytes > 0) {
        log_warn("console: no memory for a ring of %llu bytes, keeping a small one",
                 (unsigned long long)bytes);
    }
    if (timer_init(&timer, tick, NULL))
        log_err("console: no memory for a timer, domains that are throttled stay so");
    else
        timer_works = true;
    polled = console_tx_start() == CONSOLE_TX_POLLED;
    if (polled)
        console_timer_arm();
}
