/* SPDX-License-Identifier: MIT */
/*
 * VGA's colour text mode of 80 columns and 25 rows: <asm/display.h>. IBM, Personal System/2
 * Hardware Interface Technical Reference, video subsystem; registers' numbers as in every VGA
 * since.
 */
#include <asm/display.h>
#include <asm/io.h>
#include <hospes/map.h>
#include <hospes/screen.h>

#define MEMORY 0xb8000u
#define GREY   0x0700u /* on black */

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

static void set_crtc(uint8_t index, uint32_t value)
{
    port_write8(CRTC_INDEX, index);
    port_write8(CRTC_DATA, (uint8_t)(value >> 8));
    port_write8(CRTC_INDEX, (uint8_t)(index + 1));
    port_write8(CRTC_DATA, (uint8_t)value);
}

static void draw(uint32_t column, uint32_t row, char c)
{
    mmio_write16(&cells[row * VGA_COLUMNS + column], GREY | (uint8_t)c);
}

static void cursor(uint32_t column, uint32_t row)
{
    set_crtc(CRTC_CURSOR, row * VGA_COLUMNS + column);
}

/* Where there is none, or firmware draws pixels, nothing would be seen. */
bool vga_is_text(void)
{
    uint8_t misc;

    port_write8(GRAPHICS_INDEX, MISCELLANEOUS);
    misc = port_read8(GRAPHICS_DATA);
    return misc != 0xff && !(misc & IS_GRAPHICS) && (misc & MAP) == MAP;
}

const struct screen_device *vga_screen(void)
{
    static const struct screen_device screen = { VGA_COLUMNS, VGA_ROWS, draw, cursor };

    cells = device_map(MADDR(MEMORY), sizeof(*cells) * VGA_COLUMNS * VGA_ROWS);
    if (!cells)
        return NULL;
    for (uint32_t y = 0; y < VGA_ROWS; y++)
        for (uint32_t x = 0; x < VGA_COLUMNS; x++)
            draw(x, y, ' ');
    set_crtc(CRTC_START, 0);
    return &screen;
}
