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
    } :data
    .note.gnu.build-id : {
        _build_id = .;
        KEEP(*(.note.gnu.build-id))
        _build_id_end = .;
    } :data
    .note.Xen : {
        KEEP(*(.note.Xen))
    } :data :note
    /* Constants with addresses in them: written by the relocation, read-only from then on. */
    .data.rel.ro : ALIGN(8) {
        _relocated_start = .;
        *(.data.rel.ro .data.rel.ro.*)
    } :data
    .got : {
        *(.got .got.plt)
    } :data
    . = ALIGN(4096);
    _rodata_end = .;
    /* Which words of these are to be relocated: a bit for each, from mk/pack-relocations. */
    .data : {
        *(.data .data.*)
        . = ALIGN(8);
        _relocated_end = .;
        _relocations = .;
        . += ALIGN((_relocated_end - _relocated_start) / 64 + 1, 8);
        . = ALIGN(512);
        _file_end = .;
    } :data
    . = ALIGN(4096);
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
    /* The linker's own, which nobody loads. */
    .rela.dyn 0 (INFO) : { *(.rela .rela.*) }
    .dynamic 0 (INFO) : { *(.dynamic) }
    .dynsym 0 (INFO) : { *(.dynsym) }
    .dynstr 0 (INFO) : { *(.dynstr) }
    .hash 0 (INFO) : { *(.hash) }
    .gnu.hash 0 (INFO) : { *(.gnu.hash) }
    .plt 0 (INFO) : { *(.plt) *(.plt.*) *(.iplt) *(.igot*) }
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
