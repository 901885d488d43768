/* SPDX-License-Identifier: MIT */
/* What a boot loader tells by the Multiboot Specification 0.6.96, section 3.3: GRUB's `multiboot`,
 * and QEMU's -kernel. */
#include <asm/boot_info.h>
#include <asm/e820.h>
#include <hospes/compiler.h>
#include <hospes/errno.h>

#define INFO_MEMORY      (1u << 0)
#define INFO_LINE        (1u << 2)
#define INFO_MODULES     (1u << 3)
#define INFO_MAP         (1u << 6)
#define INFO_LOADER      (1u << 9)
#define INFO_FRAMEBUFFER (1u << 12)

#define FRAMEBUFFER_RGB 1

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper; /* KiB from 0, from 1 MiB */
    uint32_t boot_device;
    uint32_t line;
    uint32_t nr_modules, modules;
    uint32_t symbols[4];
    uint32_t map_bytes, map;
    uint32_t drives_bytes, drives, config;
    uint32_t loader;
    uint32_t apm;
    uint32_t vbe[4];
    uint64_t framebuffer;
    uint32_t framebuffer_pitch, framebuffer_width, framebuffer_height;
    uint8_t framebuffer_bits, framebuffer_type;
    struct framebuffer_channel red, green, blue;
} __packed;

struct multiboot_module {
    uint32_t start, end, line, unused;
};

/* `size` is that of what follows it. */
struct multiboot_map {
    uint32_t size;
    uint64_t start, bytes;
    uint32_t kind;
} __packed;

#define MAP_LEAST (sizeof(struct multiboot_map) - sizeof(uint32_t))

static void read_modules(struct boot_info *b, const struct multiboot_info *info, boot_at_fn *at)
{
    for (uint32_t i = 0; i < info->nr_modules; i++) {
        struct multiboot_module m;

        if (i >= BOOT_MODULES ||
            !boot_copy(&m, info->modules + i * (uint64_t)sizeof(m), sizeof(m), at)) {
            b->lost_files += info->nr_modules - i;
            return;
        }
        boot_add_file(b, m.start, m.end,
                      m.line ? boot_skip_word(boot_copy_text(b, m.line, at)) : "");
    }
}

static void read_map(struct boot_info *b, const struct multiboot_info *info, boot_at_fn *at)
{
    uint64_t end = (uint64_t)info->map + info->map_bytes;

    for (uint64_t here = info->map; here + sizeof(struct multiboot_map) <= end;) {
        struct multiboot_map m;

        if (!boot_copy(&m, here, sizeof(m), at) || m.size < MAP_LEAST)
            return;
        boot_add_area(b, m.start, m.bytes, m.kind);
        here += m.size + sizeof(uint32_t);
    }
}

int multiboot_read(struct boot_info *b, uint64_t where, boot_at_fn *at, const char **why)
{
    struct multiboot_info info;
    const char *name;

    if (!boot_copy(&info, where, sizeof(info), at)) {
        *why = "its information is not where it can be read";
        return -EINVAL;
    }
    b->protocol = "multiboot";
    if (info.flags & INFO_LINE)
        b->line = boot_skip_word(boot_copy_text(b, info.line, at));
    if ((info.flags & INFO_LOADER) && (name = at(info.loader, sizeof(b->loader))) != NULL)
        boot_set_loader(b, name, sizeof(b->loader));
    if (info.flags & INFO_MODULES)
        read_modules(b, &info, at);
    if (info.flags & INFO_MAP) {
        read_map(b, &info, at);
    } else if (info.flags & INFO_MEMORY) {
        boot_add_area(b, 0, (uint64_t)info.mem_lower << 10, E820_RAM);
        boot_add_area(b, 0x100000, (uint64_t)info.mem_upper << 10, E820_RAM);
    }
    if ((info.flags & INFO_FRAMEBUFFER) && info.framebuffer_type == FRAMEBUFFER_RGB) {
        b->framebuffer = (struct framebuffer){
            .address = info.framebuffer,
            .pitch = info.framebuffer_pitch,
            .width = info.framebuffer_width,
            .height = info.framebuffer_height,
            .bits = info.framebuffer_bits,
            .red = info.red,
            .green = info.green,
            .blue = info.blue,
        };
    }
    return 0;
}
