/* SPDX-License-Identifier: MIT */
/* The block that a PVH kernel finds by EBX: <xen/arch-x86/hvm/start_info.h>. */
#include "guest_tables.h"

#include <lib/bits.h>
#include <string.h>
#include <xen/arch-x86/hvm/start_info.h>

void *guest_block_add(struct guest_block *b, uint32_t bytes, uint32_t align)
{
    uint32_t start = (uint32_t)(align_up(b->at + b->used, align) - b->at);

    if (b->full || start > b->room || bytes > b->room - start) {
        b->full = true;
        return NULL;
    }
    b->used = start + bytes;
    memset(b->to + start, 0, bytes);
    return b->to + start;
}

uint64_t guest_block_at(const struct guest_block *b, const void *p)
{
    return b->at + (uint64_t)((const uint8_t *)p - b->to);
}

/* Linux's documentation, admin-guide/kernel-parameters. */
#define BOUNCE_OPTION "swiotlb="

static bool has_option(const char *line, const char *option)
{
    size_t length = strlen(option);

    for (const char *p = line; *p; p++)
        if ((p == line || p[-1] == ' ') && !strncmp(p, option, length))
            return true;
    return false;
}

static uint64_t write_line(struct guest_block *b, const struct pvh_start *s)
{
    bool bounce = s->bounce && !has_option(s->cmdline, BOUNCE_OPTION);
    const char *also = bounce ? " " BOUNCE_OPTION "force" : "";
    size_t length = strlen(s->cmdline), more = strlen(also) + 1;
    char *p = guest_block_add(b, (uint32_t)(length + more), 1);

    if (!p)
        return 0;
    memcpy(p, s->cmdline, length);
    memcpy(p + length, also, more);
    return guest_block_at(b, p);
}

static uint64_t write_modules(struct guest_block *b, const struct pvh_start *s)
{
    struct hvm_modlist_entry *m = guest_block_add(b, sizeof(*m), 8);

    if (!m)
        return 0;
    m->paddr = s->ramdisk;
    m->size = s->ramdisk_bytes;
    return guest_block_at(b, m);
}

static uint64_t write_map(struct guest_block *b, const struct e820 *map)
{
    struct hvm_memmap_table_entry *e = guest_block_add(b, map->nr * (uint32_t)sizeof(*e), 8);

    if (!e)
        return 0;
    for (uint32_t i = 0; i < map->nr; i++)
        e[i] = (struct hvm_memmap_table_entry){
            .addr = map->r[i].start,
            .size = map->r[i].end - map->r[i].start,
            .type = map->r[i].type,
        };
    return guest_block_at(b, e);
}

uint64_t start_info_write(struct guest_block *b, const struct pvh_start *s)
{
    struct hvm_start_info *info = guest_block_add(b, sizeof(*info), 8);

    if (!info)
        return 0;
    *info = (struct hvm_start_info){
        .magic = XEN_HVM_START_MAGIC_VALUE,
        .version = 1,
        .flags = s->flags,
        .nr_modules = s->ramdisk_bytes != 0,
        .modlist_paddr = s->ramdisk_bytes ? write_modules(b, s) : 0,
        .cmdline_paddr = write_line(b, s),
        .rsdp_paddr = s->rsdp,
        .memmap_paddr = write_map(b, s->map),
        .memmap_entries = s->map->nr,
    };
    return b->full ? 0 : guest_block_at(b, info);
}
