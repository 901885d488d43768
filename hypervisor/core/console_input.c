/* SPDX-License-Identifier: MIT */
/* What is typed at the console: to the domain in focus, Ctrl-A three times, the hypervisor's own
 * keys. */
#include "console_internal.h"
#include <hospes/log.h>
#include <lib/format.h>

#define SWITCH_KEY   0x01 /* Ctrl-A */
#define SWITCH_TIMES 3u
#define MAX_KEYS     32u
/* Bytes taken at an interrupt. More come with the next, or with the timer. */
#define INPUT_BYTES 64u

static struct {
    char key;
    const char *help;
    void (*fn)(void);
} keys[MAX_KEYS];
static uint32_t nr_keys;

static bool busy; /* atomic: a pCPU handles input, in order */
static uint32_t
    switch_count; /* of SWITCH_KEY in a row, not passed on yet; its owner is who is busy */

void console_key(char key, const char *help, void (*fn)(void))
{
    if (nr_keys == MAX_KEYS) {
        log_err("console: no place for key '%c' (%s)", key, help);
        return;
    }
    keys[nr_keys].key = key;
    keys[nr_keys].help = help;
    keys[nr_keys].fn = fn;
    nr_keys++;
}

static void show_help(void)
{
    char line[80];

    console_line("h  this list (CTRL-a three times: on to the next domain)");
    for (uint32_t i = 0; i < nr_keys; i++) {
        format(line, sizeof(line), "%c  %s", keys[i].key, keys[i].help);
        console_line(line);
    }
}

void console_press(char key)
{
    if (key == 'h') {
        show_help();
        return;
    }
    for (uint32_t i = 0; i < nr_keys; i++) {
        if (keys[i].key == key) {
            log_unlimited(true);
            keys[i].fn();
            log_unlimited(false);
            return;
        }
    }
}

static void type(uint8_t byte)
{
    if (!console_focus_receive(byte))
        console_press((char)byte);
}

static void receive(uint8_t byte)
{
    if (byte == SWITCH_KEY) {
        if (++switch_count == SWITCH_TIMES) {
            switch_count = 0;
            console_focus_next();
        }
        return;
    }
    for (; switch_count > 0; switch_count--)
        type(SWITCH_KEY);
    type(byte);
}

void console_interrupt(void *unused)
{
    uint8_t bytes[INPUT_BYTES];

    (void)unused;
    if (!__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE)) {
        uint32_t n = console_tx_receive(bytes, INPUT_BYTES);
        for (uint32_t i = 0; i < n; i++)
            receive(bytes[i]);
        store_release(busy, false);
        if (n == INPUT_BYTES)
            console_timer_arm();
    }
    console_tx_pump();
    console_serve_ready();
}
