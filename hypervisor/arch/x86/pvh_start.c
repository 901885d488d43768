/* SPDX-License-Identifier: MIT */
/* What a virtual machine monitor tells that starts us as it starts a PVH guest:
 * <xen/arch-x86/hvm/start_info.h>. */
#include <asm/boot_info.h>
#include <asm/e820.h>
#include <hospes/errno.h>

#include <xen/arch-x86/hvm/start_info.h>

static int refuse(const char **why, const char *text)
{
    *why = text;
    return -EINVAL;
}

static void read_modules(struct boot_info *b, const struct hvm_start_info *info, boot_at_fn *at)
{
    for (uint32_t i = 0; i < info->nr_modules; i++) {
        struct hvm_modlist_entry m;

        if (i >= BOOT_MODULES ||
            !boot_copy(&m, info->modlist_paddr + i * (uint64_t)sizeof(m), sizeof(m), at)) {
            b->lost_files += info->nr_modules - i;
            return;
        }
        boot_add_file(b, m.paddr, m.paddr + m.size,
                      m.cmdline_paddr ? boot_copy_text(b, m.cmdline_paddr, at) : "");
    }
}

int pvh_start_read(struct boot_info *b, uint64_t where, boot_at_fn *at, const char **why)
{
    const struct hvm_start_info *info = where % 8 ? NULL : at(where, sizeof(*info));

    if (!info || info->magic != XEN_HVM_START_MAGIC_VALUE)
        return refuse(why, "there is no start information where it should be");
    if (info->version < 1)
        return refuse(why, "the start information is of version 0, which has no memory map");
    b->protocol = "PVH";
    if (info->cmdline_paddr)
        b->line = boot_copy_text(b, info->cmdline_paddr, at);
    b->rsdp = info->rsdp_paddr;
    read_modules(b, info, at);
    for (uint32_t i = 0; i < info->memmap_entries; i++) {
        struct hvm_memmap_table_entry e;

        if (!boot_copy(&e, info->memmap_paddr + i * (uint64_t)sizeof(e), sizeof(e), at))
            break;
        boot_add_area(b, e.addr, e.size, e.type);
    }
    return 0;
}
