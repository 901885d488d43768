/* SPDX-License-Identifier: MIT */
/* The letters of the screen, as mk/font takes them from a font of Debian's: <asm/display.h>. */
    .section .rodata.font_glyphs, "a", %progbits
    .global font_glyphs
font_glyphs:
    .incbin "font.bin"

    .section .note.GNU-stack, "", %progbits
