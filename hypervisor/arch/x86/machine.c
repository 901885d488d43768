/* SPDX-License-Identifier: MIT */
/*
 * The machine as a boot loader hands it over: the first C at the image's own address, what memory
 * there is, and the small things of <hospes/cpu.h>. doc/boot-x86.md.
 */
#include <asm/boot_info.h>
#include <asm/com.h>
#include <asm/cpu.h>
#include <asm/e820.h>
#include <asm/efi.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <asm/trap.h>
#include <hospes/boot.h>
#include <hospes/console.h>
#include <hospes/cpu.h>
#include <hospes/dt.h>
#include <hospes/heap.h>
#include <hospes/hypmap.h>
#include <hospes/init.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <hospes/pcpu.h>
#include <lib/bits.h>
#include <libfdt.h>

#include <string.h>

#define FIRST_4G         GIB(4)
#define TREE_ROOM        32768
#define SEED_WORDS_LEAST 4u

/* What boot.S finds in eax. */
#define MULTIBOOT1_LOADED 0x2badb002u
#define MULTIBOOT2_LOADED 0x36d76289u
#define PVH_LOADED        0x336ec578u
#define EFI_LOADED        0x49464548u

extern char _image_start[], _image_end[], boot_stack_end[];
extern struct pcpu boot_pcpu;
extern uintptr_t __stack_chk_guard;

static uint64_t tree[TREE_ROOM / 8];

__noreturn void x86_start(uint64_t load, uint32_t loader, uint64_t info);

/* The boot code still has the first 4 GiB mapped at their own addresses. */
static const void *at_identity(uint64_t maddr, uint64_t bytes)
{
    return maddr && bytes <= FIRST_4G && maddr <= FIRST_4G - bytes ? (const void *)(uintptr_t)maddr
                                                                   : NULL;
}

/* Nothing could be read of what the user wants: the first serial port is the console. */
static __noreturn void stop_early(const char *protocol, const char *why)
{
    static const struct com_settings com1 = { .port = 0x3f8, .baud = 115200 };
    static struct uart uart;

    if (!com_find(&uart, &com1) && !uart.driver->init(&uart))
        console_bind(&uart);
    panic("%s: %s", protocol, why);
}

static void read_boot_info(uint32_t loader, uint64_t info)
{
    const char *why = "no loader of ours: see doc/boot-x86.md";
    int err = -1;

    boot_info.line = "";
    switch (loader) {
    case EFI_LOADED:
        efi_handover_read(&boot_info, at_identity);
        err = 0;
        break;
    case MULTIBOOT1_LOADED:
        err = multiboot_read(&boot_info, info, at_identity, &why);
        break;
    case MULTIBOOT2_LOADED:
        err = multiboot2_read(&boot_info, info, at_identity, &why);
        break;
    case PVH_LOADED:
        err = pvh_start_read(&boot_info, info, at_identity, &why);
        break;
    default:
        break;
    }
    if (err)
        stop_early(loader == MULTIBOOT1_LOADED   ? "multiboot"
                   : loader == MULTIBOOT2_LOADED ? "multiboot2"
                   : loader == PVH_LOADED        ? "PVH"
                                                 : "start",
                   why);
}

/*
 * GRUB under UEFI puts a file that is small enough at address 0, where we have no memory: see
 * arch_init_memory_map(). What cannot be moved is told of when it is to be used.
 */
static void move_low_files(uint64_t image, uint64_t image_end)
{
    for (uint32_t i = 0; i < boot_info.nr_files; i++) {
        struct boot_file *f = &boot_info.files[i];
        uint64_t to;

        if (f->start >= FRAME_SIZE)
            continue;
        to = boot_find_room(&boot_info, f->bytes, image, image_end);
        if (!to)
            continue;
        memcpy((void *)(uintptr_t)to, (const void *)(uintptr_t)f->start, f->bytes);
        f->start = to;
    }
}

