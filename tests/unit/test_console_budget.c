/* SPDX-License-Identifier: MIT */
/* The console's budget: who may write how much, and who waits for whom. */
// sources: core/console.c core/console_budget.c core/console_input.c core/console_queue.c
// sources: core/console_ring.c core/console_screen.c core/console_tx.c core/console_wire.c core/log.c core/timer.c
// sources: core/spinlock.c
#include "console_fake.h"

#include <hospes/log.h>

/* Where the UART takes everything at once, a flooding guest would keep the machine busy with its
 * output. */
static void flood_is_throttled(void **state)
{
    static const char *const lines[] = { "(d1) flood", "(d2) ping", NULL };

    focus_on("DOM0");
    quiet();
    fake_flood(&d1, "flood\n");
    uint64_t before = d1.written;
    fake_pass(2000);
    uint64_t bytes = fake.out_len;
    assert_true(bytes > 240 * 1024 && bytes < 280 * 1024);
    assert_true(d1.written > before);
    assert_true(d1.rooms > 150 && d1.rooms < 250); /* once in a period, not for each byte */
    for (int i = 0; i < 20; i++) {
        fake_clear();
        fake_write(&d2, "ping\n");
        fake_pass(10); /* its share of one period is enough for the line */
        assert_int_equal(count("(d2) ping\r\n"), 1);
        check_whole_lines(lines);
    }
    quiet();
}

/* What dom0 prints at boot, or a program of its, would take many times as long as without us. */
static void dom0_is_not_throttled(void **state)
{
    focus_on("DOM0");
    quiet();
    fake_flood(&d1, "flood\n");
    fake_pass(100);
    d0.c.unlimited = true;
    uint64_t before = d1.written;
    for (int i = 0; i < 50; i++) {
        for (int k = 0; k < 5000; k++) /* five times what all may write */
            assert_true(console_domain_write(&d0.c, k % 50 == 49 ? '\n' : '.'));
        fake_pass(10);
    }
    /* Nor does it take from what others have: 64 KiB in 500 ms, half of which are prefixes. */
    assert_true(d1.written - before > 30 * 1024 && d1.written - before < 34 * 1024);
    d0.c.unlimited = false;
    quiet();
}

/* A shell would stutter while another guest floods: who writes little is never held back. */
static void flood_is_not_noticed(void **state)
{
    focus_on("DOM0");
    quiet();
    fake_flood(&d1, "flood\n");
    fake_flood(&d2, "flood\n");
    fake_pass(100);
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < 200; k++)
            assert_true(console_domain_write(&d0.c, '.'));
        fake_pass(10);
    }
    quiet();
}

/* The same on a slow UART: who writes little waits for a line of each other, not for all they have.
 */
static void flood_on_a_slow_uart(void **state)
{
    char flood[200];

    memset(flood, 'f', sizeof(flood));
    strcpy(flood + 198, "\n");
    focus_on("Hospes");
    quiet();
    fake.rate = 11; /* 115200 baud */
    fake_flood(&d0, flood);
    fake_flood(&d1, flood);
    fake_flood(&d2, flood);
    for (int i = 0; i < 50; i++) {
        fake_pass(37);
        size_t from = fake.out_len;
        fake_write(&d3, "ping\n");
        /* What is in the ring already (512 and a line), and the lines of three others; 10 ms of the
         * timer. */
        uint32_t ms = 0;
        while (strstr(fake.out + from, "(d3) ping\r\n") == NULL && ms < 1000)
            fake_pass(1), ms++;
        assert_true(ms <= (512 + 4 * 206) / 11 + 10);
        from = fake.out_len;
        log_warn("pong");
        ms = 0;
        while (strstr(fake.out + from, "(hospes) pong\r\n") == NULL && ms < 1000)
            fake_pass(1), ms++;
        assert_true(ms <= (512 + 2 * 206) / 11);
    }
    assert_null(strstr(fake.out, "dropped"));
    /* The three had the same share of it, but for the 512 bytes of who came first. */
    int64_t a = count("(d0) "), b = count("(d1) "), c = count("(d2) ");
    assert_true(llabs(a - b) <= 4 && llabs(b - c) <= 1);
    quiet();
}

/* One of several who flood would be the only one to be seen. */
static void fair_shares(void **state)
{
    focus_on("DOM0");
    quiet();
    fake_flood(&d0, "zero\r\n");
    fake_flood(&d1, "a line of some length that differs\n");
    fake_flood(&d2, "\n");
    fake_flood(&d3, "1234567\n");
    fake_pass(500);
    d0.written = d1.written = d2.written = d3.written = 0;
    fake_pass(4000);
    /* Shares are of what is sent, prefixes included. */
    uint64_t sent[4] = { d0.written, d1.written + d1.written * 6 / 35, d2.written * 7,
                         d3.written + d3.written * 6 / 8 };
    uint64_t all = sent[0] + sent[1] + sent[2] + sent[3];
    assert_true(all > 4 * 120 * 1024 && all < 4 * 140 * 1024);
    for (int i = 0; i < 4; i++)
        assert_true(sent[i] > all / 4 * 95 / 100 && sent[i] < all / 4 * 105 / 100);
    quiet();
}

static int start(void **state)
{
    struct fake_domain *all[] = { &d0, &d1, &d2, &d3 };

    fake_machine(4);
    console_bind(&fake_uart);
    console_init();
    for (uint16_t i = 0; i < 4; i++)
        fake_add(all[i], i);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flood_is_throttled),   cmocka_unit_test(dom0_is_not_throttled),
        cmocka_unit_test(flood_is_not_noticed), cmocka_unit_test(flood_on_a_slow_uart),
        cmocka_unit_test(fair_shares),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
