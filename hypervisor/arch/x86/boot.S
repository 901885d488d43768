/* SPDX-License-Identifier: MIT */
/*
 * From a boot loader's jump to C: multiboot 1 (Multiboot Specification 0.6.96), multiboot 2 (2.0) and PVH
 * (<xen/arch-x86/hvm/start_info.h>), all in 32 bits without paging at LOAD_ADDRESS. Other CPUs: trampoline.S. doc/boot-x86.md
 * tells the way from here in prose.
 */
#include <asm/cpu.h>
#include <asm/layout.h>
#include <asm/msr.h>

#define MULTIBOOT1_MAGIC  0x1badb002
#define MULTIBOOT1_LOADED 0x2badb002
#define MULTIBOOT1_FLAGS  (1 << 0 | 1 << 1 | 1 << 16) /* modules on pages, memory, addresses are below */
#define MULTIBOOT2_MAGIC  0xe85250d6
#define PVH_LOADED        0x336ec578
#define EFI_LOADED        0x49464548          /* our own */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

/* A symbol's machine address, in 32 bits. */
#define AT(symbol) (symbol - _start + LOAD_ADDRESS)

    .section .head.text, "ax"
    .global _start
_start:
    /* The head of a PE/COFF file (Microsoft PE format; UEFI 2.10, section 2.1.1): 64-bit firmware enters by efi.S. */
    .ascii "MZ"
    .org _start + 0x3c
    .long pe_header - _start
    .balign 8
multiboot1:
    .long MULTIBOOT1_MAGIC
    .long MULTIBOOT1_FLAGS
    .long -(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)
    .long AT(multiboot1)
    .long AT(_start)
    .long AT(_file_end)
    .long AT(_image_end)
    .long AT(multiboot_entry)

    .balign 8
multiboot2:
    .long MULTIBOOT2_MAGIC
    .long 0                           /* i386 */
    .long multiboot2_end - multiboot2
    .long -(MULTIBOOT2_MAGIC + (multiboot2_end - multiboot2))
    .short 2, 0                       /* addresses */
    .long 24
    .long AT(multiboot2)
    .long AT(_start)
    .long AT(_file_end)
    .long AT(_image_end)
    .short 3, 0                       /* entry */
    .long 12
    .long AT(multiboot_entry)
    .balign 8
    .short 6, 0                       /* modules on pages */
    .long 8
    .short 1, 1                       /* what is wanted, optional: command line to framebuffer, memory, ACPI, EFI */
    .long 8 + 4 * 9
    .long 1, 2, 3, 6, 8, 12, 14, 15, 17
    .balign 8
    .short 0, 0
    .long 8
multiboot2_end:

    .balign 8
pe_header:
    .ascii "PE\0\0"
    .short 0x8664                     /* machine: x86-64 */
    .short 2                          /* sections */
    .long 0                           /* no time stamp: builds are reproducible */
    .long 0
    .long 0
    .short pe_sections - pe_optional
    .short 0x206                      /* executable, no line numbers, no symbols */
pe_optional:
    .short 0x20b                      /* PE32+ */
    .byte 2, 40                       /* linker version: any */
    .long _text_end - pe_text
    .long _data_bytes - _start
    .long 0
    .long efi_entry - _start
    .long pe_text - _start
    .quad 0                           /* preferred base: none */
    .long 4096                        /* alignment in memory */
    .long 512                         /* alignment in the file */
    .short 0, 0                       /* operating system */
    .short 1, 0                       /* image version */
    .short 0, 0                       /* subsystem version */
    .long 0
    .long _image_end - _start
    .long pe_text - _start            /* headers */
    .long 0                           /* checksum */
    .short 10                         /* EFI application */
    .short 0
    .quad 0, 0, 0, 0
    .long 0
    .long 6                           /* data directories, all empty */
    .quad 0, 0, 0, 0, 0, 0
pe_sections:
    .ascii ".text\0\0\0"
    .long _text_end - pe_text
    .long pe_text - _start
    .long _text_end - pe_text
    .long pe_text - _start
    .long 0, 0
    .short 0, 0
    .long 0x60000020                  /* code, execute, read */
    .ascii ".data\0\0\0"
    .long _data_bytes - _start
    .long _text_end - _start
    .long _data_file_bytes - _start
    .long _text_end - _start
    .long 0, 0
    .short 0, 0
    .long 0xc0000040                  /* initialised data, read, write */

    .code32
    .global multiboot_entry
