/* SPDX-License-Identifier: MIT */
/* What the boot arguments say. */
#include "guest.h"

static bool starts(const char *a, const char *with)
{
    for (; *with != '\0'; a++, with++) {
        if (*a != *with)
            return false;
    }
    return true;
}

bool same_text(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool bootarg(const char *name, char *value, size_t size)
{
    size_t len = 0, n = 0;

    while (name[len])
        len++;
    for (const char *s = machine.bootargs; *s; s++) {
        if ((s != machine.bootargs && s[-1] != ' ') || !starts(s, name) || s[len] != '=')
            continue;
        for (s += len + 1; *s && *s != ' ' && n + 1 < size; s++)
            value[n++] = *s;
        value[n] = '\0';
        return true;
    }
    return false;
}

uint64_t bootarg_number(const char *name, uint64_t otherwise)
{
    char text[24];
    uint64_t v = 0;

    if (!bootarg(name, text, sizeof(text)))
        return otherwise;
    for (const char *s = text; *s >= '0' && *s <= '9'; s++)
        v = v * 10 + (uint64_t)(*s - '0');
    return v;
}
