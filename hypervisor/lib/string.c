/* SPDX-License-Identifier: MIT */
/* Comparing and searching memory and strings: C11 section 7.24. No state. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The search functions of C take const and give back what is not. */
static void *without_const(const void *p)
{
    return (void *)(uintptr_t)p;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;

    for (; n > 0; n--, p++, q++) {
        if (*p != *q)
            return *p < *q ? -1 : 1;
    }
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    const unsigned char *p = s;

    for (; n > 0; n--, p++) {
        if (*p == (unsigned char)c)
            return without_const(p);
    }
    return NULL;
}

size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

size_t strnlen(const char *s, size_t n)
{
    size_t len = 0;

    while (len < n && s[len] != '\0')
        len++;
    return len;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        if (*a != *b)
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        if (*a == '\0')
            break;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++) {
        if (*s == '\0')
            return NULL;
    }
    return without_const(s);
}

char *strrchr(const char *s, int c)
{
    const char *found = NULL;

    for (;; s++) {
        if (*s == (char)c)
            found = s;
        if (*s == '\0')
            return without_const(found);
    }
}

char *strstr(const char *s, const char *find)
{
    size_t len = strlen(find);

    for (;; s++) {
        if (strncmp(s, find, len) == 0)
            return without_const(s);
        if (*s == '\0')
            return NULL;
    }
}
