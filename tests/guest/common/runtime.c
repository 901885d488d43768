/* SPDX-License-Identifier: MIT */
/* What every architecture's runtime has alike. */
#include "guest.h"

struct cpu cpus[MAX_CPUS];

void delay_us(uint64_t us)
{
    uint64_t end = now() + ticks_of_us(us);

    while (now() < end)
        relax();
}

/* The compiler calls these. */

void *memset(void *to, int c, size_t n)
{
    for (volatile uint8_t *p = to; n > 0; n--)
        *p++ = (uint8_t)c;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    volatile uint8_t *p = to;
    for (const uint8_t *q = from; n > 0; n--)
        *p++ = *q++;
    return to;
}
