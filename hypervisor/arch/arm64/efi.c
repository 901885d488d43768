/* SPDX-License-Identifier: MIT */
/* What <hospes/efi.h> asks of arm64: firmware's device tree, exception level, caches. */
#include <asm/efi.h>
#include <asm/sysreg.h>
#include <hospes/dt.h>
#include <hospes/efi.h>
#include <lib/bits.h>
#include <libfdt.h>
#include <string.h>

#define TREE_MAX MIB(2) /* what early.c maps */

extern const char _image_start[], _image_end[];

const uint64_t arch_efi_limit = UINT64_MAX;

const char arch_efi_no_tree[] =
    "firmware offers none (ACPI is not enough for Hospes).\n"
    "Have firmware pass one (EDK2 on QEMU: -machine acpi=off; U-Boot:\n"
    "bootefi <image> <tree>), or name one by dtb= in hospes.cfg beside Hospes.\n";

const char *arch_efi_begin(void)
{
    return (read_sysreg(CurrentEL) >> 2 & 3) == 2
               ? NULL
               : "firmware runs at EL1: Hospes needs EL2 (QEMU: -machine virtualization=on)";
}

void arch_efi_end(void)
{
}

/* The device tree in firmware's configuration table (UEFI 2.10, 4.6.1.3), NULL if there is none
 * that is sound. */
void *arch_efi_tree(void)
{
    static const EFI_GUID guid = {
        0xb1b621d5, 0xf19c, 0x41a5, { 0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0 }
    };

    for (UINTN i = 0; i < efi_table->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *t = &efi_table->ConfigurationTable[i];

        if (memcmp(&t->VendorGuid, &guid, sizeof(guid)) != 0)
            continue;
        if (!dt_check(t->VendorTable, TREE_MAX))
            return t->VendorTable;
        efi_print("firmware's device tree is malformed, or larger than 2 MiB\n");
    }
    return NULL;
}

int arch_efi_prepare(void)
{
    return 0;
}

int arch_efi_set_memory(void *fdt, const struct efi_map *map)
{
    return efi_tree_set_memory(fdt, map);
}

void arch_efi_clean(const void *start, uint64_t bytes)
{
    uint64_t line = 4ull << (read_sysreg(ctr_el0) >> 16 & 0xf);
    uint64_t a = align_down((uint64_t)(uintptr_t)start, line);

    for (; a < (uint64_t)(uintptr_t)start + bytes; a += line)
        __asm__ volatile("dc civac, %0" : : "r"(a) : "memory");
    dsb(sy);
}

void arch_efi_leave(const void *fdt)
{
    __asm__ volatile("msr daifset, #0xf" ::: "memory");
    arch_efi_clean(fdt, fdt_totalsize(fdt));
    arch_efi_clean(_image_start, (uint64_t)(_image_end - _image_start));
    efi_leave(fdt);
}
