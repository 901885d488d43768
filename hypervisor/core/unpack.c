/* SPDX-License-Identifier: MIT */
/* Unpacking in steps, whatever the format; <hospes/unpack.h> has the contract. */
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/map.h>
#include <hospes/unpack.h>
#include <lib/bits.h>

#define INPUT_BYTES 8192u
#define STEP_BYTES  KIB(64) /* of output */

struct unpack {
    const struct unpacker *how;
    void *state;
    maddr_t next; /* what is still to be read of the file */
    uint64_t left;
    struct unpack_io io;
    uint8_t input[INPUT_BYTES];
};

uint64_t unpack_sized_length(maddr_t from, uint64_t *bytes)
{
    uint8_t b[4];

    if (*bytes <= sizeof(b))
        return 0;
    *bytes -= sizeof(b);
    maddr_read(b, maddr_add(from, *bytes), sizeof(b));
    return load_le32(b);
}

struct unpack *unpack_begin(const struct unpacker *how, maddr_t from, uint64_t bytes, void *to,
                            uint64_t to_bytes)
{
    struct unpack *u = heap_alloc(sizeof(*u));

    if (!u)
        return NULL;
    u->how = how;
    u->next = from;
    u->left = bytes;
    u->io.out = to;
    u->io.out_bytes = to_bytes;
    u->state = how->begin();
    if (!u->state) {
        heap_free(u);
        return NULL;
    }
    return u;
}

static void refill(struct unpack *u)
{
    uint32_t n = (uint32_t)min(u->left, (uint64_t)INPUT_BYTES);

    maddr_read(u->input, u->next, n);
    u->next = maddr_add(u->next, n);
    u->left -= n;
    u->io.in = u->input;
    u->io.in_bytes = n;
}

int unpack_step(struct unpack *u)
{
    uint64_t first = u->io.out_done;

    while (u->io.out_done - first < STEP_BYTES) {
        uint64_t done = u->io.out_done;
        uint32_t had;
        int rc;

        if (u->io.in_bytes == 0)
            refill(u);
        had = u->io.in_bytes;
        rc = u->how->run(u->state, &u->io);
        if (rc < 0)
            return rc;
        if (rc == UNPACK_PAUSE)
            return 1;
        if (rc > 0)
            return u->io.out_done == u->io.out_bytes ? 0 : -EMSGSIZE;
        /* No way on: the file, or the buffer, is at its end too early. */
        if (u->io.out_done == done && u->io.in_bytes == had)
            return had ? -E2BIG : -ENODATA;
    }
    return 1;
}

void unpack_end(struct unpack *u)
{
    if (!u)
        return;
    u->how->end(u->state);
    heap_free(u);
}
