/* SPDX-License-Identifier: MIT */
/*
 * The device tree by which the core learns what domains to make: /chosen as Xen's
 * docs/misc/arm/device-tree/booting.txt has it. The first module is the hardware domain's kernel,
 * the second its ramdisk, as Xen's users have them on PCs.
 */
#include <asm/boot_info.h>
#include <hospes/dt_write.h>
#include <hospes/errno.h>

static const char *module_kind(uint32_t i)
{
    static const char *const kinds[] = { "multiboot,kernel", "multiboot,ramdisk" };

    return i < 2 ? kinds[i] : "multiboot,module";
}

static void write_module(struct dt_writer *w, const struct boot_file *f, uint32_t i)
{
    uint8_t reg[16];

    dt_store_cells(dt_store_cells(reg, f->start, 2), f->bytes, 2);
    dt_write_node_at(w, "module", f->start);
    dt_write_string(w, "compatible", module_kind(i));
    dt_write_bytes(w, "reg", reg, sizeof(reg));
    if (i == 0)
        dt_write_string(w, "bootargs", f->line);
    dt_write_end(w);
}

int boot_tree_write(const struct boot_info *b, const uint8_t *seed, uint32_t seed_bytes, void *fdt,
                    uint32_t room)
{
    struct dt_writer w;
    uint32_t bytes;

    dt_write_begin(&w, fdt, room);
    dt_write_u32(&w, "#address-cells", 2);
    dt_write_u32(&w, "#size-cells", 2);
    dt_write_node(&w, "chosen");
    dt_write_u32(&w, "#address-cells", 2);
    dt_write_u32(&w, "#size-cells", 2);
    dt_write_string(&w, "xen,xen-bootargs", b->line);
    if (seed_bytes)
        dt_write_bytes(&w, "rng-seed", seed, seed_bytes);
    for (uint32_t i = 0; i < b->nr_files; i++)
        write_module(&w, &b->files[i], i);
    dt_write_end(&w);
    return dt_write_finish(&w, &bytes);
}
