/* SPDX-License-Identifier: MIT */
/*
 * xz files: The .xz File Format 1.2.1, with LZMA2 and the filter for x86's code, which Linux
 * kernels are packed with; checked by CRC-32, CRC-64 or nothing. <hospes/unpack.h>.
 *
 *   stream header, blocks (header, chunks of LZMA2, padding, check), index, footer
 *
 * The buffer that all goes to is the dictionary. So the filter comes when a block is complete: then
 * nothing looks back at it any more.
 */
#include "lzma.h"
#include "unxz_x86.h"

#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/unpack.h>
#include <lib/bits.h>
#include <string.h>

#define MAGIC        "\xfd\x37\x7a\x58\x5a" /* and a 0 */
#define STREAM_BYTES 12u                    /* header, and footer */
#define HEADER_MOST  1024u                  /* of a block */
#define NUMBER_MOST  9u                     /* bytes of a number */

#define CHECK_NONE  0u
#define CHECK_CRC32 1u
#define CHECK_CRC64 4u

#define FLAGS_FILTERS  0x03u /* less 1 */
#define FLAGS_RESERVED 0x3cu
#define FLAGS_PACKED   0x40u
#define FLAGS_UNPACKED 0x80u
#define FILTER_X86     0x04u
#define FILTER_LZMA2   0x21u

/* Control bytes of chunks. */
#define CHUNK_PLAIN_FIRST 1u /* and it begins a dictionary */
#define CHUNK_PLAIN       2u
#define CHUNK_LZMA        0x80u
#define CHUNK_RESET       1u /* of MASK(6, 5): what begins anew */
#define CHUNK_PROPERTIES  2u
#define CHUNK_DICTIONARY  3u

/* At a time, so that a step is far below a millisecond. */
#define DECODE_BYTES 8192u
#define FILTER_BYTES 32768u

#define POLYNOMIAL_32 0xedb88320u
#define POLYNOMIAL_64 0xc96c5795d7870f42ull

enum stage {
    STREAM,
    BLOCK,
    BLOCK_HEADER,
    CONTROL,
    PLAIN_HEAD,
    PLAIN,
    LZMA_HEAD,
    LZMA_CHUNK,
    DECODE,
    FILTER,
    PADDING,
    INDEX,
    FOOTER,
};

struct unxz {
    enum stage stage;
    uint32_t got, need; /* of what is collected in `bytes` */
    uint8_t bytes[LZMA_CHUNK_MOST];
    uint8_t check;  /* CHECK_* */
    uint32_t flags; /* the stream's, as the footer has to repeat them */

    /* The block: */
    bool filtered, has_packed, has_unpacked;
    uint64_t packed, unpacked; /* as its header says */
    uint32_t header_bytes;
    uint64_t first, consumed; /* where it begins in the output; its bytes of input, header apart */
    struct unxz_x86 filter;
    uint64_t summed, crc; /* so much of it is in the check */

    /* The chunk: */
    uint8_t control;
    bool need_dictionary, need_properties;
    uint32_t left; /* of one that is not packed */

    /* The index: */
    uint64_t blocks, sum_unpadded, sum_unpacked; /* as they came, */
    uint64_t records, number;                    /* less those that it tells of */
    uint32_t index_bytes, number_bits, index_crc;
    uint8_t field; /* of records: 0 how many; 1 unpadded, 2 unpacked bytes; 3 padding; 4 CRC */

    uint32_t table32[256];
    uint64_t table64[256];
    struct lzma lzma;
};

/* --- checks ----------------------------------------------------------------------------------- */

static void make_tables(struct unxz *x)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint64_t c32 = i, c64 = i;

        for (unsigned int bit = 0; bit < 8; bit++) {
            c32 = c32 & 1 ? c32 >> 1 ^ POLYNOMIAL_32 : c32 >> 1;
            c64 = c64 & 1 ? c64 >> 1 ^ POLYNOMIAL_64 : c64 >> 1;
        }
        x->table32[i] = (uint32_t)c32;
        x->table64[i] = c64;
    }
}

static uint32_t crc32_of(const struct unxz *x, uint32_t crc, const uint8_t *p, uint64_t n)
{
    uint32_t c = ~crc;

    for (; n; n--)
        c = x->table32[(c ^ *p++) & 0xff] ^ c >> 8;
    return ~c;
}

static uint64_t crc64_of(const struct unxz *x, uint64_t crc, const uint8_t *p, uint64_t n)
{
    uint64_t c = ~crc;

    for (; n; n--)
        c = x->table64[(c ^ *p++) & 0xff] ^ c >> 8;
    return ~c;
}

static uint32_t check_bytes(const struct unxz *x)
{
    return x->check == CHECK_CRC32 ? 4 : x->check == CHECK_CRC64 ? 8 : 0;
}

