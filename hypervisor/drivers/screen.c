/* SPDX-License-Identifier: MIT */
/*
 * Rows of letters on a screen: <hospes/screen.h>.
 *
 * What is on it is kept here, since reading a screen back is slow, and so is drawing: of rows that
 * scroll only the cells that change are drawn, once for each piece of text.
 */
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/screen.h>

#include <string.h>

static const struct screen_device *device;
static char *wanted, *drawn; /* rows of columns */
static uint32_t row, column;

static void draw(uint32_t x, uint32_t y)
{
    uint32_t at = y * device->columns + x;

    if (drawn[at] == wanted[at])
        return;
    drawn[at] = wanted[at];
    device->draw(x, y, drawn[at]);
}

static void draw_all(void)
{
    for (uint32_t y = 0; y < device->rows; y++)
        for (uint32_t x = 0; x < device->columns; x++)
            draw(x, y);
}

/* True if all rows have moved. */
static bool next_row(void)
{
    uint32_t above = (device->rows - 1) * device->columns;

    column = 0;
    if (row < device->rows - 1) {
        row++;
        return false;
    }
    memmove(wanted, wanted + device->columns, above);
    memset(wanted + above, ' ', device->columns);
    return true;
}

static void write_text(const char *text, uint32_t n)
{
    bool moved = false;

    for (uint32_t i = 0; i < n; i++) {
        char c = text[i];

        if (c == '\r')
            continue;
        if (c == '\n' || column == device->columns)
            moved |= next_row();
        if (c == '\n')
            continue;
        wanted[row * device->columns + column] = c >= ' ' && c <= '~' ? c : '?';
        if (!moved)
            draw(column, row);
        column++;
    }
    if (moved)
        draw_all();
    if (device->cursor)
        device->cursor(column < device->columns ? column : column - 1, row);
}

int screen_init(const struct screen_device *d, bool keep)
{
    uint32_t cells = d->columns * d->rows;

    wanted = heap_alloc_dirty(2 * (uint64_t)cells);
    if (!wanted)
        return -ENOMEM;
    drawn = wanted + cells;
    memset(wanted, ' ', 2 * (uint64_t)cells);
    device = d;
    row = column = 0;
    console_bind_screen(write_text, keep);
    return 0;
}
