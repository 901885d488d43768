/* SPDX-License-Identifier: MIT */
/*
 * Intel's IOMMU. Intel Virtualization Technology for Directed I/O 4.1: 8 (DMAR), 9.1, 9.3 (root and
 * context entries), 9.8 (second-stage entries), 11.4 (registers). Translations are forgotten by
 * registers, all at a time.
 */
#include "iommu.h"

#include <hospes/compiler.h>
#include <hospes/cpu.h>
#include <hospes/errno.h>
#include <hospes/heap.h>
#include <hospes/io.h>
#include <hospes/log.h>
#include <hospes/map.h>
#include <lib/bits.h>

#define UNITS_MOST 8u
#define DOMAIN     1u

/* --- registers -------------------------------------------------------------------------------- */

#define REG_CAP     0x08u
#define REG_ECAP    0x10u
#define REG_COMMAND 0x18u
#define REG_STATUS  0x1cu
#define REG_ROOT    0x20u
#define REG_CONTEXT 0x28u
#define REGS_BYTES  KIB(4)

#define CAP_WRITE_BUFFER BIT(4)
#define CAP_CACHING      BIT(7) /* what is not there is remembered too */
#define CAP_LEVELS_3     BIT(9)
#define CAP_LEVELS_4     BIT(10)
#define CAP_2M           BIT(34)
#define CAP_1G           BIT(35)

#define ECAP_COHERENT BIT(0)
#define ECAP_IOTLB    MASK(17, 8) /* where its registers are, in 16 bytes */

#define COMMAND_TRANSLATE    BIT(31)
#define COMMAND_SET_ROOT     BIT(30)
#define COMMAND_WRITE_BUFFER BIT(27)
#define COMMAND_QUEUE        BIT(26) /* what is to be forgotten stands in memory */
#define COMMAND_INTERRUPTS   BIT(25) /* messages are translated */
/* Of the status, what stays when another bit is commanded: 11.4.4. */
#define STATUS_LASTING 0x96ffffffu

#define CONTEXT_FORGET BIT(63)
#define CONTEXT_ALL    BIT(61)

#define IOTLB_COMMAND 0x08u /* behind the address */
#define IOTLB_FORGET  BIT(63)
#define IOTLB_ALL     BIT(60)
#define IOTLB_DRAIN   (BIT(49) | BIT(48)) /* reads and writes that are under way */

struct unit {
    volatile uint8_t *regs, *iotlb;
    uint64_t base, cap, ecap;
};

static struct unit units[UNITS_MOST];
static uint32_t nr_units;
static uint64_t all_can = UINT64_MAX; /* CAP bits that every unit has */
static bool caching;

/* --- DMAR ------------------------------------------------------------------------------------- */

#define DRHD       0u
#define DRHD_BASE  8u
#define RMRR       1u
#define RMRR_BASE  8u
#define RMRR_LIMIT 16u

static int add_unit(uint64_t base)
{
    struct unit *u = &units[nr_units];

    if (nr_units == UNITS_MOST || !base || base & FRAME_MASK) {
        log_err("IOMMU: Intel, registers at %#llx: too many, or not there",
                (unsigned long long)base);
        return -EINVAL;
    }
    u->regs = device_map(MADDR(base), REGS_BYTES);
    if (!u->regs)
        return -ENOMEM;
    u->base = base;
    u->cap = mmio_read64(u->regs + REG_CAP);
    u->ecap = mmio_read64(u->regs + REG_ECAP);
    if (field_get(ECAP_IOTLB, u->ecap) * 16 > REGS_BYTES - 16) {
        log_err("IOMMU: Intel, registers at %#llx: more than a page of them",
                (unsigned long long)base);
        return -EINVAL;
    }
    u->iotlb = u->regs + field_get(ECAP_IOTLB, u->ecap) * 16;
    all_can &= u->cap;
    caching |= u->cap & CAP_CACHING;
    nr_units++;
    iommu_keep(base, REGS_BYTES);
    return 0;
}

static int take_structure(const uint8_t *s, uint32_t length)
{
    switch (load_le16(s)) {
    case DRHD:
        return length >= DRHD_BASE + 8 ? add_unit(load_le64(s + DRHD_BASE)) : -EINVAL;
    case RMRR:
        if (length >= RMRR_LIMIT + 8)
            iommu_add_unity(load_le64(s + RMRR_BASE), load_le64(s + RMRR_LIMIT) + 1);
        return 0;
    default:
        return 0;
    }
}

static int probe(const uint8_t *table, uint32_t bytes)
{
    int err = iommu_walk(table, bytes, take_structure);

    if (err || !nr_units)
        log_err("IOMMU: Intel: its table (DMAR) makes no sense: not used");
    else if (!(all_can & (CAP_LEVELS_3 | CAP_LEVELS_4)))
        log_err("IOMMU: Intel: no page tables that all units have: not used");
    else
        return 0;
    return -ENODEV;
}

/* --- page tables ------------------------------------------------------------------------------ */

#define ENTRY_READ    BIT(0)
#define ENTRY_WRITE   BIT(1)
#define ENTRY_LARGE   BIT(7)
#define ENTRY_ADDRESS MASK(51, 12)

#define LAST_LEVEL (PGTABLE_LEVELS - 1u)

static uint64_t encode_leaf(const struct pgtable_leaf *leaf, unsigned int level)
{
    return leaf->maddr.v | (leaf->flags & PG_R ? ENTRY_READ : 0) |
           (leaf->flags & PG_W ? ENTRY_WRITE : 0) | (level == LAST_LEVEL ? 0 : ENTRY_LARGE);
}

