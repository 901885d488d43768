/* SPDX-License-Identifier: MIT */
/*
 * Deflate (RFC 1951): see <lib/inflate.h>.
 *
 * A step is only begun with all the bits that it can need at hand, so that nothing stops half-way:
 * 48 for a length and a distance with their extra bits. The bytes behind the stream make sure that
 * these are there for its last symbol too.
 */
#include <lib/bits.h>
#include <lib/inflate.h>
#include <string.h>

#define MAX_BITS  INFLATE_MAX_BITS
#define FAST_BITS INFLATE_FAST_BITS
#define STEP_BITS 48u

#define END_OF_BLOCK  256u
#define FIRST_LENGTH  257u
#define NR_LITERALS   286u /* that have a meaning, */
#define NR_DISTANCES  30u
#define NR_LENGTHS    29u
#define FIXED_LITERAL 288u /* and that fixed blocks have codes for */

enum state {
    BLOCK, /* its head is next */
    STORED_HEAD,
    STORED,
    COUNTS,         /* of a dynamic block's code lengths */
    LENGTH_LENGTHS, /* lengths of the code for code lengths */
    LENGTHS,
    SYMBOLS,
    ENDED,
};

/* --- bits ------------------------------------------------------------------------------------ */

static inline void refill(struct inflate *s)
{
    for (; s->nr_bits <= 56 && s->in_bytes; s->nr_bits += 8, s->in_bytes--)
        s->bits |= (uint64_t)*s->in++ << s->nr_bits;
}

static inline bool has(struct inflate *s, uint32_t n)
{
    if (s->nr_bits < n)
        refill(s);
    return s->nr_bits >= n;
}

/* Bits that are there. */
static inline uint32_t take(struct inflate *s, uint32_t n)
{
    uint32_t value = (uint32_t)(s->bits & (BIT(n) - 1));

    s->bits >>= n;
    s->nr_bits -= n;
    return value;
}

bool inflate_bits(struct inflate *s, uint32_t n, uint32_t *value)
{
    if (!has(s, n))
        return false;
    *value = take(s, n);
    return true;
}

void inflate_align(struct inflate *s)
{
    (void)take(s, s->nr_bits % 8);
}

/* --- codes ----------------------------------------------------------------------------------- */

/* The other way round: codes come with their highest bit first. */
static uint32_t reversed(uint32_t bits, uint32_t n)
{
    uint32_t r = 0;

    for (; n; n--, bits >>= 1)
        r = r << 1 | (bits & 1);
    return r;
}

static void fill_fast(struct inflate_code *c, uint32_t code, uint32_t bits, uint32_t symbol)
{
    for (uint32_t i = reversed(code, bits); i < 1u << FAST_BITS; i += 1u << bits)
        c->fast[i] = (uint16_t)(symbol << 4 | bits);
}

/*
 * Makes the code in which symbol i has lengths[i] bits, 0: none. False: there are too many, or with
 * `whole` too few. Otherwise a code may be of one symbol with one bit, or of none.
 */
static bool make(struct inflate_code *c, const uint8_t *lengths, uint32_t n, bool whole)
{
    uint32_t count[MAX_BITS + 1] = { 0 }, next[MAX_BITS + 1], code = 0, place = 0, longest = 0;

    for (uint32_t i = 0; i < n; i++)
        count[lengths[i]]++;
    for (uint32_t bits = 1; bits <= MAX_BITS; bits++) {
        code <<= 1;
        c->first[bits] = next[bits] = code;
        c->place[bits] = (uint16_t)place;
        code += count[bits];
        place += count[bits];
        if (code > 1u << bits)
            return false;
        c->end[bits] = code << (MAX_BITS - bits);
        if (count[bits])
            longest = bits;
    }
    if (code != 1u << MAX_BITS && (whole || longest > 1))
        return false;
    memset(c->fast, 0, sizeof(c->fast));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits = lengths[i];

        if (!bits)
            continue;
        c->symbols[c->place[bits] + next[bits] - c->first[bits]] = (uint16_t)i;
        if (bits <= FAST_BITS)
            fill_fast(c, next[bits], bits, i);
        next[bits]++;
    }
    return true;
}

