/* SPDX-License-Identifier: MIT */
/*
 * Kernels that arm64 boots: what they are taken for, where they go, and that each byte arrives. If
 * these fail guests do not start, or a wrong or damaged file starts and crashes where nobody
 * understands it.
 */
// sources: core/kernel_image.c core/kernel_load.c core/kernel_arm64.c core/kernel_zboot.c
// sources: core/kernel_elf.c core/kernel_pe.c core/unpack.c core/gunzip.c arch/arm64/kernel.c
#include "kernel_world.h"

static void image(uint64_t bytes, uint64_t text_offset, uint64_t image_size)
{
    fill(bytes);
    put64(8, text_offset);
    put64(16, image_size);
    put32(56, 0x644d5241);
}

static void pe(uint64_t sections_end)
{
    memcpy(file, "MZ", 2);
    put32(60, 64);
    put32(64, 0x4550);
    put16(68, 0xaa64);
    put16(70, 1);
    put16(84, 160);
    put32(64 + 24 + 160 + 16, 0x1000);
    put32(64 + 24 + 160 + 20, (uint32_t)sections_end - 0x1000);
}

/* --- tests ----------------------------------------------------------------------------------- */

/* Linux's Image: at its offset from 2 MiB, with its bss within memory, whole. */
static void linux_image(void **state)
{
    image(MIB(5) + 12345, 0x80000, MIB(6));
    pe(MIB(5));
    assert_int_equal(probe(), 0);
    assert_int_equal(k.kind, KERNEL_LINUX);
    assert_int_equal(k.file_bytes, MIB(5) + 12345);
    assert_int_equal(kernel_place(&k, GADDR(GUEST), MIB(6)), -ENOSPC);
    assert_int_equal(kernel_place(&k, GADDR(GUEST), ROOM), 0);
    assert_int_equal(k.start.v, GUEST + 0x80000);
    assert_int_equal(k.entry.v, GUEST + 0x80000);
    assert_int_equal(k.end.v, GUEST + 0x80000 + MIB(6));
    assert_int_equal(load(), 0);
    assert_memory_equal(guest(k.start.v), file, file_bytes);
    /* Nothing is copied before the guest touches it. */
    assert_int_equal(cleared, 0);
    assert_int_equal(guest(GUEST)[0], 0);
    assert_int_equal(guest(k.start.v + file_bytes)[0], 0);
}

/* Kernels before 3.17 do not tell their size. */
static void old_linux_image(void **state)
{
    image(MIB(1), 0, 0);
    assert_int_equal(probe(), 0);
    assert_int_equal(kernel_place(&k, GADDR(GUEST + 0x1000), ROOM - 0x1000), 0);
    assert_int_equal(k.start.v, GUEST + MIB(2) + 0x80000);
    assert_int_equal(k.end.v, k.start.v + MIB(1));
}

static void gzip_image(void **state)
{
    static uint8_t plain[MIB(5) + 77];
    image(sizeof(plain), 0, MIB(6));
    memcpy(plain, file, sizeof(plain));
    gzip_file();
    assert_int_equal(probe(), 0);
    assert_non_null(k.unpacked);
    assert_int_equal(k.kind, KERNEL_LINUX);
    assert_int_equal(k.file_bytes, sizeof(plain));
    assert_int_equal(kernel_place(&k, GADDR(GUEST), ROOM), 0);
    assert_int_equal(k.end.v, GUEST + MIB(6));
    assert_int_equal(load(), 0);
    assert_memory_equal(guest(GUEST), plain, sizeof(plain));
    assert_int_equal(cleared, 1);
}

/* The wrapper that distributions put around compressed kernels for EFI. */
static void zboot(void **state)
{
    static uint8_t packed[MIB(8)];
    image(MIB(3), 0, MIB(3));
    gzip_file();
    uint64_t bytes = file_bytes;
    memcpy(packed, file, bytes);
    fill(8192 + bytes + 100);
    pe(8192);
    memcpy(file + 4, "zimg", 4);
    put32(8, 8192);
    put32(12, (uint32_t)bytes);
    memcpy(file + 24, "gzip\0", 5);
    memcpy(file + 8192, packed, bytes);
    assert_int_equal(probe(), 0);
    assert_int_equal(k.kind, KERNEL_LINUX);
    assert_int_equal(k.file_bytes, MIB(3));
    assert_int_equal(kernel_place(&k, GADDR(GUEST), ROOM), 0);
    assert_int_equal(load(), 0);
    image(MIB(3), 0, MIB(3));
    assert_memory_equal(guest(GUEST), file, MIB(3));

    fill(9000);
    pe(8192);
    memcpy(file + 4, "zimg", 4);
    put32(8, 8192);
    put32(12, 900);
    memcpy(file + 24, "gzip\0", 5);
    assert_int_equal(probe(), -EINVAL);
    expect_line(
        "/chosen/d/k: reg = 0x100000, 0x2328 bytes: the kernel is cut short: it has 9000 of 9092");
    memcpy(file + 24, "zstd\0", 5);
    assert_int_equal(probe(), -EINVAL);
    expect_line("is an EFI zboot image that is packed in a way");
}

