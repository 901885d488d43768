/* SPDX-License-Identifier: MIT */
/* The log ring: the latest text of the hypervisor's log, for `xl dmesg`. A position counts bytes
 * from the first ever. */
#include "console_internal.h"
#include <lib/bits.h>
#include <string.h>

#define EARLY_BYTES 16384u
/* Bytes copied under the lock at a time. */
#define READ_MOST 1024u

static char early[EARLY_BYTES];

static struct {
    char *text;
    uint64_t bytes; /* power of two */
    uint64_t first; /* position of the oldest, unless it was overwritten */
    uint64_t end;   /* position after the newest */
} ring = { early, EARLY_BYTES, 0, 0 };

static uint64_t oldest(void)
{
    return ring.end - ring.first > ring.bytes ? ring.end - ring.bytes : ring.first;
}

static char at(uint64_t pos)
{
    return ring.text[pos & (ring.bytes - 1)];
}

void console_ring_put(const char *text, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ring.text[ring.end++ & (ring.bytes - 1)] = text[i];
}

void console_ring_move(char *to, uint64_t bytes)
{
    ring.first = ring.end > bytes ? max(oldest(), ring.end - bytes) : oldest();
    for (uint64_t pos = ring.first; pos < ring.end; pos++)
        to[pos & (bytes - 1)] = at(pos);
    ring.text = to;
    ring.bytes = bytes;
}

void console_ring_for_lines(void (*fn)(const char *line, uint32_t n))
{
    char line[512];
    uint32_t n = 0;
    bool whole = oldest() == 0; /* else the first line's beginning is lost */

    for (uint64_t pos = oldest(); pos < ring.end; pos++) {
        char c = at(pos);
        if (c != '\n') {
            if (n < sizeof(line))
                line[n++] = c;
            continue;
        }
        if (whole)
            fn(line, n);
        whole = true;
        n = 0;
    }
}

uint64_t console_ring_read(uint64_t *pos, char *to, uint64_t bytes)
{
    uint64_t n = 0;
    bool more = true;

    while (more && n < bytes) {
        spin_lock(&console_lock);
        *pos = max(*pos, oldest());
        for (uint32_t i = 0; i < READ_MOST && n < bytes && *pos < ring.end; i++)
            to[n++] = at((*pos)++);
        more = *pos < ring.end;
        spin_unlock(&console_lock);
    }
    return n;
}

uint64_t console_ring_end(void)
{
    uint64_t end;

    spin_lock(&console_lock);
    end = ring.end;
    spin_unlock(&console_lock);
    return end;
}
