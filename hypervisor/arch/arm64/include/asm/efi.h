/* SPDX-License-Identifier: MIT */
/* What efi.S has for efi.c. */
#ifndef ASM_EFI_H
#define ASM_EFI_H

#include <hospes/compiler.h>

/* From firmware's address space to primary_entry, with the tree's address. All that is read there
 * was cleaned to memory. */
__noreturn void efi_leave(const void *fdt);

#endif
