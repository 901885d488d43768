/* SPDX-License-Identifier: MIT */
/*
 * Kernels that x86 boots: bzImages of every packing, ELF files of both classes with their notes,
 * where they go, and that each byte arrives. If these fail a domain does not start, or a damaged
 * kernel does.
 */
// sources: core/kernel_image.c core/kernel_load.c core/kernel_x86.c core/kernel_elf.c
// sources: core/kernel_pe.c core/unpack.c core/gunzip.c core/unzstd.c core/unxz.c core/unlz4.c arch/x86/kernel.c
#include "kernel_world.h"

#include <lz4.h>
#include <lzma.h>
#include <xen/elfnote.h>
#include <zstd.h>

#define ENTRY (GUEST + 0x200040)

/* --- files ----------------------------------------------------------------------------------- */

static uint64_t note_at;

static void note(uint32_t name_bytes, const char *name, uint32_t type, const uint32_t *desc,
                 uint32_t words)
{
    put32(note_at, name_bytes);
    put32(note_at + 4, 4 * words);
    put32(note_at + 8, type);
    memcpy(file + note_at + 12, name, name_bytes);
    note_at += 12 + align_up(name_bytes, 4u);
    memcpy(file + note_at, desc, 4 * words);
    note_at += 4 * words;
}

static void phdr(int n, bool wide, uint32_t type, uint64_t offset, uint64_t paddr, uint64_t bytes,
                 uint64_t memory, uint64_t align)
{
    uint64_t at = wide ? 64 + 56 * (uint64_t)n : 52 + 32 * (uint64_t)n;

    put32(at, type);
    if (wide) {
        const uint64_t words[] = {
            offset, paddr + 0xffffffff80000000, paddr, bytes, memory, align
        };
        memcpy(file + at + 8, words, sizeof(words));
    } else {
        const uint32_t words[] = { (uint32_t)offset, 0xc0000000u, (uint32_t)paddr, (uint32_t)bytes,
                                   (uint32_t)memory, 5,           (uint32_t)align };
        memcpy(file + at + 4, words, sizeof(words));
    }
}

/* A kernel in two segments, with two notes between those of others. */
static void elf(bool wide, bool movable)
{
    static const uint32_t entry[] = { (uint32_t)ENTRY, 0 }, other[] = { 7 };
    static const uint32_t limits[] = { MIB(2), GUEST + MIB(6), GUEST + MIB(16) - 1 };

    fill(MIB(3));
    memset(file, 0, 512);
    memcpy(file, "\177ELF\2\1\1", 7);
    file[4] = wide ? 2 : 1;
    put16(16, 2);
    put16(18, wide ? 62 : 3);
    if (wide)
        put64(32, 64);
    else
        put32(28, 52);
    put16(wide ? 54 : 42, wide ? 56 : 32);
    put16(wide ? 56 : 44, 3);
    note_at = 0x800;
    note(6, "Linux", 257, other, 1);
    if (movable)
        note(4, "Xen", XEN_ELFNOTE_PHYS32_RELOC, limits, 3);
    note(4, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, entry, wide ? 2 : 1);
    note(4, "GNU", XEN_ELFNOTE_PHYS32_ENTRY, other, 1);
    phdr(0, wide, 1, 0x1000, GUEST + 0x200000, 0x20000, 0x20000, 0x200000);
    phdr(1, wide, 1, 0x30000, GUEST + 0x600000, 0x100000, 0x300000, 0x200000);
    phdr(2, wide, 4, 0x800, GUEST + 0x200000, note_at - 0x800, note_at - 0x800, 4);
}

enum packing { PLAIN, GZIP, LZ4, LZMA, XZ, ZSTD };

/* As Debian 12 packs Linux. How many bytes. */
static uint64_t xz_file(uint8_t *to, uint64_t room, uint64_t bytes)
{
    lzma_options_lzma options;
    lzma_filter filters[] = { { LZMA_FILTER_X86, NULL },
                              { LZMA_FILTER_LZMA2, &options },
                              { LZMA_VLI_UNKNOWN, NULL } };
    size_t done = 0;

    assert_false(lzma_lzma_preset(&options, 1));
    assert_int_equal(
        lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, file, bytes, to, &done, room),
        LZMA_OK);
    return done;
}

static uint64_t lzma_file(uint8_t *to, uint64_t room, uint64_t bytes)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_options_lzma options;

    assert_false(lzma_lzma_preset(&options, 1));
    assert_int_equal(lzma_alone_encoder(&s, &options), LZMA_OK);
    s.next_in = file;
    s.avail_in = bytes;
    s.next_out = to;
    s.avail_out = room;
    assert_int_equal(lzma_code(&s, LZMA_FINISH), LZMA_STREAM_END);
    lzma_end(&s);
    return s.total_out;
}

