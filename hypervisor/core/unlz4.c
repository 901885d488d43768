/* SPDX-License-Identifier: MIT */
/*
 * lz4 files as Linux's build makes them (`lz4 -l`, the legacy frame of LZ4's lz4_Frame_format.md):
 * liblz4 does the work. <hospes/unpack.h>.
 *
 *   magic, then blocks: their packed size, and what is packed (lz4_Block_format.md), to the file's
 *   end; each is 8 MiB unpacked, but for the last. No lengths, no checks.
 *
 * liblz4 unpacks a block at a time, which takes some milliseconds. So it is given a few sequences
 * of it at a time, and what came before of the block to look back in.
 */
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/unpack.h>
#include <lib/bits.h>
#include <lz4.h>
#include <string.h>

#define MAGIC       "\x02\x21\x4c\x18"
#define WORD_BYTES  4u
#define BLOCK_BYTES MIB(8)
#define PACKED_MOST LZ4_COMPRESSBOUND(BLOCK_BYTES)
#define PIECE_BYTES KIB(32)
#define LOOK_BACK   KIB(64)

#define LENGTH_MORE 15u  /* of a token: bytes follow that add to it, */
#define BYTE_MORE   255u /* to the first that is less */
#define MATCH_LEAST 4u

enum stage { SIZE, BLOCK, PIECES };

struct unlz4 {
    enum stage stage;
    bool begun; /* the magic is read */
    uint32_t got;
    uint8_t word[WORD_BYTES];
    uint8_t *block;           /* packed; `room` bytes */
    uint32_t room, bytes, at; /* so many are the block's; so many of them are done */
    uint64_t done;            /* unpacked bytes of the block */
};

/* True when all `need` bytes are there. */
static bool collect(struct unlz4 *x, struct unpack_io *io, uint8_t *to, uint32_t need)
{
    uint32_t n = min(need - x->got, io->in_bytes);

    memcpy(to + x->got, io->in, n);
    io->in += n;
    io->in_bytes -= n;
    x->got += n;
    return x->got == need;
}

static int read_word(struct unlz4 *x)
{
    uint32_t word = load_le32(x->word);

    x->got = 0;
    if (!memcmp(x->word, MAGIC, sizeof(x->word))) { /* of another file behind it, at the latest */
        x->begun = true;
        return 0;
    }
    if (!x->begun || !word || word > PACKED_MOST)
        return -EINVAL;
    if (word > x->room) {
        heap_free(x->block);
        x->block = heap_alloc_dirty(word);
        x->room = x->block ? word : 0;
    }
    if (!x->block)
        return -ENOMEM;
    x->bytes = word;
    x->at = 0;
    x->done = 0;
    x->stage = BLOCK;
    return 0;
}

/* The rest of a length. False: the block ends in it, or it is beyond what a block gives. */
static bool take_length(const struct unlz4 *x, uint32_t *at, uint64_t *length)
{
    uint8_t more = BYTE_MORE;

    if (*length < LENGTH_MORE)
        return true;
    while (more == BYTE_MORE && *at < x->bytes && *length <= BLOCK_BYTES) {
        more = x->block[(*at)++];
        *length += more;
    }
    return more < BYTE_MORE;
}

/* One sequence: some bytes as they are, then a match, but for the block's last. Moves *at behind it
 * and adds what it gives. False: it is none. */
static bool take_sequence(const struct unlz4 *x, uint32_t *at, uint64_t *gives)
{
    uint8_t token = x->block[(*at)++];
    uint64_t plain = token >> 4, match = token & 15;

    if (!take_length(x, at, &plain) || plain > x->bytes - *at)
        return false;
    *at += (uint32_t)plain;
    *gives += plain;
    if (*at == x->bytes)
        return true;
    /* A distance of 0 would take what was in the buffer before: liblz4 lets it pass. */
    if (x->bytes - *at < 2 || !load_le16(x->block + *at))
        return false;
    *at += 2;
    if (!take_length(x, at, &match))
        return false;
    *gives += match + MATCH_LEAST;
    return true;
}

static int unpack_piece(struct unlz4 *x, struct unpack_io *io)
{
    char *to = (char *)io->out + io->out_done;
    uint32_t end = x->at, back = (uint32_t)min(x->done, LOOK_BACK);
    uint64_t gives = 0;

    while (end < x->bytes && gives < PIECE_BYTES)
        if (!take_sequence(x, &end, &gives))
            return -EINVAL;
    if (gives > BLOCK_BYTES - x->done)
        return -EINVAL;
    if (gives > io->out_bytes - io->out_done)
        return -E2BIG;
    if (LZ4_decompress_safe_partial_usingDict((const char *)x->block + x->at, to,
                                              (int)(x->bytes - x->at), (int)gives, (int)gives,
                                              to - back, (int)back) != (int)gives)
        return -EINVAL;
    x->at = end;
    x->done += gives;
    io->out_done += gives;
    if (x->at == x->bytes)
        x->stage = SIZE;
    return 0;
}

static uint64_t length(maddr_t from, uint64_t *bytes, bool sized)
{
    return sized ? unpack_sized_length(from, bytes) : 0;
}

static void *begin(void)
{
    return heap_alloc(sizeof(struct unlz4));
}

static int run(void *state, struct unpack_io *io)
{
    struct unlz4 *x = state;

    if (x->stage == PIECES)
        return unpack_piece(x, io);
    if (x->stage == SIZE) {
        if (!io->in_bytes && !x->got && x->begun)
            return 1;
        return collect(x, io, x->word, WORD_BYTES) ? read_word(x) : 0;
    }
    if (collect(x, io, x->block, x->bytes)) {
        x->got = 0;
        x->stage = PIECES;
    }
    return 0;
}

static void end(void *state)
{
    struct unlz4 *x = state;

    heap_free(x->block);
    heap_free(x);
}

const struct unpacker unpack_lz4 = {
    .name = "lz4",
    .magic = MAGIC,
    .magic_bytes = 4,
    .length = length,
    .begin = begin,
    .run = run,
    .end = end,
};
