/* SPDX-License-Identifier: MIT */
/*
 * Where UEFI firmware enters the image (boot.S has the header that says so), and where Hospes leaves firmware behind.
 * Between the two stands efi.c. UEFI 2.10, section 2.3.6.
 */
#include <asm/sysreg.h>

    .text

/*
 * EFI_STATUS efi_entry(EFI_HANDLE image, EFI_SYSTEM_TABLE *table): firmware's stack, its MMU on, all of memory at its
 * own address. No C that uses an address kept in memory runs before these have been relocated.
 */
    .global efi_entry
    .type efi_entry, %function
efi_entry:
    stp x29, x30, [sp, #-32]!
    mov x29, sp
    stp x0, x1, [sp, #16]
    adrp x0, _image_start
    bl early_relocate
    ldp x0, x1, [sp, #16]
    ldp x29, x30, [sp], #32
    b efi_main

/*
 * efi_leave(fdt): from firmware's address space to primary_entry, which wants the MMU off. What it reads was cleaned
 * to memory before. HCR_EL2 loses what firmware had in it, E2H above all, under which TCR_EL2 reads differently.
 */
    .global efi_leave
    .type efi_leave, %function
efi_leave:
    mrs x1, sctlr_el2
    bic x1, x1, #(1 << 0)             /* M */
    bic x1, x1, #(1 << 2)             /* C */
    bic x1, x1, #(1 << 12)            /* I */
    msr sctlr_el2, x1
    isb
    mov x1, #(1 << 31)                /* RW */
    msr hcr_el2, x1
    isb
    ic iallu
    dsb nsh
    isb
    b primary_entry
