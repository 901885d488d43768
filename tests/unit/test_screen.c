/* SPDX-License-Identifier: MIT */
/* Lines on a screen, and letters of pixels. */
// sources: drivers/screen.c drivers/framebuffer.c
#include "unit.h"

#include <asm/host.h>
#include <hospes/console.h>
#include <hospes/framebuffer.h>
#include <hospes/screen.h>
#include <lib/bits.h>

#include <stdlib.h>
#include <string.h>

#define COLUMNS 6
#define ROWS    3

static console_screen_fn *show;
static char cells[ROWS][COLUMNS];
static uint32_t drawn, cursor_column, cursor_row;

/* The console's part: it has no lines so far. */
void console_bind_screen(console_screen_fn *write, bool keep)
{
    show = write;
}

static void draw(uint32_t column, uint32_t row, char c)
{
    assert_in_range(column, 0, COLUMNS - 1);
    assert_in_range(row, 0, ROWS - 1);
    cells[row][column] = c;
    drawn++;
}

static void cursor(uint32_t column, uint32_t row)
{
    cursor_column = column;
    cursor_row = row;
}

static const struct screen_device letters = { COLUMNS, ROWS, draw, cursor };

static int start_all(void **state)
{
    memset(cells, ' ', sizeof(cells));
    return screen_init(&letters, false);
}

static void text(const char *s)
{
    show(s, (uint32_t)strlen(s));
}

static int begin(void **state)
{
    text("\n\n\n");
    drawn = 0;
    return 0;
}

static void expect(const char *first, const char *second, const char *third)
{
    const char *rows[] = { first, second, third };

    for (unsigned int y = 0; y < ROWS; y++) {
        char row[COLUMNS + 1];

        (void)snprintf(row, sizeof(row), "%-6s", rows[y]);
        assert_memory_equal(cells[y], row, COLUMNS);
    }
}

static void rows_fill_and_scroll(void **state)
{
    text("one\r\ntwo");
    expect("", "one", "two");
    assert_int_equal(cursor_column, 3);
    assert_int_equal(cursor_row, 2);
    text("\nlonger than a row");
    expect("longer", " than ", "a row");
    text("\n\n\n");
    expect("", "", "");
    assert_int_equal(cursor_row, ROWS - 1);
    text("\x1b\x7f\xff\t~");
    expect("", "", "????~");
    text("12");
    expect("", "????~1", "2");
}

/* What stays the same is not drawn again, however far it moves. */
static void only_changes_are_drawn(void **state)
{
    text("same\nsame\nsame");
    assert_int_equal(drawn, 12);
    text("\nsame");
    assert_int_equal(drawn, 12);
    text("\nsome");
    assert_int_equal(drawn, 13);
    expect("same", "same", "some");
}

/* --- pixels ---------------------------------------------------------------------------------- */

#define AT     0xc0000000u
#define WIDTH  20u /* two letters, and what is left of a third */
#define HEIGHT 40u
#define PITCH  96u

static const framebuffer_font font = {
    ['L' - FONT_FIRST] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                           0x80, 0x80, 0x80, 0xff },
};

static const struct framebuffer good = {
    .address = AT,
    .pitch = PITCH,
    .width = WIDTH,
    .height = HEIGHT,
    .bits = 32,
    .red = { 16, 8 },
    .green = { 8, 8 },
    .blue = { 0, 8 },
};

static uint32_t pixel(const uint8_t *memory, const struct framebuffer *fb, uint32_t x, uint32_t y)
{
    uint32_t value = 0;

    memcpy(&value, memory + y * fb->pitch + x * (fb->bits / 8), fb->bits / 8);
    return value;
}

static void draw_letter(const struct framebuffer *fb, uint32_t ink)
{
    /* Of its own size, so that the sanitizer sees every access beside it. */
    uint64_t bytes = (uint64_t)fb->pitch * fb->height;
    uint8_t *memory = malloc(bytes);
    uint32_t scale = fb->width >= 2560 ? 2 : 1;
    const struct screen_device *d;

    memset(memory, 0x55, bytes);
    host_device_add(fb->address, bytes, memory);
    assert_true(framebuffer_valid(fb));
    d = framebuffer_screen(fb, &font);
    assert_non_null(d);
    assert_int_equal(d->columns, fb->width / 8 / scale);
    assert_int_equal(d->rows, fb->height / 16 / scale);
    for (uint32_t y = 0; y < d->rows; y++)
        for (uint32_t x = 0; x < d->columns; x++)
            d->draw(x, y, ' ');
    d->draw(d->columns - 1, d->rows - 1, 'L');
    for (uint32_t y = 0; y < fb->height; y++)
        for (uint32_t x = 0; x < fb->width; x++) {
            uint32_t in_x = x / scale - (d->columns - 1) * 8, in_y = y / scale - (d->rows - 1) * 16;
            bool set = in_x < 8 && in_y < 16 && (in_x == 0 || in_y == 15);

            assert_int_equal(pixel(memory, fb, x, y), set ? ink : 0);
        }
    free(memory);
}

static void letters_are_drawn(void **state)
{
    struct framebuffer fb = good;

    draw_letter(&fb, 0xaaaaaa);
    fb.address += 0x1000000;
    fb.bits = 24;
    draw_letter(&fb, 0xaaaaaa);
    fb.address += 0x1000000;
    fb.bits = 16;
    fb.red = (struct framebuffer_channel){ 11, 5 };
    fb.green = (struct framebuffer_channel){ 5, 6 };
    fb.blue = (struct framebuffer_channel){ 0, 5 };
    draw_letter(&fb, 20u << 11 | 42u << 5 | 20);
    fb = good;
    fb.address += 0x3000000;
    fb.width = 2560;
    fb.pitch = 2560 * 4;
    draw_letter(&fb, 0xaaaaaa);
}

static void what_cannot_be_drawn(void **state)
{
    static const struct {
        uint16_t at;
        uint32_t value;
    } bad[] = {
        { offsetof(struct framebuffer, address), 0 },
        { offsetof(struct framebuffer, pitch), 79 },
        { offsetof(struct framebuffer, pitch), 1u << 31 },
        { offsetof(struct framebuffer, width), 7 },
        { offsetof(struct framebuffer, width), 1u << 30 },
        { offsetof(struct framebuffer, height), 15 },
        { offsetof(struct framebuffer, height), UINT32_MAX },
        { offsetof(struct framebuffer, bits), 8 },
        { offsetof(struct framebuffer, bits), 15 },
        { offsetof(struct framebuffer, bits), 64 },
    };
    struct framebuffer fb;

    assert_true(framebuffer_valid(&good));
    for (unsigned int i = 0; i < array_size(bad); i++) {
        fb = good;
        memcpy((uint8_t *)&fb + bad[i].at, &bad[i].value, 4);
        assert_false(framebuffer_valid(&fb));
    }
    fb = good;
    fb.red = (struct framebuffer_channel){ 25, 8 };
    assert_false(framebuffer_valid(&fb));
    fb.red = (struct framebuffer_channel){ 255, 8 };
    assert_false(framebuffer_valid(&fb));
    fb.red = (struct framebuffer_channel){ 16, 0 };
    assert_false(framebuffer_valid(&fb));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rows_fill_and_scroll, begin),
        cmocka_unit_test_setup(only_changes_are_drawn, begin),
        cmocka_unit_test(letters_are_drawn),
        cmocka_unit_test(what_cannot_be_drawn),
    };

    return cmocka_run_group_tests(tests, start_all, NULL);
}