/* A code of more than FAST_BITS, or no code. */
static uint32_t long_symbol(struct inflate *s, const struct inflate_code *c)
{
    uint32_t code = reversed((uint32_t)s->bits & ((1u << MAX_BITS) - 1), MAX_BITS);

    for (uint32_t bits = 1; bits <= MAX_BITS; bits++) {
        if (code < c->end[bits]) {
            uint32_t n = (code >> (MAX_BITS - bits)) - c->first[bits];

            (void)take(s, bits);
            return c->symbols[c->place[bits] + n];
        }
    }
    return UINT32_MAX;
}

/* The next symbol, of MAX_BITS at most, which are there; UINT32_MAX: no symbol has that code. */
static inline uint32_t symbol(struct inflate *s, const struct inflate_code *c)
{
    uint32_t e = c->fast[s->bits & ((1u << FAST_BITS) - 1)];

    if (!e)
        return long_symbol(s, c);
    (void)take(s, e & 15);
    return e >> 4;
}

/* --- blocks ---------------------------------------------------------------------------------- */

static void fixed_codes(struct inflate *s)
{
    for (uint32_t i = 0; i < FIXED_LITERAL; i++)
        s->lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    (void)make(&s->literals, s->lengths, FIXED_LITERAL, true);
    memset(s->lengths, 5, 32);
    (void)make(&s->distances, s->lengths, 32, true);
}

/* 1: go on; 0: needs input; -1: damaged. So do all below. */
static int block(struct inflate *s)
{
    static const uint8_t states[] = { STORED_HEAD, SYMBOLS, COUNTS };
    uint32_t kind;

    if (s->last) {
        s->state = ENDED;
        return 1;
    }
    if (!has(s, 3))
        return 0;
    s->last = take(s, 1);
    kind = take(s, 2);
    if (kind == sizeof(states))
        return -1;
    s->state = states[kind];
    if (s->state == SYMBOLS)
        fixed_codes(s);
    return 1;
}

static int stored_head(struct inflate *s)
{
    uint32_t both;

    inflate_align(s);
    if (!inflate_bits(s, 32, &both))
        return 0;
    if ((uint16_t)both != (uint16_t)~(both >> 16))
        return -1;
    s->left = (uint16_t)both;
    s->state = STORED;
    return 1;
}

static int stored(struct inflate *s)
{
    if (s->left > s->out_bytes - s->out_done)
        return -1;
    for (; s->left && s->nr_bits; s->left--)
        s->out[s->out_done++] = (uint8_t)take(s, 8);
    if (s->left) {
        uint32_t n = min(s->left, s->in_bytes);

        memcpy(s->out + s->out_done, s->in, n);
        s->in += n;
        s->in_bytes -= n;
        s->out_done += n;
        s->left -= n;
    }
    if (s->left)
        return 0;
    s->state = BLOCK;
    return 1;
}

static int counts(struct inflate *s)
{
    if (!has(s, 14))
        return 0;
    s->nr_literals = take(s, 5) + 257;
    s->nr_distances = take(s, 5) + 1;
    s->nr_lengths = take(s, 4) + 4;
    if (s->nr_literals > NR_LITERALS || s->nr_distances > NR_DISTANCES)
        return -1;
    s->done = 0;
    memset(s->lengths, 0, sizeof(s->lengths));
    s->state = LENGTH_LENGTHS;
    return 1;
}

static int length_lengths(struct inflate *s)
{
    static const uint8_t order[19] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                       11, 4,  12, 3, 13, 2, 14, 1, 15 };

    for (; s->done < s->nr_lengths; s->done++) {
        if (!has(s, 3))
            return 0;
        s->lengths[order[s->done]] = (uint8_t)take(s, 3);
    }
    /* Not needed before it is made itself. */
    if (!make(&s->literals, s->lengths, sizeof(order), true))
        return -1;
    s->done = 0;
    s->state = LENGTHS;
    return 1;
}

