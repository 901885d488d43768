/* SPDX-License-Identifier: MIT */
/* Where domains' RAM is on arm64. <hospes/domain_build.h> has the contract. */
#include "include/asm/guest_layout.h"

#include <hospes/domain_build.h>
#include <hospes/errno.h>
#include <hospes/frame.h>
#include <lib/bits.h>

/* Behind so many banks only large pieces count: the list of banks has an end. */
#define FRAGMENTS_MAX (DOMAIN_LAYOUT_BANKS - 8)

const struct domain_ram arch_domain_ram[] = {
    { GUEST_RAM0_BASE, GUEST_RAM0_SIZE },
    { GUEST_RAM1_BASE, GUEST_RAM1_SIZE },
    { 0, 0 },
};

/*
 * The largest block there is, up to what is left, below 4 GiB if possible, for devices of 32 bits;
 * but not from there to the last fragment, when the list of banks comes to its end.
 */
int arch_domain_direct_frames(uint16_t id, const struct domain_layout *l, uint64_t left, mfn_t *m,
                              uint64_t *frames)
{
    static const unsigned int where[] = { FRAME_LOW, 0 };
    unsigned int most = min(bit_highest(left), (unsigned int)FRAME_MAX_ORDER);
    unsigned int least = min(most, (unsigned int)FRAME_ORDER_2M);

    for (uint32_t i = l->nr_banks > FRAGMENTS_MAX; i < 2; i++) {
        for (unsigned int order = most + 1; order-- > least;) {
            if (frame_alloc(id, order, FRAME_DIRTY_OK | where[i], m, NULL))
                continue;
            *frames = (uint64_t)1 << order;
            return 0;
        }
    }
    return -ENOMEM;
}
