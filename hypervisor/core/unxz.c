/* SPDX-License-Identifier: MIT */
/*
 * xz files (The .xz File Format 1.2.1) and those of its predecessor lzma (The .lzma File Format):
 * liblzma does the work, its memory comes from our heap. <hospes/unpack.h>.
 *
 *   xz    stream header, blocks (header, what is packed, check), index, footer
 *   lzma  header, what is packed: no check
 *
 * liblzma's decoder of whole files would take a window as large as the file asks for, which may be
 * 4 GiB. So each part is given to the decoder for it, with a window no larger than the result.
 */
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/unpack.h>
#include <lib/bits.h>
#include <string.h>

#define LZMA_MANUAL_HEADERS /* the types are there */
#include <lzma.h>

#define PIECE_BYTES   KIB(8) /* of output: up to 100 instructions a byte */
#define INDEX_MOST    512u   /* bytes of an index that length() reads: some 70 blocks */
#define ALONE_HEADER  13u    /* of an lzma file: properties, then how long it is unpacked */
#define ALONE_OPTIONS 5u
#define NOT_TOLD      UINT64_MAX /* the length: an end marker stands behind the data */

enum stage {
    STREAM,       /* its header */
    BLOCK,        /* the first byte of its header, or of the index */
    BLOCK_HEADER, /* the rest */
    DATA,
    INDEX,
    FOOTER,
    ALONE, /* an lzma file's header */
};

struct unxz {
    enum stage stage;
    uint32_t got, need; /* of what is collected in `bytes` */
    uint8_t bytes[LZMA_BLOCK_HEADER_SIZE_MAX];
    lzma_stream_flags flags;
    lzma_block block;
    lzma_index_hash *index; /* of the blocks that came; NULL for an lzma file */
    lzma_stream decoder;
};

static void *allocate(void *unused, size_t items, size_t size)
{
    (void)unused;
    return items <= UINT64_MAX / max(size, (size_t)1) ? heap_alloc_dirty(items * size) : NULL;
}

static void release(void *unused, void *p)
{
    (void)unused;
    heap_free(p);
}

static const lzma_allocator memory = { .alloc = allocate, .free = release };

static int error_of(lzma_ret rc)
{
    if (rc == LZMA_STREAM_END)
        return 1;
    if (rc == LZMA_OK || rc == LZMA_BUF_ERROR) /* which unpack_step() sees: nothing moved */
        return 0;
    if (rc == LZMA_MEM_ERROR)
        return -ENOMEM;
    return rc == LZMA_OPTIONS_ERROR ? -EOPNOTSUPP : -EINVAL;
}

static int go(struct unxz *x, enum stage stage, uint32_t need)
{
    x->stage = stage;
    x->need = need;
    x->got = 0;
    return 0;
}

/* Collects what the stage needs; false: the input is at its end. */
static bool collect(struct unxz *x, struct unpack_io *io)
{
    uint32_t n = min(x->need - x->got, io->in_bytes);

    memcpy(x->bytes + x->got, io->in, n);
    io->in += n;
    io->in_bytes -= n;
    x->got += n;
    return x->got == x->need;
}

/* What looks back further than the result is long has nothing there. */
static void bound_window(const struct unpack_io *io, lzma_options_lzma *o)
{
    if (o->dict_size > io->out_bytes)
        o->dict_size = max((uint32_t)io->out_bytes, LZMA_DICT_SIZE_MIN);
}

/* --- xz -------------------------------------------------------------------------------------- */

static int read_stream(struct unxz *x)
{
    int rc = error_of(lzma_stream_header_decode(&x->flags, x->bytes));

    if (rc)
        return rc;
    if (x->flags.check != LZMA_CHECK_NONE && x->flags.check != LZMA_CHECK_CRC32 &&
        x->flags.check != LZMA_CHECK_CRC64)
        return -EOPNOTSUPP;
    return go(x, BLOCK, 1);
}

