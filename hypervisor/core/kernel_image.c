/* SPDX-License-Identifier: MIT */
/*
 * What a kernel module is and where it goes: out of its wrappers, unpacked, then to the formats
 * that the architecture boots. <hospes/kernel_image.h> has the contract, arch_kernel the lists.
 */
#include "kernel_internal.h"

#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/unpack.h>
#include <lib/bits.h>
#include <string.h>

/* --- for the formats ------------------------------------------------------------------------- */

bool kernel_starts_with(const struct kernel_head *h, uint32_t at, const char *bytes, uint32_t n)
{
    return at + n <= h->bytes && memcmp(h->b + at, bytes, n) == 0;
}

bool kernel_module_starts_with(maddr_t from, uint64_t bytes, const char *magic, uint32_t n)
{
    char b[8];

    if (n > sizeof(b) || bytes < n)
        return false;
    maddr_read(b, from, n);
    return memcmp(b, magic, n) == 0;
}

int kernel_wrong(const struct boot_module *m, const char *why)
{
    log_err("%s: reg = 0x%lx, 0x%lx bytes: the kernel %s", m->node, (unsigned long)m->start.v,
            (unsigned long)m->bytes, why);
    return -EINVAL;
}

int kernel_cut_short(const struct boot_module *m, uint64_t has, uint64_t needs)
{
    log_err("%s: reg = 0x%lx, 0x%lx bytes: the kernel is cut short: it has %lu of %lu bytes",
            m->node, (unsigned long)m->start.v, (unsigned long)m->bytes, (unsigned long)has,
            (unsigned long)needs);
    return -EINVAL;
}

void kernel_read(const struct kernel_image *k, void *to, uint64_t offset, uint64_t bytes)
{
    if (k->unpacked)
        memcpy(to, k->unpacked + offset, bytes);
    else
        maddr_read(to, maddr_add(k->from, offset), bytes);
}

void kernel_one_segment(struct kernel_image *k, uint64_t place, uint64_t bytes)
{
    k->nr_segments = 1;
    k->segment[0] = (struct kernel_segment){ .file_bytes = k->file_bytes,
                                             .bytes = max(bytes, k->file_bytes),
                                             .place = place };
}

/* --- what it is ------------------------------------------------------------------------------ */

/* How files are packed, of which the architecture's unpackers have taken theirs. */
static const struct kernel_stranger packings[] = {
    { 0, 6,
      "\xfd"
      "7zXZ",
      "is compressed by xz, which is not understood here" },
    { 0, 4, "\x28\xb5\x2f\xfd", "is compressed by zstd, which is not understood here" },
    { 0, 4, "\x02\x21\x4c\x18", "is compressed by lz4, which is not understood here" },
    { 0, 3, "BZh", "is compressed by bzip2, which is not understood" },
    { 0, 4, "\x89LZO", "is compressed by lzop, which is not understood" },
    { 0, 5, "\x5d\0\0\x80\0", "is compressed by lzma, which is not understood here" },
    { 0, 5, "\x5d\0\0\0\x04", "is compressed by lzma, which is not understood here" },
    { 0, 0, NULL, NULL },
};

/* Files that are no kernel anywhere. */
static const struct kernel_stranger strangers[] = {
    { 0x24, 4, "\x18\x28\x6f\x01", "is one for 32-bit Arm (zImage)" },
    { 56, 4, "RSC\x05", "is one for RISC-V" },
    { 0, 4, "\x27\x05\x19\x56", "is wrapped for U-Boot (uImage): give the Image itself" },
    { 0, 4, "\xd0\x0d\xfe\xed", "is a device tree" },
    { 0, 6, "070701", "is a cpio archive" },
    { 0, 8, "\0\0\0\0\0\0\0\0", "is not there: its memory begins with zeros" },
    { 0, 0, NULL, NULL },
};

static int check_strangers(const struct kernel_head *h, const struct kernel_stranger *s)
{
    for (; s->bytes; s++)
        if (kernel_starts_with(h, s->at, s->magic, s->bytes))
            return kernel_wrong(h->m, s->why);
    return 0;
}

int kernel_check_packing(const struct kernel_head *h)
{
    return check_strangers(h, packings);
}

/* Code as it is. */
static int take_raw(struct kernel_image *k)
{
    k->kind = KERNEL_RAW;
    kernel_one_segment(k, 0, k->file_bytes);
    return 0;
}

static int identify(const struct kernel_head *h, struct kernel_image *k)
{
    uint16_t machine = arch_kernel.pe_machine;
    int rc = 1;

    for (uint32_t i = 0; rc > 0 && arch_kernel.formats[i]; i++)
        rc = arch_kernel.formats[i](h, k);
    if (rc <= 0)
        return rc;
    rc = kernel_check_packing(h);
    if (!rc)
        rc = check_strangers(h, strangers);
    if (!rc)
        rc = check_strangers(h, arch_kernel.strangers);
    if (rc)
        return rc;
    (void)kernel_pe_bytes(h, &machine);
    if (machine != arch_kernel.pe_machine)
        return kernel_wrong(h->m, "is an EFI program for another machine");
    return arch_kernel.raw ? take_raw(k) : kernel_wrong(h->m, "is of no format that is understood");
}

/* --- out of its wrappers --------------------------------------------------------------------- */