/* --- input ------------------------------------------------------------------------------------ */

static void go(struct unxz *x, enum stage stage, uint32_t need)
{
    x->stage = stage;
    x->need = need;
    x->got = 0;
}

/* Collects what the stage needs; false: the input is at its end. */
static bool collect(struct unxz *x, struct unpack_io *io)
{
    uint32_t n = min(x->need - x->got, io->in_bytes);

    memcpy(x->bytes + x->got, io->in, n);
    io->in += n;
    io->in_bytes -= n;
    x->got += n;
    x->consumed += n;
    return x->got == x->need;
}

/* A number of 7 bits a byte, the lowest first. False: it is too long, or not the shortest form. */
static bool take_number(const uint8_t *b, uint32_t bytes, uint32_t *at, uint64_t *value)
{
    *value = 0;
    for (uint32_t i = 0; i < NUMBER_MOST && *at < bytes; i++) {
        uint8_t c = b[(*at)++];

        *value |= (uint64_t)(c & 0x7f) << 7 * i;
        if (!(c & 0x80))
            return c || !i;
    }
    return false;
}

/* --- headers ---------------------------------------------------------------------------------- */

static int read_stream(struct unxz *x)
{
    const uint8_t *b = x->bytes;

    if (memcmp(b, MAGIC, 6) != 0 || load_le32(b + 8) != crc32_of(x, 0, b + 6, 2))
        return -EINVAL;
    x->check = b[7];
    x->flags = (uint32_t)b[6] | (uint32_t)b[7] << 8;
    if (b[6] || (x->check != CHECK_NONE && x->check != CHECK_CRC32 && x->check != CHECK_CRC64))
        return -EINVAL;
    go(x, BLOCK, 1);
    return 0;
}

/* One filter: its number, its properties. False: there is none such here. */
static bool take_filter(struct unxz *x, uint32_t *at, uint32_t end, bool last)
{
    uint64_t id, bytes;

    if (!take_number(x->bytes, end, at, &id) || !take_number(x->bytes, end, at, &bytes) ||
        bytes > end - *at)
        return false;
    *at += (uint32_t)bytes;
    if (last)
        return id == FILTER_LZMA2 && bytes == 1;
    x->filtered = true;
    return id == FILTER_X86 && !bytes;
}

static int read_block(struct unxz *x)
{
    const uint8_t *b = x->bytes;
    uint32_t end = x->need - 4, at = 2, filters = (b[1] & FLAGS_FILTERS) + 1;

    if (load_le32(b + end) != crc32_of(x, 0, b, end) || b[1] & FLAGS_RESERVED || filters > 2)
        return -EINVAL;
    x->has_packed = b[1] & FLAGS_PACKED;
    x->has_unpacked = b[1] & FLAGS_UNPACKED;
    x->filtered = false;
    if ((x->has_packed && !take_number(b, end, &at, &x->packed)) ||
        (x->has_unpacked && !take_number(b, end, &at, &x->unpacked)))
        return -EINVAL;
    for (uint32_t i = 0; i < filters; i++)
        if (!take_filter(x, &at, end, i + 1 == filters))
            return -EINVAL;
    while (at < end)
        if (b[at++])
            return -EINVAL;
    x->header_bytes = x->need;
    x->need_dictionary = x->need_properties = true;
    x->filter = (struct unxz_x86){ 0, 0 };
    x->consumed = x->summed = x->crc = 0;
    go(x, CONTROL, 1);
    return 0;
}

/* --- chunks of LZMA2: 5.3.1; the SDK's Lzma2Dec.c tells more -----------------------------------
 */

static int read_control(struct unxz *x)
{
    x->control = x->bytes[0];
    if (!x->control) {
        go(x, FILTER, 0);
    } else if (x->control >= CHUNK_LZMA) {
        go(x, LZMA_HEAD, field_get(MASK(6, 5), x->control) >= CHUNK_PROPERTIES ? 5 : 4);
    } else {
        if (x->control > CHUNK_PLAIN || (x->need_dictionary && x->control != CHUNK_PLAIN_FIRST))
            return -EINVAL;
        go(x, PLAIN_HEAD, 2);
    }
    return 0;
}

static void begin_dictionary(struct unxz *x, struct unpack_io *io)
{
    x->lzma.dict = io->out + io->out_done;
    x->lzma.at = 0;
    x->need_dictionary = false;
}

static int read_plain_head(struct unxz *x, struct unpack_io *io)
{
    if (x->control == CHUNK_PLAIN_FIRST) {
        begin_dictionary(x, io);
        x->need_properties = true;
    }
    x->left = ((uint32_t)x->bytes[0] << 8 | x->bytes[1]) + 1;
    go(x, PLAIN, 0);
    return x->left <= io->out_bytes - io->out_done ? 0 : -EINVAL;
}

