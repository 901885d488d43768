/* SPDX-License-Identifier: MIT */
/*
 * Entropy for guests: numbers derived from the seed that firmware left in /chosen/rng-seed, so that
 * a guest learns nothing of the seed, of another guest's numbers, or of Hospes' own place in
 * memory.
 */
#ifndef HOSPES_SEED_H
#define HOSPES_SEED_H

#include <hospes/types.h>

#define SEED_BYTES 40 /* a kaslr-seed of 8, an rng-seed of 32 */

/*
 * Fills `out` with numbers that no other call gives. False, and nothing is written, if firmware
 * gave no seed worth the name. From any pCPU.
 */
bool seed_derive(const void *fdt, uint8_t out[SEED_BYTES]);

/* SipHash-2-4 of `bytes` at `in`. */
uint64_t seed_siphash(const uint8_t key[16], const void *in, uint32_t bytes);

#endif
