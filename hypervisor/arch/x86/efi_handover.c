/* SPDX-License-Identifier: MIT */
/* What UEFI firmware told of memory (UEFI 2.10, 7.2.3 and table 7.10), once it is gone. */
#include <asm/boot_info.h>
#include <asm/e820.h>
#include <asm/efi.h>

/* EFI_MEMORY_DESCRIPTOR, and kinds of it. */
struct descriptor {
    uint32_t type, unused;
    uint64_t start, virtual_start, pages, attributes;
};

enum {
    LOADER_CODE = 1,
    LOADER_DATA = 2,
    BOOT_CODE = 3,
    BOOT_DATA = 4,
    CONVENTIONAL = 7,
    UNUSABLE = 8,
    ACPI_RECLAIM = 9,
    ACPI_NVS = 10,
    PERSISTENT = 14,
};

#define ATTRIBUTE_WB 8u

struct efi_handover efi_handover;

/* Free once firmware's boot services are gone, or what else a memory map calls it. */
static uint32_t kind_of(const struct descriptor *d)
{
    switch (d->type) {
    case LOADER_CODE:
    case LOADER_DATA:
    case BOOT_CODE:
    case BOOT_DATA:
    case CONVENTIONAL:
        return d->attributes & ATTRIBUTE_WB ? E820_RAM : E820_RESERVED;
    case UNUSABLE:
        return E820_UNUSABLE;
    case ACPI_RECLAIM:
        return E820_ACPI;
    case ACPI_NVS:
        return E820_NVS;
    case PERSISTENT:
        return E820_PMEM;
    default:
        return E820_RESERVED;
    }
}

void efi_handover_read(struct boot_info *b, boot_at_fn *at)
{
    const struct efi_handover *h = &efi_handover;

    b->protocol = "EFI";
    b->rsdp = h->rsdp;
    b->efi_system_table = h->system_table;
    b->framebuffer = h->framebuffer;
    for (uint64_t in = 0; in + sizeof(struct descriptor) <= h->map_bytes; in += h->map_step) {
        struct descriptor d;

        if (!boot_copy(&d, h->map + in, sizeof(d), at))
            return;
        if (d.pages && d.pages <= UINT64_MAX >> 12)
            boot_add_area(b, d.start, d.pages << 12, kind_of(&d));
    }
}
