/* SPDX-License-Identifier: MIT */
/*
 * xz's filter for code of x86: what is packed has calls and jumps with the addresses that they go
 * to, from the beginning of the block, in place of distances. The .xz file format 1.2.1, 5.3.2.
 */
#ifndef CORE_UNXZ_X86_H
#define CORE_UNXZ_X86_H

#include <stdint.h>

struct unxz_x86 {
    uint64_t at;     /* what is before is done */
    uint32_t before; /* bit n: the byte at - 1 - n had the look of a call, and was none; of three */
};

/* Puts distances back in code[f->at .. until), of a block of `bytes` that is all there. It may go
 * some bytes further. */
void unxz_x86_run(struct unxz_x86 *f, uint8_t *code, uint64_t until, uint64_t bytes);

#endif
