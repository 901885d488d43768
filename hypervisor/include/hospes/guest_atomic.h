/* SPDX-License-Identifier: MIT */
/*
 * Atomic changes of memory that a guest may write to at the same time.
 *
 * A guest that writes there without pause can make an exclusive store fail as often as it likes
 * (XSA-295), so that each change is tried a number of times that no honest guest brings about.
 * After that it has not happened: only the guest that did so loses by it.
 *
 * Sequentially consistent, as far as they succeed.
 */
#ifndef HOSPES_GUEST_ATOMIC_H
#define HOSPES_GUEST_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define GUEST_ATOMIC_TRIES 1024u

/* One try to change *p from *old to `want`; if false, *old is what is there. May fail for nothing.
 */
#define guest_try(p, old, want)                                                                 \
    __atomic_compare_exchange_n((p), (old), (want), /* weak: one try */ true, __ATOMIC_SEQ_CST, \
                                __ATOMIC_RELAXED)

/* Sets and clears bits; *old is what was there. False: given up. */
#define GUEST_ATOMIC(bits, name)                                                                   \
    static inline bool guest_or_##name(uint##bits##_t *p, uint##bits##_t set, uint##bits##_t *old) \
    {                                                                                              \
        *old = __atomic_load_n(p, __ATOMIC_RELAXED);                                               \
        for (unsigned int tries = GUEST_ATOMIC_TRIES; tries > 0; tries--)                          \
            if (guest_try(p, old, (uint##bits##_t)(*old | set)))                                   \
                return true;                                                                       \
        return false;                                                                              \
    }                                                                                              \
    static inline bool guest_clear_##name(uint##bits##_t *p, uint##bits##_t clear,                 \
                                          uint##bits##_t *old)                                     \
    {                                                                                              \
        *old = __atomic_load_n(p, __ATOMIC_RELAXED);                                               \
        for (unsigned int tries = GUEST_ATOMIC_TRIES; tries > 0; tries--)                          \
            if (guest_try(p, old, (uint##bits##_t)(*old & ~clear)))                                \
                return true;                                                                       \
        return false;                                                                              \
    }

GUEST_ATOMIC(8, u8)
GUEST_ATOMIC(32, u32)
GUEST_ATOMIC(64, u64)

#undef GUEST_ATOMIC

#endif
