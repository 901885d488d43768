/* SPDX-License-Identifier: MIT */
/*
 * What <hospes/efi.h> asks of x86. Nothing is where firmware put it when Hospes runs: the image is
 * copied below 4 GiB, where boot.S and other CPUs reach it, and what it takes along is in
 * efi_handover.
 */
#include <asm/cpu.h>
#include <asm/efi.h>
#include <asm/msr.h>
#include <hospes/efi.h>
#include <hospes/errno.h>
#include <lib/bits.h>
#include <libfdt.h>
#include <string.h>

#define EMPTY_TREE 4096
#define COPY_ALIGN MIB(2)

extern const char _image_start[], _image_end[];

const uint64_t arch_efi_limit = GIB(4);
const char arch_efi_no_tree[] = "there is no memory for it\n";

static uint64_t firmware_fs;
static uint64_t copy; /* where the image goes */

const char *arch_efi_begin(void)
{
    firmware_fs = rdmsr(MSR_FS_BASE);
    if (read_cr4() & CR4_LA57)
        return "firmware uses page tables with five levels: Hospes has four";
    if (!(cpuid(0x80000001, 0).d >> 20 & 1))
        return "this CPU cannot keep data from being executed (NX)";
    /* Firmware does not use it. */
    cpu_own_fs();
    return NULL;
}

void arch_efi_end(void)
{
    wrmsr(MSR_FS_BASE, firmware_fs);
}

/* All that firmware knows is in ACPI's tables: this tree is for who is to be started. */
void *arch_efi_tree(void)
{
    void *fdt = efi_alloc(EMPTY_TREE);

    if (!fdt || fdt_create_empty_tree(fdt, EMPTY_TREE) ||
        fdt_setprop_u32(fdt, 0, "#address-cells", 2) || fdt_setprop_u32(fdt, 0, "#size-cells", 2) ||
        fdt_add_subnode(fdt, 0, "chosen") < 0)
        return NULL;
    return fdt;
}

static uint64_t find_rsdp(void)
{
    static const EFI_GUID guids[] = {
        { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } },
        { 0xeb9d2d30, 0x2d88, 0x11d3, { 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d } },
    };

    for (unsigned int g = 0; g < array_size(guids); g++)
        for (UINTN i = 0; i < efi_table->NumberOfTableEntries; i++)
            if (memcmp(&efi_table->ConfigurationTable[i].VendorGuid, &guids[g], sizeof(guids[g])) ==
                0)
                return (uint64_t)(uintptr_t)efi_table->ConfigurationTable[i].VendorTable;
    return 0;
}

/* A mask's bits stand together. */
static struct framebuffer_channel channel_of(UINT32 mask)
{
    uint8_t at = mask ? (uint8_t)__builtin_ctz(mask) : 0;
    uint8_t end = mask ? (uint8_t)(32 - __builtin_clz(mask)) : 0;

    return (struct framebuffer_channel){ at, (uint8_t)(end - at) };
}

/* The mode that firmware's screen is in (UEFI 2.10, 12.9); none if it does not tell of its memory.
 */
static struct framebuffer find_framebuffer(void)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *g = efi_protocol(efi_table->ConsoleOutHandle, &guid);
    EFI_PIXEL_BITMASK masks = { 0xff, 0xff00, 0xff0000, 0 };
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info;
    uint32_t bits = 32;

    if (!g)
        g = efi_protocol(NULL, &guid);
    if (!g || !g->Mode || !g->Mode->Info || g->Mode->Info->PixelFormat >= PixelBltOnly)
        return (struct framebuffer){ 0 };
    info = g->Mode->Info;
    if (info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
        masks = (EFI_PIXEL_BITMASK){ 0xff0000, 0xff00, 0xff, 0 };
    if (info->PixelFormat == PixelBitMask) {
        masks = info->PixelInformation;
        bits = 32 - (uint32_t)__builtin_clz(masks.RedMask | masks.GreenMask | masks.BlueMask |
                                            masks.ReservedMask | 1);
    }
    return (struct framebuffer){
        .address = g->Mode->FrameBufferBase,
        .pitch = info->PixelsPerScanLine * (bits / 8),
        .width = info->HorizontalResolution,
        .height = info->VerticalResolution,
        .bits = bits,
        .red = channel_of(masks.RedMask),
        .green = channel_of(masks.GreenMask),
        .blue = channel_of(masks.BlueMask),
    };
}

int arch_efi_prepare(void)
{
    uint64_t bytes = (uint64_t)(_image_end - _image_start);
    EFI_PHYSICAL_ADDRESS addr = arch_efi_limit - 1;

    /* Where code may run, while firmware's tables are in use. */
    if (EFI_ERROR(efi_table->BootServices->AllocatePages(
            AllocateMaxAddress, EfiLoaderCode, (bytes + COPY_ALIGN) / FRAME_SIZE, &addr))) {
        efi_print("firmware has no memory below 4 GiB: %lu KiB\n", (unsigned long)(bytes >> 10));
        return -ENOMEM;
    }
    copy = align_up(addr, COPY_ALIGN);
    efi_handover.rsdp = find_rsdp();
    efi_handover.system_table = (uint64_t)(uintptr_t)efi_table;
    efi_handover.framebuffer = find_framebuffer();
    return 0;
}

int arch_efi_set_memory(void *fdt, const struct efi_map *map)
{
    (void)fdt;
    efi_handover.map = (uint64_t)(uintptr_t)map->first;
    efi_handover.map_bytes = map->bytes;
    efi_handover.map_step = map->step;
    return 0;
}

void arch_efi_clean(const void *start, uint64_t bytes)
{
    (void)start, (void)bytes;
}

void arch_efi_leave(const void *fdt)
{
    efi_handover.tree = (uint64_t)(uintptr_t)fdt;
    __asm__ volatile("cli" ::: "memory");
    memcpy((void *)(uintptr_t)copy, _image_start, (size_t)(_image_end - _image_start));
    efi_jump(copy);
}
