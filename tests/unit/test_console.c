/* SPDX-License-Identifier: MIT */
/* The console's lines, focus and keys. Tests run in the order of a machine that boots. */
// sources: core/console.c core/console_budget.c core/console_input.c core/console_queue.c
// sources: core/console_ring.c core/console_screen.c core/console_tx.c core/console_wire.c core/log.c core/timer.c
// sources: core/spinlock.c
#include "console_fake.h"

#include <hospes/log.h>
#include <pthread.h>
#include <unistd.h>

#define SERIAL(who) \
    "(hospes) *** Serial input to " who " (type 'CTRL-a' three times to switch input)\r\n"

/* --- boot --- */

/* The first messages of a boot that goes wrong would be missing: those before the UART was found.
 */
static void lines_before_the_uart(void **state)
{
    char text[100];
    uint64_t pos = 0;

    log_info("first %d", 1);
    log_info("second");
    assert_int_equal(fake.out_len, 0);
    console_bind(&fake_uart);
    fake_sent("(hospes) first 1\r\n(hospes) second\r\n");
    memset(text, 0, sizeof(text));
    assert_int_equal(console_ring_read(&pos, text, sizeof(text)), 33);
    assert_string_equal(text, "(hospes) first 1\n(hospes) second\n");
    assert_int_equal(console_ring_read(&pos, text, sizeof(text)), 0);
}

/* A machine that hangs early in boot would show less than it logged: output waits for the UART
 * then. */
static void waits_while_booting(void **state)
{
    fake.rate = 0;
    fake.looks_per_byte = 7;
    for (int i = 0; i < 1000; i++)
        log_info("line %d", i);
    assert_true(fake.out_len > 16000);
    assert_non_null(strstr(fake.out, "line 999\r\n"));
    assert_null(strstr(fake.out, "dropped"));
    fake.rate = FAKE_AT_ONCE;
    fake.looks_per_byte = 0;
    fake.fifo = 0;
    fake_clear();
}

/* `xl dmesg` would lose the boot's messages when the ring of conring_size= takes over. */
static void comes_up(void **state)
{
    static char text[1 << 17];
    uint64_t pos = 0;

    console_init();
    assert_true(fake.rx_irq);
    assert_false(fake.tx_irq);
    uint64_t n = console_ring_read(&pos, text, sizeof(text));
    assert_true(n > 16000 && n <= 16384); /* the early ring's size */
    for (int i = 0; i < 5000; i++)
        log_info("more %d", i);
    pos = 0;
    memset(text, 0, sizeof(text));
    n = console_ring_read(&pos, text, sizeof(text));
    assert_int_equal(n, 65536);
    assert_string_equal(text + n - 19, "(hospes) more 4999\n");
    fake_clear();
}

/* --- focus --- */

/* The user would type at nobody, or at the wrong domain, after boot. */
static void first_focus(void **state)
{
    fake_type("x"); /* no domain: a key of the hypervisor, which has none such */
    fake_sent("");
    fake_add(&d2, 2);
    fake_sent(SERIAL("DOM2"));
    fake_add(&d1, 1);
    fake_sent(SERIAL("DOM1"));
    fake_add(&d3, 3);
    fake_sent("");
    fake_add(&d0, 0);
    fake_sent(SERIAL("DOM0"));
    fake_type("ls\r");
    assert_string_equal(d0.got, "ls\r");
    assert_string_equal(d1.got, "");
}

/* The domain in focus goes away: without this the user would have lost the keyboard. */
static void focus_passes_on(void **state)
{
    fake_remove(&d0);
    fake_sent(SERIAL("DOM1"));
    fake_add(&d0, 0); /* restarted: the user has chosen nothing yet */
    fake_sent(SERIAL("DOM0"));
    fake_type("\x01\x01\x01\x01\x01\x01\x01\x01\x01");
    fake_sent(SERIAL("DOM1") SERIAL("DOM2") SERIAL("DOM3"));
    fake_remove(&d3);
    fake_sent(SERIAL("DOM0")); /* behind the last is the first */
    fake_add(&d3, 3);
    fake_sent(SERIAL("DOM3")); /* restarted: the user had chosen it */
    fake_remove(&d3);
    fake_sent(SERIAL("DOM0"));
    fake_type("\x01\x01\x01");
    fake_sent(SERIAL("DOM1"));
    fake_add(&d3, 3);
    fake_sent(""); /* the user has chosen another meanwhile */
    fake_remove(&d1);
    fake_sent(SERIAL("DOM2"));
    fake_add(&d1, 1);
    fake_sent(SERIAL("DOM1"));
}

