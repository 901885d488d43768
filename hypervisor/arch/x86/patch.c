/* SPDX-License-Identifier: MIT */
/*
 * Writes the variants of <asm/patch.h>. The code itself is never mapped writable: it is written
 * through a slot. AMD APM volume 2, 7.6.1: what was modified is fetched anew after a serializing
 * instruction.
 */
#include <asm/cpu.h>
#include <asm/patch.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/types.h>

#include <string.h>

extern const struct patch _patches_start[], _patches_end[];

static void write_at(const void *at, const uint8_t *code, uint32_t bytes)
{
    maddr_t maddr = arch_virt_to_maddr(at);
    uint64_t offset = maddr.v % FRAME_SIZE, room = FRAME_SIZE - offset;
    uint8_t *to = frame_map(maddr_to_mfn(maddr));

    memcpy(to + offset, code, bytes < room ? bytes : room);
    frame_unmap(to);
    if (bytes > room)
        write_at((const uint8_t *)at + room, code + room, (uint32_t)(bytes - room));
}

uint32_t patch_apply(uint8_t why)
{
    uint32_t nr = 0;

    for (const struct patch *p = _patches_start; p < _patches_end; p++) {
        if (p->why != why)
            continue;
        write_at((const uint8_t *)&p->at + p->at, p->code, p->bytes);
        nr++;
    }
    (void)cpuid(0, 0);
    return nr;
}
