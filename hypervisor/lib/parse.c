/* SPDX-License-Identifier: MIT */
/* Numbers from text: see <lib/parse.h>. */
#include <lib/parse.h>

bool parse_uint(const char **s, unsigned int base, uint64_t most, uint64_t *value)
{
    const char *p = *s;
    uint64_t n = 0;

    if ((base == 0 || base == 16) && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') &&
        parse_digit(p[2]) < 16) {
        p += 2;
        base = 16;
    } else if (base == 0) {
        base = p[0] == '0' ? 8 : 10;
    }
    if (parse_digit(*p) >= base)
        return false;
    for (; parse_digit(*p) < base; p++) {
        if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
            __builtin_add_overflow(n, (uint64_t)parse_digit(*p), &n))
            return false;
    }
    if (n > most)
        return false;
    *s = p;
    *value = n;
    return true;
}

bool parse_size(const char **s, uint64_t unit, uint64_t *bytes)
{
    const char *p = *s;
    uint64_t n;

    if (!parse_uint(&p, 0, UINT64_MAX, &n))
        return false;
    switch (*p) {
    case 'T':
    case 't':
        unit = (uint64_t)1 << 40;
        break;
    case 'G':
    case 'g':
        unit = (uint64_t)1 << 30;
        break;
    case 'M':
    case 'm':
        unit = (uint64_t)1 << 20;
        break;
    case 'K':
    case 'k':
        unit = (uint64_t)1 << 10;
        break;
    case 'B':
    case 'b':
        unit = 1;
        break;
    default:
        p--;
        break;
    }
    if (__builtin_mul_overflow(n, unit, &n))
        return false;
    *s = p + 1;
    *bytes = n;
    return true;
}