/* Ctrl-A three times has to reach every domain that exists, and the hypervisor. */
static void focus_cycle(void **state)
{
    focus_on("DOM0");
    fake_type("\x01\x01\x01");
    fake_sent(SERIAL("DOM1"));
    fake_type("\x01\x01");
    fake_sent("");
    fake_type("\x01");
    fake_sent(SERIAL("DOM2"));
    fake_remove(&d3);
    fake_type("\x01\x01\x01");
    fake_sent(SERIAL("Hospes"));
    fake_add(&d3, 3);
    fake_sent("");
    fake_type("\x01\x01\x01");
    fake_sent(SERIAL("DOM0"));
    assert_string_equal(d0.got, "");
    assert_string_equal(d1.got, "");
}

/* Ctrl-A is also a key of shells and screen(1): one or two of them belong to the domain. */
static void ctrl_a_reaches_domains(void **state)
{
    focus_on("DOM1");
    d1.got_len = 0;
    fake_type("a\x01");
    assert_string_equal(d1.got, "a");
    fake_type("b");
    assert_string_equal(d1.got, "a\x01"
                                "b");
    fake_type("\x01\x01"
              "c\x01\x01"
              "d\x01");
    assert_string_equal(d1.got, "a\x01"
                                "b\x01\x01"
                                "c\x01\x01"
                                "d");
    fake_type("\x01\x01"); /* with the one before: three */
    fake_sent(SERIAL("DOM2"));
}

/* Pasted text would be cut where the guest is slower than the user, or the machine would hang on
 * it. */
static void much_input(void **state)
{
    static char text[301];

    memset(text, 'x', 300);
    focus_on("DOM1");
    d1.got_len = 0;
    fake.typed = text;
    fake_irq_fn(NULL);
    assert_int_equal(d1.got_len, 64); /* an interrupt takes no longer than this */
    fake_pass(100);
    assert_int_equal(d1.got_len, 299);
    assert_string_equal(fake.typed, ""); /* the last found its buffer full */
}

/* --- lines --- */

/* Output of several domains has to be told apart, and lines must not be torn. */
static void lines_and_prefixes(void **state)
{
    focus_on("DOM0");
    fake_write(&d1, "hel");
    fake_write(&d2, "good");
    fake_sent("");
    fake_write(&d1, "lo\r\n");
    fake_sent("(d1) hello\r\n");
    fake_write(&d2, " day\n\n");
    fake_sent("(d2) good day\r\n(d2) \r\n");
    fake_write(&d0, "# ");
    fake_sent("# ");
    fake_write(&d0, "l");
    fake_sent("l"); /* an echo, at once */
    fake_pass(50);
    fake_write(&d2, "line\n");
    fake_sent("\r\n(d2) line\r\n");
    fake_write(&d0, "s\r\n");
    fake_sent("s\r\n");
}

/* Lines of two domains that boot at the same time would be torn to pieces; but nobody waits long
 * for it. */
static void lines_are_not_torn(void **state)
{
    focus_on("DOM0");
    fake_write(&d0, "[    0.0");
    fake_write(&d1, "one\n");
    fake_write(&d2, "two\nthree\n");
    fake_write(&d0, "00000] message");
    fake_sent("[    0.000000] message");
    fake_write(&d0, "\r\n");
    fake_sent("\r\n(d1) one\r\n(d2) two\r\n(d2) three\r\n");
    fake_write(&d0, "a prompt# ");
    fake_write(&d1, "one\n");
    fake_sent("a prompt# ");
    fake_pass(60);
    fake_sent("\r\n(d1) one\r\n");
    /* Who never ends a line does not hold up others again and again. */
    fake_pass(300);
    for (int i = 0; i < 1000; i++) {
        fake_write(&d0, "...");
        fake_write(&d1, "now\n");
        fake_pass(1);
    }
    fake_pass(100);
    uint32_t n = 0;
    for (const char *p = fake.out; (p = strstr(p, "\r\n(d1) now\r\n")) != NULL; p++)
        n++;
    assert_int_equal(n, 1000);
    n = 0;
    fake_clear();
    fake_pass(300);
    for (int i = 0; i < 1000 && strstr(fake.out, "(d1)") == NULL; i++, n++) {
        fake_write(&d0, "...");
        if (i == 0)
            fake_write(&d1, "now\n");
        fake_pass(1);
    }
    assert_in_range(n, 50, 60);
    fake_clear();
}

