/* SPDX-License-Identifier: MIT */
/*
 * Text from a format, as C's snprintf() but smaller: conversions d i u x X o c s p %, flags - 0 + #
 * and space, width and precision as numbers or *, lengths hh h l ll z j t. A conversion that is
 * none of these is written as it stands and nothing after it is converted.
 */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Writes at most size - 1 characters and a '\0' (nothing when size is 0). Returns the length that
 * the whole text has. %s of NULL is "(null)"; %p is 0x and hexadecimal digits.
 */
size_t format_v(char *buf, size_t size, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
size_t format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
