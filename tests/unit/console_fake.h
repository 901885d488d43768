/* SPDX-License-Identifier: MIT */
/*
 * A UART and domains for tests of the console. The UART sends at a rate of its own or at once,
 * keeps all that was sent as text, and receives what a test types. Time passes by fake_pass() only.
 *
 * The console's state lasts from test to test of one program, as it does on a machine: tests leave
 * no domain.
 */
#ifndef CONSOLE_FAKE_H
#define CONSOLE_FAKE_H

#include "unit.h"

#include <asm/host.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/irq.h>
#include <hospes/pcpu.h>
#include <hospes/timer.h>

#pragma GCC diagnostic ignored "-Wunused-function"

#define FAKE_FIFO    32
#define FAKE_AT_ONCE UINT32_MAX
#define FAKE_IRQ     33u
#define MS           UINT64_C(1000000)

static struct {
    char out[4 << 20]; /* all that was sent, terminated */
    size_t out_len;
    uint32_t rate;           /* bytes sent in a millisecond; FAKE_AT_ONCE */
    uint32_t fifo;           /* bytes in it */
    uint32_t looks;          /* tx_ready() calls */
    uint32_t looks_per_byte; /* if not 0: the FIFO loses a byte every so many looks */
    const char *typed;       /* not received yet */
    bool rx_irq, tx_irq;     /* enabled */
    uint32_t acks;
} fake;

static bool fake_tx_ready(struct uart *u)
{
    fake.looks++;
    if (fake.looks_per_byte && fake.looks % fake.looks_per_byte == 0 && fake.fifo > 0)
        fake.fifo--;
    return fake.rate == FAKE_AT_ONCE || fake.fifo < FAKE_FIFO;
}

static void fake_tx(struct uart *u, uint8_t byte)
{
    assert_true(fake.rate == FAKE_AT_ONCE || fake.fifo < FAKE_FIFO);
    assert_true(fake.out_len + 1 < sizeof(fake.out));
    fake.fifo += fake.rate == FAKE_AT_ONCE ? 0 : 1;
    fake.out[fake.out_len++] = (char)byte;
    fake.out[fake.out_len] = '\0';
}

static bool fake_tx_done(struct uart *u)
{
    return fake_tx_ready(u) && fake.fifo == 0;
}

static bool fake_rx(struct uart *u, uint8_t *byte)
{
    if (!fake.typed || !*fake.typed)
        return false;
    *byte = (uint8_t)*fake.typed++;
    return true;
}

static void fake_irq_enable(struct uart *u)
{
    fake.rx_irq = true;
}

static void fake_irq_ack(struct uart *u)
{
    fake.acks++;
}

static void fake_tx_irq(struct uart *u, bool on)
{
    fake.tx_irq = on;
}

static const struct uart_driver fake_driver = {
    .tx_ready = fake_tx_ready,
    .tx = fake_tx,
    .tx_done = fake_tx_done,
    .rx = fake_rx,
    .irq_enable = fake_irq_enable,
    .irq_ack = fake_irq_ack,
    .tx_irq = fake_tx_irq,
};
static struct uart fake_uart = { .driver = &fake_driver, .irq = FAKE_IRQ };

static int fake_irq_error; /* what irq_request() says */
static void (*fake_irq_fn)(void *arg);

int irq_request(uint32_t irq, enum irq_trigger trigger, void (*fn)(void *arg), void *arg)
{
    assert_int_equal(irq, FAKE_IRQ);
    assert_int_equal(trigger, IRQ_LEVEL);
    assert_null(arg);
    if (!fake_irq_error)
        fake_irq_fn = fn;
    return fake_irq_error;
}

/* Raises the UART's interrupt as long as a UART would, at most `times`. */
static inline void fake_interrupts(uint32_t times)
{
    while (fake_irq_fn && times-- > 0 &&
           ((fake.rx_irq && fake.typed && *fake.typed) ||
            (fake.tx_irq && (fake.rate == FAKE_AT_ONCE || fake.fifo <= FAKE_FIFO / 2))))
        fake_irq_fn(NULL);
}

/* Runs what has expired, on each pCPU. */
static inline void fake_timers(void)
{
    struct pcpu *self = this_pcpu();

    for (uint32_t i = 0; i < nr_pcpus; i++) {
        host_set_pcpu(i);
        if (pcpus[i]->pending & PENDING_TIMER) {
            pcpus[i]->pending &= ~(uint32_t)PENDING_TIMER;
            timer_run();
        }
    }
    host_set_pcpu(self->id);
}

