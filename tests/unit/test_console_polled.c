/* SPDX-License-Identifier: MIT */
/* The console on a UART whose interrupt cannot be had: a timer does what it did. */
// sources: core/console.c core/console_budget.c core/console_input.c core/console_queue.c
// sources: core/console_ring.c core/console_screen.c core/console_tx.c core/console_wire.c core/log.c core/timer.c
// sources: core/spinlock.c
#include "console_fake.h"

#include <hospes/log.h>

/* A board whose UART has no interrupt line, or one that something else has, would have no console.
 */
static void a_timer_polls(void **state)
{
    console_bind(&fake_uart);
    fake_irq_error = -EBUSY;
    console_init();
    assert_false(fake.rx_irq);
    assert_non_null(strstr(fake.out, "cannot have the UART's interrupt 33"));
    fake_add(&d1, 1);
    fake_clear();

    fake.typed = "hello";
    fake_pass(10);
    assert_string_equal(d1.got, "hello");

    /* More than the FIFO takes goes out without anybody writing more. */
    fake.rate = 11;
    for (int i = 0; i < 20; i++)
        log_info("%60d", i);
    fake_pass(2000);
    assert_int_equal(fake.out_len, 20 * (9 + 60 + 2));
    assert_false(fake.tx_irq);
}

/* It would be slower than the UART by far if it moved a FIFO's content in 10 ms only. */
static void it_is_not_much_slower(void **state)
{
    fake_clear();
    for (int i = 0; i < 100; i++)
        log_info("%60d", i);
    fake_pass(1000);
    assert_true(fake.out_len > 6500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_polls),
        cmocka_unit_test(it_is_not_much_slower),
    };

    fake_machine(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
