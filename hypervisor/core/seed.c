/* SPDX-License-Identifier: MIT */
/*
 * Seeds for guests: SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012),
 * keyed with firmware's seed, of a count and the time.
 */
#include <hospes/compiler.h>
#include <hospes/dt.h>
#include <hospes/seed.h>
#include <hospes/timer.h>
#include <string.h>

#define KEY_BYTES 16

static uint64_t load64(const uint8_t *p)
{
    uint64_t v = 0;

    for (uint32_t i = 8; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static uint64_t rotate(uint64_t x, unsigned int by)
{
    return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], uint32_t n)
{
    while (n--) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32) + v[3];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void absorb(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    rounds(v, 2);
    v[0] ^= m;
}

uint64_t seed_siphash(const uint8_t key[16], const void *in, uint32_t bytes)
{
    uint64_t k0 = load64(key), k1 = load64(key + 8);
    uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                      k1 ^ 0x7465646279746573 };
    uint8_t last[8] = { 0 };
    const uint8_t *p = in;
    uint32_t left = bytes;

    for (; left >= 8; left -= 8, p += 8)
        absorb(v, load64(p));
    memcpy(last, p, left);
    last[7] = (uint8_t)bytes;
    absorb(v, load64(last));
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

bool seed_derive(const void *fdt, uint8_t out[SEED_BYTES])
{
    static uint64_t count;
    int len;
    const uint8_t *seed = dt_property(fdt, dt_find(fdt, "/chosen"), "rng-seed", &len);
    uint64_t in[4] = { __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED), clock_ns(), 0, 0 };

    if (!seed || len < KEY_BYTES)
        return false;
    /* What firmware gave beyond a key goes into the text. */
    in[2] = seed_siphash(seed, seed + KEY_BYTES, (uint32_t)len - KEY_BYTES);
    for (uint32_t i = 0; i < SEED_BYTES; i += 8) {
        in[3] = i;
        uint64_t number = seed_siphash(seed, in, sizeof(in));
        memcpy(out + i, &number, 8);
    }
    return true;
}
