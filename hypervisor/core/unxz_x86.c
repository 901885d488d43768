/* SPDX-License-Identifier: MIT */
/*
 * The filter's other direction; unxz_x86.h. A call or jump (E8, E9) is taken for one if the highest
 * byte of its operand is that of a number near 0. Where another one would overlap with it, the
 * packer made sure that its choice can be told from what it wrote: so do we.
 */
#include "unxz_x86.h"

#include <lib/bits.h>
#include <stdbool.h>

#define LENGTH 5u /* of an instruction */

static bool is_sign(uint32_t byte)
{
    return byte == 0 || byte == 0xff;
}

static bool is_opcode(uint8_t byte)
{
    return (byte & 0xfe) == 0xe8;
}

/* Which of the operand's bytes the one before overlaps with: 3 for the byte before, 2, 1; 0: none.
 * `before` has one bit at most. */
static unsigned int overlap(uint32_t before)
{
    return before ? 3 - bit_lowest(before) : 0;
}

static bool is_taken(const uint8_t *p, uint32_t before)
{
    if (before & (before - 1) || (before && is_sign(p[overlap(before)])))
        return false;
    return is_sign(p[4]);
}

static uint32_t distance(uint32_t operand, uint32_t next, uint32_t before)
{
    unsigned int shift = 8 * (overlap(before) - 1);
    uint32_t d = operand - next;

    /* It is sought what the packer began with, which has no sign there. */
    while (before && is_sign(d >> shift & 0xff))
        d = (d ^ (uint32_t)(BIT(shift + 8) - 1)) - next;
    return d;
}

void unxz_x86_run(struct unxz_x86 *f, uint8_t *code, uint64_t until, uint64_t bytes)
{
    while (f->at < until) {
        uint8_t *p = code + f->at;
        bool opcode = is_opcode(*p) && bytes - f->at >= LENGTH;
        uint32_t d;

        if (!opcode || !is_taken(p, f->before)) {
            f->before = (f->before << 1 & 7) | opcode;
            f->at++;
            continue;
        }
        d = distance(p[1] | (uint32_t)p[2] << 8 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 24,
                     (uint32_t)(f->at + LENGTH), f->before);
        p[1] = (uint8_t)d;
        p[2] = (uint8_t)(d >> 8);
        p[3] = (uint8_t)(d >> 16);
        p[4] = d >> 24 & 1 ? 0xff : 0;
        f->at += LENGTH;
        f->before = 0;
    }
}
