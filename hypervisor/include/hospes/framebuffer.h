/* SPDX-License-Identifier: MIT */
/* A linear framebuffer, as firmware and boot loaders leave one, that shows letters. */
#ifndef HOSPES_FRAMEBUFFER_H
#define HOSPES_FRAMEBUFFER_H

#include <hospes/screen.h>
#include <hospes/types.h>

/* Where a colour stands in a pixel, which is a little-endian number. */
struct framebuffer_channel {
    uint8_t at, bits;
};

struct framebuffer {
    uint64_t address;             /* machine; 0: there is none */
    uint32_t pitch;               /* bytes from one line to the next */
    uint32_t width, height, bits; /* in pixels; of a pixel */
    struct framebuffer_channel red, green, blue;
};

#define FONT_FIRST  ' '
#define FONT_LAST   '~'
#define FONT_HEIGHT 16 /* lines of eight pixels, the leftmost in the highest bit */

typedef uint8_t framebuffer_font[FONT_LAST - FONT_FIRST + 1][FONT_HEIGHT];

/* A whole number of bytes for each of its lines, which lie where they can: what is told can be
 * drawn. */
bool framebuffer_valid(const struct framebuffer *fb);

/* The screen of a valid one, mapped for good and black. NULL without memory. Once, boot only. */
const struct screen_device *framebuffer_screen(const struct framebuffer *fb,
                                               const framebuffer_font *font);

#endif
