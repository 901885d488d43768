/* SPDX-License-Identifier: MIT */
/* What a boot loader tells by the Multiboot2 Specification 2.0, section 3.6: GRUB's `multiboot2`.
 */
#include <asm/boot_info.h>
#include <asm/e820.h>
#include <hospes/compiler.h>
#include <hospes/errno.h>
#include <lib/bits.h>

#include <string.h>

enum tag_type {
    TAG_END = 0,
    TAG_LINE = 1,
    TAG_LOADER = 2,
    TAG_MODULE = 3,
    TAG_MEMORY = 4,
    TAG_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI64 = 12,
    TAG_RSDP_1 = 14,
    TAG_RSDP_2 = 15,
};

#define FRAMEBUFFER_RGB 1

struct tag {
    uint32_t type, size; /* without what aligns the next to 8 */
};

struct tag_module {
    struct tag tag;
    uint32_t start, end;
    char line[];
};

struct tag_memory {
    struct tag tag;
    uint32_t lower, upper; /* KiB from 0, from 1 MiB */
};

struct tag_map {
    struct tag tag;
    uint32_t entry_size, version;
};

struct map_entry {
    uint64_t start, bytes;
    uint32_t kind, unused;
};

struct tag_framebuffer {
    struct tag tag;
    uint64_t address;
    uint32_t pitch, width, height;
    uint8_t bits, type, unused[2];
    struct framebuffer_channel red, green, blue; /* of FRAMEBUFFER_RGB */
} __packed;

struct tag_pointer {
    struct tag tag;
    uint64_t address;
};

/* A tag's fixed part, if it is as long. */
#define TAG_IS(t, type) ((t)->size >= sizeof(type))

/* Reads the whole information, for it moves with the loader: what is kept of it is copied. */
struct reader {
    struct boot_info *b;
    boot_at_fn *at;
    bool have_map;
};

static void read_map(const struct reader *r, uint64_t where, const struct tag_map *t)
{
    if (t->entry_size < sizeof(struct map_entry))
        return;
    for (uint64_t in = sizeof(*t); in + sizeof(struct map_entry) <= t->tag.size;
         in += t->entry_size) {
        struct map_entry e;

        if (!boot_copy(&e, where + in, sizeof(e), r->at))
            return;
        boot_add_area(r->b, e.start, e.bytes, e.kind);
    }
}

static void read_framebuffer(struct boot_info *b, const struct tag_framebuffer *t)
{
    if (t->type != FRAMEBUFFER_RGB)
        return;
    b->framebuffer = (struct framebuffer){
        .address = t->address,
        .pitch = t->pitch,
        .width = t->width,
        .height = t->height,
        .bits = t->bits,
        .red = t->red,
        .green = t->green,
        .blue = t->blue,
    };
}

static void read_tag(struct reader *r, uint64_t where, const struct tag *t)
{
    const void *p = t;
    const struct tag_module *m = p;
    const struct tag_memory *memory = p;

    switch (t->type) {
    case TAG_LINE:
        r->b->line = boot_skip_word(boot_copy_text(r->b, where + sizeof(*t), r->at));
        break;
    case TAG_LOADER:
        boot_set_loader(r->b, (const char *)(t + 1), t->size - sizeof(*t));
        break;
    case TAG_MODULE:
        if (TAG_IS(t, struct tag_module))
            boot_add_file(r->b, m->start, m->end,
                          boot_skip_word(boot_copy_text(r->b, where + sizeof(*m), r->at)));
        break;
    case TAG_MEMORY:
        if (TAG_IS(t, struct tag_memory) && !r->have_map) {
            boot_add_area(r->b, 0, (uint64_t)memory->lower << 10, E820_RAM);
            boot_add_area(r->b, 0x100000, (uint64_t)memory->upper << 10, E820_RAM);
        }
        break;
    case TAG_MAP:
        if (TAG_IS(t, struct tag_map))
            read_map(r, where, p);
        break;
    case TAG_FRAMEBUFFER:
        if (TAG_IS(t, struct tag_framebuffer))
            read_framebuffer(r->b, p);
        break;
    case TAG_EFI64:
        if (TAG_IS(t, struct tag_pointer))
            r->b->efi_system_table = ((const struct tag_pointer *)p)->address;
        break;
    case TAG_RSDP_1:
    case TAG_RSDP_2:
        /* The newer one, which is longer, wins. */
        if (t->size - sizeof(*t) > r->b->rsdp_bytes) {
            r->b->rsdp_bytes =
                (uint32_t)min((uint64_t)t->size - sizeof(*t), (uint64_t)sizeof(r->b->rsdp_copy));
            memcpy(r->b->rsdp_copy, t + 1, r->b->rsdp_bytes);
        }
        break;
    default:
        break;
    }
}

/* Calls read_tag() for each; twice, since the map has to be known to be there before what it makes
 * superfluous. */
static void each_tag(struct reader *r, uint64_t start, uint64_t end, bool look_only)
{
    for (uint64_t here = start; here + sizeof(struct tag) <= end;) {
        const struct tag *t = r->at(here, sizeof(*t));

        if (!t || t->type == TAG_END || t->size < sizeof(*t) || t->size > end - here ||
            !(t = r->at(here, t->size)))
            return;
        if (!look_only)
            read_tag(r, here, t);
        r->have_map |= t->type == TAG_MAP;
        here = align_up(here + t->size, 8);
    }
}

int multiboot2_read(struct boot_info *b, uint64_t where, boot_at_fn *at, const char **why)
{
    struct reader r = { .b = b, .at = at };
    const uint32_t *total = where % 8 ? NULL : at(where, 8);

    if (!total || *total < 8 || !at(where, *total)) {
        *why = "its information is not where it can be read";
        return -EINVAL;
    }
    b->protocol = "multiboot2";
    each_tag(&r, where + 8, where + *total, true);
    each_tag(&r, where + 8, where + *total, false);
    return 0;
}
