/* SPDX-License-Identifier: MIT */
/* The hypervisor's log and keys, of <xen/sysctl.h>: `xl dmesg`, `xl debug-keys`. */
#include "sysctl_internal.h"

#include <hospes/compiler.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <lib/bits.h>

/* Copied at a time. */
#define PIECE 256u

/* Positions before it were cleared by a toolstack; atomic. */
static uint64_t cleared;

/* The caller's index has the lower half of a position, which it got from us a while ago. */
static uint64_t widen(uint32_t index, uint64_t end)
{
    uint32_t back = (uint32_t)end - index;

    return back <= end ? end - back : 0;
}

int64_t sysctl_readconsole(struct sysctl *s)
{
    struct xen_sysctl_readconsole *op = &s->op->u.readconsole;
    uint64_t pos = read_once(cleared), end = console_ring_end();
    uint32_t done = 0;
    char piece[PIECE];

    if (op->incremental)
        pos = max(pos, widen(op->index, end));
    while (done < op->count) {
        uint64_t n = console_ring_read(&pos, piece, min(op->count - done, PIECE));

        if (!n)
            break;
        if (guest_write(s->caller, guest_address(op->buffer) + done, piece, n))
            return -EFAULT;
        done += (uint32_t)n;
    }
    if (op->clear)
        write_once(cleared, end);
    op->index = (uint32_t)pos;
    op->count = done;
    return 0;
}

/* Each prints perhaps hundreds of lines. */
#define KEYS_MAX 16u

int64_t sysctl_debug_keys(struct sysctl *s)
{
    const struct xen_sysctl_debug_keys *op = &s->op->u.debug_keys;

    if (op->nr_keys > KEYS_MAX)
        return -E2BIG;
    for (uint32_t i = 0; i < op->nr_keys; i++) {
        char key;

        if (guest_read(s->caller, &key, guest_element(op->keys, i), sizeof(key)))
            return -EFAULT;
        console_press(key);
    }
    return 0;
}
