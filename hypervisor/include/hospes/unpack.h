/* SPDX-License-Identifier: MIT */
/*
 * Unpacking compressed files from machine memory into a buffer that holds all of the result, in
 * steps. Libraries do the work, with memory of our heap: zlib for gzip (RFC 1952), libzstd for
 * Zstandard (RFC 8878), liblzma for xz and lzma, liblz4 for lz4. They use floating-point registers:
 * see domain_build_step().
 *
 * The whole result stays in one buffer because that is the window which Zstandard looks back in: up
 * to 128 MiB for Linux kernels, more than the result itself. liblzma's window is one more buffer,
 * as large as the file says but no larger than the result.
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
    /* Goes on, for at most about half a millisecond: 0; 1 at the end; UNPACK_PAUSE: as 0, and
     * enough for a step; -EINVAL: damaged; -EOPNOTSUPP: it asks for what the format has, and we
     * have not; -ENOMEM. */
    int (*run)(void *state, struct unpack_io *io);
    void (*end)(void *state);
};

extern const struct unpacker unpack_gzip, unpack_zstd, unpack_xz, unpack_lzma, unpack_lz4;

/* For length(): the word that a wrapper has put behind a file, by which *bytes is cut. 0: there is
 * no room for one. */
uint64_t unpack_sized_length(maddr_t from, uint64_t *bytes);

struct unpack;

/* Begins with the file at [from, from + bytes). NULL without memory (300 KiB at most). */
struct unpack *unpack_begin(const struct unpacker *how, maddr_t from, uint64_t bytes, void *to,
                            uint64_t to_bytes);

/*
 * Unpacks some more, for at most about a millisecond. 1: call again. 0: it ended, all checksums are
 * right, and it filled the buffer exactly. -ENODATA: it is cut short; -E2BIG, -EMSGSIZE: more, less
 * comes out of it than there is room for; and run()'s -EINVAL, -EOPNOTSUPP and -ENOMEM.
 */
int unpack_step(struct unpack *u);
void unpack_end(struct unpack *u); /* NULL is fine */

#endif
