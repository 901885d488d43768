/* SPDX-License-Identifier: MIT */
/* Bits, fields of registers, alignment, and loads of big-endian numbers. No state. */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bit n, and the bits from `hi` down to `lo` both included, of a 64-bit number. Constant
 * expressions. */
#define BIT(n)       ((uint64_t)1 << (n))
#define MASK(hi, lo) ((~(uint64_t)0 >> (63 - (hi))) & (~(uint64_t)0 << (lo)))

/* 0, or an error of the compiler unless `mask` is a constant of adjoining bits. */
#define FIELD_CHECK(mask)                                                                   \
    (0 * sizeof(struct {                                                                    \
         _Static_assert((mask) != 0 && ((((uint64_t)(mask) | ((uint64_t)(mask) - 1)) + 1) & \
                                        (uint64_t)(mask)) == 0,                             \
                        "not a field");                                                     \
         int used;                                                                          \
     }))
#define FIELD_SHIFT(mask) (__builtin_ctzll(mask) + (int)FIELD_CHECK(mask))

/*
 * The value of a register's field; a field's value in its place (cut to the field); and the
 * register with that field changed. `mask` is a constant. Results are uint64_t.
 */
#define field_get(mask, reg)      (((uint64_t)(reg) & (mask)) >> FIELD_SHIFT(mask))
#define field_prep(mask, val)     (((uint64_t)(val) << FIELD_SHIFT(mask)) & (mask))
#define field_put(mask, reg, val) (((uint64_t)(reg) & ~(uint64_t)(mask)) | field_prep(mask, val))

/* The smaller and the larger of two values of the same type. Each use names its copies anew, to
 * nest. */
#define min(a, b)           PICK_(a, b, <, __COUNTER__)
#define max(a, b)           PICK_(a, b, >, __COUNTER__)
#define PICK_(a, b, op, id) PICK2_(a, b, op, id)
#define PICK2_(a, b, op, id)                                                                \
    ({                                                                                      \
        __auto_type pick_a_##id = (a);                                                      \
        __auto_type pick_b_##id = (b);                                                      \
        _Static_assert(                                                                     \
            __builtin_types_compatible_p(__typeof__(pick_a_##id), __typeof__(pick_b_##id)), \
            "min() or max() of two types");                                                 \
        pick_a_##id op pick_b_##id ? pick_a_##id : pick_b_##id;                             \
    })

/* Number of the lowest and of the highest bit that is set; x != 0. */
static inline unsigned int bit_lowest(uint64_t x)
{
    return (unsigned int)__builtin_ctzll(x);
}
static inline unsigned int bit_highest(uint64_t x)
{
    return 63 - (unsigned int)__builtin_clzll(x);
}
static inline unsigned int bit_count(uint64_t x)
{
    /* The usual sum by halves: a builtin would call a function of the compiler's library. */
    x -= (x >> 1) & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned int)((x * 0x0101010101010101u) >> 56);
}

static inline bool is_power_of_two(uint64_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

/* Least n with 2^n >= x; x != 0. */
static inline unsigned int log2_ceil(uint64_t x)
{
    return x <= 1 ? 0 : bit_highest(x - 1) + 1;
}

/* Alignment to a power of two. align_up() of what lies above the last multiple wraps to 0. */
static inline uint64_t align_down(uint64_t x, uint64_t to)
{
    return x & ~(to - 1);
}
static inline uint64_t align_up(uint64_t x, uint64_t to)
{
    return (x + to - 1) & ~(to - 1);
}
static inline bool is_aligned(uint64_t x, uint64_t to)
{
    return (x & (to - 1)) == 0;
}

/* n / d, rounded up; n + d must not overflow. */
static inline uint64_t div_round_up(uint64_t n, uint64_t d)
{
    return (n + d - 1) / d;
}

/* Numbers stored with the most significant byte first, at any alignment. */
static inline uint32_t load_be32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static inline uint64_t load_be64(const void *p)
{
    return (uint64_t)load_be32(p) << 32 | load_be32((const uint8_t *)p + 4);
}

/* And with the least significant first. */
static inline uint16_t load_le16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[1] << 8 | b[0]);
}
static inline uint32_t load_le32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}
static inline uint64_t load_le64(const void *p)
{
    return (uint64_t)load_le32((const uint8_t *)p + 4) << 32 | load_le32(p);
}

#endif
