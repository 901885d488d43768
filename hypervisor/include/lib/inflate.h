/* SPDX-License-Identifier: MIT */
/*
 * Unpacks deflate streams (RFC 1951) in steps: input comes piece by piece, all output stays in one
 * buffer, which is the window too. What wraps the stream is read by inflate_bits(), before it and
 * behind it, where there must be 6 bytes more at least.
 */
#ifndef LIB_INFLATE_H
#define LIB_INFLATE_H

#include <stdbool.h>
#include <stdint.h>

#define INFLATE_SYMBOLS   288u
#define INFLATE_MAX_BITS  15u
#define INFLATE_FAST_BITS 9u

/* A Huffman code. Codes are compared as numbers of INFLATE_MAX_BITS bits, filled up on the right.
 */
struct inflate_code {
    uint16_t fast[1u << INFLATE_FAST_BITS]; /* by the next bits: symbol << 4 | bits, 0: longer */
    uint32_t end[INFLATE_MAX_BITS + 2];     /* the first code after those of so many bits */
    uint32_t first[INFLATE_MAX_BITS + 1];   /* the first of so many bits, as it is, */
    uint16_t place[INFLATE_MAX_BITS + 1];   /* and its symbol's place in: */
    uint16_t symbols[INFLATE_SYMBOLS];      /* by code */
};

/* All zeroes begins. The caller sets, and looks at, the first part. */
struct inflate {
    const uint8_t *in; /* unread input */
    uint32_t in_bytes;
    uint8_t *out; /* the whole buffer */
    uint64_t out_bytes, out_done;

    uint64_t bits; /* taken from the input, the next one lowest */
    uint32_t nr_bits;
    uint32_t state;                                       /* of the block: inflate.c */
    bool last;                                            /* the block is the last one */
    uint32_t left;                                        /* bytes of a stored block */
    uint32_t nr_literals, nr_distances, nr_lengths, done; /* a dynamic block's code lengths */
    uint8_t lengths[320];
    struct inflate_code literals, distances;
};

/* Takes up to 32 bits, the first one lowest. False: there is not enough input yet. */
bool inflate_bits(struct inflate *s, uint32_t n, uint32_t *value);

/* Goes to the next whole byte of the input. */
void inflate_align(struct inflate *s);

/*
 * Goes on until there are `enough` bytes of output, or a few more. 1: the stream has ended, and the
 * next bits are those behind it; 0: not yet, more input is needed if there is none left; -1: it is
 * damaged, or the buffer is too small.
 */
int inflate_run(struct inflate *s, uint64_t enough);

#endif
