/* SPDX-License-Identifier: MIT */
/* Letters of pixels: <hospes/framebuffer.h>. Grey on black, as text modes have them. */
#include <hospes/framebuffer.h>
#include <hospes/io.h>
#include <hospes/map.h>
#include <lib/bits.h>

#define FONT_WIDTH 8u
#define SIDE_MAX   16384u /* pixels of a side, more than any screen has */
#define LARGE_WIDTH \
    2560u          /* from here on small letters are hard to read: they are drawn twice as large */
#define GREY 0xaau /* of 255 */

static volatile uint8_t *pixels;
static struct framebuffer frame;
static const framebuffer_font *letters;
static uint32_t scale, ink;
static struct screen_device device;

static bool channel_valid(const struct framebuffer *fb, const struct framebuffer_channel *c)
{
    return c->bits && c->bits <= 16 && (uint32_t)c->at + c->bits <= fb->bits;
}

bool framebuffer_valid(const struct framebuffer *fb)
{
    if (!fb->address || (fb->bits != 16 && fb->bits != 24 && fb->bits != 32))
        return false;
    if (fb->width < FONT_WIDTH || fb->width > SIDE_MAX || fb->height < FONT_HEIGHT ||
        fb->height > SIDE_MAX)
        return false;
    if (fb->pitch < fb->width * (fb->bits / 8) || fb->pitch > SIDE_MAX * 4)
        return false;
    return channel_valid(fb, &fb->red) && channel_valid(fb, &fb->green) &&
           channel_valid(fb, &fb->blue);
}

static uint32_t grey_of(const struct framebuffer_channel *c)
{
    return (uint32_t)(GREY * (BIT(c->bits) - 1) / 255) << c->at;
}

static void draw_pixel(volatile uint8_t *at, uint32_t color)
{
    if (frame.bits == 32) {
        mmio_write32(at, color);
    } else if (frame.bits == 16) {
        mmio_write16(at, (uint16_t)color);
    } else {
        for (unsigned int i = 0; i < 3; i++)
            mmio_write8(at + i, (uint8_t)(color >> 8 * i));
    }
}

static void draw(uint32_t column, uint32_t row, char c)
{
    const uint8_t *lines = (*letters)[c - FONT_FIRST];
    volatile uint8_t *line = pixels + (uint64_t)row * FONT_HEIGHT * scale * frame.pitch +
                             (uint64_t)column * FONT_WIDTH * scale * (frame.bits / 8);

    for (uint32_t y = 0; y < FONT_HEIGHT * scale; y++, line += frame.pitch)
        for (uint32_t x = 0; x < FONT_WIDTH * scale; x++) {
            bool set = lines[y / scale] & 0x80 >> x / scale;

            draw_pixel(line + x * (frame.bits / 8), set ? ink : 0);
        }
}

static void clear(void)
{
    for (uint32_t y = 0; y < frame.height; y++)
        for (uint32_t x = 0; x < frame.width; x++)
            draw_pixel(pixels + (uint64_t)y * frame.pitch + x * (frame.bits / 8), 0);
}

const struct screen_device *framebuffer_screen(const struct framebuffer *fb,
                                               const framebuffer_font *font)
{
    pixels = screen_map(MADDR(fb->address), (uint64_t)fb->pitch * fb->height);
    if (!pixels)
        return NULL;
    frame = *fb;
    letters = font;
    scale = fb->width >= LARGE_WIDTH ? 2 : 1;
    ink = grey_of(&fb->red) | grey_of(&fb->green) | grey_of(&fb->blue);
    clear();
    device = (struct screen_device){
        .columns = fb->width / (FONT_WIDTH * scale),
        .rows = fb->height / (FONT_HEIGHT * scale),
        .draw = draw,
    };
    return &device;
}
