/* SPDX-License-Identifier: MIT */
/*
 * AMD's IOMMU. AMD I/O Virtualization Technology (IOMMU) Specification 3.07: 2.2.2 (device table),
 * 2.2.3 (page tables), 2.4 (commands), 3.4 (registers), 5.2 (IVRS).
 */
#include "iommu.h"

#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/io.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <lib/bits.h>

#define UNITS_MOST 8u
#define DOMAIN     1u /* number by which translations are remembered */

/* --- registers -------------------------------------------------------------------------------- */

#define REG_DEVICE_TABLE 0x0000u
#define REG_COMMANDS     0x0008u
#define REG_CONTROL      0x0018u
#define REG_HEAD         0x2000u
#define REG_TAIL         0x2008u
#define REGS_BYTES       KIB(16)

#define COMMANDS_LENGTH  MASK(59, 56) /* log2 of how many there is room for */
#define CONTROL_ENABLE   BIT(0)
#define CONTROL_COHERENT BIT(10)
#define CONTROL_COMMANDS BIT(12)

/* Commands, of 16 bytes. */
#define COMMAND_BYTES    16u
#define COMMANDS         256u
#define COMMAND_OPCODE   MASK(63, 60)
#define COMPLETION_WAIT  1u
#define WAIT_STORE       BIT(0)
#define INVALIDATE_PAGES 3u
#define PAGES_DOMAIN     MASK(47, 32)
#define PAGES_ALL        0x7ffffffffffff003ull /* every address, and what was known of tables */

struct unit {
    uint64_t base;
    volatile uint8_t *regs;
    uint64_t *commands;
    uint32_t tail;
};

static struct unit units[UNITS_MOST];
static uint32_t nr_units;
static volatile uint64_t *done; /* where a unit tells that it has come so far */
static uint64_t told;

/* --- IVRS ------------------------------------------------------------------------------------- */

#define BLOCK_TYPE    0u
#define IVHD_BASE     8u
#define IVHD_FIRST    0x10u
#define IVHD_EXTENDED 0x11u
#define IVHD_NAMED    0x40u
#define IVMD_START    16u
#define IVMD_BYTES    24u
#define IVMD_BLOCK    32u
#define IVHD_BLOCK    24u

static bool is_known(uint64_t base)
{
    for (uint32_t i = 0; i < nr_units; i++)
        if (units[i].base == base)
            return true;
    return false;
}

/* A unit may be described by blocks of several types. */
static int add_unit(uint64_t base)
{
    if (is_known(base))
        return 0;
    if (nr_units == UNITS_MOST || !base || base & FRAME_MASK) {
        log_err("IOMMU: AMD, registers at %#llx: too many, or not there", (unsigned long long)base);
        return -EINVAL;
    }
    units[nr_units].regs = device_map(MADDR(base), REGS_BYTES);
    if (!units[nr_units].regs)
        return -ENOMEM;
    units[nr_units++].base = base;
    iommu_keep(base, REGS_BYTES);
    return 0;
}

static int take_block(const uint8_t *b, uint32_t length)
{
    switch (b[BLOCK_TYPE]) {
    case IVHD_FIRST:
    case IVHD_EXTENDED:
    case IVHD_NAMED:
        return length >= IVHD_BLOCK ? add_unit(load_le64(b + IVHD_BASE)) : -EINVAL;
    case 0x20:
    case 0x21:
    case 0x22:
        if (length >= IVMD_BLOCK)
            iommu_add_unity(load_le64(b + IVMD_START),
                            load_le64(b + IVMD_START) + load_le64(b + IVMD_BYTES));
        return 0;
    default:
        return 0;
    }
}

static int probe(const uint8_t *table, uint32_t bytes)
{
    int err = iommu_walk(table, bytes, take_block);

    if (err || !nr_units)
        log_err("IOMMU: AMD: its table (IVRS) makes no sense: not used");
    return nr_units ? err : -ENODEV;
}

/* --- page tables ------------------------------------------------------------------------------ */

#define ENTRY_PRESENT    BIT(0)
#define ENTRY_NEXT_LEVEL MASK(11, 9) /* 0: a leaf */
#define ENTRY_ADDRESS    MASK(51, 12)
#define ENTRY_COHERENT   BIT(60)
#define ENTRY_READ       BIT(61)
#define ENTRY_WRITE      BIT(62)

static uint64_t encode_leaf(const struct pgtable_leaf *leaf, unsigned int level)
{
    (void)level;
    return leaf->maddr.v | ENTRY_PRESENT | ENTRY_COHERENT | (leaf->flags & PG_R ? ENTRY_READ : 0) |
           (leaf->flags & PG_W ? ENTRY_WRITE : 0);
}

/* The specification counts levels from pages (1) up, we from the top (0) down. */
static uint64_t encode_table(maddr_t table, unsigned int level)
{
    return table.v | ENTRY_PRESENT | field_prep(ENTRY_NEXT_LEVEL, PGTABLE_LEVELS - 1 - level) |
           ENTRY_READ | ENTRY_WRITE;
}

