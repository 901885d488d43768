/* SPDX-License-Identifier: MIT */
/*
 * EFI zboot: an EFI program that holds the kernel compressed. Linux
 * drivers/firmware/efi/libstub/zboot-header.S.
 */
#include "kernel_internal.h"

#include <hospes/unpack.h>
#include <string.h>

#define HEADER_BYTES   64u
#define PAYLOAD_OFFSET 8
#define PAYLOAD_BYTES  12
#define METHOD         24
#define METHOD_BYTES   32u

int kernel_unwrap_zboot(const struct kernel_head *h, struct kernel_image *k)
{
    if (h->bytes < HEADER_BYTES || !kernel_starts_with(h, 0, "MZ", 2) ||
        !kernel_starts_with(h, 4, "zimg", 4))
        return 1;
    uint64_t offset = le32(h->b + PAYLOAD_OFFSET), bytes = le32(h->b + PAYLOAD_BYTES);
    const struct unpacker *const *u = arch_kernel.unpackers;

    while (*u && strncmp((const char *)h->b + METHOD, (*u)->name, METHOD_BYTES) != 0)
        u++;
    if (!*u)
        return kernel_wrong(h->m, "is an EFI zboot image that is packed in a way which is not "
                                  "understood: gzip is");
    if (offset + bytes > k->from_bytes)
        return kernel_cut_short(h->m, k->from_bytes, offset + bytes);
    k->from = maddr_add(k->from, offset);
    k->from_bytes = bytes;
    k->packed = *u;
    k->file_bytes = (*u)->length(k->from, &k->from_bytes, true);
    return 0;
}