static int begin_block(struct unxz *x, const struct unpack_io *io)
{
    lzma_filter filters[LZMA_FILTERS_MAX + 1];
    int rc;

    x->block = (lzma_block){
        .version = 1, .header_size = x->need, .check = x->flags.check, .filters = filters
    };
    rc = error_of(lzma_block_header_decode(&x->block, &memory, x->bytes));
    if (rc)
        return rc;
    for (lzma_filter *f = filters; f->id != LZMA_VLI_UNKNOWN; f++)
        if (f->id == LZMA_FILTER_LZMA2)
            bound_window(io, f->options);
    rc = error_of(lzma_block_decoder(&x->decoder, &x->block));
    lzma_filters_free(filters, &memory);
    x->block.filters = NULL;
    return rc ? rc : go(x, DATA, 0);
}

/* The block's lengths go to where the index is compared with them. */
static int end_block(struct unxz *x)
{
    int rc = error_of(lzma_index_hash_append(x->index, lzma_block_unpadded_size(&x->block),
                                             x->block.uncompressed_size));

    return rc ? rc : go(x, BLOCK, 1);
}

static int begin_index(struct unxz *x)
{
    size_t at = 0;

    (void)go(x, INDEX, 0);
    return error_of(lzma_index_hash_decode(x->index, x->bytes, &at, 1));
}

static int read_index(struct unxz *x, struct unpack_io *io)
{
    size_t at = 0;
    int rc = error_of(lzma_index_hash_decode(x->index, io->in, &at, io->in_bytes));

    io->in += at;
    io->in_bytes -= (uint32_t)at;
    return rc == 1 ? go(x, FOOTER, LZMA_STREAM_HEADER_SIZE) : rc;
}

static int read_footer(const struct unxz *x)
{
    lzma_stream_flags footer;

    if (lzma_stream_footer_decode(&footer, x->bytes) != LZMA_OK ||
        lzma_stream_flags_compare(&footer, &x->flags) != LZMA_OK ||
        footer.backward_size != lzma_index_hash_size(x->index))
        return -EINVAL;
    return 1;
}

/* --- lzma ------------------------------------------------------------------------------------ */

static int begin_alone(struct unxz *x, const struct unpack_io *io)
{
    lzma_filter filters[] = { { .id = LZMA_FILTER_LZMA1EXT }, { .id = LZMA_VLI_UNKNOWN } };
    lzma_options_lzma *o;
    int rc = error_of(lzma_properties_decode(filters, &memory, x->bytes, ALONE_OPTIONS));

    if (rc)
        return rc;
    o = filters[0].options;
    bound_window(io, o);
    o->ext_flags = LZMA_LZMA1EXT_ALLOW_EOPM;
    lzma_set_ext_size(*o, load_le64(x->bytes + ALONE_OPTIONS));
    rc = error_of(lzma_raw_decoder(&x->decoder, filters));
    lzma_filters_free(filters, &memory);
    return rc ? rc : go(x, DATA, 0);
}

/* --- both ------------------------------------------------------------------------------------ */

static int decode(struct unxz *x, struct unpack_io *io)
{
    lzma_stream *s = &x->decoder;
    size_t room = min(io->out_bytes - io->out_done, PIECE_BYTES);
    int rc;

    s->next_in = io->in;
    s->avail_in = io->in_bytes;
    s->next_out = io->out + io->out_done;
    s->avail_out = room;
    rc = error_of(lzma_code(s, LZMA_RUN));
    io->in = s->next_in;
    io->in_bytes = (uint32_t)s->avail_in;
    io->out_done += room - s->avail_out;
    if (rc == 1 && x->index)
        return end_block(x);
    if (rc)
        return rc;
    return s->avail_out < room ? UNPACK_PAUSE : 0;
}

/* What was collected for the stage is there. */
static int advance(struct unxz *x, const struct unpack_io *io)
{
    switch (x->stage) {
    case STREAM:
        return read_stream(x);
    case BLOCK:
        if (!x->bytes[0])
            return begin_index(x);
        x->stage = BLOCK_HEADER;
        x->need = lzma_block_header_size_decode(x->bytes[0]);
        return 0;
    case BLOCK_HEADER:
        return begin_block(x, io);
    case ALONE:
        return begin_alone(x, io);
    case DATA:
    case INDEX:
    case FOOTER:
    default:
        return read_footer(x);
    }
}