static void phdr(int n, uint32_t type, uint64_t offset, uint64_t vaddr, uint64_t paddr,
                 uint64_t bytes, uint64_t memory)
{
    uint64_t at = 64 + 56 * (uint64_t)n;
    put32(at, type);
    put64(at + 8, offset);
    put64(at + 16, vaddr);
    put64(at + 24, paddr);
    put64(at + 32, bytes);
    put64(at + 40, memory);
}

static void elf(uint16_t type, uint16_t machine, uint64_t entry, uint16_t phdrs)
{
    fill(MIB(3));
    memset(file, 0, 64);
    memcpy(file, "\177ELF\2\1\1", 7);
    put16(16, type);
    put16(18, machine);
    put64(24, entry);
    put64(32, 64);
    put16(54, 56);
    put16(56, phdrs);
}

/* ELF: segments at their physical addresses, bss cleared though memory was dirty, entry by virtual
 * address. */
static void elf_file(void **state)
{
    elf(2, 183, 0xffff000000001010, 3);
    phdr(0, 6, 0, 0, 0, 1, 1);
    phdr(1, 1, 0x1000, 0xffff000000000000, GUEST + 0x200000, 0x2000, 0x2000);
    phdr(2, 1, 0x10000, 0xffff000000400000, GUEST + 0x600000, 0x100000, 0x500000);
    assert_int_equal(probe(), 0);
    assert_int_equal(k.kind, KERNEL_ELF);
    assert_int_equal(kernel_place(&k, GADDR(GUEST + MIB(4)), ROOM - MIB(4)), -ENOSPC);
    assert_int_equal(kernel_place(&k, GADDR(GUEST), ROOM), 0);
    assert_int_equal(k.start.v, GUEST + 0x200000);
    assert_int_equal(k.end.v, GUEST + 0xb00000);
    assert_int_equal(k.entry.v, GUEST + 0x201010);
    types[3] = P2M_RAM; /* 0x600000: not going to be cleared on touch */
    types[4] = P2M_RAM;
    assert_int_equal(load(), 0);
    assert_memory_equal(guest(GUEST + 0x200000), file + 0x1000, 0x2000);
    assert_memory_equal(guest(GUEST + 0x600000), file + 0x10000, 0x100000);
    for (uint64_t a = GUEST + 0x700000; a < GUEST + 0xa00000; a++)
        assert_int_equal(*guest(a), 0);
    assert_int_equal(types[5], P2M_RESERVED); /* left for the guest to touch */
}

/* A position-independent one goes where there is memory. */
static void elf_relocatable(void **state)
{
    elf(3, 183, 0x1234, 1);
    phdr(0, 1, 0, 0, 0, 0x2000, 0x2000);
    assert_int_equal(probe(), 0);
    assert_int_equal(kernel_place(&k, GADDR(GUEST + 0x1000), ROOM - 0x1000), 0);
    assert_int_equal(k.start.v, GUEST + MIB(2));
    assert_int_equal(k.entry.v, GUEST + MIB(2) + 0x1234);
    assert_int_equal(load(), 0);
    assert_memory_equal(guest(k.start.v), file, 0x2000);
}

static void elf_wrong(void **state)
{
    elf(2, 62, 0, 1);
    assert_int_equal(probe(), -EINVAL);
    expect_line("is an ELF file for another machine");
    elf(2, 183, 0x100, 1);
    phdr(0, 1, 0x2f0000, 0, GUEST, 0x20000, 0x20000);
    assert_int_equal(probe(), -EINVAL);
    expect_line("cut short: it has 3145728 of 3211264 bytes");
    phdr(0, 1, 0, 0, GUEST, 0x20000, 0x10000);
    assert_int_equal(probe(), -EINVAL);
    expect_line("damaged ELF program header");
    phdr(0, 1, UINT64_MAX - 5, 0, GUEST, 100, 100);
    assert_int_equal(probe(), -EINVAL);
    phdr(0, 1, 0, 0, UINT64_MAX - 5, 100, 100);
    assert_int_equal(probe(), -EINVAL);
    phdr(0, 1, 0, 0x1000, GUEST, 0x100, 0x100);
    assert_int_equal(probe(), -EINVAL);
    expect_line("entry is in none of its segments");
    elf(2, 183, 0, 9);
    for (int i = 0; i < 9; i++)
        phdr(i, 1, 0, 0, GUEST, 16, 16);
    assert_int_equal(probe(), -EINVAL);
    expect_line("too many ELF segments");
    elf(2, 183, 0, 1);
    put64(32, UINT64_MAX);
    assert_int_equal(probe(), -EINVAL);
    elf(2, 183, 0, 1);
    put64(32, MIB(3) - 10);
    assert_int_equal(probe(), -EINVAL);
    expect_line("cut short");
    elf(2, 183, 0, 1);
    file_bytes = 20;
    assert_int_equal(probe(), -EINVAL);
}