static void copy_plain(struct unxz *x, struct unpack_io *io)
{
    uint32_t n = min(x->left, io->in_bytes);

    memcpy(io->out + io->out_done, io->in, n);
    io->in += n;
    io->in_bytes -= n;
    io->out_done += n;
    x->consumed += n;
    x->lzma.at += n;
    x->left -= n;
    if (!x->left)
        go(x, CONTROL, 1);
}

static int read_lzma_head(struct unxz *x, struct unpack_io *io)
{
    const uint8_t *b = x->bytes;
    uint32_t anew = (uint32_t)field_get(MASK(6, 5), x->control);
    uint32_t unpacked = ((x->control & 0x1fu) << 16 | (uint32_t)b[0] << 8 | b[1]) + 1;
    uint32_t packed = ((uint32_t)b[2] << 8 | b[3]) + 1;

    if ((x->need_dictionary && anew != CHUNK_DICTIONARY) ||
        (x->need_properties && anew < CHUNK_PROPERTIES) || unpacked > io->out_bytes - io->out_done)
        return -EINVAL;
    if (anew == CHUNK_DICTIONARY)
        begin_dictionary(x, io);
    if (anew >= CHUNK_PROPERTIES && !lzma_set_properties(&x->lzma, b[4]))
        return -EINVAL;
    if (anew >= CHUNK_PROPERTIES)
        x->need_properties = false;
    if (anew >= CHUNK_RESET)
        lzma_reset(&x->lzma);
    x->left = unpacked;
    go(x, LZMA_CHUNK, packed);
    return 0;
}

static int decode(struct unxz *x, struct unpack_io *io)
{
    uint64_t at = x->lzma.at;
    int rc = lzma_run(&x->lzma, at + DECODE_BYTES);

    if (rc < 0)
        return rc;
    io->out_done += x->lzma.at - at;
    if (rc)
        go(x, CONTROL, 1);
    return UNPACK_PAUSE;
}

/* --- the end of a block ----------------------------------------------------------------------- */

static int filter_some(struct unxz *x, const struct unpack_io *io)
{
    uint8_t *block = io->out + x->first;
    uint64_t bytes = io->out_done - x->first, until = min(x->summed + FILTER_BYTES, bytes);

    if (x->filtered) {
        unxz_x86_run(&x->filter, block, until, bytes);
        until = min(x->filter.at, bytes);
    }
    if (x->check == CHECK_CRC32)
        x->crc = crc32_of(x, (uint32_t)x->crc, block + x->summed, until - x->summed);
    else if (x->check == CHECK_CRC64)
        x->crc = crc64_of(x, x->crc, block + x->summed, until - x->summed);
    x->summed = until;
    if (until < bytes)
        return UNPACK_PAUSE;
    if ((x->has_packed && x->packed != x->consumed) || (x->has_unpacked && x->unpacked != bytes))
        return -EINVAL;
    x->sum_unpadded += x->header_bytes + x->consumed + check_bytes(x);
    x->sum_unpacked += bytes;
    x->blocks++;
    go(x, PADDING, (uint32_t)(-x->consumed & 3) + check_bytes(x));
    return UNPACK_PAUSE;
}

static int read_padding(struct unxz *x, const struct unpack_io *io)
{
    uint32_t padding = x->need - check_bytes(x);

    for (uint32_t i = 0; i < padding; i++)
        if (x->bytes[i])
            return -EINVAL;
    if (memcmp(x->bytes + padding, &x->crc, check_bytes(x)) != 0)
        return -EINVAL;
    x->first = io->out_done;
    go(x, BLOCK, 1);
    return 0;
}

/* --- index and footer ------------------------------------------------------------------------- */

static void begin_index(struct unxz *x)
{
    x->index_bytes = 1;
    x->index_crc = crc32_of(x, 0, x->bytes, 1);
    x->field = 0;
    x->number = x->number_bits = 0;
    go(x, INDEX, 1);
}

/* A number of the index is complete. */
static int take_field(struct unxz *x)
{
    if (x->field == 0) {
        if (x->number != x->blocks)
            return -EINVAL;
        x->records = x->number;
    } else if (x->field == 1) {
        x->sum_unpadded -= x->number;
    } else {
        x->sum_unpacked -= x->number;
        x->records--;
    }
    x->field = x->field == 1 ? 2 : x->records ? 1 : 3;
    x->number = x->number_bits = 0;
    return 0;
}

static int end_index(struct unxz *x)
{
    if (x->sum_unpadded || x->sum_unpacked || load_le32(x->bytes) != x->index_crc)
        return -EINVAL;
    go(x, FOOTER, STREAM_BYTES);
    return 0;
}