static bool decode_leaf(uint64_t e, unsigned int level, struct pgtable_leaf *leaf)
{
    (void)level;
    if (!(e & ENTRY_PRESENT) || e & ENTRY_NEXT_LEVEL)
        return false;
    leaf->maddr = MADDR(e & ENTRY_ADDRESS);
    leaf->flags = PG_VALID | (e & ENTRY_READ ? PG_R : 0) | (e & ENTRY_WRITE ? PG_W : 0);
    leaf->type = 0;
    return true;
}

static bool decode_table(uint64_t e, unsigned int level, maddr_t *table)
{
    (void)level;
    *table = MADDR(e & ENTRY_ADDRESS);
    return e & ENTRY_PRESENT && e & ENTRY_NEXT_LEVEL;
}

static const struct pgtable_format *format(void)
{
    static const struct pgtable_format f = {
        .top_level = 0,
        .top_order = 0,
        .largest_block = 1,
        .encode_leaf = encode_leaf,
        .encode_table = encode_table,
        .decode_leaf = decode_leaf,
        .decode_table = decode_table,
    };

    return &f;
}

static bool caches_absence(void)
{
    return false;
}

/* --- commands --------------------------------------------------------------------------------- */

static void put(struct unit *u, uint64_t low, uint64_t high)
{
    uint64_t *c = u->commands + 2 * u->tail;

    c[0] = low;
    c[1] = high;
    u->tail = (u->tail + 1) % COMMANDS;
}

static void run(struct unit *u)
{
    mmio_write64(u->regs + REG_TAIL, u->tail * COMMAND_BYTES);
}

/* Two commands at a time: there is always room. */
static void flush(void)
{
    for (uint32_t i = 0; i < nr_units; i++) {
        struct unit *u = &units[i];

        put(u, field_prep(COMMAND_OPCODE, INVALIDATE_PAGES) | field_prep(PAGES_DOMAIN, DOMAIN),
            PAGES_ALL);
        told++;
        put(u,
            field_prep(COMMAND_OPCODE, COMPLETION_WAIT) | WAIT_STORE |
                arch_virt_to_maddr((const void *)(uintptr_t)done).v,
            told);
        run(u);
        iommu_wait64(done, UINT64_MAX, told);
    }
}

/* --- the table of devices --------------------------------------------------------------------- */

#define DEVICES       65536u
#define DEVICE_WORDS  4u /* of 8 bytes */
#define DEVICES_ORDER 9u
#define DEVICE_VALID  BIT(0)
#define DEVICE_MAPPED BIT(1)
#define DEVICE_MODE   MASK(11, 9) /* levels of its page tables */
#define TABLE_PAGES   511u        /* of REG_DEVICE_TABLE: less 1 */

_Static_assert(DEVICES *DEVICE_WORDS * 8 == FRAME_SIZE << DEVICES_ORDER, "2 MiB of them");

/* Every device there can be. Interrupts are not looked at: messages pass as they are. */
static uint64_t *make_devices(maddr_t root)
{
    uint64_t *all = heap_alloc_pages(DEVICES_ORDER);

    for (uint32_t i = 0; all && i < DEVICES; i++) {
        uint64_t *d = all + (uint64_t)i * DEVICE_WORDS;

        d[0] = root.v | DEVICE_VALID | DEVICE_MAPPED | field_prep(DEVICE_MODE, PGTABLE_LEVELS) |
               ENTRY_READ | ENTRY_WRITE;
        d[1] = DOMAIN;
    }
    return all;
}

static void start(struct unit *u, const uint64_t *devices)
{
    u->tail = 0;
    mmio_write64(u->regs + REG_CONTROL, 0);
    mmio_write64(u->regs + REG_DEVICE_TABLE, arch_virt_to_maddr(devices).v | TABLE_PAGES);
    mmio_write64(u->regs + REG_COMMANDS, arch_virt_to_maddr(u->commands).v |
                                             field_prep(COMMANDS_LENGTH, log2_ceil(COMMANDS)));
    mmio_write64(u->regs + REG_HEAD, 0);
    mmio_write64(u->regs + REG_TAIL, 0);
    mmio_write64(u->regs + REG_CONTROL, CONTROL_ENABLE | CONTROL_COHERENT | CONTROL_COMMANDS);
}

/* All memory is taken before the first unit is on: what it uses is not given back. */
static int enable(maddr_t root)
{
    uint64_t *devices = make_devices(root), *queues[UNITS_MOST] = { NULL };
    volatile uint64_t *written = heap_alloc(sizeof(*written));
    int err = devices && written ? 0 : -ENOMEM;

    for (uint32_t i = 0; i < nr_units; i++) {
        queues[i] = heap_alloc_pages(0);
        if (!queues[i])
            err = -ENOMEM;
    }
    if (err) {
        for (uint32_t i = 0; i < nr_units; i++)
            heap_free_pages(queues[i], 0);
        heap_free((void *)(uintptr_t)written);
        heap_free_pages(devices, DEVICES_ORDER);
        return err;
    }
    done = written;
    for (uint32_t i = 0; i < nr_units; i++) {
        units[i].commands = queues[i];
        start(&units[i], devices);
    }
    flush();
    return 0;
}

const struct iommu_driver iommu_amd = {
    .signature = "IVRS",
    .name = "AMD",
    .probe = probe,
    .format = format,
    .caches_absence = caches_absence,
    .enable = enable,
    .flush = flush,
};