/* Anything else runs from its first byte. */
static void raw(void **state)
{
    fill(1000);
    assert_int_equal(probe(), 0);
    assert_int_equal(k.kind, KERNEL_RAW);
    assert_int_equal(kernel_place(&k, GADDR(GUEST), MIB(2)), 0);
    assert_int_equal(k.entry.v, GUEST);
    assert_int_equal(load(), 0);
    assert_memory_equal(guest(GUEST), file, 1000);
    fill(1);
    assert_int_equal(probe(), 0);
    fill(1000);
    gzip_file();
    assert_int_equal(probe(), 0);
    assert_int_equal(k.kind, KERNEL_RAW);
    assert_non_null(k.unpacked);
}

/* Files that are no kernel for this machine say what they are. */
static void strangers(void **state)
{
    static const struct {
        int at, n;
        const char *bytes, *line;
    } files[] = {
        { 0x24, 4, "\x18\x28\x6f\x01", "is one for 32-bit Arm (zImage)" },
        { 0x202, 4, "HdrS", "is one for x86 (bzImage)" },
        { 56, 4, "RSC\x05", "is one for RISC-V" },
        { 0, 4, "\x27\x05\x19\x56", "wrapped for U-Boot" },
        { 0, 4, "\xd0\x0d\xfe\xed", "is a device tree" },
        { 0, 6, "070701", "is a cpio archive" },
        { 0, 6,
          "\xfd"
          "7zXZ",
          "is compressed by xz" },
        { 0, 4, "\x28\xb5\x2f\xfd", "is compressed by zstd" },
        { 0, 4, "\x02\x21\x4c\x18", "is compressed by lz4" },
        { 0, 4, "BZh9", "is compressed by bzip2" },
        { 0, 4, "\x89LZO", "is compressed by lzop" },
        { 0, 5, "\x5d\0\0\x80\0", "is compressed by lzma" },
        { 0, 8, "\0\0\0\0\0\0\0\0", "is not there: its memory begins with zeros" },
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        fill(8192);
        memcpy(file + files[i].at, files[i].bytes, (size_t)files[i].n);
        assert_int_equal(probe(), -EINVAL);
        expect_line(files[i].line);
        expect_line("/chosen/d/k: reg = 0x100000, 0x2000 bytes: the kernel ");
    }
    fill(8192);
    pe(4096);
    put16(68, 0x8664);
    assert_int_equal(probe(), -EINVAL);
    expect_line("is an EFI program for another machine");
}

static void truncated(void **state)
{
    image(MIB(2), 0, MIB(3));
    pe(MIB(2) + 1);
    assert_int_equal(probe(), -EINVAL);
    expect_line("the kernel is cut short: it has 2097152 of 2097153 bytes");
    image(MIB(2), 0, UINT64_MAX);
    assert_int_equal(probe(), -EINVAL);
    expect_line("has a damaged header");
    image(MIB(2), UINT64_MAX, 1);
    assert_int_equal(probe(), -EINVAL);

    /* gzip: cut off, flipped, or claiming another length: found out at the latest when unpacked. */
    for (int i = 0; i < 40; i++) {
        image(MIB(2), 0, MIB(3));
        gzip_file();
        if (i < 20)
            file_bytes = file_bytes * (uint64_t)i / 20;
        else
            file[10 + unit_random(file_bytes - 10)] ^= (uint8_t)(1 + unit_random(255));
        if (file_bytes == 0 || probe())
            continue;
        if (kernel_place(&k, GADDR(GUEST), ROOM))
            continue; /* its end, and so its length, was not what it seemed */
        assert_int_equal(load(), -EINVAL);
        expect_line("is damaged or cut short: gzip cannot unpack it");
    }
}

/* Whatever is given as a kernel: it is refused or placed in the memory there is, and nothing is
 * overrun. */
static void random_files(void **state)
{
    for (int i = 0; i < 3000; i++) {
        switch (unit_random(3)) {
        case 0:
            image(70 + unit_random(5000), unit_random(MIB(4)), unit_random(MIB(40)));
            pe(64 + unit_random(5000));
            break;
        case 1:
            elf(unit_random(2) ? 2 : 3, 183, unit_random(0x4000), (uint16_t)unit_random(4));
            for (int n = 0; n < 3; n++)
                phdr(n, 1, unit_random(0x4000), unit_random(0x4000), GUEST + unit_random(MIB(40)),
                     unit_random(0x4000), unit_random(MIB(40)));
            file_bytes = 64 + unit_random(0x8000);
            break;
        default:
            image(70 + unit_random(5000), 0, 0);
            gzip_file();
            break;
        }
        for (uint64_t flips = unit_random(4); flips; flips--)
            file[unit_random(unit_random(4) ? 256 : file_bytes)] = (uint8_t)unit_random(256);
        if (probe() || kernel_place(&k, GADDR(GUEST), ROOM))
            continue;
        assert_true(k.start.v >= GUEST && k.end.v >= k.start.v && k.end.v <= GUEST + ROOM);
        (void)load();
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, let_go)
    const struct CMUnitTest tests[] = {
        TEST(linux_image), TEST(old_linux_image), TEST(gzip_image),   TEST(zboot),
        TEST(elf_file),    TEST(elf_relocatable), TEST(elf_wrong),    TEST(raw),
        TEST(strangers),   TEST(truncated),       TEST(random_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
