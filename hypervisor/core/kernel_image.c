/* SPDX-License-Identifier: MIT */
/*
 * What a kernel module is and where it wants to be. Formats: Linux
 * Documentation/arch/arm64/booting.rst (Image), Linux drivers/firmware/efi/libstub/zboot-header.S
 * (zboot), Microsoft's PE/COFF (how long an Image with EFI stub must be), the System V gABI
 * (ELF64).
 */
#include <hospes/errno.h>
#include <hospes/gunzip.h>
#include <hospes/heap.h>
#include <hospes/kernel_image.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <lib/bits.h>
#include <string.h>

#define HEAD_BYTES 4096u
#define KERNEL_MAX \
    BIT(40) /* no number in a header is believed beyond it, so that sums do not overflow */

#define IMAGE_MAGIC        0x644d5241u /* "ARM\x64" */
#define IMAGE_TEXT_OFFSET  8
#define IMAGE_SIZE         16
#define IMAGE_MAGIC_OFFSET 56
#define IMAGE_HEADER_BYTES 64
#define SIGNATURE_MAX      MIB(1)
#define OLD_TEXT_OFFSET    0x80000u /* before Linux 3.17 the header did not tell */

#define PE_OFFSET        0x3c
#define PE_MAGIC         0x4550u /* "PE\0\0" */
#define PE_MACHINE_ARM64 0xaa64u
#define PE_HEADER_BYTES  24u
#define PE_SECTION_BYTES 40u

#define ELF_MACHINE_ARM64 183
#define ELF_PHDR_BYTES    56u
#define ELF_PHDRS_MAX     64u
#define ELF_PT_LOAD       1u

/* The beginning of a file, unpacked, and how long the whole is. */
struct head {
    const struct boot_module *m;
    uint8_t *b;
    uint32_t bytes;
    uint64_t file_bytes;
};

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static bool starts_with(const struct head *h, uint32_t at, const char *bytes, uint32_t n)
{
    return at + n <= h->bytes && memcmp(h->b + at, bytes, n) == 0;
}

static int wrong(const struct boot_module *m, const char *why)
{
    log_err("%s: reg = 0x%lx, 0x%lx bytes: the kernel %s", m->node, (unsigned long)m->start.v,
            (unsigned long)m->bytes, why);
    return -EINVAL;
}

static int cut_short(const struct boot_module *m, uint64_t has, uint64_t needs)
{
    log_err("%s: reg = 0x%lx, 0x%lx bytes: the kernel is cut short: it has %lu of %lu bytes",
            m->node, (unsigned long)m->start.v, (unsigned long)m->bytes, (unsigned long)has,
            (unsigned long)needs);
    return -EINVAL;
}

/* Files that people take for a kernel of ours by mistake. */
static const struct {
    uint16_t at, bytes;
    const char *magic, *why;
} strangers[] = {
    { 0x24, 4, "\x18\x28\x6f\x01", "is one for 32-bit Arm (zImage)" },
    { 0x202, 4, "HdrS", "is one for x86 (bzImage)" },
    { 56, 4, "RSC\x05", "is one for RISC-V" },
    { 0, 4, "\x27\x05\x19\x56", "is wrapped for U-Boot (uImage): give the Image itself" },
    { 0, 4, "\xd0\x0d\xfe\xed", "is a device tree" },
    { 0, 6, "070701", "is a cpio archive" },
    { 0, 6,
      "\xfd"
      "7zXZ",
      "is compressed by xz: only gzip is understood" },
    { 0, 4, "\x28\xb5\x2f\xfd", "is compressed by zstd: only gzip is understood" },
    { 0, 3, "BZh", "is compressed by bzip2: only gzip is understood" },
    { 0, 4, "\x02\x21\x4c\x18", "is compressed by lz4: only gzip is understood" },
    { 0, 4, "\x89LZO", "is compressed by lzop: only gzip is understood" },
    { 0, 5, "\x5d\x00\x00\x80\x00", "is compressed by lzma: only gzip is understood" },
    { 0, 8, "\0\0\0\0\0\0\0\0", "is not there: its memory begins with zeros" },
};

/* --- Linux ----------------------------------------------------------------------------------- */

/* Bytes that a file with a PE header has at least: its sections. 0: no PE header in sight. */
static uint64_t pe_bytes(const struct head *h, uint16_t *machine)
{
    if (h->bytes < IMAGE_HEADER_BYTES || !starts_with(h, 0, "MZ", 2))
        return 0;
    uint64_t pe = le32(h->b + PE_OFFSET), needs = 0;
    if (pe > h->bytes - PE_HEADER_BYTES || le32(h->b + pe) != PE_MAGIC)
        return 0;
    *machine = le16(h->b + pe + 4);
    uint32_t sections = le16(h->b + pe + 6);
    uint64_t at = pe + PE_HEADER_BYTES + le16(h->b + pe + 20);
    for (; sections && at + PE_SECTION_BYTES <= h->bytes; sections--, at += PE_SECTION_BYTES) {
        uint64_t end = (uint64_t)le32(h->b + at + 16) + le32(h->b + at + 20);
        needs = max(needs, end);
    }
    return needs;
}

