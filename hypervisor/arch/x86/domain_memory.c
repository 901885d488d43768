/* SPDX-License-Identifier: MIT */
/* Where domains' RAM is on x86. <hospes/domain_build.h> has the contract. */
#include <hospes/boot.h>
#include <hospes/domain_build.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <lib/bits.h>

/* Behind so many banks only large pieces count: the list of banks has an end. */
#define FRAGMENTS_MAX (DOMAIN_LAYOUT_BANKS - 8)

/* As Xen's toolstack has it for PVH guests: from 0 on, with a hole for devices below 4 GiB. */
const struct domain_ram arch_domain_ram[] = {
    { 0, 0xf0000000u },
    { GIB(4), GIB(4096) },
    { 0, 0 },
};

/* Frames in a row from `at` on that are free now, up to `most` and the end of a block of 2 MiB. */
static uint64_t take_pages(uint16_t id, uint64_t at, uint64_t most)
{
    uint64_t n = 0, block = MIB(2) >> FRAME_SHIFT, room = block - at % block;

    while (n < min(most, room) && frame_alloc_at(MFN(at + n), 1, id) == 0)
        n++;
    return n;
}

/* The largest block that begins at `at`, or pages of one. 0: the first page is not free. */
static uint64_t take(uint16_t id, uint64_t at, uint64_t most)
{
    static const unsigned int orders[] = { FRAME_MAX_ORDER, FRAME_ORDER_2M };

    for (uint32_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        uint64_t frames = (uint64_t)1 << orders[i];

        if (at % frames == 0 && frames <= most && frame_alloc_at(MFN(at), frames, id) == 0)
            return frames;
    }
    return take_pages(id, at, most);
}

/*
 * The lowest free frames: a kernel must be below 1 GiB and its ramdisk below 4 GiB, other CPUs
 * start below 1 MiB, and devices of 32 bits are common. What is there goes on from the last bank.
 */
int arch_domain_direct_frames(uint16_t id, const struct domain_layout *l, uint64_t left, mfn_t *m,
                              uint64_t *frames)
{
    uint64_t from = 0, step = l->nr_banks > FRAGMENTS_MAX ? MIB(2) >> FRAME_SHIFT : 1;

    for (uint32_t i = 0; i < l->nr_banks; i++)
        from = max(from, (l->bank[i].start.v + l->bank[i].bytes) >> FRAME_SHIFT);
    for (uint32_t i = 0; i < boot_ram.nr; i++) {
        uint64_t at = align_up(max(from, div_round_up(boot_ram.r[i].start, FRAME_SIZE)), step);
        uint64_t end = boot_ram.r[i].end >> FRAME_SHIFT;

        for (; at < end; at += step) {
            *m = MFN(at);
            *frames = take(id, at, min(left, end - at));
            if (*frames)
                return 0;
        }
    }
    return -ENOMEM;
}