pvh_entry:
    mov $PVH_LOADED, %eax
/* eax: which loader it was; ebx: the machine address of what it tells. */
multiboot_entry:
    cli
    cld
    mov %eax, %ebp
    mov %ebx, %esi

    /* .bss is zero: page tables and the stack are in it. */
    mov $AT(_bss_start), %edi
    mov $AT(_bss_end), %ecx
    sub %edi, %ecx
    shr $2, %ecx
    xor %eax, %eax
    rep stosl
    mov $(AT(boot_stack_end) - STACK_TOP), %esp

    mov $0x80000000, %eax
    push %esi
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    bt $29, %edx
    jnc no_long_mode
    pop %esi

    /* The first 4 GiB at their own addresses, in blocks of 2 MiB: a root, one table below it, four below that. */
    mov $AT(identity_tables), %edi
    lea 0x1003(%edi), %eax
    mov %eax, (%edi)
    lea 0x1000(%edi), %edx
    mov $4, %ecx
1:  add $0x1000, %eax
    mov %eax, (%edx)
    add $8, %edx
    loop 1b
    lea 0x2000(%edi), %edx
    mov $0x83, %eax
    mov $2048, %ecx
2:  mov %eax, (%edx)
    add $0x200000, %eax
    add $8, %edx
    loop 2b

    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov %edi, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
    mov %eax, %cr0
    lgdt AT(boot_gdt_pointer)
    ljmp $SELECTOR_CODE, $AT(long_mode)

/* Says so where somebody may look, in 32 bits: on the first serial port and the screen. */
no_long_mode:
    mov $AT(no_long_mode_text), %esi
    mov $0xb8000, %edi
    mov $0x4f, %ah
3:  lodsb
    test %al, %al
    jz 4f
    mov %ax, (%edi)
    add $2, %edi
    mov $0x3f8, %dx
    out %al, %dx
    jmp 3b
4:  hlt
    jmp 4b
no_long_mode_text:
    .asciz "Hospes: this CPU has no 64-bit mode.\r\n"

    .balign 8
    .global boot_gdt_pointer
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff          /* SELECTOR_CODE: 64 bits */
    .quad 0x00cf93000000ffff          /* SELECTOR_DATA */
boot_gdt_pointer:
    .short . - boot_gdt - 1
    .long AT(boot_gdt)

    .code64
long_mode:
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov %ebp, %r12d                   /* which loader */
    mov %esi, %r13d                   /* what it tells */
    jmp 5f

/* From efi.S: as above, but for segments, which are as good as these. */
    .global efi_landed_early
efi_landed_early:
    mov $EFI_LOADED, %r12d
    xor %r13d, %r13d
5:  lea _start(%rip), %rdi
    lea identity_tables(%rip), %rsi
    mov %rdi, %rbx
    call early_final                  /* rax = root, rdx = virtual - machine address of the image */
    mov %rax, %cr3
    lea boot_high(%rip), %rax
    add %rdx, %rax
    jmp *%rax

/* At the image's own address. */
boot_high:
    lea boot_stack_end - STACK_TOP(%rip), %rsp
    lea boot_pcpu(%rip), %rax
    mov %rax, STACK_TOP_PCPU(%rsp)
    xor %ebp, %ebp
    mov %rbx, %rdi
    mov %r12d, %esi
    mov %r13, %rdx
    call x86_start
    ud2

    /* Firmware maps the first page as a file's head: not to be run. */
    .balign 4096
pe_text:

    .section .note.Xen, "a", %note
    .balign 4
    .long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long AT(pvh_entry)

    .section .bss.page_aligned, "aw", %nobits
    .balign 4096
    .global identity_tables
identity_tables:
    .space 6 * 4096

    /* Its lowest page is not mapped, early.c. */
    .section .bss.stack, "aw", %nobits
    .balign STACK_SIZE
    .global boot_stack
boot_stack:
    .space STACK_SIZE
    .global boot_stack_end
boot_stack_end:

    .section .note.GNU-stack, "", %progbits
