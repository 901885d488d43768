/* SPDX-License-Identifier: MIT */
/*
 * Unpacking compressed files from machine memory into a buffer that holds all of the result, in
 * steps. Libraries do the work, with memory of our heap: zlib for gzip (RFC 1952), libzstd for
 * Zstandard (RFC 8878); xz is our own. They use floating-point registers: see domain_build_step().
 *
 * The whole result stays in one buffer because that is the window which Zstandard looks back in: up
 * to 128 MiB for Linux kernels, more than the result itself.
 */
#ifndef HOSPES_UNPACK_H
#define HOSPES_UNPACK_H

#include <hospes/types.h>

/* What a library is given, and how far it has come. */
struct unpack_io {
    const uint8_t *in; /* unread input, */
    uint32_t in_bytes; /* so much */
    uint8_t *out;      /* the whole buffer, */
    uint64_t out_bytes, out_done;
};

#define UNPACK_PAUSE 2

/* One format. */
struct unpacker {
    const char *name;
    const char *magic; /* what its files begin with */
    uint32_t magic_bytes;
    /*
     * How long the file at [from, from + *bytes) is unpacked, as it says itself. With `sized`, the
     * wrapper that it comes in has put that in a word behind it, which *bytes is then cut by where
     * it is no part of the format. 0: it does not say.
     */
    uint64_t (*length)(maddr_t from, uint64_t *bytes, bool sized);
    /* The library's state; NULL without memory. */
    void *(*begin)(void);
    /* Goes on, for at most about half a millisecond: 0; 1 at the end; -EINVAL: damaged;
     * UNPACK_PAUSE: as 0, and enough for a step, whether input or output moved or not. */
    int (*run)(void *state, struct unpack_io *io);
    void (*end)(void *state);
};

extern const struct unpacker unpack_gzip, unpack_zstd, unpack_xz;

struct unpack;

/* Begins with the file at [from, from + bytes). NULL without memory (300 KiB at most). */
struct unpack *unpack_begin(const struct unpacker *how, maddr_t from, uint64_t bytes, void *to,
                            uint64_t to_bytes);

/*
 * Unpacks some more, for at most about a millisecond. 1: call again. 0: it ended, all checksums are
 * right, and it filled the buffer exactly. -EINVAL: it is damaged, cut short, or of another length.
 */
int unpack_step(struct unpack *u);
void unpack_end(struct unpack *u); /* NULL is fine */

#endif
