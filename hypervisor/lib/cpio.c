/* SPDX-License-Identifier: MIT */
/* Archives of cpio: <lib/cpio.h>. A header of 6 + 13 * 8 hexadecimal digits, a terminated name and
 * the content, both filled up to 4 bytes. Linux, Documentation/driver-api/early-userspace. */
#include <lib/cpio.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define MAGIC       "070701"
#define HEADER      110u
#define FIELD(n)    (6u + 8u * (n))
#define FIELD_BYTES FIELD(6)
#define FIELD_NAME  FIELD(11)
#define NAME_MAX    4096u
#define LAST        "TRAILER!!!"

static bool hex(const uint8_t *digits, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 8; i++) {
        uint32_t c = digits[i] | 0x20u;
        uint32_t d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;

        if (d > 15)
            return false;
        *value = *value << 4 | d;
    }
    return true;
}

static uint64_t filled(uint64_t at)
{
    return (at + 3) & ~3ull;
}

const void *cpio_find(const void *archive, uint64_t bytes, const char *name, uint64_t *size)
{
    const uint8_t *a = archive;
    uint64_t at = 0;

    while (bytes - at >= HEADER && memcmp(a + at, MAGIC, 6) == 0) {
        const char *entry = (const char *)a + at + HEADER;
        uint32_t content, name_bytes;
        uint64_t data, end;

        if (!hex(a + at + FIELD_BYTES, &content) || !hex(a + at + FIELD_NAME, &name_bytes) ||
            !name_bytes || name_bytes > NAME_MAX)
            return NULL;
        data = filled(at + HEADER + name_bytes);
        end = data + content;
        if (end > bytes || entry[name_bytes - 1])
            return NULL;
        if (strcmp(entry, name) == 0) {
            *size = content;
            return a + data;
        }
        at = filled(end);
        if (strcmp(entry, LAST) == 0 || at > bytes)
            return NULL;
    }
    return NULL;
}