/* One length, or several alike. False: more than there are to be, or none to repeat. */
static bool add_lengths(struct inflate *s, uint32_t what)
{
    uint8_t value = (uint8_t)what;
    uint32_t times = 1;

    if (what > 18)
        return false;
    if (what == 16) {
        if (!s->done)
            return false;
        value = s->lengths[s->done - 1];
        times = take(s, 2) + 3;
    } else if (what > 16) {
        value = 0;
        times = what == 17 ? take(s, 3) + 3 : take(s, 7) + 11;
    }
    if (times > s->nr_literals + s->nr_distances - s->done)
        return false;
    memset(s->lengths + s->done, value, times);
    s->done += times;
    return true;
}

static int lengths(struct inflate *s)
{
    while (s->done < s->nr_literals + s->nr_distances) {
        if (!has(s, MAX_BITS + 7))
            return 0;
        if (!add_lengths(s, symbol(s, &s->literals)))
            return -1;
    }
    if (!s->lengths[END_OF_BLOCK] || !make(&s->literals, s->lengths, s->nr_literals, false) ||
        !make(&s->distances, s->lengths + s->nr_literals, s->nr_distances, false))
        return -1;
    s->state = SYMBOLS;
    return 1;
}

/* Repeats what is before; the two may overlap. False: it is not there, or there is no room. */
static bool repeat(struct inflate *s, uint32_t length, uint32_t distance)
{
    uint8_t *to = s->out + s->out_done;
    const uint8_t *from = to - distance;

    if (distance > s->out_done || length > s->out_bytes - s->out_done)
        return false;
    s->out_done += length;
    if (distance >= length)
        memcpy(to, from, length);
    else
        for (; length; length--)
            *to++ = *from++;
    return true;
}

/* What symbol `n` from the first length, or the first distance, stands for, before extra bits. */
static const uint16_t length_base[NR_LENGTHS] = { 3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                                  15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                                  67, 83, 99, 115, 131, 163, 195, 227, 258 };

static uint32_t length_extra(uint32_t n)
{
    return n < 8 || n == NR_LENGTHS - 1 ? 0 : n / 4 - 1;
}

static uint32_t distance_extra(uint32_t n)
{
    return n < 4 ? 0 : n / 2 - 1;
}

static uint32_t distance_base(uint32_t n)
{
    return n < 4 ? n + 1 : ((2 | (n & 1)) << distance_extra(n)) + 1;
}

static int symbols(struct inflate *s, uint64_t enough)
{
    while (s->out_done < enough) {
        uint32_t what, length, distance;

        if (!has(s, STEP_BITS))
            return 0;
        what = symbol(s, &s->literals);
        if (what < END_OF_BLOCK) {
            if (s->out_done == s->out_bytes)
                return -1;
            s->out[s->out_done++] = (uint8_t)what;
            continue;
        }
        if (what == END_OF_BLOCK) {
            s->state = BLOCK;
            return 1;
        }
        what -= FIRST_LENGTH;
        if (what >= NR_LENGTHS)
            return -1;
        length = length_base[what] + take(s, length_extra(what));
        what = symbol(s, &s->distances);
        if (what >= NR_DISTANCES)
            return -1;
        distance = distance_base(what) + take(s, distance_extra(what));
        if (!repeat(s, length, distance))
            return -1;
    }
    return 0;
}

int inflate_run(struct inflate *s, uint64_t enough)
{
    int rc = 1;

    while (rc > 0 && s->state != ENDED) {
        switch ((enum state)s->state) {
        case BLOCK:
            rc = block(s);
            break;
        case STORED_HEAD:
            rc = stored_head(s);
            break;
        case STORED:
            rc = stored(s);
            break;
        case COUNTS:
            rc = counts(s);
            break;
        case LENGTH_LENGTHS:
            rc = length_lengths(s);
            break;
        case LENGTHS:
            rc = lengths(s);
            break;
        case SYMBOLS:
            rc = symbols(s, enough);
            break;
        case ENDED:
            break;
        }
    }
    return rc;
}
