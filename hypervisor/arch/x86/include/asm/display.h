/* SPDX-License-Identifier: MIT */
/*
 * The screen of a PC, as firmware and the boot loader leave it: pixels in memory, or VGA's text. It
 * shows the hypervisor's lines where `console=` says `vga`, and is the hardware domain's from its
 * start on, unless the user says `vga=keep`. doc/console.md.
 */
#ifndef ASM_DISPLAY_H
#define ASM_DISPLAY_H

#include <hospes/framebuffer.h>
#include <hospes/types.h>

struct dom0_vga_console_info;
struct screen_device;

/* Shows the lines so far and from here on. The first pCPU, once memory is managed. */
void display_init(void);

/* What a kernel that starts as the hardware domain needs to draw on it: <xen/xen.h>,
 * XENPF_get_dom0_console. How many bytes of *info say so, or -ENODEV: there is no screen. */
int display_describe(struct dom0_vga_console_info *info);

/* vga.c: VGA's colour text mode of 80 columns and 25 rows. False: the screen is in another. */
#define VGA_COLUMNS 80u
#define VGA_ROWS    25u
bool vga_is_text(void);
/* Its screen, blank; NULL without memory. Boot only. */
const struct screen_device *vga_screen(void);

/* font.S */
extern const framebuffer_font font_glyphs;

#endif
