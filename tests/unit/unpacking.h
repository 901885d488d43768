/* SPDX-License-Identifier: MIT */
/* Unpacking of a file for one test program: of its exact length, and where memory runs out. */
#ifndef UNPACKING_H
#define UNPACKING_H

#include "unit.h"

#include "counting_heap.h"

#include <asm/host.h>
#include <hospes/errno.h>
#include <hospes/unpack.h>

#include <stdlib.h>

#define RESULT_GUARD 16 /* bytes behind the result, which nobody writes */

static const uint8_t *file;

void maddr_read(void *to, maddr_t from, uint64_t bytes)
{
    memcpy(to, file + from.v, bytes);
}

/* Of a file of this length: what unpacking says at last. `result` has room and the guard. */
static int unpack_to(const struct unpacker *format, const uint8_t *from, size_t bytes,
                     uint8_t *result, uint64_t room)
{
    uint8_t *copy = malloc(bytes + 1);
    struct unpack *u;
    int rc = 1;

    memcpy(copy, from, bytes);
    file = copy;
    memset(result, 0xaa, room + RESULT_GUARD);
    u = unpack_begin(format, MADDR(0), bytes, result, room);
    assert_non_null(u);
    while (rc == 1)
        rc = unpack_step(u);
    unpack_end(u);
    free(copy);
    for (uint32_t i = 0; i < RESULT_GUARD; i++)
        assert_int_equal(result[room + i], 0xaa);
    assert_int_equal(heap_used, 0);
    return rc;
}

/* Memory that runs out at any time is told, and what was taken is given back. How many tries it
 * takes, each with one allocation more, until all is unpacked. */
static uint64_t unpack_without_memory(const struct unpacker *format, const uint8_t *from,
                                      size_t bytes, uint8_t *result, uint64_t room)
{
    struct unpack *u;
    uint64_t n = 0;
    int rc;

    file = from;
    do {
        heap_left = n++;
        u = unpack_begin(format, MADDR(0), bytes, result, room);
        rc = u ? 1 : -ENOMEM;
        while (rc == 1)
            rc = unpack_step(u);
        unpack_end(u);
        assert_int_equal(heap_used, 0);
        assert_true(rc == 0 || rc == -ENOMEM);
    } while (rc);
    heap_left = UINT64_MAX;
    return n;
}

#endif