static void one_segment(struct kernel_image *k, uint64_t place, uint64_t bytes)
{
    k->nr_segments = 1;
    k->segment[0] = (struct kernel_segment){ .file_bytes = k->file_bytes,
                                             .bytes = max(bytes, k->file_bytes),
                                             .place = place };
}

static bool is_linux(const struct head *h)
{
    return h->bytes >= IMAGE_HEADER_BYTES && le32(h->b + IMAGE_MAGIC_OFFSET) == IMAGE_MAGIC;
}

static int probe_linux(const struct head *h, struct kernel_image *k)
{
    uint64_t text_offset = le64(h->b + IMAGE_TEXT_OFFSET), size = le64(h->b + IMAGE_SIZE);
    uint16_t machine = 0;
    uint64_t needs = pe_bytes(h, &machine);

    k->kind = KERNEL_LINUX;
    if (needs > k->file_bytes)
        return cut_short(h->m, k->file_bytes, needs);
    /* What gzip's last word says is no length if that is not its last. A signature may follow an
     * Image. */
    if (k->gzip && size && k->file_bytes > size + SIGNATURE_MAX)
        return wrong(h->m, "is damaged or cut short: its last word is not its length");
    if (size == 0)
        text_offset = OLD_TEXT_OFFSET;
    if (size > KERNEL_MAX || text_offset > KERNEL_MAX)
        return wrong(h->m, "has a damaged header: image_size or text_offset is absurd");
    one_segment(k, text_offset, size);
    return 0;
}

/* --- ELF ------------------------------------------------------------------------------------- */

static int read_phdr(const struct head *h, struct kernel_image *k, const uint8_t *p)
{
    uint64_t offset = le64(p + 8), file_bytes = le64(p + 32), bytes = le64(p + 40);

    if (le32(p) != ELF_PT_LOAD || bytes == 0)
        return 0;
    if (k->nr_segments == KERNEL_SEGMENTS)
        return wrong(h->m, "has too many ELF segments: at most 8");
    struct kernel_segment *s = &k->segment[k->nr_segments++];
    *s = (struct kernel_segment){ offset, file_bytes, bytes, le64(p + 16), le64(p + 24) };
    if (file_bytes > bytes || bytes > KERNEL_MAX || s->place > BIT(52) || offset > BIT(52))
        return wrong(h->m, "has a damaged ELF program header");
    if (offset + file_bytes > k->from_bytes)
        return cut_short(h->m, k->from_bytes, offset + file_bytes);
    return 0;
}

static int probe_elf(const struct head *h, struct kernel_image *k)
{
    uint8_t phdr[ELF_PHDR_BYTES];

    k->kind = KERNEL_ELF;
    if (k->gzip)
        return wrong(h->m, "is a compressed ELF file: only a compressed Image is understood");
    if (h->bytes < 64)
        return cut_short(h->m, h->bytes, 64);
    if (h->b[4] != 2 || h->b[5] != 1 || le16(h->b + 18) != ELF_MACHINE_ARM64)
        return wrong(h->m, "is an ELF file for another machine");
    uint64_t phoff = le64(h->b + 32);
    uint32_t stride = le16(h->b + 54), count = le16(h->b + 56);
    k->relocatable = le16(h->b + 16) == 3; /* ET_DYN */
    k->elf_entry = le64(h->b + 24);
    if (stride < ELF_PHDR_BYTES || count > ELF_PHDRS_MAX || phoff > KERNEL_MAX)
        return wrong(h->m, "has a damaged ELF header");
    if (phoff + (uint64_t)stride * count > k->from_bytes)
        return cut_short(h->m, k->from_bytes, phoff + (uint64_t)stride * count);
    for (uint32_t i = 0; i < count; i++) {
        maddr_read(phdr, maddr_add(k->from, phoff + (uint64_t)stride * i), sizeof(phdr));
        int rc = read_phdr(h, k, phdr);
        if (rc)
            return rc;
    }
    for (uint32_t i = 0; i < k->nr_segments; i++) {
        if (k->elf_entry - k->segment[i].vaddr < k->segment[i].bytes)
            return 0;
    }
    return wrong(h->m, "is an ELF file whose entry is in none of its segments");
}

/* --- wrappers -------------------------------------------------------------------------------- */

static int read_plain(struct head *h, const struct kernel_image *k)
{
    h->bytes = (uint32_t)min(k->from_bytes, (uint64_t)HEAD_BYTES);
    maddr_read(h->b, k->from, h->bytes);
    h->file_bytes = k->from_bytes;
    return 0;
}

