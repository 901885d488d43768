/* SPDX-License-Identifier: MIT */
/* How long a file with an EFI stub must be: Microsoft's PE/COFF. */
#include "kernel_internal.h"

#include <lib/bits.h>

#define DOS_BYTES     64u
#define PE_OFFSET     0x3c
#define PE_MAGIC      0x4550u /* "PE\0\0" */
#define HEADER_BYTES  24u
#define SECTION_BYTES 40u

uint64_t kernel_pe_bytes(const struct kernel_head *h, uint16_t *machine)
{
    if (h->bytes < DOS_BYTES || !kernel_starts_with(h, 0, "MZ", 2))
        return 0;
    uint64_t pe = le32(h->b + PE_OFFSET), needs = 0;
    if (pe > h->bytes - HEADER_BYTES || le32(h->b + pe) != PE_MAGIC)
        return 0;
    *machine = le16(h->b + pe + 4);
    uint32_t sections = le16(h->b + pe + 6);
    uint64_t at = pe + HEADER_BYTES + le16(h->b + pe + 20);
    for (; sections && at + SECTION_BYTES <= h->bytes; sections--, at += SECTION_BYTES) {
        uint64_t end = (uint64_t)le32(h->b + at + 16) + le32(h->b + at + 20);
        needs = max(needs, end);
    }
    return needs;
}
