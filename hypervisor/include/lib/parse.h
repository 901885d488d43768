/* SPDX-License-Identifier: MIT */
/* Numbers from text. Nothing that overflows is accepted. */
#ifndef LIB_PARSE_H
#define LIB_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* What `c` stands for in a number of base 2 to 16; 16 if nothing. */
static inline unsigned int parse_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned int)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned int)(c - 'A') + 10;
    return 16;
}

/*
 * Reads the digits at *s and moves *s behind them. `base` is 2 to 16, or 0: by the prefix 0x or 0
 * as in C. No sign, no space. False, with *s and *value unchanged, when there is no digit or the
 * number is above `most`.
 */
bool parse_uint(const char **s, unsigned int base, uint64_t most, uint64_t *value);

/*
 * As above with a unit behind the number, in bytes: B, K, M, G or T of either case, powers of 1024.
 * A number without one counts `unit` bytes.
 */
bool parse_size(const char **s, uint64_t unit, uint64_t *bytes);

#endif
