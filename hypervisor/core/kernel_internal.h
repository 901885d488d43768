/* SPDX-License-Identifier: MIT */
/* Between kernel_image.c and the formats of kernels, one file each. */
#ifndef CORE_KERNEL_INTERNAL_H
#define CORE_KERNEL_INTERNAL_H

#include <hospes/kernel_image.h>

/* No number in a header is believed beyond it, so that sums do not overflow. */
#define KERNEL_MAX ((uint64_t)1 << 40)

#define HEAD_BYTES 4096u

/* The beginning of a file, unpacked, and how long the whole is. */
struct kernel_head {
    const struct boot_module *m;
    uint8_t *b; /* HEAD_BYTES, zeroes behind `bytes` */
    uint32_t bytes;
    uint64_t file_bytes;
};

static inline uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le32(const uint8_t *p)
{
    return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static inline uint64_t le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

bool kernel_starts_with(const struct kernel_head *h, uint32_t at, const char *bytes, uint32_t n);

/* Lines that say what is wrong with the file; -EINVAL. */
int kernel_wrong(const struct boot_module *m, const char *why);
int kernel_cut_short(const struct boot_module *m, uint64_t has, uint64_t needs);

/* -EINVAL, after a line that names it, if it begins as a file that is packed. */
int kernel_check_packing(const struct kernel_head *h);

/* True if that memory begins with these bytes. */
bool kernel_module_starts_with(maddr_t from, uint64_t bytes, const char *magic, uint32_t n);

/* Copies bytes of the file, unpacked; they must be in it. */
void kernel_read(const struct kernel_image *k, void *to, uint64_t offset, uint64_t bytes);

/* The file is one part, which goes to `place` and needs `bytes` there. */
void kernel_one_segment(struct kernel_image *k, uint64_t place, uint64_t bytes);

/* kernel_pe.c: bytes that a file with a PE header has at least: its sections. 0: no PE header in
 * sight. */
uint64_t kernel_pe_bytes(const struct kernel_head *h, uint16_t *machine);

#endif