static int run(void *state, struct unpack_io *io)
{
    struct unxz *x = state;
    int rc;

    do {
        if (x->stage == DATA)
            return decode(x, io);
        if (x->stage != INDEX && !collect(x, io))
            return 0;
        rc = x->stage == INDEX ? read_index(x, io) : advance(x, io);
    } while (!rc && (io->in_bytes || x->stage == DATA));
    return rc;
}

static struct unxz *begin_with(enum stage stage, uint32_t need)
{
    struct unxz *x = heap_alloc(sizeof(*x));

    if (x) {
        x->decoder = (lzma_stream)LZMA_STREAM_INIT;
        x->decoder.allocator = &memory;
        (void)go(x, stage, need);
    }
    return x;
}

static void end(void *state)
{
    struct unxz *x = state;

    lzma_end(&x->decoder);
    lzma_index_hash_end(x->index, &memory);
    heap_free(x);
}

static void *begin_xz(void)
{
    struct unxz *x = begin_with(STREAM, LZMA_STREAM_HEADER_SIZE);

    if (x)
        x->index = lzma_index_hash_init(NULL, &memory);
    if (x && !x->index) {
        end(x);
        return NULL;
    }
    return x;
}

static void *begin_lzma(void)
{
    return begin_with(ALONE, ALONE_HEADER);
}

/* --- lengths --------------------------------------------------------------------------------- */

static uint64_t index_length(const uint8_t *b, size_t bytes)
{
    lzma_vli records, unpadded, unpacked;
    uint64_t sum = 0;
    size_t at = 1;

    if (b[0] || lzma_vli_decode(&records, NULL, b, &at, bytes) != LZMA_OK)
        return 0;
    for (; records; records--) {
        if (lzma_vli_decode(&unpadded, NULL, b, &at, bytes) != LZMA_OK ||
            lzma_vli_decode(&unpacked, NULL, b, &at, bytes) != LZMA_OK)
            return 0;
        sum += unpacked;
    }
    return sum;
}

/* The sum of what the index tells, which the footer leads to. */
static uint64_t xz_length(maddr_t from, uint64_t *bytes, bool sized)
{
    lzma_stream_flags footer;
    uint8_t b[INDEX_MOST];
    uint64_t rest;

    if (sized)
        return unpack_sized_length(from, bytes);
    if (*bytes < 2ull * LZMA_STREAM_HEADER_SIZE)
        return 0;
    rest = *bytes - LZMA_STREAM_HEADER_SIZE;
    maddr_read(b, maddr_add(from, rest), LZMA_STREAM_HEADER_SIZE);
    if (lzma_stream_footer_decode(&footer, b) != LZMA_OK || footer.backward_size > sizeof(b) ||
        footer.backward_size > rest - LZMA_STREAM_HEADER_SIZE)
        return 0;
    maddr_read(b, maddr_add(from, rest - footer.backward_size), footer.backward_size);
    return index_length(b, footer.backward_size);
}

static uint64_t lzma_length(maddr_t from, uint64_t *bytes, bool sized)
{
    uint8_t b[ALONE_HEADER];
    uint64_t told;

    if (sized)
        return unpack_sized_length(from, bytes);
    if (*bytes < sizeof(b))
        return 0;
    maddr_read(b, from, sizeof(b));
    told = load_le64(b + ALONE_OPTIONS);
    return told == NOT_TOLD ? 0 : told;
}

const struct unpacker unpack_xz = {
    .name = "xz",
    .magic = "\xfd\x37\x7a\x58\x5a", /* and a 0 */
    .magic_bytes = 5,
    .length = xz_length,
    .begin = begin_xz,
    .run = run,
    .end = end,
};

/* It has no magic: 93 for the usual options, then the size of the window, of 64 KiB at least. */
const struct unpacker unpack_lzma = {
    .name = "lzma",
    .magic = "\x5d\0\0",
    .magic_bytes = 3,
    .length = lzma_length,
    .begin = begin_lzma,
    .run = run,
    .end = end,
};