/* Hospes's own lines would be glued to a prompt, or begin in the middle of the screen. */
static void hypervisor_in_the_middle(void **state)
{
    focus_on("DOM0");
    fake_write(&d0, "prompt# ");
    log_warn("attention");
    fake_write(&d0, "more\r\n");
    log_warn("again");
    fake_sent("prompt# \r\n(hospes) attention\r\nmore\r\n(hospes) again\r\n");
    fake_write(&d0, "bare\n");
    log_warn("third");
    fake_sent("bare\n\r(hospes) third\r\n");
}

/* Moving between consoles would lose the prompt, or leave half a line of the one before. */
static void partial_lines_at_a_switch(void **state)
{
    focus_on("DOM0");
    fake_write(&d1, "(none) login: ");
    fake_write(&d0, "/ # ");
    fake_type("\x01\x01\x01");
    fake_sent("/ # \r\n" SERIAL("DOM1") "(none) login: ");
    fake_write(&d0, "late\n");
    fake_pass(60);
    fake_sent("\r\n(d0) late\r\n");
    fake_write(&d1, "me");
    fake_sent("me");
    focus_on("DOM0");
    fake_write(&d1, "rest\n");
    fake_sent("(d1) rest\r\n");
}

/* Text would be lost, or lines of hundreds of columns would hold up others. */
static void long_lines(void **state)
{
    char line[1000], want[1200];

    focus_on("DOM0");
    memset(line, 'x', sizeof(line));
    strcpy(line + 256, "\n");
    fake_write(&d1, line);
    snprintf(want, sizeof(want), "(d1) %.256s\r\n", line);
    fake_sent(want);
    fake_write(&d1, "\n");
    fake_sent("(d1) \r\n");

    memset(line, 'y', sizeof(line));
    strcpy(line + 257, "\n");
    fake_write(&d1, line);
    snprintf(want, sizeof(want), "(d1) %.256s\r\n(d1) y\r\n", line);
    fake_sent(want);

    memset(line, 'z', sizeof(line));
    strcpy(line + 600, "\n");
    fake_write(&d1, line);
    snprintf(want, sizeof(want), "(d1) %.256s\r\n(d1) %.256s\r\n(d1) %.88s\r\n", line, line, line);
    fake_sent(want);
}

/* A domain could clear the screen, or write over the lines of others and forge theirs. */
static void no_terminal_control(void **state)
{
    focus_on("DOM0");
    fake_write(&d1, "\x1b[2J\x1b[1;31mred\x1b[0m\a\b \rforged\ttab \x7f\xc3\xa9\x1b(B \x1b");
    fake_write(&d1, "\n[m\n");
    fake_sent("(d1) red forged\ttab \xc3\xa9"
              "B \r\n(d1) [m\r\n");
    focus_on("DOM1");
    fake_write(&d1, "\x1b[2J\rx\n");
    fake_sent("\x1b[2J\rx\n"); /* it is the user's choice to look at it */
}

/* The last words of a domain would be lost. */
static void removal_writes_the_rest(void **state)
{
    focus_on("DOM0");
    fake_write(&d3, "last words");
    fake_remove(&d3);
    fake_sent("(d3) last words\r\n");
    fake_add(&d3, 3);
    focus_on("DOM3");
    fake_write(&d3, "in focus");
    fake_remove(&d3);
    fake_sent("in focus\r\n" SERIAL("DOM0"));
    fake_add(&d3, 3);
    focus_on("DOM0");
}

/* --- keys --- */

static uint32_t key_runs;

static void key_handler(void)
{
    key_runs++;
    log_info("key ran"); /* takes the console's locks */
}

/* Someone who looks for the reason of a hang would have no way to ask. */
static void keys(void **state)
{
    console_key('t', "a test", key_handler);
    focus_on("Hospes");
    fake_type("t");
    fake_sent("(hospes) key ran\r\n");
    fake_type("?z\r\n");
    fake_sent("");
    fake_type("h");
    assert_non_null(strstr(fake.out, "(hospes) t  a test\r\n"));
    focus_on("DOM0");
    fake_clear();
    d0.got_len = 0;
    fake_type("t");
    assert_string_equal(d0.got, "t");
    assert_int_equal(key_runs, 1);
    fake_sent("");
}

/* --- who may write --- */