static uint64_t lz4_file(uint8_t *to, uint64_t room, uint64_t bytes)
{
    static const uint8_t magic[] = { 0x02, 0x21, 0x4c, 0x18 };
    int n = LZ4_compress_default((char *)file, (char *)to + 8, (int)bytes, (int)room - 8);

    assert_true(n > 0);
    memcpy(to, magic, 4);
    memcpy(to + 4, &n, 4);
    return (uint64_t)n + 8;
}

/* Puts what is in `file` into a bzImage. */
static void bzimage(enum packing packing)
{
    static uint8_t plain[sizeof(file)];
    uint64_t bytes = file_bytes, packed = file_bytes;

    if (packing == GZIP) {
        gzip_file();
        packed = file_bytes;
    }
    memcpy(plain, file, bytes);
    if (packing == ZSTD) {
        ZSTD_CCtx *c = ZSTD_createCCtx();
        /* As Linux is: a window larger than the file, no length in the header. */
        ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 27);
        ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
        ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
        packed = ZSTD_compress2(c, plain, sizeof(plain), file, bytes);
        assert_false(ZSTD_isError(packed));
        ZSTD_freeCCtx(c);
        memcpy(plain + packed, &(uint32_t){ (uint32_t)bytes }, 4);
        packed += 4;
    }
    if (packing == LZ4 || packing == LZMA || packing == XZ) {
        packed = packing == LZ4    ? lz4_file(plain, sizeof(plain), bytes)
                 : packing == LZMA ? lzma_file(plain, sizeof(plain), bytes)
                                   : xz_file(plain, sizeof(plain), bytes);
        memcpy(plain + packed, &(uint32_t){ (uint32_t)bytes }, 4);
        packed += 4;
    }
    fill(0x1000 + packed + 100);
    memcpy(file, "MZ", 2);
    file[0x1f1] = 5;
    memcpy(file + 0x202, "HdrS", 4);
    put16(0x206, 0x20f);
    put32(0x248, 0x400);
    put32(0x24c, (uint32_t)packed);
    memcpy(file + 6 * 512 + 0x400, plain, packed);
}