/* A file that is packed as it is. */
static int unwrap_packed(const struct kernel_head *h, struct kernel_image *k)
{
    for (const struct unpacker *const *u = arch_kernel.unpackers; *u; u++) {
        if (!kernel_starts_with(h, 0, (*u)->magic, (*u)->magic_bytes))
            continue;
        k->packed = *u;
        k->file_bytes = (*u)->length(k->from, &k->from_bytes, false);
        return 0;
    }
    return 1;
}

static int unwrap(const struct kernel_head *h, struct kernel_image *k)
{
    int rc = 1;

    for (uint32_t i = 0; rc > 0 && arch_kernel.wrappers[i]; i++)
        rc = arch_kernel.wrappers[i](h, k);
    if (rc > 0)
        rc = unwrap_packed(h, k);
    return min(rc, 0);
}

static int no_memory(const struct boot_module *m)
{
    log_err("%s: no memory to unpack the kernel", m->node);
    return -ENOMEM;
}

/* Unpacking ended with an error. */
static int not_unpacked(const struct boot_module *m, const struct kernel_image *k, int rc)
{
    const char *why = "damaged:";

    if (rc == -ENOMEM)
        return no_memory(m);
    if (rc == -ENODATA)
        why = "cut short:";
    else if (rc == -E2BIG)
        why = "damaged or cut short, as it is longer than it says:";
    else if (rc == -EMSGSIZE)
        why = "damaged or cut short, as it is shorter than it says:";
    else if (rc == -EOPNOTSUPP)
        why = "packed with an option that is not understood:";
    log_err("%s: reg = 0x%lx, 0x%lx bytes: the kernel is %s %s cannot unpack it", m->node,
            (unsigned long)m->start.v, (unsigned long)m->bytes, why, k->packed->name);
    return -EINVAL;
}

static int begin_unpacking(const struct boot_module *m, struct kernel_image *k)
{
    if (!k->file_bytes || k->file_bytes > KERNEL_MAX)
        return kernel_wrong(m, "is damaged or cut short: it does not say how long it is unpacked");
    k->unpacked = heap_alloc_dirty(k->file_bytes);
    if (!k->unpacked) {
        (void)kernel_wrong(m, "is damaged or cut short, or there is no memory to unpack it");
        return -ENOMEM;
    }
    k->unpack = unpack_begin(k->packed, k->from, k->from_bytes, k->unpacked, k->file_bytes);
    return k->unpack ? 1 : no_memory(m);
}

static int read_head(struct kernel_head *h, const struct kernel_image *k)
{
    h->b = heap_alloc(HEAD_BYTES);
    if (!h->b)
        return no_memory(h->m);
    h->file_bytes = k->file_bytes;
    h->bytes = (uint32_t)min(k->file_bytes, (uint64_t)HEAD_BYTES);
    kernel_read(k, h->b, 0, h->bytes);
    return 0;
}

/* The first look: 1 if it is packed. */
static int look(const struct boot_module *m, struct kernel_image *k)
{
    struct kernel_head h = { .m = m };
    int rc;

    k->from = m->start;
    k->from_bytes = k->file_bytes = m->bytes;
    rc = read_head(&h, k);
    if (!rc)
        rc = unwrap(&h, k);
    heap_free(h.b);
    if (!rc && k->packed)
        rc = begin_unpacking(m, k);
    return rc;
}

int kernel_probe_step(struct kernel_image *k, const struct boot_module *m)
{
    struct kernel_head h = { .m = m };
    int rc;

    if (!k->unpack) {
        rc = look(m, k);
        if (rc)
            return rc;
    } else {
        rc = unpack_step(k->unpack);
        if (rc)
            return rc < 0 ? not_unpacked(m, k, rc) : rc;
        unpack_end(k->unpack);
        k->unpack = NULL;
    }
    rc = read_head(&h, k);
    if (!rc)
        rc = identify(&h, k);
    heap_free(h.b);
    return rc;
}

void kernel_close(struct kernel_image *k)
{
    unpack_end(k->unpack);
    heap_free(k->unpacked);
    k->unpack = NULL;
    k->unpacked = NULL;
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

static gaddr_t entry_of(const struct kernel_image *k)
{
    if (k->entry_is_physical)
        return GADDR(k->elf_entry + k->shift);
    for (uint32_t i = 0; k->kind == KERNEL_ELF && i < k->nr_segments; i++) {
        const struct kernel_segment *s = &k->segment[i];
        if (k->elf_entry - s->vaddr < s->bytes)
            return GADDR(k->elf_entry - s->vaddr + s->place + k->shift);
    }
    return k->start;
}

/* True if it is within the bank, and its own limits, moved by k->shift. */
static bool fits(const struct kernel_image *k, gaddr_t bank, uint64_t bytes)
{
    uint64_t low, high;

    extent(k, &low, &high);
    low += k->shift;
    high += k->shift;
    return high > low && low >= bank.v && high <= bank.v + bytes &&
           (k->shift == 0 || k->kind != KERNEL_ELF || high - 1 <= k->highest);
}

int kernel_place(struct kernel_image *k, gaddr_t bank, uint64_t bytes)
{
    uint64_t low, high;

    extent(k, &low, &high);
    k->shift = k->kind == KERNEL_ELF ? 0 : align_up(bank.v, MIB(2));
    if (!fits(k, bank, bytes)) {
        if (!k->relocatable)
            return -ENOSPC;
        k->shift = align_up(max(bank.v, k->lowest), k->align) - align_down(low, k->align);
        if (!fits(k, bank, bytes))
            return -ENOSPC;
    }
    k->start = GADDR(low + k->shift);
    k->end = GADDR(high + k->shift);
    k->entry = entry_of(k);
    return 0;
}
