/* SPDX-License-Identifier: MIT */
/* The plain machine that most tests of domains run on. */
#ifndef MACHINE_H
#define MACHINE_H

#include "unit.h"

#include <asm/host.h>
#include <hospes/frame.h>
#include <lib/bits.h>

/* `pcpus` pCPUs and one bank of RAM, all of it free; what the allocator keeps is at `meta`. */
static inline void machine_make(uint32_t pcpus, uint64_t ram, uint64_t ram_bytes, uint64_t meta)
{
    mfn_t first = maddr_to_mfn(MADDR(ram)), end = maddr_to_mfn(MADDR(ram + ram_bytes));

    host_ram_reset();
    host_pcpus_init(pcpus);
    host_ram_add(meta, align_up(frame_bank_meta_size(ram_bytes >> FRAME_SHIFT), MIB(2)));
    host_ram_add(ram, ram_bytes);
    assert_int_equal(frame_bank_add(first, end, host_ram(MADDR(meta))), 0);
    frame_bank_release(first, end);
}

#endif
