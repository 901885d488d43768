/* SPDX-License-Identifier: MIT */
/* A display beside the UART: it shows the hypervisor's own lines, until a domain gets it. */
#include "console_internal.h"
#include <hospes/log.h>
#include <string.h>

static console_screen_fn *screen; /* under console_lock, but in a panic; NULL: none */
static bool kept;

static void show(const char *line, uint32_t n)
{
    screen(line, n);
    screen("\n", 1);
}

void console_bind_screen(console_screen_fn *write, bool keep)
{
    spin_lock(&console_lock);
    screen = write;
    kept = keep;
    console_ring_for_lines(show);
    spin_unlock(&console_lock);
}

void console_release_screen(void)
{
    if (!screen || kept)
        return;
    log_info("the screen is the hardware domain's from here on, unless vga=keep is said");
    spin_lock(&console_lock);
    screen = NULL;
    spin_unlock(&console_lock);
}

void console_screen_line(const char *prefix, const char *text, uint32_t n)
{
    if (!screen)
        return;
    screen(prefix, (uint32_t)strlen(prefix));
    show(text, n);
}

void console_screen_panic(const char *text)
{
    console_screen_fn *write = read_once(screen);

    if (write)
        write(text, (uint32_t)strlen(text));
}
