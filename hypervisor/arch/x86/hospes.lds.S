/* SPDX-License-Identifier: MIT */
/*
 * The image, linked at 0 and relocated by early.c. The file ends after .data; .bss follows it in memory. Every part with
 * rights of its own begins on a page. Machine addresses in the ELF file, for who loads that: LOAD_ADDRESS.
 */
#include <asm/layout.h>

OUTPUT_ARCH(i386:x86-64)
ENTRY(multiboot_entry)

PHDRS
{
    text PT_LOAD FLAGS(5);
    data PT_LOAD FLAGS(6);
    note PT_NOTE FLAGS(4);
}

SECTIONS
{
    . = 0;
    _image_start = .;
    .text : AT(LOAD_ADDRESS) {
        KEEP(*(.head.text))
        *(.text .text.*)
    } :text
    . = ALIGN(4096);
    _text_end = .;
    .rodata : {
        *(.rodata .rodata.*)
        . = ALIGN(8);
        _fixups_start = .;
        KEEP(*(.fixups))
        _fixups_end = .;
        . = ALIGN(4);
        _patches_start = .;
        KEEP(*(.patches))
        _patches_end = .;
    } :text
    .note.gnu.build-id : {
        _build_id = .;
        KEEP(*(.note.gnu.build-id))
        _build_id_end = .;
    } :text
    .note.Xen : {
        KEEP(*(.note.Xen))
    } :text :note
    /* Constants with addresses in them: written by the relocation, read-only from then on. */
    . = ALIGN(4096);
    .data.rel.ro : {
        *(.data.rel.ro .data.rel.ro.*)
    } :data
    .got : {
        *(.got .got.plt)
    } :data
    .rela.dyn : {
        _rela_start = .;
        *(.rela .rela.*)
        _rela_end = .;
    } :data
    .dynamic : { *(.dynamic) } :data
    .dynsym : { *(.dynsym) } :data
    .dynstr : { *(.dynstr) } :data
    .hash : { *(.hash) } :data
    .gnu.hash : { *(.gnu.hash) } :data
    .plt : { *(.plt) *(.plt.*) *(.iplt) *(.igot*) } :data
    . = ALIGN(4096);
    _rodata_end = .;
    .data : {
        *(.data .data.*)
        . = ALIGN(4096);
        _file_end = .;
    } :data
    .bss (NOLOAD) : {
        _bss_start = .;
        *(.bss.stack)
        *(.bss.page_aligned)
        *(.bss .bss.*)
        *(.dynbss)
        *(COMMON)
        . = ALIGN(4096);
        _bss_end = .;
    } :data
    _image_end = .;
    /* Sizes for the headers in boot.S, as offsets from _start, which is how it can express them. */
    _data_bytes = _image_start + (_image_end - _text_end);
    _data_file_bytes = _image_start + (_file_end - _text_end);

    /DISCARD/ : { *(.comment) *(.note .note.*) *(.eh_frame .eh_frame_hdr) *(.gnu.version*) *(.interp) *(.sframe) }
    .symtab 0 : { *(.symtab) }
    .strtab 0 : { *(.strtab) }
    .shstrtab 0 : { *(.shstrtab) }
    .debug_info 0 : { *(.debug_info) }
    .debug_line 0 : { *(.debug_line) }
    .debug_abbrev 0 : { *(.debug_abbrev) }
    .debug_str 0 : { *(.debug_str) }
    .debug_line_str 0 : { *(.debug_line_str) }
    .debug_loclists 0 : { *(.debug_loclists) }
    .debug_rnglists 0 : { *(.debug_rnglists) }
    .debug_aranges 0 : { *(.debug_aranges) }
    .debug_addr 0 : { *(.debug_addr) }
    .debug_str_offsets 0 : { *(.debug_str_offsets) }
    .debug_frame 0 : { *(.debug_frame) }
    .debug_ranges 0 : { *(.debug_ranges) }
    .debug_loc 0 : { *(.debug_loc) }
}
