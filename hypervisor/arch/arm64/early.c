/* SPDX-License-Identifier: MIT */
/*
 * The first C: runs at the image's machine address, before relocation, and makes the tables with
 * which the rest runs at its virtual one.
 *
 *   early_identity()  MMU off. Tables that map image and device tree where they are, so that caches
 * work. early_final()     MMU on. Chooses the virtual address, relocates, makes the tables that
 * stay.
 *
 * Nothing here may use an address that needs relocation, before early_relocate(); no stack
 * protector either, whose guard is reached through one. The file is compiled accordingly (mk/).
 */
#include <asm/early.h>
#include <asm/layout.h>
#include <asm/mm.h>
#include <asm/sysreg.h>
#include <hospes/compiler.h>
#include <hospes/dt.h>
#include <hospes/types.h>
#include <lib/bits.h>
#include <string.h>

#define ENTRIES     512
#define BLOCK_2M    MIB(2)
#define EARLY_PAGES 20

extern const char _image_start[], _text_end[], _rodata_end[], _image_end[];
extern const char boot_text[], boot_text_end[];
extern uint64_t _relocated_start[], _relocated_end[];
extern const uint64_t _relocations[];

void early_invalidate(const void *start, const void *end);

uint64_t early_tcr;

static uint64_t early_pages[EARLY_PAGES][ENTRIES] __aligned(4096)
    __attribute__((section(".bss.page_aligned")));
static uint32_t early_used;

static uint64_t *early_table(uint64_t *slot)
{
    if (!*slot)
        *slot = (uint64_t)(uintptr_t)early_pages[early_used++] | EL2_TABLE;
    return (uint64_t *)(uintptr_t)(*slot & EL2_ADDRESS);
}

/* Maps [va, va + bytes) to pa in blocks of 2 MiB or pages, as `block` says. */
static void early_map(uint64_t *root, uint64_t va, uint64_t pa, uint64_t bytes, uint64_t attr,
                      bool block)
{
    for (uint64_t step = block ? BLOCK_2M : FRAME_SIZE, done = 0; done < bytes; done += step) {
        uint64_t a = va + done;
        uint64_t *l1 = early_table(&root[a >> 39 & 511]);
        uint64_t *l2 = early_table(&l1[a >> 30 & 511]);

        if (block) {
            l2[a >> 21 & 511] = (pa + done) | attr | EL2_BLOCK;
        } else {
            uint64_t *l3 = early_table(&l2[a >> 21 & 511]);

            l3[a >> 12 & 511] = (pa + done) | attr | EL2_PAGE;
        }
    }
}

/* What has been added to addresses so far. Not in .bss, which is cleared in between. */
static uint64_t early_base __attribute__((section(".data.early")));

void early_relocate(uint64_t base)
{
    uint64_t words = (uint64_t)(_relocated_end - _relocated_start);

    for (uint64_t i = 0; i < words; i += 64)
        for (uint64_t bits = _relocations[i / 64]; bits; bits &= bits - 1)
            _relocated_start[i + bit_lowest(bits)] += base - early_base;
    early_base = base;
}

static uint64_t image_bytes(void)
{
    return (uint64_t)(_image_end - _image_start);
}

/* The 4 MiB that hold the device tree, wherever it begins (it is at most 2 MiB long, by the boot
 * protocol). */
static uint64_t fdt_block(uint64_t fdt)
{
    return align_down(fdt, BLOCK_2M);
}

uint64_t early_identity(uint64_t load, uint64_t fdt)
{
    uint64_t first = align_down(load, BLOCK_2M);
    uint64_t last = align_up(load + image_bytes(), BLOCK_2M);
    uint64_t pa_range = read_sysreg(id_aa64mmfr0_el1) & 0xf;
    uint64_t *root = early_pages[0];

    early_tcr = TCR_EL2_RES1 | field_prep(TCR_T0SZ, 16) | TCR_IRGN0_WB | TCR_ORGN0_WB | TCR_SH0_IS |
                field_prep(TCR_EL2_PS, min(pa_range, (uint64_t)5));
    early_relocate(load);
    early_used = 1;
    early_map(root, first, first, last - first, EL2_ATTR_BOOT, true);
    early_map(root, fdt_block(fdt), fdt_block(fdt), 2 * BLOCK_2M, EL2_ATTR_BOOT, true);
    /* What was written past the caches must not be hidden by lines that they still hold. */
    early_invalidate(_text_end, _image_end);
    return (uint64_t)(uintptr_t)root;
}

/* A number below `limit` from the seed that firmware left in /chosen; 0 without one. Wipes it: it
 * is spent. */
static uint64_t early_seed(const void *fdt, uint64_t limit)
{
    uint64_t seed;

    if (dt_check(fdt, BLOCK_2M) || dt_number(fdt, dt_find(fdt, "/chosen"), "kaslr-seed", &seed))
        return 0;
    /* The top bits of a product: spreads over any limit without a division. */
    return (uint64_t)(((__uint128_t)(seed * 0x9e3779b97f4a7c15ull) * limit) >> 64);
}

struct early_result early_final(uint64_t load, uint64_t fdt)
{
    const void *tree = (const void *)(uintptr_t)fdt;
    uint64_t slide = early_seed(tree, LAYOUT_IMAGE_SLIDE / BLOCK_2M - 4) * BLOCK_2M;
    uint64_t base = LAYOUT_IMAGE + slide + load % BLOCK_2M;
    uint64_t text = (uint64_t)(_text_end - _image_start);
    uint64_t rodata = (uint64_t)(_rodata_end - _image_start);
    uint64_t boot = (uint64_t)(boot_text - _image_start);
    uint64_t *root = early_pages[early_used++];

    early_map(root, base, load, text, EL2_ATTR_TEXT, false);
    early_map(root, base + text, load + text, rodata - text, EL2_ATTR_RODATA, false);
    early_map(root, base + rodata, load + rodata, image_bytes() - rodata, EL2_ATTR_DATA, false);
    early_map(root, load + boot, load + boot, (uint64_t)(boot_text_end - boot_text), EL2_ATTR_TEXT,
              false);
    early_map(root, LAYOUT_FDT, fdt_block(fdt), 2 * BLOCK_2M, EL2_ATTR_RODATA, true);
    early_relocate(base);
    dsb(ish);
    return (struct early_result){ (uint64_t)(uintptr_t)root, base - load };
}