static int read_index(struct unxz *x)
{
    uint8_t c = x->bytes[0];
    int rc = 0;

    if (x->field == 4)
        return end_index(x);
    x->index_crc = crc32_of(x, x->index_crc, &c, 1);
    x->index_bytes++;
    x->got = 0;
    if (x->field < 3) {
        if (x->number_bits > 7 * (NUMBER_MOST - 1))
            return -EINVAL;
        x->number |= (uint64_t)(c & 0x7f) << x->number_bits;
        x->number_bits += 7;
        rc = c & 0x80 ? 0 : take_field(x);
    } else if (c) {
        return -EINVAL;
    }
    if (x->field == 3 && x->index_bytes % 4 == 0) {
        x->field = 4;
        go(x, INDEX, 4);
    }
    return rc;
}

static int read_footer(const struct unxz *x)
{
    const uint8_t *b = x->bytes;

    if (load_le32(b) != crc32_of(x, 0, b + 4, 6) || load_le32(b + 4) != x->index_bytes / 4 ||
        load_le16(b + 8) != x->flags || memcmp(b + 10, "YZ", 2) != 0)
        return -EINVAL;
    return 1;
}

/* --- the format ------------------------------------------------------------------------------- */

static int64_t index_length(const uint8_t *b, uint32_t bytes)
{
    uint64_t records, unpadded, unpacked, sum = 0;
    uint32_t at = 1;

    if (b[0] || !take_number(b, bytes, &at, &records))
        return 0;
    for (; records; records--) {
        if (!take_number(b, bytes, &at, &unpadded) || !take_number(b, bytes, &at, &unpacked))
            return 0;
        sum += unpacked;
    }
    return (int64_t)sum;
}

/* The sum of what the index tells, which the footer leads to. */
static uint64_t length(maddr_t from, uint64_t *bytes, bool sized)
{
    uint8_t b[512];
    uint64_t index;

    if (sized && *bytes > 4) {
        *bytes -= 4;
        maddr_read(b, maddr_add(from, *bytes), 4);
        return load_le32(b);
    }
    if (*bytes < 2 * STREAM_BYTES)
        return 0;
    maddr_read(b, maddr_add(from, *bytes - STREAM_BYTES), STREAM_BYTES);
    index = ((uint64_t)load_le32(b + 4) + 1) * 4;
    if (memcmp(b + 10, "YZ", 2) != 0 || index > sizeof(b) || index > *bytes - 2 * STREAM_BYTES)
        return 0;
    maddr_read(b, maddr_add(from, *bytes - STREAM_BYTES - index), index);
    return (uint64_t)index_length(b, (uint32_t)index);
}

static void *begin(void)
{
    struct unxz *x = heap_alloc(sizeof(*x));

    if (x) {
        make_tables(x);
        go(x, STREAM, STREAM_BYTES);
    }
    return x;
}

/* What was collected for the stage is there. */
static int advance(struct unxz *x, struct unpack_io *io)
{
    switch (x->stage) {
    case STREAM:
        return read_stream(x);
    case BLOCK:
        if (x->bytes[0]) {
            x->stage = BLOCK_HEADER;
            x->need = (x->bytes[0] + 1u) * 4;
        } else {
            begin_index(x);
        }
        return 0;
    case BLOCK_HEADER:
        return read_block(x);
    case CONTROL:
        return read_control(x);
    case PLAIN_HEAD:
        return read_plain_head(x, io);
    case LZMA_HEAD:
        return read_lzma_head(x, io);
    case LZMA_CHUNK:
        if (!lzma_begin(&x->lzma, x->bytes, x->need, x->left))
            return -EINVAL;
        go(x, DECODE, 0);
        return 0;
    case PADDING:
        return read_padding(x, io);
    case INDEX:
        return read_index(x);
    case PLAIN:
    case DECODE:
    case FILTER:
    case FOOTER:
    default:
        return read_footer(x);
    }
}

static int run(void *state, struct unpack_io *io)
{
    struct unxz *x = state;
    int rc = 0;

    while (!rc) {
        if (x->stage == DECODE)
            return decode(x, io);
        if (x->stage == FILTER)
            return filter_some(x, io);
        if (x->stage == PLAIN) {
            if (!io->in_bytes)
                return 0;
            copy_plain(x, io);
        } else if (collect(x, io)) {
            rc = advance(x, io);
        } else {
            return 0;
        }
    }
    return rc;
}

static void end(void *state)
{
    heap_free(state);
}

const struct unpacker unpack_xz = {
    .name = "xz",
    .magic = MAGIC,
    .magic_bytes = 5,
    .length = length,
    .begin = begin,
    .run = run,
    .end = end,
};
