/* SPDX-License-Identifier: MIT */
/* Lists of ranges of memory while the machine boots, and memory taken out of them: see
 * <hospes/boot.h>. */
#include <hospes/boot.h>
#include <hospes/errno.h>
#include <lib/bits.h>

#include <string.h>

struct boot_ranges boot_ram, boot_reserved;

static bool same_owner(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The first range that ends after `addr`; list->nr when there is none. */
static uint32_t first_after(const struct boot_ranges *list, uint64_t addr)
{
    uint32_t i = 0;

    while (i < list->nr && list->r[i].end <= addr)
        i++;
    return i;
}

static void insert(struct boot_ranges *list, uint32_t at, struct boot_range r)
{
    memmove(&list->r[at + 1], &list->r[at], (list->nr - at) * sizeof(r));
    list->r[at] = r;
    list->nr++;
}

static void cut_out(struct boot_ranges *list, uint32_t at)
{
    list->nr--;
    memmove(&list->r[at], &list->r[at + 1], (list->nr - at) * sizeof(list->r[0]));
}

/*
 * Fills the gaps of [start, end): by growing a range that touches and has the same owner, else by a
 * new one. Returns how many new ones it takes, and without `commit` changes nothing.
 */
static uint32_t fill_gaps(struct boot_ranges *list, uint64_t start, uint64_t end, const char *what,
                          bool commit)
{
    uint32_t added = 0;

    for (uint32_t i = first_after(list, start); start < end; i++) {
        struct boot_range *next = i < list->nr ? &list->r[i] : NULL;
        struct boot_range *prev = i > 0 ? &list->r[i - 1] : NULL;
        uint64_t gap_end = next != NULL ? min(next->start, end) : end;
        uint64_t next_end = next != NULL ? next->end : end;

        if (start < gap_end) {
            struct boot_range gap = { .start = start, .end = gap_end, .what = what };

            if (prev != NULL && prev->end == start && same_owner(prev->what, what)) {
                prev->end = commit ? gap_end : prev->end;
            } else if (next != NULL && next->start == gap_end && same_owner(next->what, what)) {
                next->start = commit ? start : next->start;
            } else {
                added++;
                if (commit)
                    insert(list, i++, gap);
            }
        }
        start = next_end;
    }
    return added;
}

int boot_range_add(struct boot_ranges *list, uint64_t start, uint64_t end, const char *what)
{
    if (end <= start)
        return -EINVAL;
    if (list->nr + fill_gaps(list, start, end, what, false) > BOOT_MAX_RANGES)
        return -ENOSPC;
    fill_gaps(list, start, end, what, true);

    for (uint32_t i = 1; i < list->nr;) {
        struct boot_range *a = &list->r[i - 1], *b = &list->r[i];

        if (a->end == b->start && same_owner(a->what, b->what)) {
            a->end = b->end;
            cut_out(list, i);
        } else {
            i++;
        }
    }
    return 0;
}

int boot_range_remove(struct boot_ranges *list, uint64_t start, uint64_t end)
{
    uint32_t i = first_after(list, start);

    while (start < end && i < list->nr && list->r[i].start < end) {
        struct boot_range *r = &list->r[i];

        if (r->start < start && r->end > end) {
            struct boot_range rest = { .start = end, .end = r->end, .what = r->what };

            if (list->nr == BOOT_MAX_RANGES)
                return -ENOSPC;
            r->end = start;
            insert(list, i + 1, rest);
            return 0;
        }
        if (r->start >= start && r->end <= end) {
            cut_out(list, i);
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

bool boot_range_overlaps(const struct boot_ranges *list, uint64_t start, uint64_t end,
                         const struct boot_range **hit)
{
    uint32_t i = first_after(list, start);

    if (end <= start || i == list->nr || list->r[i].start >= end)
        return false;
    if (hit != NULL)
        *hit = &list->r[i];
    return true;
}

bool boot_range_contains(const struct boot_ranges *list, uint64_t start, uint64_t end)
{
    if (end <= start)
        return false;
    for (uint32_t i = first_after(list, start); i < list->nr && list->r[i].start <= start; i++) {
        start = list->r[i].end;
        if (start >= end)
            return true;
    }
    return false;
}

maddr_t boot_alloc(uint64_t bytes, uint64_t align, uint64_t below, const char *what)
{
    for (uint32_t i = boot_ram.nr; bytes > 0 && i-- > 0;) {
        const struct boot_range *ram = &boot_ram.r[i], *hit;
        uint64_t end = min(ram->end, below);

        while (end > ram->start && end - ram->start >= bytes) {
            uint64_t start = align_down(end - bytes, align);

            /* Address 0 would look like a failure. */
            if (start < ram->start || start == 0)
                break;
            if (!boot_range_overlaps(&boot_reserved, start, start + bytes, &hit)) {
                if (boot_range_add(&boot_reserved, start, start + bytes, what) != 0)
                    return MADDR(0);
                return MADDR(start);
            }
            end = hit->start;
        }
    }
    return MADDR(0);
}
