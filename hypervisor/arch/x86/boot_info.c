/* SPDX-License-Identifier: MIT */
/* What boot loaders tell, in one form: see <asm/boot_info.h>. */
#include <asm/boot_info.h>
#include <asm/e820.h>
#include <lib/bits.h>

#include <string.h>

struct boot_info boot_info;

bool boot_copy(void *to, uint64_t from, uint64_t bytes, boot_at_fn *at)
{
    const void *p = at(from, bytes);

    if (p)
        memcpy(to, p, bytes);
    return p;
}

const char *boot_copy_text(struct boot_info *b, uint64_t from, boot_at_fn *at)
{
    uint32_t start = b->text_used, n = 0;
    const char *c;

    if (start >= sizeof(b->text))
        return "";
    while (n < BOOT_LINE_MAX && start + n + 1 < sizeof(b->text) && (c = at(from + n, 1)) && *c)
        b->text[start + n++] = *c;
    b->text[start + n] = '\0';
    b->text_used = start + n + 1;
    return &b->text[start];
}

const char *boot_skip_word(const char *line)
{
    while (*line == ' ')
        line++;
    while (*line && *line != ' ')
        line++;
    while (*line == ' ')
        line++;
    return line;
}

void boot_set_loader(struct boot_info *b, const char *name, uint64_t limit)
{
    uint64_t n = 0;

    for (; n < min(limit, (uint64_t)sizeof(b->loader) - 1) && name[n]; n++)
        b->loader[n] = name[n] >= ' ' && name[n] <= '~' ? name[n] : '?';
    b->loader[n] = '\0';
}

void boot_add_file(struct boot_info *b, uint64_t start, uint64_t end, const char *line)
{
    if (b->nr_files == BOOT_MODULES || end < start) {
        b->lost_files++;
        return;
    }
    b->files[b->nr_files++] =
        (struct boot_file){ .start = start, .bytes = end - start, .line = line };
}

void boot_add_area(struct boot_info *b, uint64_t start, uint64_t bytes, uint32_t kind)
{
    if (e820_add_firmware(&host_e820, start, bytes, kind))
        b->lost_areas++;
}

/* Where [*at, *at + bytes) has to begin at least if it is not to overlap [start, end). */
static bool keep_clear(uint64_t *at, uint64_t bytes, uint64_t start, uint64_t end)
{
    if (start >= *at + bytes || end <= *at)
        return true;
    *at = align_up(end, FRAME_SIZE);
    return false;
}

static bool is_clear(const struct boot_info *b, uint64_t *at, uint64_t bytes, uint64_t image,
                     uint64_t image_end)
{
    bool clear = keep_clear(at, bytes, image, image_end);

    for (uint32_t i = 0; i < b->nr_files; i++)
        clear &= keep_clear(at, bytes, b->files[i].start, b->files[i].start + b->files[i].bytes);
    return clear;
}

uint64_t boot_find_room(const struct boot_info *b, uint64_t bytes, uint64_t image,
                        uint64_t image_end)
{
    for (uint32_t i = 0; i < host_e820.nr; i++) {
        const struct e820_range *r = &host_e820.r[i];
        uint64_t at = max(align_up(r->start, FRAME_SIZE), MIB(1)), end = min(r->end, GIB(4));

        if (r->type != E820_RAM || bytes > end)
            continue;
        while (at <= end - bytes) /* each turn is behind one obstacle more */
            if (is_clear(b, &at, bytes, image, image_end))
                return at;
    }
    return 0;
}