/* EFI zboot: an EFI program that holds the kernel compressed. */
static int unwrap_zboot(struct head *h, struct kernel_image *k)
{
    if (h->bytes < IMAGE_HEADER_BYTES || !starts_with(h, 0, "MZ", 2) ||
        !starts_with(h, 4, "zimg", 4))
        return 0;
    uint64_t offset = le32(h->b + 8), bytes = le32(h->b + 12);
    if (!starts_with(h, 24, "gzip", 5))
        return wrong(h->m, "is an EFI zboot image, not packed by gzip: only that is understood");
    if (offset + bytes > k->from_bytes)
        return cut_short(h->m, k->from_bytes, offset + bytes);
    k->from = maddr_add(k->from, offset);
    k->from_bytes = bytes;
    return read_plain(h, k);
}

static int unwrap_gzip(struct head *h, struct kernel_image *k)
{
    uint8_t size[4];

    if (!starts_with(h, 0, "\x1f\x8b", 2))
        return 0;
    if (k->from_bytes < 18)
        return cut_short(h->m, k->from_bytes, 18);
    struct gunzip *g = gunzip_begin(k->from, k->from_bytes);
    if (!g) {
        log_err("%s: no memory to unpack the kernel", h->m->node);
        return -ENOMEM;
    }
    int rc = gunzip_read(g, h->b, HEAD_BYTES, &h->bytes);
    gunzip_end(g);
    if (rc)
        return wrong(h->m, "is damaged: gzip cannot unpack it");
    /* The file's last word is its length unpacked. */
    maddr_read(size, maddr_add(k->from, k->from_bytes - 4), sizeof(size));
    k->gzip = true;
    h->file_bytes = le32(size);
    return h->file_bytes < h->bytes ? wrong(h->m, "is damaged: it is cut short, or not gzip's") : 0;
}

static int identify(struct head *h, struct kernel_image *k)
{
    uint16_t machine = PE_MACHINE_ARM64;
    int rc = read_plain(h, k);

    if (!rc)
        rc = unwrap_zboot(h, k);
    if (!rc)
        rc = unwrap_gzip(h, k);
    if (rc)
        return rc;
    k->file_bytes = h->file_bytes;
    if (is_linux(h))
        return probe_linux(h, k);
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        if (starts_with(h, strangers[i].at, strangers[i].magic, strangers[i].bytes))
            return wrong(h->m, strangers[i].why);
    }
    if (starts_with(h, 0,
                    "\x7f"
                    "ELF",
                    4))
        return probe_elf(h, k);
    (void)pe_bytes(h, &machine);
    if (machine != PE_MACHINE_ARM64)
        return wrong(h->m, "is an EFI program for another machine");
    k->kind = KERNEL_RAW;
    one_segment(k, 0, k->file_bytes);
    return 0;
}

int kernel_probe(const struct boot_module *m, struct kernel_image *k)
{
    struct head h = { .m = m, .b = heap_alloc(HEAD_BYTES) };

    if (!h.b) {
        log_err("%s: no memory to look at the kernel", m->node);
        return -ENOMEM;
    }
    memset(k, 0, sizeof(*k));
    k->from = m->start;
    k->from_bytes = m->bytes;
    int rc = identify(&h, k);
    heap_free(h.b);
    return rc;
}

/* --- its place ------------------------------------------------------------------------------- */

static void extent(const struct kernel_image *k, uint64_t *low, uint64_t *high)
{
    *low = UINT64_MAX;
    *high = 0;
    for (uint32_t i = 0; i < k->nr_segments; i++) {
        *low = min(*low, k->segment[i].place);
        *high = max(*high, k->segment[i].place + k->segment[i].bytes);
    }
}

int kernel_place(struct kernel_image *k, gaddr_t bank, uint64_t bytes)
{
    uint64_t low, high, base = align_up(bank.v, MIB(2));

    extent(k, &low, &high);
    if (k->kind != KERNEL_ELF)
        k->shift = base;
    else if (k->relocatable)
        k->shift = base - align_down(low, MIB(2));
    else
        k->shift = 0;
    low += k->shift;
    high += k->shift;
    if (high < low || low < bank.v || high > bank.v + bytes)
        return -ENOSPC;
    k->start = GADDR(low);
    k->end = GADDR(high);
    k->entry = k->start;
    for (uint32_t i = 0; k->kind == KERNEL_ELF && i < k->nr_segments; i++) {
        const struct kernel_segment *s = &k->segment[i];
        if (k->elf_entry - s->vaddr < s->bytes)
            k->entry = GADDR(k->elf_entry - s->vaddr + s->place + k->shift);
    }
    return 0;
}