static uint64_t encode_table(maddr_t table, unsigned int level)
{
    (void)level;
    return table.v | ENTRY_READ | ENTRY_WRITE;
}

static bool decode_leaf(uint64_t e, unsigned int level, struct pgtable_leaf *leaf)
{
    if (!(e & (ENTRY_READ | ENTRY_WRITE)) || (level != LAST_LEVEL && !(e & ENTRY_LARGE)))
        return false;
    leaf->maddr = MADDR(e & ENTRY_ADDRESS);
    leaf->flags = PG_VALID | (e & ENTRY_READ ? PG_R : 0) | (e & ENTRY_WRITE ? PG_W : 0);
    leaf->type = 0;
    return true;
}

static bool decode_table(uint64_t e, unsigned int level, maddr_t *table)
{
    *table = MADDR(e & ENTRY_ADDRESS);
    return e & (ENTRY_READ | ENTRY_WRITE) && level != LAST_LEVEL && !(e & ENTRY_LARGE);
}

static const struct pgtable_format *format(void)
{
    static struct pgtable_format f = {
        .top_order = 0,
        .encode_leaf = encode_leaf,
        .encode_table = encode_table,
        .decode_leaf = decode_leaf,
        .decode_table = decode_table,
    };

    f.top_level = all_can & CAP_LEVELS_4 ? 0 : 1;
    f.largest_block = !(all_can & CAP_2M) ? 3 : all_can & CAP_1G ? 1 : 2;
    return &f;
}

static bool caches_absence(void)
{
    return caching;
}

/* --- the hardware ----------------------------------------------------------------------------- */

/* Firmware may have used it: what it left on is switched off, one after the other. */
static void stop(const struct unit *u)
{
    static const uint64_t on[] = { COMMAND_TRANSLATE, COMMAND_INTERRUPTS, COMMAND_QUEUE };

    for (uint32_t i = 0; i < array_size(on); i++) {
        uint32_t now = mmio_read32(u->regs + REG_STATUS) & STATUS_LASTING;

        if (!(now & on[i]))
            continue;
        mmio_write32(u->regs + REG_COMMAND, now & ~(uint32_t)on[i]);
        iommu_wait32(u->regs + REG_STATUS, (uint32_t)on[i], 0);
    }
}

static void command(const struct unit *u, uint64_t bit, bool stays)
{
    uint32_t now = mmio_read32(u->regs + REG_STATUS) & STATUS_LASTING;

    mmio_write32(u->regs + REG_COMMAND, now | (uint32_t)bit);
    iommu_wait32(u->regs + REG_STATUS, (uint32_t)bit, stays ? (uint32_t)bit : 0);
}

static void flush_unit(const struct unit *u)
{
    if (u->cap & CAP_WRITE_BUFFER)
        command(u, COMMAND_WRITE_BUFFER, false);
    mmio_write64(u->iotlb + IOTLB_COMMAND, IOTLB_FORGET | IOTLB_ALL | IOTLB_DRAIN);
    iommu_wait64(u->iotlb + IOTLB_COMMAND, IOTLB_FORGET, 0);
}

static void flush(void)
{
    for (uint32_t i = 0; i < nr_units; i++)
        flush_unit(&units[i]);
}

#define CONTEXTS       256u
#define CONTEXT_THERE  BIT(0)
#define CONTEXT_DOMAIN MASK(23, 8)
#define CONTEXT_3      1u /* levels of its page tables */
#define CONTEXT_4      2u

/* The root table names one table of contexts for every bus, and that the same tree for every
 * device. */
static uint64_t *make_root(maddr_t tree)
{
    uint64_t *root = heap_alloc_pages(0), *contexts = heap_alloc_pages(0);

    if (!root || !contexts) {
        heap_free_pages(root, 0);
        heap_free_pages(contexts, 0);
        return NULL;
    }
    for (uint32_t i = 0; i < CONTEXTS; i++) {
        root[2 * i] = arch_virt_to_maddr(contexts).v | CONTEXT_THERE;
        contexts[2 * i] = tree.v | CONTEXT_THERE;
        contexts[2 * i + 1] =
            field_prep(CONTEXT_DOMAIN, DOMAIN) | (all_can & CAP_LEVELS_4 ? CONTEXT_4 : CONTEXT_3);
    }
    arch_cache_clean(root, FRAME_SIZE);
    arch_cache_clean(contexts, FRAME_SIZE);
    return root;
}

static int enable(maddr_t tree)
{
    uint64_t *root = make_root(tree);

    if (!root)
        return -ENOMEM;
    for (uint32_t i = 0; i < nr_units; i++) {
        const struct unit *u = &units[i];

        stop(u);
        mmio_write64(u->regs + REG_ROOT, arch_virt_to_maddr(root).v);
        command(u, COMMAND_SET_ROOT, true);
        mmio_write64(u->regs + REG_CONTEXT, CONTEXT_FORGET | CONTEXT_ALL);
        iommu_wait64(u->regs + REG_CONTEXT, CONTEXT_FORGET, 0);
        flush_unit(u);
        command(u, COMMAND_TRANSLATE, true);
    }
    return 0;
}

const struct iommu_driver iommu_vtd = {
    .signature = "DMAR",
    .name = "Intel",
    .probe = probe,
    .format = format,
    .caches_absence = caches_absence,
    .enable = enable,
    .flush = flush,
};
