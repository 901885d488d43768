/* SPDX-License-Identifier: MIT */
/*
 * x86 Linux's bzImage: a small loader in front of the kernel proper, an ELF file, mostly packed.
 * Linux Documentation/arch/x86/boot.rst.
 */
#include "kernel_internal.h"

#include <hospes/errno.h>
#include <hospes/map.h>
#include <hospes/unpack.h>
#include <lib/bits.h>

#define SECTOR_BYTES   512u
#define SETUP_SECTORS  0x1f1
#define MAGIC          0x202
#define VERSION        0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_BYTES  0x24c

#define VERSION_PAYLOAD 0x0208u /* from it on the header names the payload */
#define OLD_SECTORS     4u      /* what 0 means */

static const struct unpacker *find_unpacker(maddr_t from, uint64_t bytes)
{
    for (const struct unpacker *const *u = arch_kernel.unpackers; *u; u++)
        if (kernel_module_starts_with(from, bytes, (*u)->magic, (*u)->magic_bytes))
            return *u;
    return NULL;
}

static int not_understood(const struct kernel_head *h, maddr_t from, uint64_t bytes)
{
    uint8_t b[8] = { 0 };
    struct kernel_head payload = { .m = h->m,
                                   .b = b,
                                   .bytes = (uint32_t)min(bytes, (uint64_t)sizeof(b)) };

    maddr_read(b, from, payload.bytes);
    if (kernel_check_packing(&payload))
        return -EINVAL;
    return kernel_wrong(h->m, "is a bzImage whose kernel is packed in an unknown way");
}

int kernel_unwrap_x86(const struct kernel_head *h, struct kernel_image *k)
{
    static const char elf[] = "\177ELF";

    if (!kernel_starts_with(h, MAGIC, "HdrS", 4))
        return 1;
    if (h->bytes < PAYLOAD_BYTES + 4)
        return kernel_cut_short(h->m, h->bytes, PAYLOAD_BYTES + 4);
    if (le16(h->b + VERSION) < VERSION_PAYLOAD)
        return kernel_wrong(h->m, "is a bzImage from before Linux 2.6.26, of unknown format");
    uint64_t sectors = h->b[SETUP_SECTORS] ? h->b[SETUP_SECTORS] : OLD_SECTORS;
    uint64_t offset = (sectors + 1) * SECTOR_BYTES + le32(h->b + PAYLOAD_OFFSET);
    uint64_t bytes = le32(h->b + PAYLOAD_BYTES);

    if (offset + bytes > k->from_bytes)
        return kernel_cut_short(h->m, k->from_bytes, offset + bytes);
    k->from = maddr_add(k->from, offset);
    k->from_bytes = bytes;
    if (kernel_module_starts_with(k->from, bytes, elf, 4)) {
        k->file_bytes = bytes;
        return 0;
    }
    k->packed = find_unpacker(k->from, bytes);
    if (!k->packed)
        return not_understood(h, k->from, bytes);
    k->file_bytes = k->packed->length(k->from, &k->from_bytes, true);
    return 0;
}
