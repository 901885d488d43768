/* SPDX-License-Identifier: MIT */
/* arm64 Linux's Image, with and without EFI stub: Linux Documentation/arch/arm64/booting.rst. */
#include "kernel_internal.h"

#include <lib/bits.h>

#define IMAGE_MAGIC        0x644d5241u /* "ARM\x64" */
#define IMAGE_TEXT_OFFSET  8
#define IMAGE_SIZE         16
#define IMAGE_MAGIC_OFFSET 56
#define IMAGE_HEADER_BYTES 64u
#define SIGNATURE_MAX      MIB(1)
#define OLD_TEXT_OFFSET    0x80000u /* before Linux 3.17 the header did not tell */

int kernel_probe_arm64(const struct kernel_head *h, struct kernel_image *k)
{
    uint64_t text_offset = le64(h->b + IMAGE_TEXT_OFFSET), size = le64(h->b + IMAGE_SIZE);
    uint16_t machine = 0;
    uint64_t needs = kernel_pe_bytes(h, &machine);

    if (h->bytes < IMAGE_HEADER_BYTES || le32(h->b + IMAGE_MAGIC_OFFSET) != IMAGE_MAGIC)
        return 1;
    k->kind = KERNEL_LINUX;
    if (needs > k->file_bytes)
        return kernel_cut_short(h->m, k->file_bytes, needs);
    /* What gzip's last word says is no length if that is not its last. A signature may follow an
     * Image. */
    if (k->packed && size && k->file_bytes > size + SIGNATURE_MAX)
        return kernel_wrong(h->m, "is damaged or cut short: its last word is not its length");
    if (size == 0)
        text_offset = OLD_TEXT_OFFSET;
    if (size > KERNEL_MAX || text_offset > KERNEL_MAX)
        return kernel_wrong(h->m, "has a damaged header: image_size or text_offset is absurd");
    kernel_one_segment(k, text_offset, size);
    return 0;
}