static void expect_loaded(uint64_t shift)
{
    types[3] = types[4] = P2M_RAM; /* not going to be cleared on touch */
    assert_int_equal(load(), 0);
    elf(true, false);
    assert_memory_equal(guest(GUEST + 0x200000 + shift), file + 0x1000, 0x20000);
    assert_memory_equal(guest(GUEST + 0x600000 + shift), file + 0x30000, 0x100000);
    for (uint64_t a = GUEST + 0x700000; a < GUEST + 0x900000; a++)
        assert_int_equal(*guest(a + shift), 0);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void every_packing(void **state)
{
    for (enum packing packing = PLAIN; packing <= ZSTD; packing++) {
        setup(NULL);
        elf(true, false);
        bzimage(packing);
        assert_int_equal(probe(), 0);
        assert_int_equal(k.kind, KERNEL_ELF);
        assert_int_equal(k.file_bytes, MIB(3));
        assert_int_equal(k.unpacked != NULL, packing != PLAIN);
        assert_int_equal(kernel_place(&k, GADDR(GUEST), ROOM), 0);
        assert_int_equal(k.start.v, GUEST + 0x200000);
        assert_int_equal(k.end.v, GUEST + 0x900000);
        assert_int_equal(k.entry.v, ENTRY);
        expect_loaded(0);
    }
}

static void both_classes(void **state)
{
    for (int wide = 0; wide < 2; wide++) {
        elf(wide, false);
        assert_int_equal(probe(), 0);
        assert_int_equal(kernel_place(&k, GADDR(GUEST), ROOM), 0);
        assert_int_equal(k.entry.v, ENTRY);
        assert_int_equal(k.start.v, GUEST + 0x200000);
        assert_false(k.relocatable);
        /* It must be where it wants to be. */
        assert_int_equal(kernel_place(&k, GADDR(GUEST + MIB(3)), ROOM), -ENOSPC);
        assert_int_equal(kernel_place(&k, GADDR(GUEST), MIB(8)), -ENOSPC);
    }
}

/* A file that is only packed, with its length in the header. */
static void packed_elf(void **state)
{
    static uint8_t packed[sizeof(file)];

    elf(true, false);
    gzip_file();
    assert_int_equal(probe(), 0);
    assert_int_equal(k.kind, KERNEL_ELF);
    elf(true, false);
    file_bytes = ZSTD_compress(packed, sizeof(packed), file, file_bytes, 3);
    memcpy(file, packed, file_bytes);
    assert_int_equal(probe(), 0);
    assert_int_equal(kernel_place(&k, GADDR(GUEST), ROOM), 0);
    expect_loaded(0);
}

/* One that may be moved is, within its limits, where its own place is not free. */
static void moved(void **state)
{
    elf(true, true);
    bzimage(ZSTD);
    assert_int_equal(probe(), 0);
    assert_true(k.relocatable);
    assert_int_equal(kernel_place(&k, GADDR(GUEST), ROOM), 0);
    assert_int_equal(k.shift, 0);
    assert_int_equal(kernel_place(&k, GADDR(GUEST + MIB(3)), ROOM - MIB(3)), 0);
    assert_int_equal(k.start.v, GUEST + MIB(6)); /* the lowest that it says */
    assert_int_equal(k.entry.v, ENTRY + MIB(4));
    assert_int_equal(kernel_place(&k, GADDR(GUEST + MIB(7)), ROOM - MIB(7)), 0);
    assert_int_equal(k.start.v, GUEST + MIB(8));
    expect_loaded(MIB(6));
}

static void moved_too_far(void **state)
{
    elf(true, true);
    assert_int_equal(probe(), 0);
    assert_int_equal(kernel_place(&k, GADDR(GUEST + MIB(10)), ROOM - MIB(10)), -ENOSPC);
    assert_int_equal(kernel_place(&k, GADDR(GUEST + MIB(9)), ROOM - MIB(9)), -ENOSPC);
    assert_int_equal(kernel_place(&k, GADDR(GUEST + MIB(8)), ROOM - MIB(8)), 0);
}

static void wrong(void **state)
{
    elf(true, false);
    put16(18, 183);
    assert_int_equal(probe(), -EINVAL);
    expect_line("is an ELF file for another machine");
    elf(true, false);
    put16(56, 2);
    assert_int_equal(probe(), -EINVAL);
    expect_line("has no PVH entry: a Xen note PHYS32_ENTRY is missing");
    elf(true, false);
    phdr(0, true, 1, 0x1000, GUEST + 0xa00000, 0x20000, 0x20000, 0);
    assert_int_equal(probe(), -EINVAL);
    expect_line("entry is in none of its segments");
    elf(true, false);
    bzimage(PLAIN);
    put16(0x206, 0x207);
    assert_int_equal(probe(), -EINVAL);
    expect_line("is a bzImage from before Linux 2.6.26");
    elf(true, false);
    bzimage(PLAIN);
    file_bytes = 0x200000;
    assert_int_equal(probe(), -EINVAL);
    expect_line("cut short");
    elf(true, false);
    bzimage(PLAIN);
    memset(file + 6 * 512 + 0x400, 0x55, 8);
    assert_int_equal(probe(), -EINVAL);
    expect_line("is a bzImage whose kernel is packed in an unknown way");
    elf(true, false);
    bzimage(PLAIN);
    memcpy(file + 6 * 512 + 0x400, "BZh9", 4);
    assert_int_equal(probe(), -EINVAL);
    expect_line("is compressed by bzip2, which is not understood");
    fill(8192);
    put32(56, 0x644d5241);
    assert_int_equal(probe(), -EINVAL);
    expect_line("is one for arm64 (Image)");
    fill(8192);
    assert_int_equal(probe(), -EINVAL);
    expect_line("is of no format that is understood");
}

/* Damaged files are found out before anything is copied. */
static void damaged(void **state)
{
    for (int i = 0; i < 60; i++) {
        elf(true, false);
        bzimage(i % 2 ? ZSTD : GZIP);
        if (i < 20)
            put32(0x24c, 1 + (uint32_t)unit_random(file_bytes - 0x1100));
        else
            file[6 * 512 + 0x400 + 4 + unit_random(file_bytes - 0x1200)] ^=
                (uint8_t)(1 + unit_random(255));
        if (probe() == 0)
            assert_memory_equal(k.unpacked, "\177ELF", 4);
        else
            expect_line("the kernel ");
    }
}

/* Whatever is given as a kernel: it is refused or placed in the memory there is. */
static void random_files(void **state)
{
    for (int i = 0; i < 1500; i++) {
        elf(unit_random(2), unit_random(2));
        for (uint64_t flips = unit_random(6); flips; flips--)
            file[unit_random(unit_random(2) ? 512 : 0x900)] = (uint8_t)unit_random(256);
        if (unit_random(4) == 0)
            file_bytes = 1 + unit_random(0x1000);
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
        TEST(every_packing), TEST(both_classes), TEST(packed_elf), TEST(moved),
        TEST(moved_too_far), TEST(wrong),        TEST(damaged),    TEST(random_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