/* The one that was made under firmware, with a seed. */
static void take_tree(const uint64_t *seed, uint32_t words)
{
    const void *from = at_identity(efi_handover.tree, sizeof(struct fdt_header));

    if (!from || fdt_open_into(from, tree, sizeof(tree)) || dt_check(tree, sizeof(tree)))
        stop_early(boot_info.protocol, "no room for the device tree");
    if (words >= SEED_WORDS_LEAST)
        (void)fdt_setprop(tree, fdt_path_offset(tree, "/chosen"), "rng-seed", seed,
                          (int)(words * sizeof(*seed)));
}

static void make_tree(uint32_t loader)
{
    uint64_t seed[8];
    uint32_t words = 0;

    while (words < array_size(seed) && cpu_random(&seed[words]))
        words++;
    host_fdt = tree;
    if (loader == EFI_LOADED)
        take_tree(seed, words);
    else if (boot_tree_write(&boot_info, at_identity, (const uint8_t *)seed,
                             words < SEED_WORDS_LEAST ? 0 : words * 8, tree, sizeof(tree)))
        stop_early(boot_info.protocol, "no room for what it tells");
}

void x86_start(uint64_t load, uint32_t loader, uint64_t info)
{
    __stack_chk_guard ^= rdtsc() * 0x9e3779b97f4a7c15ull ^ (uintptr_t)&boot_pcpu;
    mm_init_early(load);
    boot_pcpu.arch.stack_top = (uint64_t)(uintptr_t)boot_stack_end - STACK_TOP;
    trap_pcpu_init();
    cpu_init_features();
    cpu_init_control();
    read_boot_info(loader, info);
    move_low_files(load, load + (uint64_t)(_image_end - _image_start));
    make_tree(loader);
    mm_drop_identity();
    init();
}

/* --- memory ---------------------------------------------------------------------------------- */

static void reserve(uint64_t start, uint64_t bytes, const char *what)
{
    uint64_t end = align_up(start + bytes, FRAME_SIZE);

    if (bytes && boot_range_add(&boot_reserved, align_down(start, FRAME_SIZE), end, what))
        panic("no room to note that %s is at %#llx", what, (unsigned long long)start);
}

void arch_init_memory_map(void)
{
    log_info("started by %s%s%s", boot_info.protocol, boot_info.loader[0] ? ", " : "",
             boot_info.loader);
    for (uint32_t i = 0; i < host_e820.nr; i++) {
        const struct e820_range *r = &host_e820.r[i];
        /* Frame 0 is not used: its address means "none", and real mode's vectors are in it. */
        uint64_t start = max(align_up(r->start, FRAME_SIZE), FRAME_SIZE);
        uint64_t end = align_down(r->end, FRAME_SIZE);

        if (r->type == E820_RAM && end > start && boot_range_add(&boot_ram, start, end, NULL))
            log_warn("memory map: more than %u pieces of RAM: the rest is not used",
                     BOOT_MAX_RANGES);
    }
    if (boot_info.lost_areas)
        log_warn("memory map: more than %u ranges: %u of them are not used", E820_MAX,
                 boot_info.lost_areas);
    if (boot_info.lost_files)
        log_warn("modules: %u of them are not used: more than %u, or not where they can be read",
                 boot_info.lost_files, BOOT_MODULES);
    if (!boot_ram.nr)
        panic("no RAM: %s gives no memory map", boot_info.protocol);
    reserve(arch_virt_to_maddr(_image_start).v, (uint64_t)(_image_end - _image_start), "Hospes");
    smp_reserve();
}

void arch_init_page_tables(void)
{
    hypmap_init_pool();
}

/* It was made by ourselves. */
void arch_init_keep_tree(void)
{
}

/* --- the small things of <hospes/cpu.h> ------------------------------------------------------ */

void arch_cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

void arch_cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt" ::: "memory");
}

/* Devices and other CPUs see what is in the caches. */
void arch_cache_clean(const void *p, uint64_t bytes)
{
    (void)p, (void)bytes;
}

void arch_icache_invalidate(void)
{
}
