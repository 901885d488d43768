/* SPDX-License-Identifier: MIT */
/*
 * What firmware and boot loaders of PCs hand over, as a hostile or broken one might: the input is
 * machine memory from BASE on, read by whoever its first byte names. Nothing may be read outside
 * it.
 */
#include <asm/boot_info.h>
#include <asm/e820.h>
#include <asm/microcode.h>
#include <hospes/acpi.h>
#include <hospes/map.h>
#include <lib/cpio.h>

#include <stdlib.h>
#include <string.h>

#define BASE 0x10000u

static uint8_t *memory;
static size_t memory_bytes;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const void *at(uint64_t maddr, uint64_t bytes)
{
    return maddr >= BASE && bytes <= memory_bytes && maddr - BASE <= memory_bytes - bytes
               ? memory + (maddr - BASE)
               : NULL;
}

const void *ram_map_readonly(maddr_t start, uint64_t bytes)
{
    return at(start.v, bytes);
}

void ram_unmap(const void *p, uint64_t bytes)
{
    (void)p;
    (void)bytes;
}

void maddr_read(void *to, maddr_t from, uint64_t bytes)
{
    (void)from;
    memset(to, 0, bytes);
}

static void read_tables(void)
{
    static struct acpi_madt madt;
    struct acpi_fadt fadt;
    struct acpi_mcfg mcfg;
    uint8_t type[2];
    uint32_t bytes = (uint32_t)memory_bytes;

    (void)acpi_madt_read(memory, bytes, &madt);
    (void)acpi_fadt_read(memory, bytes, &fadt);
    (void)acpi_find_s5(memory, bytes, type);
    (void)acpi_hpet_read(memory, bytes);
    for (uint32_t i = 0; i < 8; i++)
        (void)acpi_mcfg_read(memory, bytes, i, &mcfg);
}

static void read_loader(struct boot_info *b, uint8_t which)
{
    static uint64_t tree[4096];
    const char *why;
    int err = which == 0   ? multiboot_read(b, BASE, at, &why)
              : which == 1 ? multiboot2_read(b, BASE, at, &why)
                           : pvh_start_read(b, BASE, at, &why);

    if (!err)
        (void)boot_tree_write(b, at, NULL, 0, tree, sizeof(tree));
}

/* As the head of a ramdisk, and as the file itself. */
static void read_microcode(void)
{
    struct microcode m;
    uint64_t bytes;
    const void *file =
        cpio_find(memory, memory_bytes, "kernel/x86/microcode/AuthenticAMD.bin", &bytes);

    if (file)
        (void)microcode_amd_find(file, bytes, 0x00a20f12, &m);
    if (!microcode_amd_find(memory, memory_bytes, 0x00a20f12, &m) && m.bytes)
        memory[0] ^= ((const uint8_t *)m.patch)[m.bytes - 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;

    if (size < 2)
        return 0;
    memory_bytes = size - 1;
    memory = malloc(memory_bytes);
    memcpy(memory, data + 1, memory_bytes);
    memset(&info, 0, sizeof(info));
    memset(&host_e820, 0, sizeof(host_e820));
    info.line = "";
    if (data[0] % 6 == 3)
        read_tables();
    else if (data[0] % 6 == 4)
        (void)acpi_init(BASE, NULL, 0);
    else if (data[0] % 6 == 5)
        read_microcode();
    else
        read_loader(&info, data[0] % 6);
    free(memory);
    return 0;
}