/* A millisecond passes, `ms` times. */
static inline void fake_pass(uint32_t ms)
{
    while (ms-- > 0) {
        host_clock_advance(MS);
        if (fake.rate != FAKE_AT_ONCE)
            fake.fifo -= fake.rate < fake.fifo ? fake.rate : fake.fifo;
        fake_timers();
        fake_interrupts(4);
    }
}

static inline void fake_clear(void)
{
    fake.out_len = 0;
    fake.out[0] = '\0';
}

/* What was sent since the last fake_clear() or fake_sent(). */
#define fake_sent(text)                        \
    do {                                       \
        assert_string_equal(fake.out, (text)); \
        fake_clear();                          \
    } while (0)

static inline void fake_type(const char *text)
{
    fake.typed = text;
    fake_interrupts(UINT32_MAX);
}

/* A domain that keeps what is typed, and what it still wants to write. */
struct fake_domain {
    struct console_domain c;
    char got[300]; /* typed, terminated */
    size_t got_len, got_most;
    const char *text; /* that it writes, again and again if `endless` */
    size_t at;
    bool endless;
    uint64_t written; /* bytes taken */
    uint32_t rooms;
};

static struct fake_domain d0, d1, d2, d3;

static inline bool fake_receive(struct console_domain *c, uint8_t byte)
{
    struct fake_domain *f = c->device;

    if (f->got_len == f->got_most)
        return false;
    f->got[f->got_len++] = (char)byte;
    f->got[f->got_len] = '\0';
    return true;
}

/* Writes what it has until it is refused. */
static inline void fake_write_on(struct fake_domain *f)
{
    while (f->text && f->text[f->at]) {
        if (!console_domain_write(&f->c, (uint8_t)f->text[f->at]))
            return;
        f->written++;
        if (!f->text[++f->at] && f->endless)
            f->at = 0;
    }
}

static inline void fake_room(struct console_domain *c)
{
    struct fake_domain *f = c->device;

    f->rooms++;
    fake_write_on(f);
}

static inline void fake_add(struct fake_domain *f, uint16_t domid)
{
    *f = (struct fake_domain){ .got_most = sizeof(f->got) - 1 };
    f->c.domid = domid;
    f->c.device = f;
    f->c.receive = fake_receive;
    f->c.room = fake_room;
    console_domain_add(&f->c);
}

static inline void fake_remove(struct fake_domain *f)
{
    console_domain_remove(&f->c);
}

static inline void fake_write(struct fake_domain *f, const char *text)
{
    f->text = text;
    f->at = 0;
    f->endless = false;
    fake_write_on(f);
}

/* It writes `text` again and again from now on. */
static inline void fake_flood(struct fake_domain *f, const char *text)
{
    f->text = text;
    f->at = 0;
    f->endless = true;
    fake_write_on(f);
}

/* Ctrl-A three times until the focus is where `who` says. */
static inline void focus_on(const char *who)
{
    char want[100];

    snprintf(want, sizeof(want), "Serial input to %s ", who);
    do {
        fake_clear();
        fake_type("\x01\x01\x01");
        fake_pass(100);
    } while (strstr(fake.out, want) == NULL);
    fake_clear();
}

/* True if the output consists of whole lines, each with one of the prefixes. */
static inline void check_whole_lines(const char *const *lines)
{
    for (char *line = fake.out, *end; *line; line = end + 2) {
        bool known = false;
        end = strstr(line, "\r\n");
        assert_non_null(end);
        *end = '\0';
        for (size_t i = 0; lines[i]; i++)
            known |= strcmp(line, lines[i]) == 0;
        if (!known)
            fail_msg("a torn line: %s", line);
        *end = '\r';
    }
}

static inline uint32_t count(const char *part)
{
    uint32_t n = 0;

    for (const char *p = fake.out; (p = strstr(p, part)) != NULL; p++)
        n++;
    return n;
}

/* Nobody writes any more, and all that was written has gone. */
static inline void quiet(void)
{
    struct fake_domain *all[] = { &d0, &d1, &d2, &d3 };

    for (size_t i = 0; i < 4; i++) {
        all[i]->text = NULL;
        all[i]->written = 0;
        all[i]->rooms = 0;
    }
    fake.rate = FAKE_AT_ONCE;
    fake.fifo = 0;
    fake_pass(500);
    fake_clear();
}

/* `n` pCPUs with timers, time 0, a UART that sends at once. */
static inline void fake_machine(uint32_t n)
{
    host_pcpus_init(n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(timer_queue_init(pcpus[i]), 0);
    fake.rate = FAKE_AT_ONCE;
}

#endif