/* A guest whose UART said "ready" would lose bytes. Each text is compared with what came out. */
static void nothing_is_lost(void **state)
{
    static char text[3][20000], got[3][60000];
    struct fake_domain *d[3] = { &d0, &d1, &d2 };
    char prefix[20];

    focus_on("Hospes");
    quiet();
    fake.rate = 50;
    for (int i = 0; i < 3; i++) {
        size_t n = 0;
        while (n < sizeof(text[i]) - 100) {
            for (uint32_t k = unit_random(90); k > 0; k--)
                text[i][n++] = (char)('a' + unit_random(26));
            text[i][n++] = '\n';
        }
        fake_write(d[i], text[i]);
    }
    fake_pass(3000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(text[i][d[i]->at], '\0');
        snprintf(prefix, sizeof(prefix), "(d%d) ", i);
        for (const char *p = fake.out; (p = strstr(p, prefix)) != NULL;) {
            p += strlen(prefix);
            strncat(got[i], p, (size_t)(strchr(p, '\r') - p));
            strcat(got[i], "\n");
        }
        assert_string_equal(got[i], text[i]);
    }
    quiet();
}

/* What dom0 says last, before it switches the machine off, would be lost on a slow UART. */
static void last_words(void **state)
{
    focus_on("DOM0");
    quiet();
    fake.rate = 0;
    for (int i = 0; i < 10; i++)
        fake_write(
            &d0, "a line of dom0's that is long enough for ten of them to wait, as said here\r\n");
    fake_write(&d0, "the last of them\r\n");
    fake_write(&d1, "of another\n");
    assert_null(strstr(fake.out, "the last of them"));
    fake.looks_per_byte = 3;
    console_flush();
    assert_non_null(strstr(fake.out, "the last of them\r\n"));
    assert_non_null(strstr(fake.out, "(d1) of another\r\n"));
    assert_int_equal(fake.fifo, 0);
    fake.looks_per_byte = 0;
    quiet();
}

/* A guest that asks for room, instead of trying, would see less than it gets, or be forgotten. */
static void room_says_what_is_taken(void **state)
{
    focus_on("DOM0");
    quiet();
    for (int i = 0; i < 300; i++) {
        uint32_t room = console_domain_room(&d0.c);
        for (uint32_t k = 0; k < room; k++)
            assert_true(console_domain_write(&d0.c, 'x'));
        if (room == 0) {
            uint32_t rooms = d0.rooms;
            fake_pass(20);
            assert_int_equal(d0.rooms, rooms + 1);
        }
    }
    quiet();
}

/* --- the transmit ring --- */

/* Output would be garbled after the first 32 KiB. */
static void ring_wraps(void **state)
{
    static char want[400000];
    size_t n = 0;

    focus_on("Hospes");
    quiet();
    fake.rate = 300;
    for (int i = 0; n < 300000; i++) {
        char line[100];
        memset(line, 'a' + i % 26, sizeof(line));
        sprintf(line + unit_random(80), " %d", i);
        log_info("%s", line);
        n += (size_t)sprintf(want + n, "(hospes) %s\r\n", line);
        fake_pass(unit_random(5));
    }
    fake_pass(500);
    size_t same = 0;
    while (want[same] && want[same] == fake.out[same])
        same++;
    if (want[same] || fake.out[same])
        fail_msg("at %zu: %.60s, not %.60s", same, fake.out + same, want + same);
    quiet();
}

/* The user would not know that messages are missing; or a stuck UART would stop the machine. */
static void overflow_is_told(void **state)
{
    char want[100];
    uint64_t lost, all = 0;

    focus_on("Hospes");
    quiet();
    fake.rate = 0;
    fake.fifo = FAKE_FIFO;
    for (int i = 0; i < 1000; i++) {
        log_info("%-80d", i);
        all += 9 + 80 + 2;
    }
    assert_int_equal(fake.out_len, 0);
    assert_true(fake.tx_irq);
    fake.rate = FAKE_AT_ONCE;
    fake_interrupts(1000);
    assert_false(fake.tx_irq);
    const char *notice = strstr(fake.out, "(hospes) *** ");
    assert_non_null(notice);
    lost = strtoull(notice + 13, NULL, 10);
    assert_int_equal(notice - fake.out, all - lost);
    assert_true(all - lost > 32768 - 200 && all - lost <= 32768);
    snprintf(want, sizeof(want), "(hospes) *** %llu bytes of output were dropped\r\n",
             (unsigned long long)lost);
    assert_string_equal(notice, want);
    fake_clear();
    log_info("after");
    fake_sent("(hospes) after\r\n"); /* it was said once */
}

