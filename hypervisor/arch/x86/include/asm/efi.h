/* SPDX-License-Identifier: MIT */
/* What the image's life under UEFI leaves to the other: plain numbers, since the image moves. */
#ifndef ASM_EFI_H
#define ASM_EFI_H

#include <asm/boot_info.h>
#include <hospes/compiler.h>
#include <hospes/types.h>

/* All addresses are below 4 GiB, but for what firmware's tables say. */
struct efi_handover {
    uint64_t tree;                     /* device tree */
    uint64_t map, map_bytes, map_step; /* firmware's last map of memory */
    uint64_t rsdp, system_table;
    struct framebuffer framebuffer;
};
extern struct efi_handover efi_handover;

/* Fills in what it says, as the readers of <asm/boot_info.h> do. */
void efi_handover_read(struct boot_info *b, boot_at_fn *at);

/* efi.S */
__noreturn void efi_jump(uint64_t copy);

#endif
