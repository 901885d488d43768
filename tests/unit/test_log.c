/* SPDX-License-Identifier: MIT */
/* Messages: levels, what they may contain, and the limit on those that guests cause. */
// sources: core/console.c core/console_budget.c core/console_input.c core/console_queue.c
// sources: core/console_ring.c core/console_screen.c core/console_tx.c core/console_wire.c core/log.c core/timer.c
// sources: core/spinlock.c
#include "console_fake.h"

#include <hospes/cmdline.h>
#include <hospes/log.h>

/* loglvl= and guest_loglvl= would not do what users know of them. */
static void levels(void **state)
{
    console_bind(&fake_uart);
    options.loglvl = LOG_WARN;
    options.guest_loglvl = LOG_ERR;
    log_err("error");
    log_warn("warning");
    log_info("info");
    log_guest(3, LOG_ERR, "guest %s", "error");
    log_guest(3, LOG_WARN, "guest warning");
    fake_sent("(hospes) error\r\n(hospes) warning\r\n(hospes) d3: guest error\r\n");
    options.loglvl = LOG_INFO; /* about a domain, by us: not what guest_loglvl= is for */
    log_limited(LOG_INFO, "domain %u ended", 3);
    log_limited(LOG_DEBUG, "in detail");
    fake_sent("(hospes) domain 3 ended\r\n");
    options.loglvl = options.guest_loglvl = LOG_NONE;
    log_err("error");
    log_limited(LOG_ERR, "domain 3 crashed");
    log_guest(3, LOG_ERR, "error");
    fake_sent("");
    log_unlimited(true); /* a debug key's output is wanted all the same */
    log_debug("dump");
    log_guest(3, LOG_DEBUG, "dump");
    log_unlimited(false);
    fake_sent("(hospes) dump\r\n(hospes) d3: dump\r\n");
    options.loglvl = options.guest_loglvl = LOG_DEBUG;
}

/* A name in a device tree could forge lines of the log, or control the terminal. */
static void control_characters(void **state)
{
    log_info("name '%s'", "a\n(hospes) all is well\x1b[2J\x7f\t");
    fake_sent("(hospes) name 'a?(hospes) all is well?[2J?"
              "?'\r\n");
}

/* A long value would be cut without a sign of it, or write beyond a buffer. */
static void long_messages(void **state)
{
    char text[1000], want[1100];

    memset(text, 'x', sizeof(text));
    text[LOG_LINE_MAX] = '\0';
    log_info("%s", text);
    snprintf(want, sizeof(want), "(hospes) %s\r\n", text);
    fake_sent(want);
    memset(text, 'x', sizeof(text));
    text[999] = '\0';
    log_info("%s", text);
    snprintf(want, sizeof(want), "(hospes) %.397s...\r\n", text);
    fake_sent(want);
    log_guest(65535, LOG_INFO, "%s", text);
    snprintf(want, sizeof(want), "(hospes) d65535: %.389s...\r\n", text);
    fake_sent(want);
}

static uint32_t lines(void)
{
    uint32_t n = 0;

    for (const char *p = fake.out; (p = strchr(p, '\n')) != NULL; p++)
        n++;
    fake_clear();
    return n;
}

/* A guest that provokes messages would drown what the user has to see, or say nothing about it. */
static void guests_are_limited(void **state)
{
    fake_pass(20000);
    fake_clear();
    for (int i = 0; i < 1000; i++)
        log_guest(1, LOG_WARN, "again");
    assert_int_equal(lines(), 64);
    for (int i = 0; i < 1000; i++)
        log_guest(2, LOG_ERR, "crashed"); /* half is kept for errors */
    assert_int_equal(lines(), 65);        /* word of the others with them */
    for (int i = 0; i < 100; i++)
        log_info("the hypervisor's own");
    assert_int_equal(lines(), 100);
    for (int i = 0; i < 100; i++) {
        fake_pass(10);
        log_guest(2, LOG_ERR, "crashed");
    }
    /* 20 in a second, and once each time word of those left out. */
    uint32_t n = lines();
    assert_true(n >= 38 && n <= 42);
    fake_pass(20000);
    fake_clear();
    for (int i = 0; i < 1000; i++)
        log_limited(LOG_INFO, "domain 1 asked for a reset"); /* for ever, as fast as it can */
    assert_int_equal(lines(), 64);
    fake_pass(20000);
    log_guest(1, LOG_WARN, "after");
    lines(); /* maybe with word of those left out */
    log_guest(1, LOG_WARN, "after");
    assert_int_equal(lines(), 1);
}

/* The count of what was left out would mislead. */
static void what_was_left_out_is_counted(void **state)
{
    fake_pass(20000);
    for (int i = 0; i < 128 + 77; i++)
        log_guest(2, LOG_ERR, "crashed");
    fake_clear();
    fake_pass(50);
    log_guest(1, LOG_ERR, "next");
    fake_sent("(hospes) *** 77 messages about domains were left out\r\n(hospes) d1: next\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),
        cmocka_unit_test(control_characters),
        cmocka_unit_test(long_messages),
        cmocka_unit_test(guests_are_limited),
        cmocka_unit_test(what_was_left_out_is_counted),
    };

    fake_machine(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
