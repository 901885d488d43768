/* SPDX-License-Identifier: MIT */
/* Memory maps; <asm/e820.h> has the contract. */
#include <asm/e820.h>
#include <hospes/errno.h>
#include <string.h>

struct e820 host_e820;

/* The first range that ends behind `at`. */
static uint32_t first_behind(const struct e820 *m, uint64_t at)
{
    uint32_t i = 0;

    while (i < m->nr && m->r[i].end <= at)
        i++;
    return i;
}

static void cut_out(struct e820 *m, uint32_t i)
{
    m->nr--;
    memmove(&m->r[i], &m->r[i + 1], (m->nr - i) * sizeof(m->r[0]));
}

static int insert(struct e820 *m, uint32_t i, struct e820_range r)
{
    if (m->nr == E820_MAX)
        return -ENOSPC;
    memmove(&m->r[i + 1], &m->r[i], (m->nr - i) * sizeof(m->r[0]));
    m->r[i] = r;
    m->nr++;
    return 0;
}

/* Joins range i with the one behind it, where they are one. */
static void join(struct e820 *m, uint32_t i)
{
    if (i + 1 < m->nr && m->r[i].end == m->r[i + 1].start && m->r[i].type == m->r[i + 1].type) {
        m->r[i].end = m->r[i + 1].end;
        cut_out(m, i + 1);
    }
}

/* Leaves nothing in [start, end). Needs one more range where that is within one. */
static int clear(struct e820 *m, uint64_t start, uint64_t end)
{
    uint32_t i = first_behind(m, start);

    while (i < m->nr && m->r[i].start < end) {
        struct e820_range *r = &m->r[i];

        if (r->start < start && r->end > end) {
            struct e820_range rest = { end, r->end, r->type };
            int rc = insert(m, i + 1, rest);

            if (!rc)
                r->end = start;
            return rc;
        }
        if (r->start >= start && r->end <= end) {
            cut_out(m, i);
            continue;
        }
        if (r->start < start)
            r->end = start;
        else
            r->start = end;
        i++;
    }
    return 0;
}

int e820_set(struct e820 *m, uint64_t start, uint64_t end, uint32_t type)
{
    const struct e820_range r = { start, end, type };
    uint32_t i;
    int rc;

    if (start >= end)
        return 0;
    /* Two more at most: found out before anything changes. */
    if (m->nr + 2 > E820_MAX)
        return -ENOSPC;
    rc = clear(m, start, end);
    if (rc)
        return rc;
    i = first_behind(m, start);
    rc = insert(m, i, r);
    if (rc)
        return rc;
    join(m, i);
    if (i)
        join(m, i - 1);
    return 0;
}

int e820_fill(struct e820 *m, uint64_t start, uint64_t end, uint32_t type)
{
    while (start < end) {
        uint32_t i = first_behind(m, start);
        uint64_t stop = i < m->nr && m->r[i].start < end ? m->r[i].start : end;

        if (stop > start) {
            int rc = e820_set(m, start, stop, type);
            if (rc)
                return rc;
            i = first_behind(m, stop);
        }
        if (stop == end || i == m->nr)
            return 0;
        start = m->r[i].end;
    }
    return 0;
}

int e820_add_firmware(struct e820 *m, uint64_t start, uint64_t bytes, uint32_t type)
{
    uint64_t end = start + bytes;

    if (end < start)
        return 0;
    return type == E820_RAM ? e820_fill(m, start, end, type) : e820_set(m, start, end, type);
}

bool e820_overlaps(const struct e820 *m, uint64_t start, uint64_t end, uint32_t type)
{
    for (uint32_t i = first_behind(m, start); start < end && i < m->nr && m->r[i].start < end; i++)
        if (m->r[i].type == type)
            return true;
    return false;
}
