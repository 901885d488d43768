/* SPDX-License-Identifier: MIT */
/* panic(): what remains to be read after a bug of ours. Each test is the end of a machine of its
 * own. */
// sources: core/console.c core/console_budget.c core/console_input.c core/console_queue.c
// sources: core/console_ring.c core/console_screen.c core/console_tx.c core/console_wire.c core/log.c core/panic.c
// sources: core/timer.c core/spinlock.c
#include "console_fake.h"

#include <hospes/cmdline.h>
#include <hospes/cpu.h>
#include <hospes/log.h>
#include <sys/wait.h>
#include <unistd.h>

static bool stack_panics, on_another;
static uint32_t stops;

void pcpu_stop_others(void)
{
    stops++;
}

void arch_dump_stack(void)
{
    panic_print("stack at %x", 0x1234);
    if (stack_panics)
        panic("in the dump");
    if (on_another) {
        host_set_pcpu(1);
        panic("on another CPU");
    }
}

static void die(void *text)
{
    panic("reason %s", (char *)text);
}

/* Runs `end` in a process of its own, which takes the machine's state with it. */
static void alone(void (*end)(void))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        end();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void want(bool yes)
{
    if (!yes) {
        fprintf(stderr, "stopped by \"%s\", output:\n%s\n", host_stop_reason, fake.out);
        _exit(1);
    }
}

static void want_output(const char *text)
{
    want(strcmp(fake.out, text) == 0);
}

static void end_normal(void)
{
    want(host_stops(die, (void *)"x"));
    want(strcmp(host_stop_reason, "reset") == 0 && stops == 1);
    want_output(
        "\r\n(hospes) *** PANIC on CPU 0:\r\n(hospes) reason x\r\n(hospes) stack at 1234\r\n"
        "(hospes) *** Resetting the machine\r\n");
}

static void end_noreboot(void)
{
    options.noreboot = true;
    want(host_stops(die, (void *)"x"));
    want(strcmp(host_stop_reason, "halt") == 0);
    want(strstr(fake.out, "(hospes) *** Stopped (noreboot)\r\n") != NULL);
}

static void end_nested(void)
{
    stack_panics = true;
    want(host_stops(die, (void *)"x"));
    want(strcmp(host_stop_reason, "reset") == 0 && stops == 1);
    want_output(
        "\r\n(hospes) *** PANIC on CPU 0:\r\n(hospes) reason x\r\n(hospes) stack at 1234\r\n"
        "(hospes) *** PANIC within it:\r\n(hospes) in the dump\r\n"
        "(hospes) *** Resetting the machine\r\n");
}

static void end_two(void)
{
    on_another = true;
    want(host_stops(die, (void *)"x"));
    want(strcmp(host_stop_reason, "halt") == 0);
    want(strstr(fake.out, "on another") == NULL);
}

static void end_registers(void)
{
    panic_print("registers");
    host_set_pcpu(1);
    log_info("the others");
    host_set_pcpu(0);
    want(host_stops(die, (void *)"x"));
    want_output("\r\n(hospes) *** PANIC on CPU 0:\r\n(hospes) registers\r\n(hospes) reason x\r\n"
                "(hospes) stack at 1234\r\n(hospes) *** Resetting the machine\r\n");
}

static void end_slow_uart(void)
{
    fake.rate = 0;
    fake.looks_per_byte = 3;
    want(host_stops(die, (void *)"x"));
    want(strcmp(host_stop_reason, "reset") == 0 && fake.fifo == 0);
}

static void end_full_ring(void)
{
    console_init();
    fake.rate = 0;
    fake.fifo = FAKE_FIFO;
    for (int i = 0; i < 100; i++)
        log_info("before %d", i);
    want_output("");
    fake.looks_per_byte = 3;
    want(host_stops(die, (void *)"x"));
    const char *last =
        strstr(fake.out, "(hospes) before 99\r\n\r\n(hospes) *** PANIC on CPU 0:\r\n");
    want(last != NULL && strncmp(fake.out, "(hospes) before 0\r\n", 19) == 0);
    host_set_pcpu(1);
    log_info("the others"); /* of which one may run still */
    want(strstr(fake.out, "the others") == NULL);
}

static void end_dead_uart(void)
{
    fake.rate = 0;
    fake.fifo = FAKE_FIFO;
    for (int i = 0; i < 1000; i++)
        log_info("the UART is waited for once, not a thousand times");
    want(host_stops(die, (void *)"x"));
    want(strcmp(host_stop_reason, "reset") == 0);
    want(fake.looks < 5000000);
}

static void die_in_uart(void *unused)
{
    panic("in the UART's driver");
}

static void tx_that_panics(struct uart *u, uint8_t byte)
{
    static bool once;

    if (!once) {
        once = true;
        die_in_uart(NULL);
    }
    fake_tx(u, byte);
}

static void log_a_line(void *unused)
{
    log_info("line");
}

static void end_in_uart(void)
{
    static struct uart_driver driver;

    driver = fake_driver;
    driver.tx = tx_that_panics;
    fake_uart.driver = &driver;
    want(host_stops(log_a_line, NULL));
    want(strstr(fake.out, "in the UART's driver\r\n") != NULL);
}

/* The reason of a crash would not be read, or the machine would not come back. */
static void tells_and_resets(void **state)
{
    alone(end_normal);
}
/* `noreboot` keeps the message on the screen. */
static void noreboot_stops(void **state)
{
    alone(end_noreboot);
}
/* A bug in the dump of the stack would make an endless loop of a crash. */
static void panics_in_a_panic(void **state)
{
    alone(end_nested);
}
/* Two CPUs that crash together would write over each other. */
static void two_at_once(void **state)
{
    alone(end_two);
}
/* Registers that are told before the reason would be mixed with what others write. */
static void tells_registers_first(void **state)
{
    alone(end_registers);
}
/* A real UART's last bytes would be lost with the reset. */
static void waits_for_the_wire(void **state)
{
    alone(end_slow_uart);
}
/* The messages that led to the crash would be lost in the ring. */
static void writes_the_ring_first(void **state)
{
    alone(end_full_ring);
}
/* A machine without a working UART would hang for ever instead of resetting. */
static void gives_up_a_dead_uart(void **state)
{
    alone(end_dead_uart);
}
/* The locks of the console are taken then. */
static void panics_with_the_locks_held(void **state)
{
    alone(end_in_uart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_and_resets),           cmocka_unit_test(noreboot_stops),
        cmocka_unit_test(panics_in_a_panic),          cmocka_unit_test(two_at_once),
        cmocka_unit_test(writes_the_ring_first),      cmocka_unit_test(gives_up_a_dead_uart),
        cmocka_unit_test(panics_with_the_locks_held), cmocka_unit_test(tells_registers_first),
        cmocka_unit_test(waits_for_the_wire),
    };

    fake_machine(2);
    console_bind(&fake_uart);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
