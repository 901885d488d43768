/* SPDX-License-Identifier: MIT */
/*
 * A screen that shows the hypervisor's lines: rows of cells with a letter each, which scroll, on
 * whatever draws cells. doc/console.md. Only the console writes to it.
 */
#ifndef HOSPES_SCREEN_H
#define HOSPES_SCREEN_H

#include <hospes/types.h>

/* Who draws. Both functions draw at once and cannot fail; they are called in a panic, too. */
struct screen_device {
    uint32_t columns, rows;
    void (*draw)(uint32_t column, uint32_t row, char c); /* one of ASCII's that can be seen */
    void (*cursor)(uint32_t column, uint32_t row);       /* NULL: it has none */
};

/*
 * The console's lines so far, and from here on, stand on this screen, which is blank now and stays;
 * `keep` as in console_bind_screen(). Once, boot only. 0 or -ENOMEM.
 */
int screen_init(const struct screen_device *d, bool keep);

#endif
