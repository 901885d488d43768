/* SPDX-License-Identifier: MIT */
/*
 * The console: which domains have one and who has the focus, the hypervisor's own lines, the timer.
 * doc/console.md tells what a user sees of it.
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

/* Of the timer, which serves who waits, and polls a UART without interrupt: that while it has bytes
 * to send more often, so that its FIFO does not run empty for long. */
#define PERIOD_NS 10000000u
#define POLL_NS   1000000u

/* The focus as the user chose it, besides a domain's number. */
#define CHOSEN_NONE       (-2)
#define CHOSEN_HYPERVISOR (-1)

struct spinlock console_lock = SPINLOCK_INIT(LOCK_CONSOLE);
struct console_domain *console_domains;
struct console_domain *console_focus;

static int32_t chosen = CHOSEN_NONE; /* under console_lock */

static struct timer timer;
static bool timer_works;
static bool timer_armed; /* atomic */
static bool polled;      /* the timer polls the UART */

/* --- focus --- */

/* Under console_lock. */
static void announce(void)
{
    char text[80], name[16] = "Hospes";

    if (console_focus)
        format(name, sizeof(name), "DOM%u", console_focus->domid);
    size_t n = format(text, sizeof(text),
                      "*** Serial input to %s (type 'CTRL-a' three times to switch input)", name);
    console_wire_line(CONSOLE_PREFIX, text, (uint32_t)n);
}

/* Under console_lock: gives the focus to `c`, or the hypervisor, and says so. */
static void set_focus(struct console_domain *c)
{
    if (console_focus)
        console_queue_flush(console_focus);
    console_focus = c;
    announce();
    if (c)
        console_queue_show(c);
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
        console_queue_flush(c);
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
    console_ring_put(CONSOLE_PREFIX, (uint32_t)sizeof(CONSOLE_PREFIX) - 1);
    console_ring_put(text, n);
    console_ring_put("\n", 1);
    console_wire_line(CONSOLE_PREFIX, text, n);
    console_screen_line(CONSOLE_PREFIX, text, n);
    spin_unlock(&console_lock);
    console_tx_pump();
}

void console_flush(void)
{
    console_tx_flush();
    spin_lock(&console_lock);
    for (struct console_domain *c = console_domains; c; c = c->next)
        console_queue_flush(c);
    spin_unlock(&console_lock);
    console_tx_flush();
}

/* --- coming up --- */

static void put_old_line(const char *line, uint32_t n)
{
    console_wire_line("", line, n);
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
