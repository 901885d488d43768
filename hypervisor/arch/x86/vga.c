/* SPDX-License-Identifier: MIT */
/*
 * VGA's colour text mode of 80 columns and 25 rows: <asm/vga.h>. IBM, Personal System/2 Hardware
 * Interface Technical Reference, video subsystem; registers' numbers as in every VGA since.
 *
 * What is on the screen is kept here, since reading it back is slow.
 */
#include <asm/io.h>
#include <asm/options.h>
#include <asm/vga.h>
#include <hospes/cmdline.h>
#include <hospes/console.h>
#include <hospes/log.h>
#include <hospes/map.h>

#include <string.h>

#define MEMORY  0xb8000u
#define COLUMNS 80u
#define ROWS    25u
#define GREY    0x0700u /* on black */

#define GRAPHICS_INDEX 0x3ceu
#define GRAPHICS_DATA  0x3cfu
#define MISCELLANEOUS  6u
#define IS_GRAPHICS    0x01u
#define MAP            0x0cu /* 0x0c: memory at MEMORY, 32 KiB */

#define CRTC_INDEX  0x3d4u
#define CRTC_DATA   0x3d5u
#define CRTC_START  0x0cu /* and the next, low byte: where the screen begins in its memory */
#define CRTC_CURSOR 0x0eu /* and the next */

static volatile uint16_t *cells;
static uint16_t shown[ROWS][COLUMNS];
static uint32_t row, column;

static void set_crtc(uint8_t index, uint32_t value)
{
    port_write8(CRTC_INDEX, index);
    port_write8(CRTC_DATA, (uint8_t)(value >> 8));
    port_write8(CRTC_INDEX, (uint8_t)(index + 1));
    port_write8(CRTC_DATA, (uint8_t)value);
}

static void draw(uint32_t from_row)
{
    for (uint32_t y = from_row; y < ROWS; y++)
        for (uint32_t x = 0; x < COLUMNS; x++)
            mmio_write16(&cells[y * COLUMNS + x], shown[y][x]);
}

static void clear_row(uint32_t y)
{
    for (uint32_t x = 0; x < COLUMNS; x++)
        shown[y][x] = GREY | ' ';
}

/* True if all rows have moved. */
static bool next_row(void)
{
    column = 0;
    if (row < ROWS - 1) {
        row++;
        return false;
    }
    memmove(shown[0], shown[1], sizeof(shown) - sizeof(shown[0]));
    clear_row(ROWS - 1);
    return true;
}

static void write_text(const char *text, uint32_t n)
{
    bool moved = false;

    for (uint32_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)text[i];

        if (c == '\r')
            continue;
        if (c == '\n' || column == COLUMNS)
            moved |= next_row();
        if (c == '\n')
            continue;
        shown[row][column] = GREY | (c >= ' ' && c < 0x7f ? c : '?');
        if (!moved)
            mmio_write16(&cells[row * COLUMNS + column], shown[row][column]);
        column++;
    }
    if (moved)
        draw(0);
    set_crtc(CRTC_CURSOR, row * COLUMNS + (column < COLUMNS ? column : COLUMNS - 1));
}

/* Where there is none, or firmware draws pixels, nothing would be seen. */
static bool is_text(void)
{
    uint8_t misc;

    port_write8(GRAPHICS_INDEX, MISCELLANEOUS);
    misc = port_read8(GRAPHICS_DATA);
    return misc != 0xff && !(misc & IS_GRAPHICS) && (misc & MAP) == MAP;
}

void vga_init(void)
{
    if (!strstr(options.console, "vga"))
        return;
    if (!is_text()) {
        log_debug("console: there is no screen in text mode");
        return;
    }
    cells = device_map(MADDR(MEMORY), sizeof(shown));
    if (!cells)
        return;
    for (uint32_t y = 0; y < ROWS; y++)
        clear_row(y);
    row = column = 0;
    draw(0);
    set_crtc(CRTC_START, 0);
    console_bind_screen(write_text, x86_options.vga_keep);
}