/* With the UART stuck, domains must not fill the ring that the hypervisor's messages need. */
static void domains_leave_space(void **state)
{
    focus_on("DOM0");
    quiet();
    fake.rate = 0;
    fake.fifo = FAKE_FIFO;
    fake_flood(&d0, "0");
    fake_flood(&d1, "flood\n");
    fake_flood(&d2, "flood\n");
    fake_pass(1000);
    for (int i = 0; i < 300; i++)
        log_info("%-80d", i); /* 27 KiB */
    d0.text = d1.text = d2.text = NULL;
    fake.rate = FAKE_AT_ONCE;
    fake_interrupts(1000);
    assert_null(strstr(fake.out, "dropped"));
    assert_int_equal(count("(hospes) "), 300);
    quiet();
}

/* --- several pCPUs --- */

static void *on_pcpu(void *arg)
{
    struct fake_domain *f = arg;
    bool taken = true;
    char line[40];

    host_set_pcpu(f->c.domid);
    for (int i = 0; i < 2000; i++) {
        log_info("from %u: %d", f->c.domid, i);
        snprintf(line, sizeof(line), "line %d\n", i);
        /* Until the budget or the queue refuses a byte: what came behind a gap would be one line
         * with what was before. */
        for (char *p = line; *p && taken; p++)
            taken = console_domain_write(&f->c, (uint8_t)*p);
    }
    return NULL;
}

/* Output of two CPUs would be mixed within lines, or stay in the ring for ever. */
static void several_pcpus(void **state)
{
    struct fake_domain *d[3] = { &d1, &d2, &d3 };
    pthread_t threads[3];

    focus_on("DOM0");
    quiet();
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, on_pcpu, d[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    fake_interrupts(1000);
    log_info(
        "end"); /* with word of what did not fit, if three CPUs were faster than one that sends */
    uint64_t seen = 0, lost = 0, sum = 0;
    for (char *l = fake.out, *end; *l; l = end + 2) {
        uint64_t number_lost;
        int pcpu, number;
        char left[8];
        end = strstr(l, "\r\n");
        assert_non_null(end);
        *end = '\0';
        if (sscanf(l, "(hospes) *** %lu bytes of output were droppe%7s", &number_lost, left) == 2)
            lost += number_lost;
        else if (sscanf(l, "(hospes) from %d: %d%7s", &pcpu, &number, left) == 2)
            seen += strlen(l) + 2;
        else if (sscanf(l, "(d%d) line %d%7s", &pcpu, &number, left) != 2)
            assert_string_equal(l, "(hospes) end");
    }
    for (int i = 0; i < 2000; i++)
        sum += 3 * (uint64_t)snprintf(NULL, 0, "(hospes) from 1: %d\r\n", i);
    assert_int_equal(seen + lost, sum);
}

static bool room_entered, room_left;

static void slow_room(struct console_domain *c)
{
    store_release(room_entered, true);
    for (int i = 0; i < 1000; i++)
        usleep(10);
    store_release(room_left, true);
}

/* As pCPU 1: writes until it is refused, and serves the timer that is set there for that. */
static void *serve(void *arg)
{
    struct fake_domain *f = arg;

    host_set_pcpu(1);
    while (console_domain_write(&f->c, 'x'))
        ;
    host_clock_advance(10 * MS);
    timer_run();
    return NULL;
}

/* A domain's UART would be used after it was freed. */
static void removal_waits_for_callbacks(void **state)
{
    struct fake_domain f;
    pthread_t thread;

    fake_pass(1000);
    fake_add(&f, 7);
    f.c.room = slow_room;
    assert_int_equal(pthread_create(&thread, NULL, serve, &f), 0);
    while (!load_acquire(room_entered))
        usleep(10);
    console_domain_remove(&f.c);
    assert_true(load_acquire(room_left));
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_before_the_uart),
        cmocka_unit_test(waits_while_booting),
        cmocka_unit_test(comes_up),
        cmocka_unit_test(first_focus),
        cmocka_unit_test(focus_passes_on),
        cmocka_unit_test(focus_cycle),
        cmocka_unit_test(ctrl_a_reaches_domains),
        cmocka_unit_test(much_input),
        cmocka_unit_test(lines_and_prefixes),
        cmocka_unit_test(lines_are_not_torn),
        cmocka_unit_test(hypervisor_in_the_middle),
        cmocka_unit_test(partial_lines_at_a_switch),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(no_terminal_control),
        cmocka_unit_test(removal_writes_the_rest),
        cmocka_unit_test(keys),
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(last_words),
        cmocka_unit_test(room_says_what_is_taken),
        cmocka_unit_test(ring_wraps),
        cmocka_unit_test(overflow_is_told),
        cmocka_unit_test(domains_leave_space),
        cmocka_unit_test(several_pcpus),
        cmocka_unit_test(removal_waits_for_callbacks),
    };

    fake_machine(4);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
