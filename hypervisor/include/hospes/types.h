/* SPDX-License-Identifier: MIT */
/*
 * Addresses and frame numbers, as types that the compiler keeps apart.
 *
 *   maddr_t  a byte address of the machine        mfn_t  its frame number
 *   gaddr_t  a byte address as a guest sees it    gfn_t  its frame number
 *            (arm64: IPA, x86: guest physical)
 *
 * A frame is 4 KiB whatever the architecture. `.v` is the plain number; arithmetic goes through the
 * helpers here so that a guest's number never lands in a machine's place by accident.
 */
#ifndef HOSPES_TYPES_H
#define HOSPES_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_SHIFT 12u
#define FRAME_SIZE  ((uint64_t)1 << FRAME_SHIFT)
#define FRAME_MASK  (FRAME_SIZE - 1)

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

typedef struct {
    uint64_t v;
} maddr_t;
typedef struct {
    uint64_t v;
} mfn_t;
typedef struct {
    uint64_t v;
} gaddr_t;
typedef struct {
    uint64_t v;
} gfn_t;

#define MADDR(x) ((maddr_t){ (x) })
#define MFN(x)   ((mfn_t){ (x) })
#define GADDR(x) ((gaddr_t){ (x) })
#define GFN(x)   ((gfn_t){ (x) })

/* No frame: what a look-up that finds nothing yields. */
#define MFN_NONE MFN(UINT64_MAX)

static inline mfn_t maddr_to_mfn(maddr_t a)
{
    return MFN(a.v >> FRAME_SHIFT);
}
static inline maddr_t mfn_to_maddr(mfn_t m)
{
    return MADDR(m.v << FRAME_SHIFT);
}
static inline gfn_t gaddr_to_gfn(gaddr_t a)
{
    return GFN(a.v >> FRAME_SHIFT);
}
static inline gaddr_t gfn_to_gaddr(gfn_t g)
{
    return GADDR(g.v << FRAME_SHIFT);
}
static inline mfn_t mfn_add(mfn_t m, uint64_t n)
{
    return MFN(m.v + n);
}
static inline gfn_t gfn_add(gfn_t g, uint64_t n)
{
    return GFN(g.v + n);
}
static inline maddr_t maddr_add(maddr_t a, uint64_t n)
{
    return MADDR(a.v + n);
}
static inline gaddr_t gaddr_add(gaddr_t a, uint64_t n)
{
    return GADDR(a.v + n);
}
static inline bool mfn_is_none(mfn_t m)
{
    return m.v == UINT64_MAX;
}

#endif
