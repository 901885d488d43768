/* SPDX-License-Identifier: MIT */
/*
 * The image, linked at 0 and relocated by early.c. The file ends after .data; .bss follows it in memory. Every
 * part with rights of its own begins on a page.
 */
OUTPUT_ARCH(aarch64)
ENTRY(_start)

PHDRS
{
    text PT_LOAD FLAGS(5);
    data PT_LOAD FLAGS(6);
}

SECTIONS
{
    . = 0;
    _image_start = .;
    /*
     * Of the first page UEFI need not bring more than headers: behind them is what runs only where no UEFI is. In the second
     * page the boot code, then the vectors.
     */
    .text : {
        KEEP(*(.head.text))
        *wrong_level.c.o(.text .text.* .rodata .rodata.*)
        . = ALIGN(4096);
        _text_start = .;
        boot_text = .;
        KEEP(*(.text.boot))
        _boot_code_end = .;
        /* Fills what is left before the vectors, which begin at 2048. */
        *memory.S.o(.text .text.*)
        *entry.S.o(.text)
        KEEP(*(.text.vectors))
        boot_text_end = boot_text + 4096;
        *(.text .text.*)
    } :text
    . = ALIGN(4096);
    _text_end = .;
    ASSERT(_boot_code_end <= boot_text_end, "the code that runs at its machine address has to fit into a page")
    .rodata : {
        *(.rodata .rodata.*)
    } :data
    .note.gnu.build-id : {
        _build_id = .;
        KEEP(*(.note.gnu.build-id))
        _build_id_end = .;
    } :data
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
    _text_bytes = _image_start + (_text_end - _text_start);
    _data_bytes = _image_start + (_image_end - _text_end);
    _data_file_bytes = _image_start + (_file_end - _text_end);

    /DISCARD/ : { *(.comment) *(.note .note.*) *(.eh_frame .eh_frame_hdr) *(.gnu.version*) *(.interp) }
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
