/* SPDX-License-Identifier: MIT */
/*
 * LZMA, as LZMA2 has it: in chunks of known sizes, each whole in memory, into one buffer that is
 * the dictionary too. The LZMA specification of the LZMA SDK (DOC/lzma-specification.txt).
 */
#ifndef CORE_LZMA_H
#define CORE_LZMA_H

#include <stdbool.h>
#include <stdint.h>

#define LZMA_STATES      12u
#define LZMA_POSITIONS   16u /* 1 << pb, at most */
#define LZMA_LITERAL     0x300u
#define LZMA_LITERALS    (LZMA_LITERAL << 4) /* lc + lp is 4 at most */
#define LZMA_CHUNK_MOST  65536u              /* bytes of a chunk, packed */
#define LZMA_LENGTH_TREE (2u + 2 * LZMA_POSITIONS * 8 + 256)

/* Probabilities, each of a 0 in 2048. */
struct lzma_models {
    uint16_t is_match[LZMA_STATES][LZMA_POSITIONS];
    uint16_t is_rep[LZMA_STATES], is_rep0[LZMA_STATES], is_rep1[LZMA_STATES], is_rep2[LZMA_STATES];
    uint16_t is_long[LZMA_STATES][LZMA_POSITIONS];
    uint16_t slot[4][64], special[115], align[16];
    uint16_t length[2][LZMA_LENGTH_TREE]; /* of matches; of those that are repeated */
    uint16_t literal[LZMA_LITERALS];
};

struct lzma {
    struct lzma_models m;
    uint32_t state, rep[4];
    uint8_t lc, lp, pb;
    /* The range coder. */
    const uint8_t *in, *in_end;
    uint32_t range, code;
    bool short_of; /* it wanted more than there is */
    /* The dictionary: bytes from its beginning on, so many, and up to where the chunk goes. */
    uint8_t *dict;
    uint64_t at, end;
};

/* lc, lp and pb from their byte. False: LZMA2 has none such. */
bool lzma_set_properties(struct lzma *l, uint8_t properties);
void lzma_reset(struct lzma *l);

/* A chunk of `bytes` that gives `unpacked` more. False: it cannot be one. */
bool lzma_begin(struct lzma *l, const uint8_t *in, uint32_t bytes, uint64_t unpacked);

/* Goes on until l->at is about `limit`. 0: go on; 1: the chunk is done; -EINVAL: it is damaged. */
int lzma_run(struct lzma *l, uint64_t limit);

#endif
