/* SPDX-License-Identifier: MIT */
/* From ticks to nanoseconds and back, by multiplication: <asm/clock.h>. */
#include <asm/calibrate.h>
#include <asm/clock.h>
#include <lib/bits.h>

#define NS_PER_S 1000000000ull

struct clock_scale clock_scale_of(uint64_t hz)
{
    struct clock_scale s = { .shift = 0 };
    int bits = 32; /* NS_PER_S << bits has room: bits is 34 at most */

    if (!hz)
        return s;
    /* The largest factor that has 32 bits. */
    while (bits > 0 && (NS_PER_S << bits) / hz > UINT32_MAX)
        bits--;
    while (bits < 34 && (NS_PER_S << (bits + 1)) / hz <= UINT32_MAX)
        bits++;
    s.mul = (uint32_t)((NS_PER_S << bits) / hz);
    s.shift = (int8_t)(32 - bits);
    return s;
}

uint64_t clock_scale_ticks(const struct clock_scale *s, uint64_t ns)
{
    uint64_t high, low, ticks;

    if (!s->mul)
        return 0;
    /* (ns << 32) / mul, in two steps of 64 bits. */
    high = ns / s->mul;
    low = ((ns % s->mul) << 32) / s->mul;
    if (high > UINT32_MAX)
        return UINT64_MAX;
    ticks = high << 32 | low;
    if (s->shift >= 0)
        return ticks >> s->shift;
    return ticks > UINT64_MAX >> -s->shift ? UINT64_MAX : ticks << -s->shift;
}

uint64_t calibrate_hz(uint64_t ticks, uint64_t passed, uint64_t hz)
{
    /* ticks * hz / passed: whole parts first, so that nothing overflows. */
    return passed ? ticks / passed * hz + ticks % passed * hz / passed : 0;
}
