/* SPDX-License-Identifier: MIT */
/* Text from a format: see <lib/format.h>. Follows C11 section 7.21.6.1, as far as the header says.
 */
#include <lib/format.h>

#include <stdbool.h>
#include <stdint.h>

struct out {
    char *buf;
    size_t size, len; /* len goes on counting when the buffer is full */
};

/* One conversion as it stands in the format. */
struct spec {
    bool left, zero, plus, space, alt;
    int width;
    int precision; /* -1: none */
    int bytes;     /* of the integer that is the argument */
};

/* Wide enough for any number in octal. */
#define MAX_DIGITS 24

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void pad(struct out *o, char c, int n)
{
    while (n-- > 0)
        put(o, c);
}

/* Writes text of `len` characters in a field, after `prefix` and `zeroes` times '0'. */
static void put_field(struct out *o, const struct spec *s, const char *prefix, int zeroes,
                      const char *text, int len)
{
    int used = len + zeroes;

    for (const char *p = prefix; *p != '\0'; p++)
        used++;
    if (!s->left)
        pad(o, ' ', s->width - used);
    while (*prefix != '\0')
        put(o, *prefix++);
    pad(o, '0', zeroes);
    while (len-- > 0)
        put(o, *text++);
    if (s->left)
        pad(o, ' ', s->width - used);
}

static void put_number(struct out *o, const struct spec *s, uint64_t value, unsigned int base,
                       const char *prefix, bool upper)
{
    const char *digit = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char buf[MAX_DIGITS];
    int at = MAX_DIGITS, prefix_len = 0, zeroes = 0;

    for (; value != 0; value /= base)
        buf[--at] = digit[value % base];
    if (at == MAX_DIGITS && s->precision != 0)
        buf[--at] = '0';
    for (const char *p = prefix; *p != '\0'; p++)
        prefix_len++;
    if (s->precision >= 0)
        zeroes = s->precision - (MAX_DIGITS - at);
    else if (s->zero && !s->left)
        zeroes = s->width - prefix_len - (MAX_DIGITS - at);
    if (zeroes < 0)
        zeroes = 0;
    put_field(o, s, prefix, zeroes, &buf[at], MAX_DIGITS - at);
}

static void put_signed(struct out *o, const struct spec *s, int64_t value)
{
    const char *sign = s->plus ? "+" : s->space ? " " : "";

    if (value < 0)
        put_number(o, s, 0 - (uint64_t)value, 10, "-", false);
    else
        put_number(o, s, (uint64_t)value, 10, sign, false);
}

static void put_unsigned(struct out *o, const struct spec *s, uint64_t value, char conversion)
{
    bool alt = s->alt && value != 0;

    if (conversion == 'x')
        put_number(o, s, value, 16, alt ? "0x" : "", false);
    else if (conversion == 'X')
        put_number(o, s, value, 16, alt ? "0X" : "", true);
    else if (conversion == 'o')
        put_number(o, s, value, 8, alt ? "0" : "", false);
    else
        put_number(o, s, value, 10, "", false);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    int len = 0;

    if (text == NULL)
        text = "(null)";
    while ((s->precision < 0 || len < s->precision) && text[len] != '\0')
        len++;
    put_field(o, s, "", 0, text, len);
}

/* Digits at *fmt as a number, cut off at a length that no line has. */
static int read_number(const char **fmt)
{
    int n = 0;

    for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
        n = n < 100000 ? n * 10 + (**fmt - '0') : n;
    return n;
}

/* Reads flags, width, precision and length; *fmt then stands at the conversion. */
static void read_spec(const char **fmt, struct spec *s, va_list *args)
{
    *s = (struct spec){ .precision = -1, .bytes = sizeof(int) };
    for (;; (*fmt)++) {
        if (**fmt == '-')
            s->left = true;
        else if (**fmt == '0')
            s->zero = true;
        else if (**fmt == '+')
            s->plus = true;
        else if (**fmt == ' ')
            s->space = true;
        else if (**fmt == '#')
            s->alt = true;
        else
            break;
    }
    if (**fmt == '*') {
        (*fmt)++;
        s->width = va_arg(*args, int);
        if (s->width < 0) {
            s->left = true;
            s->width = s->width == INT32_MIN ? 0 : -s->width;
        }
    } else {
        s->width = read_number(fmt);
    }
    if (**fmt == '.') {
        (*fmt)++;
        if (**fmt == '*') {
            (*fmt)++;
            s->precision = va_arg(*args, int);
        } else {
            s->precision = read_number(fmt);
        }
    }
    for (;; (*fmt)++) {
        if (**fmt == 'h')
            s->bytes /= 2;
        else if (**fmt == 'l' || **fmt == 'z' || **fmt == 'j' || **fmt == 't')
            s->bytes = 8;
        else
            break;
    }
}

/* The next argument, an integer of s->bytes, extended to 64 bits. */
static uint64_t next_unsigned(const struct spec *s, va_list *args)
{
    if (s->bytes == 8)
        return va_arg(*args, uint64_t);

    unsigned int value = va_arg(*args, unsigned int);
    return s->bytes == 1 ? (uint8_t)value : s->bytes == 2 ? (uint16_t)value : value;
}

static int64_t next_signed(const struct spec *s, va_list *args)
{
    uint64_t value = next_unsigned(s, args);

    if (s->bytes == 8)
        return (int64_t)value;
    return s->bytes == 1 ? (int8_t)value : s->bytes == 2 ? (int16_t)value : (int32_t)value;
}

/* Writes one conversion; false if it is unknown. */
static bool convert(struct out *o, struct spec *s, char conversion, va_list *args)
{
    char c;

    switch (conversion) {
    case 'd':
    case 'i':
        put_signed(o, s, next_signed(s, args));
        return true;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        put_unsigned(o, s, next_unsigned(s, args), conversion);
        return true;
    case 'c':
        c = (char)va_arg(*args, int);
        put_field(o, s, "", 0, &c, 1);
        return true;
    case 's':
        put_string(o, s, va_arg(*args, const char *));
        return true;
    case 'p':
        put_number(o, s, (uintptr_t)va_arg(*args, void *), 16, "0x", false);
        return true;
    case '%':
        put(o, '%');
        return true;
    default:
        return false;
    }
}

size_t format_v(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = { .buf = buf, .size = size };
    bool known = true;
    va_list rest;

    va_copy(rest, args);
    while (*fmt != '\0') {
        const char *start = fmt;
        struct spec s;

        if (known && *fmt == '%') {
            fmt++;
            read_spec(&fmt, &s, &rest);
            known = convert(&o, &s, *fmt, &rest);
            if (known) {
                fmt++;
                continue;
            }
            fmt = start;
        }
        put(&o, *fmt++);
    }
    va_end(rest);
    if (size > 0)
        buf[o.len < size ? o.len : size - 1] = '\0';
    return o.len;
}

size_t format(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    size_t len = format_v(buf, size, fmt, args);
    va_end(args);
    return len;
}
