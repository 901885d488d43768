/* SPDX-License-Identifier: MIT */
/*
 * Where UEFI firmware enters the image (boot.S has the header that says so), and where Hospes leaves firmware behind.
 * Between the two stands efi/efi.c. UEFI 2.10, section 2.3.4: 64 bits, Microsoft's calling convention.
 */
#include <asm/layout.h>

    .text

/*
 * EFI_STATUS efi_entry(EFI_HANDLE image, EFI_SYSTEM_TABLE *table): firmware's stack and page tables, all of memory at its
 * own address. No C that uses an address kept in memory runs before these have been relocated. What its caller keeps and C
 * here does not: rsi and rdi.
 */
    .global efi_entry
    .type efi_entry, %function
efi_entry:
    push %rsi
    push %rdi
    push %rcx
    push %rdx
    sub $8, %rsp
    lea _image_start(%rip), %rdi
    call early_relocate
    add $8, %rsp
    pop %rsi
    pop %rdi
    sub $8, %rsp
    call efi_main
    add $8, %rsp
    pop %rdi
    pop %rsi
    ret

/* efi_jump(copy): firmware is gone, the image has been copied to `copy`, below 4 GiB: goes there, and on in boot.S. */
    .global efi_jump
    .type efi_jump, %function
efi_jump:
    cli
    lea efi_landed(%rip), %rax
    lea _image_start(%rip), %rcx
    sub %rcx, %rax
    add %rdi, %rax
    jmp *%rax
efi_landed:
    lea boot_stack_end - STACK_TOP(%rip), %rsp
    call early_identity
    jmp efi_landed_early

    .section .note.GNU-stack, "", %progbits
