/* SPDX-License-Identifier: MIT */
/* A display beside the UART, which shows the hypervisor's own lines. */
// sources: core/console.c core/console_budget.c core/console_input.c core/console_queue.c
// sources: core/console_ring.c core/console_screen.c core/console_tx.c core/console_wire.c
// sources: core/log.c core/timer.c core/spinlock.c
#include "console_fake.h"

#include "../../hypervisor/core/console_internal.h"

#include <hospes/log.h>

static char shown[4096];

static void fake_screen(const char *text, uint32_t n)
{
    strncat(shown, text, n);
}

/* Whoever watches the screen sees what came before it was found; and nothing once a domain draws on
 * it, but where the user wants to keep it. */
static void screen(void **state)
{
    console_bind(&fake_uart);
    log_info("first");
    log_info("second");
    console_bind_screen(fake_screen, false);
    assert_string_equal(shown, "(hospes) first\n(hospes) second\n");
    shown[0] = '\0';
    fake_clear();
    log_info("fourth");
    fake_sent("(hospes) fourth\r\n");
    assert_string_equal(shown, "(hospes) fourth\n");
    console_release_screen();
    assert_non_null(strstr(shown, "vga=keep"));
    shown[0] = '\0';
    log_info("fifth");
    console_screen_panic("sixth");
    assert_string_equal(shown, "");
    console_bind_screen(fake_screen, true);
    console_release_screen();
    shown[0] = '\0';
    log_info("seventh");
    console_screen_panic("eighth");
    assert_string_equal(shown, "(hospes) seventh\neighth");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(screen),
    };

    fake_machine(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
