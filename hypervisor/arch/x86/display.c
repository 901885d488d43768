/* SPDX-License-Identifier: MIT */
/* Which screen a PC has: <asm/display.h>. */
#include <asm/boot_info.h>
#include <asm/display.h>
#include <asm/options.h>
#include <hospes/abi.h>
#include <hospes/cmdline.h>
#include <hospes/errno.h>
#include <hospes/log.h>
#include <lib/bits.h>
#include <xen/xen.h>

#include <string.h>

#define VGA_FONT_HEIGHT 16
#define LFB_UNIT        KIB(64)

enum display { DISPLAY_NONE, DISPLAY_TEXT, DISPLAY_PIXELS };

static enum display display;

static enum display find(void)
{
    if (framebuffer_valid(&boot_info.framebuffer))
        return DISPLAY_PIXELS;
    return vga_is_text() ? DISPLAY_TEXT : DISPLAY_NONE;
}

void display_init(void)
{
    const struct screen_device *screen;

    display = find();
    if (!strstr(options.console, "vga"))
        return;
    if (display == DISPLAY_NONE) {
        log_debug("console: there is no screen");
        return;
    }
    screen = display == DISPLAY_TEXT ? vga_screen()
                                     : framebuffer_screen(&boot_info.framebuffer, &font_glyphs);
    if (!screen || screen_init(screen, x86_options.vga_keep))
        log_warn("console: there is no memory for the screen");
}

static void describe_text(struct dom0_vga_console_info *info)
{
    info->video_type = XEN_VGATYPE_TEXT_MODE_3;
    info->u.text_mode_3.font_height = VGA_FONT_HEIGHT;
    info->u.text_mode_3.cursor_y = VGA_ROWS - 1;
    info->u.text_mode_3.rows = VGA_ROWS;
    info->u.text_mode_3.columns = VGA_COLUMNS;
}

static void describe_pixels(struct dom0_vga_console_info *info, const struct framebuffer *fb)
{
    info->video_type = boot_info.efi_system_table ? XEN_VGATYPE_EFI_LFB : XEN_VGATYPE_VESA_LFB;
    info->u.vesa_lfb.width = (uint16_t)fb->width;
    info->u.vesa_lfb.height = (uint16_t)fb->height;
    info->u.vesa_lfb.bytes_per_line = (uint16_t)fb->pitch;
    info->u.vesa_lfb.bits_per_pixel = (uint16_t)fb->bits;
    info->u.vesa_lfb.lfb_base = (uint32_t)fb->address;
    info->u.vesa_lfb.ext_lfb_base = (uint32_t)(fb->address >> 32);
    info->u.vesa_lfb.lfb_size = (uint32_t)div_round_up((uint64_t)fb->pitch * fb->height, LFB_UNIT);
    info->u.vesa_lfb.red_pos = fb->red.at;
    info->u.vesa_lfb.red_size = fb->red.bits;
    info->u.vesa_lfb.green_pos = fb->green.at;
    info->u.vesa_lfb.green_size = fb->green.bits;
    info->u.vesa_lfb.blue_pos = fb->blue.at;
    info->u.vesa_lfb.blue_size = fb->blue.bits;
}

int display_describe(struct dom0_vga_console_info *info)
{
    memset(info, 0, sizeof(*info));
    switch (display) {
    case DISPLAY_TEXT:
        describe_text(info);
        break;
    case DISPLAY_PIXELS:
        describe_pixels(info, &boot_info.framebuffer);
        break;
    case DISPLAY_NONE:
        return -ENODEV;
    }
    return sizeof(*info);
}
