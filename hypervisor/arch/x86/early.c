/* SPDX-License-Identifier: MIT */
/*
 * The first C: runs at the image's machine address, in 64 bits under tables that map low memory at
 * its own addresses, before relocation, and makes the tables with which the rest runs.
 *
 * Nothing here may use an address that needs relocation, before early_relocate(); no stack
 * protector either. The file is compiled accordingly (mk/).
 */
#include <asm/cpu.h>
#include <asm/early.h>
#include <asm/io.h>
#include <asm/layout.h>
#include <asm/mm.h>
#include <asm/msr.h>
#include <hospes/compiler.h>
#include <hospes/types.h>
#include <lib/bits.h>

#define ENTRIES     512
#define EARLY_PAGES 16

extern const char _image_start[], _text_end[], _rodata_end[], _image_end[];
extern const char boot_stack[];
extern uint64_t _relocated_start[], _relocated_end[];
extern const uint64_t _relocations[];

static uint64_t early_pages[EARLY_PAGES][ENTRIES] __aligned(4096)
    __attribute__((section(".bss.page_aligned")));
static uint32_t early_used;

static uint64_t *early_table(uint64_t *slot)
{
    if (!*slot)
        *slot = (uint64_t)(uintptr_t)early_pages[early_used++] | PTE_TABLE;
    return (uint64_t *)(uintptr_t)(*slot & PTE_ADDRESS);
}

/* The last-level entry of `va`. */
static uint64_t *early_slot(uint64_t *root, uint64_t va)
{
    uint64_t *l1 = early_table(&root[va >> 39 & 511]);
    uint64_t *l2 = early_table(&l1[va >> 30 & 511]);
    uint64_t *l3 = early_table(&l2[va >> 21 & 511]);

    return &l3[va >> 12 & 511];
}

static void early_map(uint64_t *root, uint64_t va, uint64_t pa, uint64_t bytes, uint64_t attr)
{
    for (uint64_t done = 0; done < bytes; done += FRAME_SIZE)
        *early_slot(root, va + done) = (pa + done) | attr;
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

/* On the first serial port, whose settings are the loader's. There is nobody else to tell. */
static __noreturn void early_stop(const char *why)
{
    for (; *why; why++)
        port_write8(0x3f8, (uint8_t)*why);
    for (;;)
        __asm__ volatile("hlt");
}

/* A number below `limit`, from what this machine has that is hard to guess. */
static uint64_t early_random(uint64_t limit)
{
    uint64_t seed = rdtsc(), number = 0;

    if (cpuid(1, 0).c >> 30 & 1)
        __asm__ volatile("rdrand %0" : "=r"(number) : : "cc");
    seed = (seed ^ number) * 0x9e3779b97f4a7c15ull;
    /* The top bits of a product: spreads over any limit without a division. */
    return (uint64_t)(((__uint128_t)seed * limit) >> 64);
}

/* Rights of pages are as the tables say from now on, for the hypervisor's own writes too. */
static void early_protect(void)
{
    if (!(cpuid(0x80000001, 0).d >> 20 & 1))
        early_stop("Hospes: this CPU cannot keep data from being executed (NX).\r\n");
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    write_cr0(read_cr0() | CR0_WP);
}

extern uint64_t identity_tables[6][ENTRIES];

void early_identity(void)
{
    identity_tables[0][0] = (uint64_t)(uintptr_t)identity_tables[1] | PTE_TABLE;
    for (uint64_t i = 0; i < 4; i++) {
        identity_tables[1][i] = (uint64_t)(uintptr_t)identity_tables[2 + i] | PTE_TABLE;
        for (uint64_t j = 0; j < ENTRIES; j++)
            identity_tables[2 + i][j] = (i * ENTRIES + j) * MIB(2) | PTE_LEAF | PTE_W | PTE_PS;
    }
}

struct early_result early_final(uint64_t load, const uint64_t *identity)
{
    uint64_t base = LAYOUT_IMAGE + early_random(LAYOUT_IMAGE_SLIDE / MIB(2) - 4) * MIB(2);
    uint64_t text = (uint64_t)(_text_end - _image_start);
    uint64_t rodata = (uint64_t)(_rodata_end - _image_start);
    uint64_t end = (uint64_t)(_image_end - _image_start);
    uint64_t *root = early_pages[early_used++];

    early_protect();
    early_map(root, base, load, text, PTE_TEXT);
    early_map(root, base + text, load + text, rodata - text, PTE_RODATA);
    early_map(root, base + rodata, load + rodata, end - rodata, PTE_DATA);
    /* Whoever runs off the first CPU's stack finds out. */
    *early_slot(root, base + (uint64_t)(boot_stack - _image_start)) = 0;
    root[0] = identity[0];
    early_relocate(base);
    return (struct early_result){ (uint64_t)(uintptr_t)root, base - load };
}
